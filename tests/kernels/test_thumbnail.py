"""Thumbnails: size, grey levels, alignment with the image, robustness."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.image._thumbnail import thumbnail


def ramp_with_spot(height: int = 300, width: int = 400) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return (x / width + 2 * np.exp(-((x - 101) ** 2 + (y - 60) ** 2) / 200)).astype(np.float32)


def test_the_longer_side_is_as_asked_and_the_aspect_kept() -> None:
    assert thumbnail(ramp_with_spot(), 100).shape == (75, 100)
    assert thumbnail(ramp_with_spot(), 512).shape == (300, 400)
    assert thumbnail(ramp_with_spot(), 100).dtype == np.uint8


def test_features_stay_in_place() -> None:
    y, x = np.mgrid[0:300, 0:400]
    spot = np.exp(-((x - 101) ** 2 + (y - 60) ** 2) / 800).astype(np.float32)
    weight = thumbnail(spot, 100).astype(float)
    weight = np.maximum(weight - 100, 0)
    y, x = np.mgrid[0:75, 0:100]
    # Centre of pixel i of the picture lies at 4i + 1.5 of the image.
    assert (weight * x).sum() / weight.sum() == pytest.approx((101 - 1.5) / 4, abs=0.05)
    assert (weight * y).sum() / weight.sum() == pytest.approx((60 - 1.5) / 4, abs=0.05)


def test_grey_runs_from_black_to_white_without_ringing() -> None:
    picture = thumbnail(ramp_with_spot(), 100).astype(float)
    assert picture[:, :3].mean() < 20
    assert picture[:, -3:].mean() > 235
    assert np.diff(picture[50, 5:-2]).min() > -3


def test_hot_and_non_finite_pixels_do_not_change_the_rest() -> None:
    image = ramp_with_spot() + np.random.default_rng(0).normal(0, 0.05, (300, 400)).astype(np.float32)
    spoilt = image.copy()
    spoilt[200, 300], spoilt[10, 10], spoilt[20, 380], spoilt[150, 200] = 1e9, np.nan, np.inf, -1e9
    plain, same = thumbnail(image, 100).astype(float), thumbnail(spoilt, 100).astype(float)
    assert np.abs(plain - same).max() < 40  # measured 27, next to the clipped pixels
    assert np.median(np.abs(plain - same)) <= 1


def test_a_flat_or_empty_image_is_no_error_of_the_movie() -> None:
    assert (thumbnail(np.full((64, 64), 7.0, np.float32), 32) == 128).all()
    assert (thumbnail(np.full((64, 64), np.nan, np.float32), 32) == 128).all()
    with pytest.raises(ValueError, match="2-D"):
        thumbnail(np.zeros((0, 5), np.float32))


def test_equal_images_give_equal_bytes() -> None:
    image = np.random.default_rng(1).normal(size=(250, 130)).astype(np.float32)
    assert thumbnail(image, 64).tobytes() == thumbnail(image.copy(), 64).tobytes()
