"""A whole movie in the device's form, beside the CPU's: within what the project promises of a GPU."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.kernels.image import DeviceFrames, device_form
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.worker.local import process_files
from warpcore.services.worker.steps.work import FRAMES, Work

NAME = "movie_0001"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated movie processed in the device's form and in the CPU's: folders `device` and `cpu`."""
    folder = tmp_path_factory.mktemp("movie")
    options = SimulationOptions(frames=16, height=640, width=704, dose_per_frame=2.0, particles=25)
    path = simulate_movies(folder, 1, options=options, seed=11)[0].path
    for form in ("device", "cpu"):
        with device_form() if form == "device" else nullcontext():
            (outcome,) = process_files([path], settings(folder), folder / form, lambda *_: None, device="cpu")
        assert outcome.status == "processed", outcome.failure
    return folder


def settings(folder: Path) -> Settings:
    return parse_settings(
        {
            "import": {"gain_path": str(folder / "gain.mrc"), "dose_per_frame": 2.0},
            "picking": {"diameter": 136.0},
            "export": {"halves": True, "stack": True, "float16": False},
        }
    )


def both(folder: Path, relative: str) -> tuple[dict[str, Any], dict[str, Any]]:
    there, here = (json.loads((folder / form / relative).read_text(encoding="utf-8")) for form in ("device", "cpu"))
    return there, here


def test_tracks_agree_to_a_fiftieth_of_a_pixel(folder: Path) -> None:
    there, here = both(folder, f"motion/{NAME}.json")
    tracks = [np.array(one["tracks_5x5_angstrom"]) / one["pixel_size_angstrom"] for one in (there, here)]
    assert np.ptp(tracks[1]) > 5
    # Measured: 0.0001 px.
    assert np.abs(tracks[0] - tracks[1]).max() < 0.02


def test_defocus_agrees_to_five_angstrom(folder: Path) -> None:
    there, here = both(folder, f"powerspectrum/{NAME}.json")
    assert here["failure"] is None
    # Measured: 0.05 Å.
    for name in ("defocus_u_angstrom", "defocus_v_angstrom"):
        assert abs(there[name] - here[name]) < 5


@pytest.mark.parametrize("kind", ["average", "average/odd", "average/even"])
def test_averages_correlate(folder: Path, kind: str) -> None:
    there, here = (mrcfile.read(folder / form / kind / f"{NAME}.mrc") for form in ("device", "cpu"))
    # Measured: 0.99999999.
    assert np.corrcoef(there.ravel(), here.ravel())[0, 1] > 0.99999


def test_picks_are_the_same_but_for_scores_at_the_threshold(folder: Path) -> None:
    there, here = (np.array([one[name] for name in ("x_px", "y_px", "scores")]) for one in both(folder, PICKS))
    sure = here[:, here[2] > 0.52]
    assert sure.shape[1] > 10
    for x, y, score in sure.T:
        distance = np.hypot(there[0] - x, there[1] - y)
        assert distance.min() < 0.5
        # Measured: 0.0002.
        assert abs(there[2][distance.argmin()] - score) < 0.02


PICKS = f"matching/{NAME}_picks.json"


def test_the_movie_went_to_the_device_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object holds the frames of all steps; on the CPU it is the array as decoded."""
    from warpcore.services.worker.local_files import plan_file
    from warpcore.services.worker.pipeline import load

    path = folder / f"{NAME}.tif"
    with device_form():
        work: Work = load(plan_file(path, settings(folder), folder / "again").task, lambda *_: None)
    frames = work.take(FRAMES)
    assert isinstance(frames.counts, DeviceFrames)
    assert frames.counts.shape == (16, 640, 704)
    assert isinstance(
        load(plan_file(path, settings(folder), folder / "again").task, lambda *_: None).take(FRAMES).counts, np.ndarray
    )


def test_a_movie_that_runs_out_of_memory_is_done_in_smaller_pieces(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from warpcore.services.worker.local import place_outputs
    from warpcore.services.worker.local_files import plan_file
    from warpcore.services.worker.pipeline import compute, load, stage_outputs

    path, out = folder / f"{NAME}.tif", folder / "smaller"
    failures = ["RESOURCE_EXHAUSTED: Out of memory while trying to allocate 2147483648 bytes."]

    def report(step: str, fraction: float, message: str = "") -> None:
        if step == "ctf" and failures:
            raise RuntimeError(failures.pop())  # what JAX raises

    with device_form():
        first = load(plan_file(path, settings(folder), out).task, report)
        work = compute(first, report)
        assert first.get(FRAMES) is None, "the first try would fill the memory of the second"
        place_outputs(work, stage_outputs(work, report))
    assert work.memory_share == 0.25
    assert f"{NAME}: out of memory on the device; again with fewer frames at a time" in caplog.text
    for relative in (f"average/{NAME}.mrc", f"motion/{NAME}.json", f"powerspectrum/{NAME}.json", PICKS):
        assert (out / relative).read_bytes() == (folder / "device" / relative).read_bytes(), relative


def test_a_movie_for_which_no_memory_suffices_fails_as_such(folder: Path) -> None:
    from warpcore.services.worker.failures import classify
    from warpcore.services.worker.local_files import plan_file
    from warpcore.services.worker.pipeline import compute, load

    def report(step: str, fraction: float, message: str = "") -> None:
        if step == "motion":
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes.")

    work = load(plan_file(folder / f"{NAME}.tif", settings(folder), folder / "none").task, report)
    with device_form(), pytest.raises(RuntimeError, match="Out of memory") as raised:
        compute(work, report)
    assert classify(raised.value, "motion").kind == "resource"
