"""Spectra of frames beside those of their sum: what drift leaves of either, and what a sum of frames is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.kernels.ctf_images import Truth, fit_truth, simulate_frames
from warpcore.kernels.ctf._frames import FrameSums, frame_sums, sum_count
from warpcore.kernels.motion._model import MotionModel

# Rings ten times as strong as usual, so that a tenth of the dose in a 1024² field shows them.
TRUTH = replace(Truth(), signal_to_noise=1.0, strong=4.0)
FRAMES = 12
DOSE = 4.0


def sums_of(frames: np.ndarray, model: MotionModel | None = None, dose: float = DOSE) -> FrameSums:
    return frame_sums(frames, model, gain=None, defects=None, pixel_size_angstrom=1.1, dose_per_frame=dose)


def drifting(step_angstrom: tuple[float, float], frames: int) -> MotionModel:
    """A track (x, y) that goes on evenly."""
    still = MotionModel.zero(frames)
    return replace(still, global_nodes=np.outer(np.arange(frames, dtype=float), step_angstrom))


def test_frames_keep_the_rings_that_uncorrected_drift_takes_from_the_sum() -> None:
    frames = simulate_frames(TRUTH, (1024, 1024), FRAMES, (2, 4))
    alone = fit_truth(frames.sum(0), TRUTH, grid=(1, 1))
    assert alone.failure is not None
    assert alone.failure.startswith("drift")
    both = fit_truth(frames.sum(0), TRUTH, sums=sums_of(frames), grid=(1, 1))
    assert both.failure is None
    assert both.source == "frames"
    # Measured 11 and 14 Å.
    assert both.defocus_u_angstrom == pytest.approx(TRUTH.defocus_u, abs=60)
    assert both.defocus_v_angstrom == pytest.approx(TRUTH.defocus_v, abs=60)
    assert "motion is not corrected" in both.warnings[0]


def test_the_sum_is_fitted_where_its_rings_are_clearer() -> None:
    frames = simulate_frames(TRUTH, (1024, 1024), FRAMES)
    fit = fit_truth(frames.sum(0), TRUTH, sums=sums_of(frames), grid=(1, 1))
    assert fit.source == "sum"
    assert fit == fit_truth(frames.sum(0), TRUTH, grid=(1, 1))


def test_a_sum_follows_the_motion_and_leaves_defects_out() -> None:
    draw = np.random.default_rng(5)
    specimen = draw.poisson(20.0, (128, 160)).astype(np.uint16)
    frames = np.stack([np.roll(specimen, (-2 * f, 3 * f), (0, 1)) for f in range(4)])
    gain = draw.uniform(0.9, 1.1, (128, 160)).astype(np.float32)
    gain[7, 9] = 0
    frames[:, 40, 50] = 60000
    defects = np.zeros((128, 160), bool)
    defects[40, 50] = True
    flat = np.where(gain == 0, np.float32(20), gain)
    counts = frames / np.where(gain == 0, 1, gain)
    sums = frame_sums(
        counts.astype(np.float32),
        drifting((3 * 1.1, -2 * 1.1), 4),
        gain=gain,
        defects=defects,
        pixel_size_angstrom=1.1,
        dose_per_frame=1.0,
    )
    (one,) = sums
    assert flat.min() > 0
    # The first and second frame lie 1.5 and 0.5 steps before the middle of the sum, rounded to whole pixels.
    expected = 4 * np.roll(specimen.astype(np.float32), (-3, 4), (0, 1))
    difference = np.abs(np.asarray(one) - expected)
    # Half steps round either way, so a frame may lie one pixel off: only its edges of one pixel differ.
    assert np.median(difference) <= 40
    assert np.asarray(one).max() < 400


def test_odd_frames_are_in_no_sum() -> None:
    frames = np.random.default_rng(6).poisson(5, (8, 64, 96)).astype(np.uint16)
    good = np.array([True, False, True, True, True, True, False, True])
    spoilt = np.where(good[:, None, None], frames, 60000).astype(np.uint16)
    known = {"gain": None, "defects": None, "pixel_size_angstrom": 1.1, "dose_per_frame": 2.0, "good": good}
    sums = frame_sums(spoilt, None, **known)
    assert (len(sums), sums.dose) == (3, 4.0)
    for one, members in zip(sums, ([0, 2], [3, 4], [5, 7]), strict=True):
        np.testing.assert_array_equal(one, frames[members].sum(0))


def test_sums_hold_four_electrons_and_are_not_too_many() -> None:
    assert sum_count(24, 1.5) == 9
    assert sum_count(40, 1.0) == 10
    assert sum_count(10, 6.0) == 10
    assert sum_count(400, 0.2) == 12
    assert sum_count(24, 0.0) == 6
    assert sum_count(1, 50.0) == 1
    assert sums_of(np.zeros((7, 64, 64), np.float32), dose=2.0).edges == (0, 2, 4, 5, 7)
