"""A session whose `.warpcore` is lost goes on from its results: nothing runs again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import WARPCORE
from movies_for_tests import write_movie

SETTINGS = ("--set", "import.pixel_size=2.2", "--set", "filter.resolution_max=5.0", "--set", "ctf.window=256")
KEPT = ("name", "path", "status", "selection", "fingerprints", "filterReasons")


def facts(item: dict[str, Any]) -> dict[str, Any]:
    measured = {step: one for step, one in item["results"].items() if step != "run"}
    return {name: item[name] for name in KEPT} | {"results": measured}


@pytest.mark.slow
def test_a_lost_state_is_made_anew_and_nothing_runs_again(
    up: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    data, processing = tmp_path / "data", tmp_path / "processing"
    data.mkdir()
    random = np.random.default_rng(3)
    for name in ("a", "b", "c"):
        write_movie(data / f"{name}.tif", random.poisson(3, (4, 256, 256)).astype(np.uint8))
    session = up(data, processing, "--workers", "1", *SETTINGS)
    wait_until(lambda: session.settled(3), 240, "three movies done")
    session.http.put("/api/items/b/selection", json={"selection": "include"}).raise_for_status()
    wait_until(lambda: 'UnselectManual="False"' in (processing / "b.xml").read_text(), 30, "the choice in the XML")
    before = {name: facts(session.get(f"/api/items/{name}")) for name in ("a", "b", "c")}
    assert session.stop() == 0
    files = {path: path.stat() for path in processing.rglob("*.mrc") if ".warpcore" not in path.parts}
    assert files

    shutil.rmtree(processing / ".warpcore")
    rebuilding = [*WARPCORE, "scheduler", "--rebuild", "--data", str(data), "--processing", str(processing)]
    rebuilt = subprocess.run(rebuilding, capture_output=True, text=True, timeout=120, check=True)
    assert "3 movies have results" in rebuilt.stderr
    assert "settings: as in " in rebuilt.stderr
    assert "not known any more" in rebuilt.stderr

    again = up(data, processing, "--workers", "0")
    wait_until(lambda: again.settled(3), 60, "nothing is left to do")
    assert {name: facts(again.get(f"/api/items/{name}")) for name in ("a", "b", "c")} == before
    assert {path: path.stat().st_mtime_ns for path in files} == {path: one.st_mtime_ns for path, one in files.items()}
    assert again.stop() == 0
