"""Extraction against patterns whose values are known between the pixels."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.picking._particles import extract_particles


def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth pattern defined everywhere, with detail down to about 5 px."""
    spot = np.exp(-((x - 100.3) ** 2 + (y - 90.7) ** 2) / 98)
    return np.asarray(spot * (1 + 0.5 * np.sin(0.8 * x + 0.3) * np.cos(0.7 * y)))


Y, X = np.mgrid[0:200, 0:220].astype(float)
IMAGE = pattern(X, Y).astype(np.float32)


def test_a_known_pattern_is_extracted_exactly_between_pixels() -> None:
    x, y = np.array([100.3, 96.45]), np.array([90.7, 92.85])
    boxes, kept = extract_particles(IMAGE, x, y, box_px=48, pixel_size_angstrom=1.5, invert=False, normalize=False)
    assert kept.all()
    offset = np.arange(48) - 24
    for box, cx, cy in zip(boxes, x, y, strict=True):
        truth = pattern((cx + offset)[None], (cy + offset)[:, None])
        np.testing.assert_allclose(box, truth, atol=1e-3)  # measured 4e-6


@pytest.mark.parametrize("pixel", [2.0, 2.3, 1.0])
def test_another_pixel_size_samples_the_same_pattern(pixel: float) -> None:
    boxes, _ = extract_particles(
        IMAGE,
        np.array([100.3]),
        np.array([90.7]),
        box_px=32,
        pixel_size_angstrom=1.5,
        particle_pixel_size_angstrom=pixel,
        invert=False,
        normalize=False,
    )
    offset = (np.arange(32) - 16) * pixel / 1.5
    truth = pattern((100.3 + offset)[None], (90.7 + offset)[:, None])
    np.testing.assert_allclose(boxes[0], truth, atol=1e-3)


def test_whole_pixel_positions_give_the_pixels_themselves() -> None:
    noise = np.random.default_rng(0).normal(size=(180, 190)).astype(np.float32)
    boxes, _ = extract_particles(
        noise, np.array([90]), np.array([88]), box_px=16, pixel_size_angstrom=1.0, invert=True, normalize=False
    )
    np.testing.assert_allclose(boxes[0], -noise[80:96, 82:98], atol=1e-4)


def test_boxes_that_leave_the_image_are_left_out() -> None:
    x = np.array([8.0, 7.9, 212.0, 212.1, 100.0, 100.0])
    y = np.array([100.0, 100.0, 100.0, 100.0, 8.0, 193.0])
    boxes, kept = extract_particles(IMAGE, x, y, box_px=16, pixel_size_angstrom=1.0)
    assert kept.tolist() == [True, False, True, False, True, False]
    assert boxes.shape == (3, 16, 16)
    nothing, none = extract_particles(IMAGE, np.array([]), np.array([]), box_px=16, pixel_size_angstrom=1.0)
    assert nothing.shape == (0, 16, 16)
    assert none.shape == (0,)


def test_background_outside_the_circle_is_normalised() -> None:
    image = 50 + 7 * np.random.default_rng(1).normal(size=(200, 200)).astype(np.float32)
    boxes, _ = extract_particles(
        image,
        np.linspace(60, 140, 40),
        np.full(40, 99.5),
        box_px=64,
        pixel_size_angstrom=1.5,
        diameter_angstrom=60.0,
    )
    offset = np.arange(64) - 32
    outside = np.hypot(offset[:, None], offset[None]) > 20
    assert len(boxes) == 40
    np.testing.assert_allclose(boxes[:, outside].mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(boxes[:, outside].std(axis=1), 1, atol=1e-4)


def test_an_odd_box_is_refused() -> None:
    with pytest.raises(ValueError, match="box_px = 33"):
        extract_particles(IMAGE, np.array([50.0]), np.array([50.0]), box_px=33, pixel_size_angstrom=1.0)


def test_aligned_particles_average_to_their_shells_profile() -> None:
    """200 shells at random places between the pixels, a fifth as strong as the noise: they average to a sharp shell."""
    rng = np.random.default_rng(7)
    size, outer, inner = 1200, 22.0, 15.0
    centres = np.stack(np.meshgrid(np.arange(60, 1150, 78), np.arange(60, 1150, 78)), -1).reshape(-1, 2)
    centres = centres + rng.uniform(-6, 6, centres.shape)

    def shell(radius: np.ndarray) -> np.ndarray:
        ball = np.sqrt(np.maximum(outer**2 - radius**2, 0)) - np.sqrt(np.maximum(inner**2 - radius**2, 0))
        return np.asarray(ball / outer)

    image = 10 + 4 * rng.normal(size=(size, size))
    y, x = np.mgrid[0:60, 0:60]
    for cx, cy in centres:
        left, top = int(cx) - 30, int(cy) - 30
        image[top : top + 60, left : left + 60] -= shell(np.hypot(x + left - cx, y + top - cy))
    boxes, kept = extract_particles(
        image, centres[:, 0], centres[:, 1], box_px=64, pixel_size_angstrom=2.0, diameter_angstrom=96.0
    )
    assert kept.sum() == len(boxes) == len(centres) == 196
    offset = np.arange(64) - 32
    radius = np.hypot(offset[:, None], offset[None])
    ring = radius.astype(int)
    profile, truth = (
        np.bincount(ring.ravel(), values.ravel())[:31] / np.bincount(ring.ravel())[:31]
        for values in (boxes.mean(axis=0), shell(radius))
    )
    scale = (profile[:26] @ truth[:26]) / (truth[:26] @ truth[:26])
    assert np.corrcoef(profile, truth)[0, 1] > 0.98
    assert np.abs(profile / scale - truth)[3:].max() < 0.1
    assert abs(int(np.argmax(profile[5:])) + 5 - inner) <= 1  # the wall seen along itself
