"""A site's own step: a package of two modules, installed, runs in a session like those that ship."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import pytest

from warpcore.cli.simulation import SimulationOptions, simulate_movies

PACKAGE = Path(__file__).parent / "denoise_step"


def test_an_installed_step_is_run_stored_rerun_listed_and_shown(
    install: Callable[[Path], None],
    tmp_path: Path,
    up: Callable[..., Any],
    wait_until: Callable[..., None],
    warpcore: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    install(PACKAGE)
    options = SimulationOptions(frames=4, height=256, width=256, dose_per_frame=5.0, particles=2, gain=False)
    simulate_movies(tmp_path / "movies", 2, options=options, seed=3)
    processing = tmp_path / "processed"
    session = up(
        tmp_path / "movies", processing, "--workers", "1", "--set", "ctf.enabled=false", "--set", "denoise.sigma=8"
    )
    port = session.ports[session.ports.index("--control-port") + 1]

    def asked(*arguments: str) -> str:
        done = warpcore(*arguments, "--control-port", port)
        assert done.returncode == 0, done.stderr
        return done.stdout

    wait_until(lambda: session.settled(2), 120, "two movies")
    first = session.items()["movie_0001"]
    contrast = first["results"]["denoise"]["contrast"]
    assert contrast > 0
    with mrcfile.open(processing / "denoised" / "movie_0001.mrc") as file:
        assert file.data.std() / abs(file.data.mean()) == pytest.approx(contrast, rel=1e-4)

    # Shown in the lists, in REST, in the JSON file and among the settings.
    assert f"{contrast:.4f}" in asked("items")
    rows = list(csv.DictReader(io.StringIO(asked("items", "--csv", "--sort", "-denoise.contrast"))))
    assert [row["denoise.contrast"] for row in rows] == sorted((row["denoise.contrast"] for row in rows), reverse=True)
    assert "denoise.sigma=8.0" in asked("settings", "get", "denoise")
    assert "width of the filter" in warpcore("settings", "explain", "denoise.sigma").stdout

    def listed() -> list[float]:
        path = processing / "processed_items.json"
        return [one.get("DenoisedContrast") for one in json.loads(path.read_text())] if path.exists() else []

    wait_until(lambda: None not in listed() and len(listed()) == 2, 30, "the values in processed_items.json")

    _rerun_and_back(session, processing, asked, wait_until)

    # Its column has a limit of the filter.
    asked("settings", "set", "filter.contrast_min=1000")
    wait_until(lambda: set(session.statuses().values()) == {"filtered_out"}, 30, "the filter")
    assert any(reason.startswith("contrast ") for reason in session.items()["movie_0001"]["filterReasons"])


def _rerun_and_back(session: Any, processing: Path, asked: Callable[..., str], wait_until: Callable[..., None]) -> None:
    """Another setting of the step reruns it alone; set back, nothing runs."""
    first = session.items()["movie_0001"]
    average = processing / "average" / "movie_0001.mrc"
    written = average.stat().st_mtime_ns

    def contrast() -> Any:
        return session.items()["movie_0001"]["results"]["denoise"]["contrast"] if session.settled(2) else None

    def done() -> int:
        return sum(worker["done"] for worker in session.get("/api/workers")["workers"])

    before = contrast()
    asked("settings", "set", "denoise.sigma=20")
    wait_until(lambda: contrast() not in (None, before), 60, "the rerun")
    assert session.items()["movie_0001"]["fingerprints"]["motion"] == first["fingerprints"]["motion"]
    assert average.stat().st_mtime_ns == written
    ran = done()
    asked("settings", "set", "denoise.sigma=8")
    wait_until(lambda: contrast() == before, 60, "the kept outputs")
    assert done() == ran


@pytest.mark.parametrize("name", ["denoise", "sigma", "contrast"])
def test_a_step_a_setting_and_a_column_are_each_two_files(name: str) -> None:
    """One declares, one does: all that the test above sees of them follows from these."""
    naming = {path.name for path in PACKAGE.rglob("*.py") if name in path.read_text().lower()}
    assert naming == {"__init__.py", "doing.py"}


def test_nothing_of_warpcore_names_the_site_step() -> None:
    """Had it to be named anywhere else, the step, its setting or its column would take more than these two files."""
    root = Path(__file__).parents[2]
    sources = [path for room in ("bus", "cli", "kernels", "services") for path in (root / room).rglob("*.py")]
    assert len(sources) > 200
    assert not [path for path in sources if re.search(r"\bdenois", path.read_text(encoding="utf-8"), re.I)]


def test_the_recipes_give_these_counts() -> None:
    recipes = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for what in ("A step", "A setting", "A column"):
        assert re.search(rf"^### {what}: 2 files", recipes, re.M), what
