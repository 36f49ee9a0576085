"""Pictures of averages show the right part, at the right size and contrast; spectra and masks look as stored."""

from __future__ import annotations

import io
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from warpcore.services.api.pictures.images import (
    AverageView,
    Contrast,
    Window,
    average_jpeg,
    block_means,
    junk_png,
    spectrum_png,
    thumbnail_jpeg,
)
from warpcore.services.formats.mrc_writer import write_mrc

LINEAR = Contrast(low_value=0.0, high_value=255.0)


def write(path: Path, image: npt.NDArray[Any]) -> Path:
    write_mrc(path, image.astype(np.float32), 1.0, image.dtype == np.float16)
    return path


def picture(data: bytes) -> npt.NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(data)), np.float64)


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """An average of 301 × 203 px, 0 to 202 from top to bottom, on which the left third is 50 brighter."""
    image = np.repeat(np.arange(203, dtype=np.float32)[:, None], 301, axis=1)
    image[:, :100] += 50
    return write(tmp_path / "ramp.mrc", image)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 203])
def test_means_of_blocks_are_exact_at_the_edges_too(size: int) -> None:
    image = np.random.default_rng(1).normal(size=(203, 301)).astype(np.float32)
    means = block_means(image, size)
    assert means.shape == (-(-203 // size), -(-301 // size))
    for row, column in ((0, 0), (means.shape[0] - 1, means.shape[1] - 1)):
        block = image[row * size : (row + 1) * size, column * size : (column + 1) * size]
        assert means[row, column] == pytest.approx(block.mean(), abs=1e-5)


@pytest.mark.parametrize(("shown_width", "shown_height"), [(301, 203), (150, 101), (100, 67), (43, 29), (3, 2)])
def test_a_picture_shows_each_place_where_it_is_at_any_size(ramp: Path, shown_width: int, shown_height: int) -> None:
    window = Window(0, 0, 301, 203, shown_width, shown_height)
    shown = picture(average_jpeg(ramp, AverageView(window, LINEAR)))
    assert shown.shape == (shown_height, shown_width)
    rows = (np.arange(shown_height) + 0.5) * 203 / shown_height - 0.5
    inner = slice(1, -1) if shown_height > 2 else slice(0, 0)
    np.testing.assert_allclose(shown[inner, -1], rows[inner], atol=4)
    np.testing.assert_allclose(shown[inner, 0], rows[inner] + 50, atol=4)


def test_a_crop_shows_the_part_that_was_asked_for(ramp: Path) -> None:
    shown = picture(average_jpeg(ramp, AverageView(Window(90, 40, 20, 10, 20, 10), LINEAR)))
    np.testing.assert_allclose(shown[:, 0], np.arange(40, 50) + 50, atol=6)
    np.testing.assert_allclose(shown[:, -1], np.arange(40, 50), atol=6)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_both_kinds_of_averages_give_the_same_picture(tmp_path: Path, dtype: type) -> None:
    image = (np.add.outer(np.arange(64), 2 * np.arange(64)) + np.tile([0, 40], (64, 32))).astype(dtype)
    shown = picture(average_jpeg(write(tmp_path / "a.mrc", image), AverageView(Window(0, 0, 64, 64, 8, 8), LINEAR)))
    np.testing.assert_allclose(shown, image.astype(float).reshape(8, 8, 8, 8).mean(axis=(1, 3)), atol=6)


def test_percentiles_are_those_of_the_whole_average_so_that_crops_look_alike(ramp: Path) -> None:
    contrast = Contrast(low_percent=0.0, high_percent=100.0)
    dark = picture(average_jpeg(ramp, AverageView(Window(200, 0, 100, 20, 100, 20), contrast)))
    bright = picture(average_jpeg(ramp, AverageView(Window(0, 180, 100, 20, 100, 20), contrast)))
    assert dark.max() < 40
    assert bright.min() > 220


def test_a_low_pass_halves_what_is_as_fine_as_it_says(tmp_path: Path) -> None:
    wave = 100 * np.sin(2 * np.pi * np.arange(256) / 8)
    path = write(tmp_path / "wave.mrc", np.repeat((128 + wave).astype(np.float32)[None], 256, axis=0))
    window = Window(0, 0, 256, 256, 256, 256)
    plain, smooth = (
        picture(average_jpeg(path, AverageView(window, LINEAR, lowpass)))[:, 32:-32].std() for lowpass in (0.0, 8.0)
    )
    assert smooth / plain == pytest.approx(0.5, abs=0.03)


def test_a_wide_low_pass_is_the_gaussian_that_it_says(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 400, (300, 410)).astype(np.float32)
    path = write(tmp_path / "noise.mrc", noise[None])
    lowpass_px, deviation_px = 120.0, 120.0 * math.sqrt(math.log(2) / 2) / math.pi
    shown = picture(average_jpeg(path, AverageView(Window(0, 0, 410, 300, 410, 300), LINEAR, lowpass_px)))
    # Near the edges the Gaussian depends on what is taken to lie beyond.
    shown, expected = (one[90:-90, 90:-90] for one in (shown, gaussian_filter(noise, deviation_px)))
    assert expected.std() > 3
    assert np.abs(shown - expected).max() < 2.5


def test_the_widest_low_pass_of_a_large_average_takes_no_longer_than_others(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.mrc", np.full((1, 3000, 3000), 7, np.float32))
    begun = time.process_time()
    average_jpeg(path, AverageView(Window(0, 0, 3000, 3000, 3000, 3000), LINEAR, lowpass_px=1e4))
    assert time.process_time() - begun < 10


def test_a_constant_average_is_grey(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mrc", np.full((32, 32), 7, np.float32))
    assert np.all(picture(average_jpeg(path, AverageView(Window(0, 0, 32, 32, 16, 16)))) == 128)


def test_a_thumbnail_is_never_enlarged(tmp_path: Path) -> None:
    Image.new("L", (400, 300), 77).save(tmp_path / "t.png")
    assert picture(thumbnail_jpeg(tmp_path / "t.png", 200)).shape == (150, 200)
    assert picture(thumbnail_jpeg(tmp_path / "t.png", 512)).shape == (300, 400)


def test_halves_of_a_spectrum_are_told_apart(tmp_path: Path) -> None:
    diagnostic = np.concatenate([np.full((5, 2), 0.5), np.ones((5, 3))], axis=1).astype(np.float32)
    path = write(tmp_path / "s.mrc", diagnostic)
    data, fit = picture(spectrum_png(path, fit=False)), picture(spectrum_png(path, fit=True))
    assert data.shape == (5, 2)
    assert np.all(data == 128)
    assert fit.shape == (5, 3)
    assert np.all(fit == 255)


def test_junk_is_coloured_and_all_else_transparent(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), np.float32)
    mask[0, 3] = 1
    shown = picture(junk_png(write(tmp_path / "m.mrc", mask)))
    assert shown.shape == (6, 8, 4)
    assert np.array_equal(shown[..., 3] > 0, mask > 0)
