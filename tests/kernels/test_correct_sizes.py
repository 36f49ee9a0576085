"""Correction of movies of all sizes and lengths against a known pattern, rolled by whole pixels."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
import pytest
from scipy.ndimage import fourier_shift, gaussian_filter

from warpcore.kernels.correct._movie import correct_movie
from warpcore.kernels.motion._estimate import estimate_motion
from warpcore.kernels.motion._model import MotionModel

PIXEL = 1.1
EDGE = 40


def _pattern(height: int, width: int) -> np.ndarray:
    texture = gaussian_filter(np.random.default_rng(3).normal(size=(height, width)), 2.5, mode="wrap")
    return np.clip(1 + 0.25 * texture / texture.std(), 0.05, None)


def _track(frames: int) -> np.ndarray:
    """Whole pixels (x, y), 22 px in all."""
    t = np.arange(frames) / max(1, frames - 1)
    return np.round(np.stack([22 * (1 - np.exp(-3 * t)), -13 * t - 3 * np.sin(3 * t)], axis=1)).astype(int)


def _movie(frames: int, height: int, width: int, dose: float, repeated: tuple[int, int] = (1, 1)) -> np.ndarray:
    """A pattern of height x width, `repeated` times along y and x, `dose` counts a pixel and frame."""
    random = np.random.default_rng(4)
    expected = dose * _pattern(height, width)
    movie = np.empty((frames, repeated[0] * height, repeated[1] * width), np.uint8)
    for frame, (x, y) in zip(movie, _track(frames), strict=True):
        rolled = np.roll(expected, (y, x), (0, 1))
        for row in range(0, len(frame), height):
            for column in range(0, frame.shape[1], width):
                frame[row : row + height, column : column + width] = random.poisson(rolled)
    return movie


def _correct(movie: np.ndarray, model: MotionModel, **more: bool) -> np.ndarray:
    return correct_movie(
        movie,
        model,
        gain=None,
        defects=None,
        pixel_size_angstrom=PIXEL,
        binning=0.0,
        dose_per_frame=1.0,
        voltage_kv=300.0,
        dose_weighting=True,
        **more,
    ).unweighted


def _rolled_back(movie: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """The sum of the frames, each rolled back: what correction of whole pixels must give."""
    total = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    for frame, (x, y) in zip(movie, _track(len(movie)), strict=True):
        total += frame[rows.start + y : rows.stop + y, columns.start + x : columns.stop + x]
    return total


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize(
    ("frames", "height", "width"), [(1, 512, 512), (2, 512, 512), (3, 512, 512), (3, 1023, 771), (9, 131, 200)]
)
def test_few_frames_and_odd_sizes(frames: int, height: int, width: int) -> None:
    movie = _movie(frames, height, width, 2.0)
    model = MotionModel(frames, (_track(frames) * PIXEL).astype(np.float32), np.zeros((1, 1, 1, 2), np.float32))
    found = _correct(movie, model, halves=frames > 1)
    rows, columns = slice(EDGE, height - EDGE), slice(EDGE, width - EDGE)
    np.testing.assert_allclose(found[rows, columns], _rolled_back(movie, rows, columns), atol=2e-4)
    assert np.isfinite(found).all()


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """What has been compiled since, in any thread."""
    names: list[str] = []

    def listen(event: str, seconds: float, **_: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


def test_a_movie_shorter_by_a_few_frames_compiles_nothing_new(compiled: list[str]) -> None:
    for frames in (40, 39, 38):
        model = MotionModel(frames, np.full((frames, 2), 0.4, np.float32).cumsum(0), np.zeros((1, 1, 1, 2), np.float32))
        _correct(np.ones((frames, 130, 150), np.uint8), model)
        if frames == 40:
            assert compiled
            compiled.clear()
    assert not compiled


@pytest.mark.slow
def test_two_thousand_frames() -> None:
    movie = _movie(2000, 512, 512, 0.05)
    model = estimate_motion(movie, gain=None, defects=None, pixel_size_angstrom=PIXEL, dose_per_frame=0.02)
    error = model.global_track_angstrom() / PIXEL - _track(2000)
    offset = error.mean(0)
    # Measured 0.22 px at 0.05 electrons a pixel and frame; rounding the track to whole pixels is 0.41 px of it at most.
    assert np.sqrt(((error - offset) ** 2).sum(1).mean()) < 0.35
    # The average lies where frame 0 is thought to lie, 2 px off: nobody can tell from one frame of so few electrons.
    inner = slice(EDGE, 512 - EDGE)
    found = fourier_shift(np.fft.fft2(_correct(movie, model)), offset[::-1])
    truth = _pattern(512, 512)[inner, inner]
    # Measured 0.9272; 0.9272 with the true track, 0.10 without correction.
    assert _correlation(np.fft.ifft2(found).real[inner, inner], truth) > 0.98 * _correlation(
        _rolled_back(movie, inner, inner), truth
    )


@pytest.mark.slow
def test_the_largest_detector() -> None:
    movie = _movie(3, 1023, 1440, 2.0, (8, 8))
    model = estimate_motion(movie, gain=None, defects=None, pixel_size_angstrom=PIXEL, dose_per_frame=2.0)
    x, y = np.meshgrid(np.linspace(0.05, 0.95, 5), np.linspace(0.05, 0.95, 5))
    error = model.displacements_angstrom(x, y) / PIXEL - _track(3)[:, None, None]
    assert np.sqrt((error**2).sum(-1).mean()) < 0.02  # measured 0.002 px
    found = _correct(movie, model)
    assert found.shape == (8184, 11520)
    for rows, columns in ((slice(60, 1060), slice(60, 1460)), (slice(7100, 8124), slice(10000, 11460))):
        assert _correlation(found[rows, columns], _rolled_back(movie, rows, columns)) > 0.999  # measured 1.00000
