"""A movie's mean counts, and what a gain leaves of its pattern, on counts of a known sensitivity."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.image import match_gain, raw_counts, sum_frames
from warpcore.kernels.image._counts import RawCounts
from warpcore.kernels.image._orientation import Orientation

SHAPE = (256, 300)
FRAMES = 12
RANDOM = np.random.default_rng(1)
GAIN = (1.1 * (1 + RANDOM.normal(0, 0.02, SHAPE[1])[None] + RANDOM.normal(0, 0.02, SHAPE))).astype(np.float32)
MEAN = 2.0


def movie(sensitivity: np.ndarray, mean: float = MEAN, seed: int = 2) -> np.ndarray:
    """Counts of a specimen (waves) of so many electrons a pixel and frame, on pixels of this sensitivity."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    specimen = mean * (1 + 0.2 * np.sin(x / 17) * np.cos(y / 23))
    return np.random.default_rng(seed).poisson(specimen * sensitivity, (FRAMES, *SHAPE)).astype(np.uint8)


def counted(frames: np.ndarray, gain: np.ndarray | None = GAIN, defects: np.ndarray | None = None) -> RawCounts:
    return raw_counts(sum_frames(frames), gain, defects).read()


def test_mean_counts_are_those_of_the_frames_and_electrons_those_after_the_gain() -> None:
    frames = movie(1 / GAIN)
    counts = counted(frames)
    assert counts.per_pixel / FRAMES == pytest.approx(frames.mean(), rel=0.002)  # every other row is read
    assert counts.gained_per_pixel / FRAMES == pytest.approx(MEAN, rel=0.005)
    without = counted(frames, None)
    assert without.gained_per_pixel == without.per_pixel == pytest.approx(counts.per_pixel)
    assert without.gain_residual is None


def test_hot_pixels_change_neither_mean_nor_residual() -> None:
    frames = movie(1 / GAIN)
    hot = frames.copy()
    hot.reshape(FRAMES, -1)[:, np.random.default_rng(3).choice(GAIN.size, 50)] = 255
    clean, spoilt = counted(frames), counted(hot)
    assert spoilt.per_pixel == pytest.approx(clean.per_pixel, rel=0.01)  # by themselves they would add 8 %
    assert clean.gain_residual is not None
    assert spoilt.gain_residual == pytest.approx(clean.gain_residual, abs=0.05)


@pytest.mark.parametrize(
    ("share", "left"), [(1.0, 0.0), (0.5, -0.5), (0.0, -1.0), (-1.0, -2.0), (1.5, 0.5)], ids=lambda value: f"{value:g}"
)
def test_what_the_gain_leaves_of_its_pattern_is_told(share: float, left: float) -> None:
    """0 where the counts hold the whole pattern, -1 where the gain was applied before, -2 in the other sense."""
    residual = counted(movie(1 + share * (1.1 / GAIN - 1))).gain_residual
    assert residual == pytest.approx(left, abs=0.06)  # measured within 0.03; the standard error is 0.016


def test_it_is_the_share_that_orientations_are_told_by() -> None:
    frames = movie(1 / GAIN)
    match = match_gain(frames.sum(0, dtype=np.float32), GAIN).of(Orientation(False, False, False))
    assert match is not None
    assert counted(frames).gain_residual == pytest.approx(match.share - 1, abs=match.error)


def test_dead_pixels_that_the_gain_names_count_for_nothing() -> None:
    frames, dead = movie(1 / GAIN), np.zeros(SHAPE, np.bool_)
    dead[:, 100:104] = True
    frames[:, dead] = 0
    gain = np.where(dead, np.float32(1), GAIN)
    assert counted(frames, gain, dead).gain_residual == pytest.approx(0, abs=0.06)
    assert counted(frames, gain).gain_residual is None, "where it does not name them, too little is known"


def test_without_enough_counts_or_pattern_there_is_no_residual() -> None:
    assert counted(movie(1 / GAIN, mean=0.005)).gain_residual is None
    assert counted(movie(np.ones(SHAPE)), np.ones(SHAPE, np.float32)).gain_residual is None
    small = np.ascontiguousarray(GAIN[:40, :40])
    assert counted(movie(1 / GAIN)[:, :40, :40], small).gain_residual is None
    shown = raw_counts(sum_frames(movie(1 / GAIN)), GAIN, shows_gain=False).read()
    assert shown.gain_residual is None
