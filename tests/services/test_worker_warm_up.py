"""Kernels compiled before the first movie: what is kept for it, and what it saves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.kernels.image import device_form
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.failures import CancelledError
from warpcore.services.worker.local_files import plan_file
from warpcore.services.worker.pipeline import load
from warpcore.services.worker.warm_up import LastMovie, last_movie, recalled, remember, warm_up

SETTINGS = {"import": {"dose_per_frame": 3.0}}
COUNTED = """
import json
import sys
from pathlib import Path
from warpcore.kernels.image import device_form
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.compiling import CompileCount
from warpcore.services.worker.local_files import plan_file
from warpcore.services.worker.pipeline import compute, load, stage_outputs
from warpcore.services.worker.warm_up import recalled, warm_up

path, cache, settings = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
count = CompileCount()
count.listen()
with device_form():
    warm_up(recalled(cache), lambda *_: None)
    before = count._sum.kernels
    work = compute(load(plan_file(path, parse_settings(settings), cache).task, lambda *_: None), lambda *_: None)
    stage_outputs(work, lambda *_: None).discard()
print(work.results["motion"]["failure"], before, count._sum.kernels - before)
"""


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = SimulationOptions(frames=8, height=448, width=512, dose_per_frame=3.0, particles=10, gain=False)
    return simulate_movies(tmp_path_factory.mktemp("movie"), 1, options=options, seed=4)[0].path


@pytest.fixture(scope="module")
def like_it(movie: Path) -> LastMovie:
    with device_form():
        work = load(plan_file(movie, parse_settings(SETTINGS), movie.parent).task, nothing)
    found = last_movie(work)
    assert found is not None
    return found


def nothing(step: str, fraction: float, message: str = "") -> None:
    """No progress is told."""


def test_what_the_last_movie_was_like_is_kept_from_start_to_start(like_it: LastMovie, tmp_path: Path) -> None:
    assert (like_it.frames, like_it.height, like_it.width, like_it.dtype) == (8, 448, 512, "uint8")
    assert recalled(tmp_path) is None
    remember(like_it, tmp_path)
    assert recalled(tmp_path) == like_it


@pytest.mark.parametrize("text", ["", "[]", '{"frames": 3}', '{"frames": "x"'])
def test_what_is_no_movie_is_not_used(text: str, tmp_path: Path) -> None:
    (tmp_path / "last_movie.json").write_text(text, encoding="utf-8")
    assert recalled(tmp_path) is None


@pytest.mark.slow
def test_the_first_movie_finds_most_of_its_kernels_compiled(movie: Path, like_it: LastMovie, tmp_path: Path) -> None:
    remember(like_it, tmp_path)
    command = [sys.executable, "-c", COUNTED, str(movie), str(tmp_path), json.dumps(SETTINGS)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    failure, before, for_the_movie = told[-3], int(told[-2]), int(told[-1])
    assert failure == "None"
    # Measured: 32 beside 150, most of them for rings, which noise does not have.
    assert for_the_movie < 0.3 * before


def test_a_warm_up_ends_when_a_movie_is_there(like_it: LastMovie) -> None:
    steps = []

    def movie_is_there(step: str, fraction: float, message: str = "") -> None:
        steps.append(step)
        if step == "motion":
            raise CancelledError

    with device_form(), pytest.raises(CancelledError):
        warm_up(like_it, movie_is_there)
    assert set(steps) == {"motion"}
