"""A movie with frames that hold no measurement, through all steps: it moves as its specimen did, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import tifffile

from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.local import process_files

SHAPE, FRAMES = (192, 256), 12
BLANK, BRIGHT, COPY = 0, 5, 9
SETTINGS = {
    "import": {"pixel_size": 1.5, "dose_per_frame": 1.5},
    "motion": {"grid": [1, 1, 4]},
    "ctf": {"enabled": False},
    "export": {"average": False},
}


def _track_px() -> np.ndarray:
    """Where the specimen is seen in each frame, [F, 2] as x, y: fast at first, as real ones."""
    way = 1 - np.exp(-np.arange(FRAMES) / 4)
    return np.round(np.stack([14 * way, 9 * way], axis=1))


def _movie() -> np.ndarray:
    """Frames [F, H, W] of 4 electrons a pixel."""
    random = np.random.default_rng(3)
    specimen = np.exp(0.3 * scipy.ndimage.zoom(random.normal(0, 1, (110, 150)), 2, order=1))
    rows = [specimen[20 - y :, 20 - x :][: SHAPE[0], : SHAPE[1]] for x, y in _track_px().astype(int)]
    return random.poisson(4 * np.stack(rows)).astype(np.uint16)


@pytest.mark.parametrize("pedestal", [0, 20])
def test_blank_bright_and_repeated_frames_spoil_no_track_and_are_told(tmp_path: Path, pedestal: int) -> None:
    frames = _movie()
    frames[BLANK] = 0
    frames[BRIGHT] *= 20
    frames[COPY] = frames[COPY - 1]
    tifffile.imwrite(tmp_path / "odd.tif", frames[:, ::-1] + pedestal, photometric="minisblack")
    processing = tmp_path / "processed"
    (outcome,) = process_files([tmp_path / "odd.tif"], parse_settings(SETTINGS), processing, lambda *_: None)
    assert outcome.failure is None
    found = outcome.results["input"]
    track = np.array(json.loads((processing / "motion/odd.json").read_text())["track_angstrom"])
    good = np.setdiff1d(np.arange(FRAMES), [BLANK, BRIGHT, COPY])
    error = (track - 1.5 * _track_px())[good]
    error -= error.mean(0)
    assert found["odd_frames"] == 3
    assert found["odd_frame_numbers"] == {"blank": [1], "bright": [6], "repeated": [10]}
    assert "3 of 12 frames weigh nothing: 1 blank; 6 bright; 10 repeated" in found["notes"]
    # Measured 0.6 Å; 5.8 Å and no movement at all if these frames are looked at as the others are.
    assert np.sqrt(np.mean(np.sum(error**2, axis=1))) < 2.0
