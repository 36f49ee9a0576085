"""Defects: found where they are, nothing else; replaced without leaving a trace."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.image import frequencies
from warpcore.kernels.image._defects import find_defects, plan_repair


def _movie(dose: float = 3.0, frames: int = 16) -> np.ndarray:
    random = np.random.default_rng(8)
    y, x = np.mgrid[:160, :200]
    specimen = 1 + 0.3 * np.sin(x / 7) * np.cos(y / 11)
    return random.poisson(dose * specimen, (frames, 160, 200)).astype(np.uint8)


def test_hot_and_dead_pixels_are_found_and_no_others() -> None:
    movie = _movie()
    hot = [(5, 9), (40, 50), (40, 51), (100, 0)]
    dead = [(70, 80), (159, 199)]
    for y, x in hot:
        movie[:, y, x] = 40
    for y, x in dead:
        movie[:, y, x] = 0
    movie[3, 120, 120] = 255  # a cosmic hit: one frame only
    gain = np.ones((160, 200), np.float32)
    gain[20, 30] = 0
    found = {(int(y), int(x)) for y, x in np.argwhere(find_defects(movie, gain))}
    assert found == {*hot, *dead, (20, 30)}


def test_one_frame_tells_nothing() -> None:
    assert not find_defects(_movie(frames=1), None).any()


def test_repair_keeps_statistics_and_leaves_no_cross() -> None:
    movie = _movie()
    mask = np.zeros((160, 200), bool)
    mask[60, :] = mask[:, 90] = True
    movie[:, mask] = 255
    clean = movie.copy()
    plan_repair(mask, 160, 200).apply(clean)
    assert (clean[:, ~mask] == movie[:, ~mask]).all()
    replaced, around = clean[:, mask].astype(float), clean[:, ~mask].astype(float)
    assert abs(replaced.mean() - around.mean()) < 0.1
    assert abs(replaced.var() - around.var()) < 0.5
    # Each frame draws anew: no fixed pattern correlates between frames beyond the specimen's own.
    power = np.abs(np.fft.rfft2(clean - clean.mean((1, 2), keepdims=True))) ** 2
    radius = np.hypot(*frequencies(160, 200, 1.0))
    elsewhere = power[:, radius > 0.2].mean()
    assert power[:, 32:-32, 0].mean() < 1.5 * elsewhere  # measured 1.05; unrepaired 480
    assert power[:, 0, 40:].mean() < 1.5 * elsewhere


def test_sources_are_good_pixels_even_within_a_large_defect() -> None:
    mask = np.zeros((64, 64), bool)
    mask[10:50, 10:50] = True
    repair = plan_repair(mask, 64, 64)
    assert not mask[repair.sources[..., 0], repair.sources[..., 1]].any()
    assert len(repair.targets) == 1600


def test_a_map_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="64 x 32 px"):
        plan_repair(np.zeros((32, 64), bool), 64, 64)
    with pytest.raises(ValueError, match="every pixel"):
        plan_repair(np.ones((8, 8), bool), 8, 8)
