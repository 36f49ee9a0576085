"""Correction: where content goes, what is kept, what is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from warpcore.kernels.correct._dose import dose_weights
from warpcore.kernels.correct._movie import correct_movie
from warpcore.kernels.image import frequencies
from warpcore.kernels.motion._model import MotionModel

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
    return np.fft.irfft2(transform * (np.hypot(*frequencies(height, width, 1.0)) < finest), s=(height, width)) + 10


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


BANDS = [(0.05, 0.1), (0.35, 0.4), (0.4, 0.45), (0.45, 0.47), (0.47, 0.485)]


def _kept(shifts: np.ndarray, size: int = 320) -> list[float]:
    """Amplitude of a white texture kept by the average, by bands of the larger of |kx| and |ky|."""
    image = _textured(size, size, 0.75)
    frames = np.stack([_moved(image, x, y) for x, y in shifts]).astype(np.float32)
    found = correct_movie(frames, _track(shifts), **ARGUMENTS).average / len(shifts)
    inner, side = (slice(40, -40), slice(40, -40)), size - 80
    window = np.outer(np.hanning(side), np.hanning(side))
    ours, truth = (np.fft.rfft2((one[inner] - 10) * window) for one in (found, image))
    largest = np.maximum(np.abs(np.fft.fftfreq(side))[:, None], np.fft.rfftfreq(side))
    rings = [(largest >= low) & (largest < high) for low, high in BANDS]
    return [float((ours * truth.conj()).real[ring].sum() / (np.abs(truth[ring]) ** 2).sum()) for ring in rings]


def test_amplitude_is_kept_to_one_percent_up_to_97_percent_of_nyquist() -> None:
    shifts = np.random.default_rng(11).uniform(-6, 6, (16, 2))
    shifts[0] = 0
    # Measured: within 0.0001 to 0.9 of Nyquist, 0.0003 to 0.94, 0.0017 from there to 0.97.
    np.testing.assert_allclose(_kept(shifts), 1, atol=0.006)


def test_amplitude_is_kept_where_nearly_all_frames_are_half_a_pixel_off() -> None:
    shifts = np.full((16, 2), 0.5)
    shifts[0] = 0
    # The worst case: a shift by half a pixel leaves 0.69 at 0.95 of Nyquist, 0.45 at 0.97. Measured after it is put
    # back: 0.9999 to 0.94, 0.993 from there to 0.97.
    np.testing.assert_allclose(_kept(shifts), 1, atol=0.02)


def test_noise_power_is_kept() -> None:
    shifts = np.random.default_rng(12).uniform(-6, 6, (16, 2))
    shifts[0] = 0
    frames = np.random.default_rng(13).normal(10, 1, (16, 256, 256)).astype(np.float32)
    power = np.abs(np.fft.rfft2(correct_movie(frames, _track(shifts), **ARGUMENTS).average)) ** 2 / (16 * 256**2)
    largest = np.maximum(np.abs(np.fft.fftfreq(256))[:, None], np.fft.rfftfreq(256))
    # Measured 0.986 (few coefficients), 1.002, 0.989, 0.985, 1.034; 1.36 in the last 3 %: putting the amplitude back
    # costs noise only at the very end.
    for (low, high), atol in zip(BANDS, (0.05, 0.03, 0.03, 0.05, 0.08), strict=True):
        assert power[(largest >= low) & (largest < high)].mean() == pytest.approx(1, abs=atol)


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
    # Measured 0.0026 against 0.030 uncorrected: what is left is the displacement within blocks of 32 x 16 pixels.
    assert np.std((found - image)[inner]) < 0.12 * uncorrected


def test_dose_weighted_average_is_the_weighted_sum() -> None:
    frames = np.random.default_rng(1).poisson(5, (6, 96, 128)).astype(np.uint16)
    found = correct_movie(
        frames, MotionModel.zero(6), **{**ARGUMENTS, "dose_weighting": True, "dose_per_frame": 3.0}, pre_exposure=2.0
    )
    weights = dose_weights(np.hypot(*frequencies(96, 128, 1.5)), 6, 3.0, 300.0, 2.0)
    expected = np.fft.irfft2((np.fft.rfft2(frames) * weights).sum(0), s=(96, 128))
    # Measured 0.015 of 30: the weights are held to 2e-3.
    np.testing.assert_allclose(found.average, expected, atol=0.03)
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
    plain = correct_movie(frames, _track(shifts), **ARGUMENTS, halves=True)
    assert plain.odd is not None
    np.testing.assert_allclose(plain.odd, found.stack[::2].sum(0), atol=1e-3)


def test_odd_frames_weigh_nothing_and_the_weights_of_the_rest_keep_the_noise() -> None:
    frames = np.random.default_rng(7).poisson(5, (6, 96, 128)).astype(np.uint16)
    spoilt, good = frames.copy(), np.array([False, True, True, False, True, True])
    spoilt[~good] = 60000
    arguments = {**ARGUMENTS, "dose_weighting": True, "dose_per_frame": 3.0, "halves": True, "stack": True}
    found, same = (correct_movie(one, MotionModel.zero(6), **arguments, good=good) for one in (spoilt, frames))
    np.testing.assert_array_equal(found.average, same.average)
    np.testing.assert_allclose(found.unweighted, frames[good].sum(0), atol=1e-3)
    # Their dose counts: the specimen had it, or it makes no difference, as before the first good frame.
    weights = dose_weights(np.hypot(*frequencies(96, 128, 1.5)), 6, 3.0, 300.0)[good]
    weights /= np.sqrt(np.mean(weights**2, axis=0))
    expected = np.fft.irfft2((np.fft.rfft2(frames[good]) * weights).sum(0), s=(96, 128))
    np.testing.assert_allclose(found.average, expected, atol=0.03)  # measured 0.01 of 20
    plain = correct_movie(spoilt, MotionModel.zero(6), **{**ARGUMENTS, "halves": True}, good=good)
    np.testing.assert_allclose(plain.odd, frames[[1, 4]].sum(0), atol=1e-3)
    np.testing.assert_allclose(plain.even, frames[[2, 5]].sum(0), atol=1e-3)
    assert found.stack is not None
    np.testing.assert_allclose(found.stack[3], 60000)


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


@pytest.mark.slow
def test_the_number_of_threads_changes_no_byte() -> None:
    code = (
        "import os, sys, hashlib\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}) if sys.argv[1] == 'one' else None\n"
        "import numpy as np\n"
        "from warpcore.kernels.correct import correct_movie\n"
        "from warpcore.kernels.motion import MotionModel\n"
        "random = np.random.default_rng(6)\n"
        "frames = random.poisson(3, (11, 423, 517)).astype(np.uint8)\n"
        "model = MotionModel(11, random.normal(size=(11, 2)).astype('f4'), "
        "random.normal(size=(4, 3, 3, 2)).astype('f4'))\n"
        "found = correct_movie(frames, model, gain=None, defects=None, pixel_size_angstrom=1.5, "
        "binning=0.2, dose_per_frame=1.0,\n"
        "    voltage_kv=300.0, dose_weighting=True, halves=True)\n"
        "print(hashlib.sha256(found.average.tobytes() + found.odd.tobytes()).hexdigest())\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code, threads], capture_output=True, text=True, check=True).stdout
        for threads in ("one", "all")
    ]
    assert runs[0] == runs[1]


def test_what_does_not_fit_is_refused() -> None:
    frames = np.ones((3, 64, 64), np.uint8)
    with pytest.raises(ValueError, match="4 frames, the movie 3"):
        correct_movie(frames, MotionModel.zero(4), **ARGUMENTS)
    with pytest.raises(ValueError, match="gain is 32 x 64 px"):
        correct_movie(frames, MotionModel.zero(3), **{**ARGUMENTS, "gain": np.ones((64, 32), np.float32)})
