"""Correction: where content goes, what is kept, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from warpcore.kernels.correct import correct_movie
from warpcore.kernels.correct_tiles import taps
from warpcore.kernels.dose import dose_weights
from warpcore.kernels.fourier import radial_frequency
from warpcore.kernels.motion_model import MotionModel

ARGUMENTS = {
    "gain": None,
    "defects": None,
    "pixel_size_angstrom": 1.5,
    "binning": 0.0,
    "dose_per_frame": 1.0,
    "voltage_kv": 300.0,
    "dose_weighting": False,
}


def _track(shifts_px: np.ndarray, pixel: float = 1.5) -> MotionModel:
    return MotionModel(len(shifts_px), (shifts_px * pixel).astype(np.float32), np.zeros((1, 1, 1, 2), np.float32))


def _moved(image: np.ndarray, dx: float, dy: float) -> np.ndarray:
    ky, kx = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    return np.fft.irfft2(np.fft.rfft2(image) * np.exp(-2j * np.pi * (kx * dx + ky * dy)), s=image.shape)


def _textured(height: int, width: int, finest: float, seed: int = 0) -> np.ndarray:
    """White texture up to `finest` cycles per pixel."""
    transform = np.fft.rfft2(np.random.default_rng(seed).normal(size=(height, width)))
    return np.fft.irfft2(transform * (radial_frequency(height, width, 1.0) < finest), s=(height, width)) + 10


@pytest.mark.parametrize("shape", [(120, 200), (131, 97)])
def test_whole_pixel_shifts_are_undone_exactly(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(3).poisson(20, (shape[0] + 40, shape[1] + 40)).astype(np.uint8)
    shifts = np.array([[0, 0], [3, -2], [11, 7], [-9, 4]])
    frames = np.stack([image[20 - y : 20 - y + shape[0], 20 - x : 20 - x + shape[1]] for x, y in shifts])
    found = correct_movie(frames, _track(shifts), **ARGUMENTS)
    inner = (slice(12, -12), slice(12, -12))
    np.testing.assert_allclose(found.average[inner], 4.0 * frames[0][inner], atol=2e-4)
    assert found.average.shape == shape
    assert found.average.dtype == np.float32


def test_sub_pixel_shifts_keep_the_spectrum_to_one_percent_near_nyquist() -> None:
    image = _textured(256, 256, 0.45)
    shifts = np.array([[0, 0], [0.5, 0.5], [0.5, -0.5], [-3.5, 7.5]])
    frames = np.stack([_moved(image, x, y) for x, y in shifts]).astype(np.float32)
    found = correct_movie(frames, _track(shifts), **ARGUMENTS).average / 4
    inner = (slice(40, -40), slice(40, -40))
    window = np.outer(np.hanning(176), np.hanning(176))
    ours, truth = (np.fft.rfft2((one[inner] - 10) * window) for one in (found, image))
    radius = radial_frequency(176, 176, 1.0)
    for low in (0.1, 0.3, 0.42):
        ring = (radius >= low) & (radius < low + 0.02)
        kept = (ours * truth.conj()).real[ring].sum() / (np.abs(truth[ring]) ** 2).sum()
        # Measured: 0.998 to 1.001 at 0.84 to 0.88 of Nyquist with three of four frames half a pixel off.
        assert abs(kept - 1) < 0.01


def test_local_field_is_followed() -> None:
    pixel, size = 1.5, 320
    image = _textured(size, size, 0.2)
    nodes = np.zeros((2, 3, 3, 2), np.float32)
    nodes[1, ..., 0] = np.linspace(-0.5, 0.5, 3)[None, :]
    nodes[1, ..., 1] = np.linspace(0.8, -0.4, 3)[:, None]
    model = MotionModel(2, np.zeros((2, 2), np.float32), nodes)
    y, x = np.mgrid[:size, :size].astype(np.float64)
    moved = model.displacements_angstrom(x / size, y / size)[1] / pixel
    # frame(X + d(X)) = image(X): looked up backwards by fixed-point iteration.
    back_x, back_y = x - moved[..., 0], y - moved[..., 1]
    for _ in range(6):
        d = model.displacements_angstrom(back_x / size, back_y / size)[1] / pixel
        back_x, back_y = x - d[..., 0], y - d[..., 1]
    second = map_coordinates(image, [back_y, back_x], order=5, mode="reflect")
    found = correct_movie(np.stack([image, second]).astype(np.float32), model, **ARGUMENTS).average / 2
    inner = (slice(30, -30), slice(30, -30))
    uncorrected = np.std(((image + second) / 2 - image)[inner])
    # Measured 0.0065 against 0.030 uncorrected: what is left is the displacement within a tile of 64 pixels.
    assert np.std((found - image)[inner]) < 0.3 * uncorrected


def test_dose_weighted_average_is_the_weighted_sum() -> None:
    frames = np.random.default_rng(1).poisson(5, (6, 96, 128)).astype(np.uint16)
    found = correct_movie(
        frames, MotionModel.zero(6), **{**ARGUMENTS, "dose_weighting": True, "dose_per_frame": 3.0}, pre_exposure=2.0
    )
    weights = dose_weights(radial_frequency(96, 128, 1.5), 6, 3.0, 300.0, 2.0)
    expected = np.fft.irfft2((np.fft.rfft2(frames) * weights).sum(0), s=(96, 128))
    np.testing.assert_allclose(found.average, expected, atol=2e-3)
    np.testing.assert_allclose(found.unweighted, frames.sum(0), atol=1e-3)


def test_halves_add_up_and_stack_sums_to_the_unweighted() -> None:
    frames = np.random.default_rng(2).poisson(5, (5, 70, 90)).astype(np.uint8)
    shifts = np.random.default_rng(3).normal(size=(5, 2))
    shifts[0] = 0
    found = correct_movie(frames, _track(shifts), **{**ARGUMENTS, "dose_weighting": True}, halves=True, stack=True)
    assert found.odd is not None
    assert found.even is not None
    assert found.stack is not None
    np.testing.assert_allclose(found.odd + found.even, found.average, atol=1e-4)
    np.testing.assert_allclose(found.stack.sum(0), found.unweighted, atol=1e-3)
    np.testing.assert_allclose(found.stack[0], frames[0], atol=1e-3)
    plain = correct_movie(frames, _track(shifts), **ARGUMENTS, halves=True)
    assert plain.odd is not None
    np.testing.assert_allclose(plain.odd, found.stack[::2].sum(0), atol=1e-3)


@pytest.mark.parametrize(("binning", "shape"), [(1.0, (50, 74)), (0.5, (70, 106))])
def test_binning_crops_in_fourier_space_and_keeps_electrons(binning: float, shape: tuple[int, int]) -> None:
    frames = np.random.default_rng(4).poisson(5, (3, 100, 150)).astype(np.uint8)
    found = correct_movie(frames, MotionModel.zero(3), **{**ARGUMENTS, "binning": binning})
    assert found.average.shape == shape
    assert found.average.sum() == pytest.approx(frames.sum(), rel=1e-5)
    assert found.pixel_size_angstrom == pytest.approx(1.5 * 150 / shape[1])


def test_gain_and_defects_are_applied() -> None:
    random = np.random.default_rng(5)
    gain = random.uniform(0.9, 1.1, (64, 80)).astype(np.float32)
    frames = random.poisson(200 / gain[None].repeat(4, 0)).astype(np.uint16)
    gain[10, 20] = 0
    frames[:, 10, 20] = 5000
    frames[:, 30:33, 40] = 0
    defects = np.zeros((64, 80), bool)
    defects[30:33, 40] = True
    found = correct_movie(frames, MotionModel.zero(4), **{**ARGUMENTS, "gain": gain, "defects": defects}).average
    assert abs(found.mean() - 800) < 3
    for pixel in ((10, 20), (30, 40), (31, 40), (32, 40)):
        assert abs(found[pixel] - 800) < 6 * 28 * 1.5


def test_non_finite_pixels_never_reach_the_average() -> None:
    frames = np.ones((3, 64, 64), np.float32)
    frames[1, 5, 5], frames[2, 9, 9] = np.nan, np.inf
    assert np.isfinite(correct_movie(frames, MotionModel.zero(3), **ARGUMENTS).average).all()


def test_equal_input_gives_byte_equal_output() -> None:
    frames = np.random.default_rng(6).poisson(3, (7, 150, 130)).astype(np.uint8)
    model = _track(np.random.default_rng(7).normal(size=(7, 2)))
    one, two = (correct_movie(frames, model, **{**ARGUMENTS, "dose_weighting": True}) for _ in range(2))
    assert one.average.tobytes() == two.average.tobytes()


def test_what_does_not_fit_is_refused() -> None:
    frames = np.ones((3, 64, 64), np.uint8)
    with pytest.raises(ValueError, match="4 frames, the movie 3"):
        correct_movie(frames, MotionModel.zero(4), **ARGUMENTS)
    with pytest.raises(ValueError, match="gain is 32 x 64 px"):
        correct_movie(frames, MotionModel.zero(3), **{**ARGUMENTS, "gain": np.ones((64, 32), np.float32)})


def test_taps_hold_a_constant_and_a_pixel() -> None:
    weights = np.asarray(taps(np.array([[0.0, 0.5, -0.25]], np.float32), 1))[0]
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-6)
    assert weights[13, 0] == pytest.approx(1, abs=1e-6)
