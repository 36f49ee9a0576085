"""Hot pixels in movies of few counts: chance makes none, and real ones are found where counts can show them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from warpcore.kernels.image import find_defects
from warpcore.kernels.image._counting import too_many

SIDE, FRAMES = 320, 4
MEANS = (0.05, 0.1, 0.4)


def _movie(expected: np.ndarray, seed: int = 0) -> np.ndarray:
    """Four frames of Poisson counts of these in all [H, W]."""
    random = np.random.default_rng(seed)
    return random.poisson(np.broadcast_to(expected / FRAMES, (FRAMES, *expected.shape))).astype(np.uint8)


def _flat(mean: float) -> np.ndarray:
    return np.full((SIDE, SIDE), mean)


@pytest.mark.parametrize("mean", MEANS)
def test_chance_makes_no_pixel_hot(mean: float) -> None:
    """By standard deviations alone 2 438 of 1024² pixels were, at 0.1 counts in all: here 82 are."""
    assert not find_defects(_movie(_flat(mean)), None).any()


@pytest.mark.parametrize(("mean", "extra"), [(0.05, 16), (0.4, 20), (6.4, 60)])
def test_hot_pixels_are_found_in_few_counts(mean: float, extra: float) -> None:
    """Pairs side by side, as the fine pixels of a hot one lie. Measured: 99 to 100 %."""
    expected = _flat(mean)
    y, x = np.meshgrid(np.arange(40, SIDE - 40, 50), np.arange(30, SIDE - 40, 50), indexing="ij")
    for dy in (0, 1):
        expected[y + dy, x] += extra
    found = find_defects(_movie(expected), None)
    hot = expected > mean
    assert found[hot].mean() >= 0.95
    assert not found[~hot].any()


@pytest.mark.parametrize("mean", [0.1, 1.6])
@pytest.mark.parametrize("kind", ["gain", "float", "fraction", "scaled", "below zero", "super-resolution"])
def test_neither_unit_nor_zero_nor_correlation_of_counts_makes_pixels_hot(mean: float, kind: str) -> None:
    random = np.random.default_rng(3)
    gain = random.normal(1, 0.1, (SIDE, SIDE)).clip(0.3).astype(np.float32)
    if kind == "gain":
        gain[::40] *= 4  # rows of pixels that see little: each count of theirs becomes many
    hot = (np.arange(64, SIDE - 64, 91), np.arange(64, SIDE - 64, 91))
    expected = mean / gain if kind in ("gain", "float") else _flat(mean)
    expected = expected.copy()
    expected[hot] += 60
    counts = _movie(expected)
    if kind == "super-resolution":  # one electron counts in its pixel or in two
        counts = counts + np.roll(_movie(_flat(mean), 5) * (counts > 0), 1, axis=2)
    movie, known = {
        "gain": (counts, gain),
        "float": (counts * gain, None),
        "fraction": (counts * np.float32(0.013), None),
        "scaled": (counts.astype(np.uint16) * 16, None),
        "below zero": ((counts.astype(np.int32) - 32768).astype(np.int16), None),
        "super-resolution": (counts, None),
    }[kind]
    found = find_defects(movie, known).copy()
    assert found[hot].all()
    found[hot] = False
    assert not found.any()


@pytest.mark.parametrize("mean", [0.1, 1.6])
def test_what_is_in_the_field_is_not_hot(mean: float) -> None:
    """Holes three times as bright as the carbon, texture, ice crystals and beads of gold; 1 px of drift a frame."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[:SIDE, :SIDE]
    field = np.where(np.hypot(x % 256 - 128, y % 256 - 128) < 70, 3.0, 1.0)
    field *= np.exp(scipy.ndimage.gaussian_filter(random.normal(0, 2, (SIDE, SIDE)), 3))
    for cy, cx in random.integers(20, SIDE - 20, (40, 2)):
        field[np.hypot(y - cy, x - cx) < random.uniform(2, 12)] *= 0.2
    for cy, cx in random.integers(20, SIDE - 20, (40, 2)):
        field[np.hypot(y - cy, x - cx) < random.uniform(3, 9)] *= 2.0
    field = scipy.ndimage.gaussian_filter(field, 1)  # as fine as optics show
    drift = np.stack([np.roll(field, step, 1) for step in range(FRAMES)])
    assert not find_defects(random.poisson(mean * drift / drift.sum(0).mean()).astype(np.uint8), None).any()


def test_the_tail_is_that_of_counts_with_an_uncertain_mean() -> None:
    """200 000 pixels and the means of their 24 neighbours, called as if they were 2 000, and as if they were 20."""
    random = np.random.default_rng(5)
    for mean in (0.1, 1.0, 10.0):
        counts = random.poisson(mean, 200_000).astype(float)
        around = random.poisson(24 * mean, counts.size) / 24
        ones = np.ones(counts.size)
        called = too_many(counts, around, 24 * ones, ones, mean, 2_000)
        assert called.sum() <= 5  # 1 is allowed
        called = too_many(counts, around, 24 * ones, ones, mean, 20)
        assert 1 <= called.sum() <= 200  # 100 are allowed; measured 3, 42, 60
