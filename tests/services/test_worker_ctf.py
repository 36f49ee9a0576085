"""The CTF step in the worker: single averages, frames or their sum, and reasons that reach the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imagecodecs
import mrcfile
import numpy as np
import pytest

from tests.kernels.ctf_images import Truth, simulate_frames, simulate_image
from warpcore.services.formats.warp_xml_reading import read_movie_xml
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.local import FileOutcome, process_files

TRUTH = Truth(signal_to_noise=1.0, strong=4.0, pixel_size=1.6)


def written(path: Path, pixels: np.ndarray) -> Path:
    with mrcfile.new(path) as file:
        file.set_data(pixels.astype(np.float32))
        file.voxel_size = TRUTH.pixel_size
    return path


def processed(path: Path, processing: Path, **sections: dict[str, Any]) -> FileOutcome:
    (outcome,) = process_files([path], parse_settings(sections), processing, lambda *told: None, device="cpu")
    return outcome


def test_a_single_average_is_fitted_without_motion(tmp_path: Path) -> None:
    path = written(tmp_path / "one.mrc", 30 + simulate_image(TRUTH, (640, 640)))
    outcome = processed(path, tmp_path / "out")
    assert outcome.failure is None
    assert outcome.results["motion"]["skipped"]
    # Measured 20 Å; 5 Å in a field four times as large.
    assert outcome.results["ctf"]["defocus_u_angstrom"] == pytest.approx(TRUTH.defocus_u, abs=100)
    assert outcome.results["ctf"]["defocus_range_um"] < 0.03  # a level field; measured 0.004
    assert outcome.results["ctf"]["tilt_degrees"] < 10  # measured 2.1
    picture = imagecodecs.imread(tmp_path / "out" / "powerspectrum" / "one.png")
    assert picture.shape[2] == 3
    stored = json.loads((tmp_path / "out" / "powerspectrum" / "one.json").read_text())
    curves = stored["curves"]
    assert {"frequency", "spectrum", "background", "scale", "model", "quality"} == set(curves)
    assert len({len(values) for values in curves.values()}) == 1
    xml = read_movie_xml(tmp_path / "out" / "one.xml")
    assert xml.ctf is not None
    assert xml.ctf.defocus_um == pytest.approx(outcome.results["ctf"]["defocus_um"], abs=1e-4)


def test_frames_are_fitted_unless_the_sum_is_asked_for(tmp_path: Path) -> None:
    frames = 30 + simulate_frames(TRUTH, (640, 640), 12, (2, 3))
    path = written(tmp_path / "moving.mrc", frames)
    common: dict[str, Any] = {"import": {"dose_per_frame": 4.0}, "motion": {"enabled": False}}
    of_frames = processed(path, tmp_path / "frames", **common).results["ctf"]
    assert of_frames["failure"] is None
    assert of_frames["defocus_um"] == pytest.approx(1.475, abs=0.02)
    assert "motion is not corrected" in of_frames["warnings"][0]
    of_sum = processed(path, tmp_path / "sum", **common, ctf={"use_sum": True}).results["ctf"]
    assert of_sum["failure"].startswith("drift")
    assert of_sum["defocus_um"] is None
    assert of_sum["tilt_degrees"] is None
    stored = [json.loads((tmp_path / name / "powerspectrum/moving.json").read_text()) for name in ("frames", "sum")]
    assert [one["source"] for one in stored] == ["frames", "sum"]
    assert read_movie_xml(tmp_path / "sum" / "moving.xml").ctf is None
