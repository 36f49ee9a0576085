"""What watches the files of a session notes those that are opened past the one function that decides it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OPENED_FILES = Path(__file__).with_name("opened_files")
PROGRAM = """
import os
from pathlib import Path
from warpcore.services.session.opening import open_file, result_path, within
from warpcore.services.session.allowed import allowed_below
from warpcore.services.session.paths import write_text_whole
write_text_whole(result_path("processing", "average/grid/a.json"), "{}")
with within(allowed_below("data", "processing")):
    open_file("data/a.tif").close()
Path("elsewhere").write_text("not watched")
open("data/b.tif").close()
Path("processing/average/b.json").write_text("{}")
os.replace("processing/average/b.json", "processing/average/c.json")
os.unlink("processing/.warpcore/tries/try-1/a.json")
"""


def test_files_that_are_opened_without_a_judgement_are_noted(tmp_path: Path) -> None:
    for folder in ("data", "processing/.warpcore/tries/try-1"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("data/a.tif", "data/b.tif", "processing/.warpcore/tries/try-1/a.json"):
        (tmp_path / file).touch()
    watched = os.pathsep.join(str(tmp_path / name) for name in ("data", "processing"))
    environment = {**os.environ, "PYTHONPATH": str(OPENED_FILES), "WATCHED": watched, "NOTED": str(tmp_path / "noted")}
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, check=True)
    noted = [line.split(" ", 1)[1] for line in (tmp_path / "noted").read_text().splitlines()]
    assert noted == [
        "judges",
        f"open {tmp_path}/data/b.tif",
        f"open {tmp_path}/processing/average/b.json",
        f"os.rename {tmp_path}/processing/average/b.json",
        f"os.rename {tmp_path}/processing/average/c.json",
        f"os.remove {tmp_path}/processing/.warpcore/tries/try-1/a.json",
    ]
