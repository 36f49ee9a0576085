"""Outputs are put in place together, and what a killed process left behind goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from warpcore.services.session.generations import Generation
from warpcore.services.worker.staging import Staging

NOTHING = Generation({}, {}, {})


def left(processing: Path) -> list[str]:
    return sorted(str(path.relative_to(processing)) for path in processing.rglob("*") if path.is_file())


def test_outputs_appear_together_and_nothing_else_stays(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    staging.place("export", "average/m.mrc").write_bytes(b"image")
    staging.place("ctf", "m.xml").write_bytes(b"xml")
    assert not (tmp_path / "average" / "m.mrc").exists()
    staging.settle()
    by_step, _ = staging.commit("m", NOTHING, ["ctf", "export"])
    assert by_step == {"export": ["average/m.mrc"], "ctf": ["m.xml"]}
    assert left(tmp_path) == ["average/m.mrc", "m.xml"]


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    staging.place("ctf", "m.xml").write_bytes(b"xml")
    staging.discard()
    assert left(tmp_path) == []


def test_a_commit_that_fails_leaves_nothing_that_was_staged(tmp_path: Path) -> None:
    (tmp_path / "m.xml" / "in the way").mkdir(parents=True)
    staging = Staging(tmp_path)
    staging.place("ctf", "m.xml").write_bytes(b"xml")
    with pytest.raises(OSError, match=r"m\.xml"):
        staging.commit("m", NOTHING, ["ctf"])
    assert left(tmp_path) == []


def test_the_next_task_takes_away_what_a_killed_process_left_but_not_what_is_being_written(tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from warpcore.services.worker.staging import Staging\n"
        "staging = Staging(pathlib.Path(sys.argv[1]))\n"
        "staging.place('ctf', 'powerspectrum/m.mrc').write_bytes(b'half')\n"
        "print('placed', flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "placed\n"
    of_the_other = left(tmp_path)
    assert len(of_the_other) == 2
    mine = Staging(tmp_path)
    mine.place("ctf", "n.xml").write_bytes(b"xml")
    assert set(of_the_other) < set(left(tmp_path))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    after = Staging(tmp_path)
    after.place("ctf", "o.xml").write_bytes(b"xml")
    assert not set(of_the_other) & set(left(tmp_path))
    for staging in (mine, after):
        staging.settle()
        staging.commit("n", NOTHING, [])
    assert left(tmp_path) == ["n.xml", "o.xml"]
