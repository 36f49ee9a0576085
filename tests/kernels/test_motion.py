"""Motion estimation against simulated truth, and what must hold by symmetry."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from warpcore.kernels.image._defects import plan_repair
from warpcore.kernels.motion._binning import MARGIN, automatic_group, bin_movie
from warpcore.kernels.motion._estimate import NO_SIGNAL, automatic_grid, estimate_motion
from warpcore.kernels.motion._fit import likelihood
from warpcore.kernels.motion._model import MotionModel
from warpcore.kernels.motion._patches import patch_coefficients, plan_layout

PIXEL = 2.0
ARGUMENTS = {"gain": None, "defects": None, "pixel_size_angstrom": PIXEL, "dose_per_frame": 1.5}
FRAMES, SIDE = 8, 288


def _specimen(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Blobs of 15 to 60 Å: texture that a movie's frames show."""
    ky, kx = np.fft.fftfreq(height, PIXEL)[:, None], np.fft.rfftfreq(width, PIXEL)[None]
    k = np.hypot(kx, ky)
    shape = np.exp(-(((k - 0.035) / 0.03) ** 2))
    image = np.fft.irfft2(
        np.fft.rfft2(np.random.default_rng(seed).normal(size=(height, width))) * shape, s=(height, width)
    )
    return image / image.std()


def _window(image: np.ndarray, dx: float, dy: float, height: int, width: int, margin: int = 60) -> np.ndarray:
    """The frame in the middle of a periodic specimen displaced by (dx, dy) px."""
    ky, kx = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    moved = np.fft.irfft2(np.fft.rfft2(image) * np.exp(-2j * np.pi * (kx * dx + ky * dy)), s=image.shape)
    return moved[margin : margin + height, margin : margin + width]


def _movie(
    track_px: np.ndarray, height: int = SIDE, width: int = SIDE, counts: float = 6.0, contrast: float = 0.25
) -> np.ndarray:
    image = _specimen(height + 120, width + 120)
    random = np.random.default_rng(4)
    expected = [counts * (1 + contrast * _window(image, x, y, height, width)) for x, y in track_px]
    return random.poisson(np.maximum(expected, 0.05)).astype(np.uint8)


def _smooth_track(frames: int = FRAMES) -> np.ndarray:
    t = np.linspace(0, 1, frames)
    return np.stack([6 * (1 - np.exp(-3 * t)), -4 * t**2 + 1.5 * t], axis=1)


def _rmse(found: np.ndarray, truth: np.ndarray) -> float:
    difference = (found - found.mean(0)) - (truth - truth.mean(0))
    return float(np.sqrt((difference**2).sum(-1).mean()))


@pytest.fixture(scope="module")
def movie() -> np.ndarray:
    return _movie(_smooth_track())


@pytest.fixture(scope="module")
def model(movie: np.ndarray) -> MotionModel:
    return estimate_motion(movie, **ARGUMENTS)


def test_track_is_found(model: MotionModel) -> None:
    # Measured 0.05 Å; the drift is 13 Å.
    assert _rmse(model.global_track_angstrom(), _smooth_track() * PIXEL) < 0.15


def test_without_local_movement_none_is_made_up(model: MotionModel) -> None:
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 5), np.linspace(0.1, 0.9, 5))
    local = model.displacements_angstrom(x, y) - model.global_track_angstrom()[:, None, None]
    assert np.abs(local).max() < 0.3


def test_equal_input_gives_an_equal_model(movie: np.ndarray, model: MotionModel) -> None:
    again = estimate_motion(movie, **ARGUMENTS)
    assert again.global_nodes.tobytes() == model.global_nodes.tobytes()
    assert again.local_nodes.tobytes() == model.local_nodes.tobytes()


def test_transposed_movie_gives_the_transposed_movement(movie: np.ndarray, model: MotionModel) -> None:
    turned = estimate_motion(movie.transpose(0, 2, 1).copy(), **ARGUMENTS)
    difference = turned.displacements_angstrom(0.3, 0.8)[:, ::-1] - model.displacements_angstrom(0.8, 0.3)
    # Measured 0.02 Å: iterations end when no node moves by more than 0.03 Å.
    assert np.abs(difference).max() < 0.06


def test_reversed_movie_gives_the_reversed_track(movie: np.ndarray, model: MotionModel) -> None:
    back = estimate_motion(movie[::-1].copy(), **ARGUMENTS)
    # Not exact: the prior lets specimens settle forwards in time only.
    assert _rmse(back.global_track_angstrom()[::-1], model.global_track_angstrom()) < 0.1


def test_whole_pixels_are_recovered_to_two_hundredths_without_noise() -> None:
    track = np.array([[0, 0], [3, -1], [5, 2], [4, 4], [7, 5], [8, 5], [8, 6], [9, 6]], float)
    image = _specimen(SIDE + 120, SIDE + 120)
    frames = np.stack([_window(image, x, y, SIDE, SIDE) for x, y in track]).astype(np.float32) * 10 + 100
    found = estimate_motion(frames, **ARGUMENTS).global_track_angstrom() / PIXEL
    assert np.abs((found - found.mean(0)) - (track - track.mean(0))).max() < 0.02


def test_long_drift_and_jumps_are_followed() -> None:
    steps = np.array([[0, 0], [10, 0], [9, 4], [2, 9], [10, 0], [10, -2], [9, 4], [10, 0]], float)
    track = np.cumsum(steps, axis=0) - [30, 10]  # jumps of 20 Å, 120 Å in all
    found = estimate_motion(_movie(track, contrast=0.4), **ARGUMENTS).global_track_angstrom()
    assert _rmse(found, track * PIXEL) < 0.4


@pytest.mark.parametrize(("frames", "height", "width"), [(2, 193, 260), (17, 201, 201)])
def test_odd_sizes_and_other_numbers_of_frames(frames: int, height: int, width: int) -> None:
    track = _smooth_track(frames)
    found = estimate_motion(_movie(track, height, width, contrast=0.4), **ARGUMENTS)
    assert found.frames == frames
    assert _rmse(found.global_track_angstrom(), track * PIXEL) < 0.4


def test_one_frame_and_tiny_frames_do_not_move() -> None:
    for shape in ((1, 200, 200), (5, 40, 40)):
        still = estimate_motion(np.ones(shape, np.uint8), **ARGUMENTS)
        assert still.frames == shape[0]
        assert np.abs(still.global_track_angstrom()).max() < 1e-5


@pytest.mark.parametrize("shape", [(4, 200, 200), (FRAMES, SIDE, SIDE)])
def test_movie_without_any_signal_is_said_to_have_none(shape: tuple[int, int, int]) -> None:
    blank = np.random.default_rng(0).poisson(2, shape).astype(np.uint8)
    for frames in (blank, np.zeros_like(blank)):
        still = estimate_motion(frames, **ARGUMENTS)
        assert still.failure == NO_SIGNAL
        assert not still.global_nodes.any()
        assert not still.local_nodes.any()


def test_weak_signal_is_still_followed() -> None:
    track = _smooth_track(12)
    found = estimate_motion(_movie(track, counts=0.3, contrast=0.1), **ARGUMENTS)
    assert found.failure is None
    # Measured 0.39 Å: 0.3 electrons a pixel and frame, a tenth of contrast.
    assert _rmse(found.global_track_angstrom(), track * PIXEL) < 0.8


def test_likelihood_gradient_is_that_of_finite_differences() -> None:
    random = np.random.default_rng(2)
    real, imaginary = (jnp.asarray(random.normal(size=(3, 4, 7, 8)), jnp.float32) for _ in range(2))
    kx, ky = jnp.linspace(0, 0.1, 8), jnp.linspace(-0.1, 0.1, 7)
    weight = jnp.asarray(random.uniform(0.1, 1, (3, 7, 8)), jnp.float32)
    shift = random.normal(size=(3, 4, 2)).astype(np.float32)

    def value(at: np.ndarray) -> float:
        return float(np.asarray(likelihood(real, imaginary, kx, ky, weight, jnp.asarray(at))[0], np.float64).sum())

    _, gradient = likelihood(real, imaginary, kx, ky, weight, jnp.asarray(shift))
    for index in [(0, 0, 0), (1, 3, 1), (2, 2, 0)]:
        step = np.zeros_like(shift)
        step[index] = 0.05
        slope = (value(shift + step) - value(shift - step)) / 0.1
        assert slope == pytest.approx(float(gradient[index]), rel=0.02, abs=0.05)


def test_coefficients_of_a_patch_are_those_of_its_tapered_transform() -> None:
    random = np.random.default_rng(6)
    frames = random.normal(size=(2, 130, 150)).astype(np.float32)
    layout = plan_layout(130, 150, 2.0, 500.0, 12.0)
    offsets = np.array([[3, -2], [-7, 5]], np.int32)
    padded = np.pad(frames, ((0, 0), (8, 8), (8, 8)))
    real, imaginary = patch_coefficients(jnp.asarray(padded), 8, offsets, layout)
    taper = layout.window[:, None] * layout.window
    most = len(layout.kx) - 1
    for patch, (row, column) in enumerate((r, c) for r in layout.rows for c in layout.columns):
        for frame, (x, y) in enumerate(offsets):
            corner = padded[frame, row + y + 8 :, column + x + 8 :][: layout.size, : layout.size].astype(np.float64)
            level = (corner * taper).sum() / taper.sum()
            whole = np.fft.rfft2((corner - level) * taper)
            wanted = np.concatenate([whole[-most:], whole[: most + 1]])[:, : most + 1]
            found = np.asarray(real[patch, frame]) + 1j * np.asarray(imaginary[patch, frame])
            # Measured 4e-5 of coefficients whose spread is about 20.
            assert np.abs(found - wanted).max() < 5e-4


def test_frames_of_low_dose_are_grouped_for_the_fit() -> None:
    assert automatic_group(24, 1.5) == 1
    assert automatic_group(40, 0.5) == 1
    assert automatic_group(80, 0.05) == 4
    assert automatic_group(2000, 0.02) == 16  # 125 groups
    assert automatic_group(10, 0.01) == 1  # fewer than 8 groups would show no track
    track = _smooth_track(48)
    found = estimate_motion(_movie(track, counts=0.4), **ARGUMENTS, group_frames=4)
    assert found.frames == 48
    # Measured 0.066 Å, without groups 0.062 Å: each frame still has its own place on the track.
    assert _rmse(found.global_track_angstrom(), track * PIXEL) < 0.15
    # The first and last frames lie outside the centres of the groups. Measured 0.13 Å.
    ends = (found.global_track_angstrom() - track * PIXEL)[[0, -1]] - (
        found.global_track_angstrom() - track * PIXEL
    ).mean(0)
    assert np.abs(ends).max() < 0.3


def test_binning_sums_groups_and_leaves_out_defects() -> None:
    random = np.random.default_rng(8)
    frames = random.poisson(50, (7, 41, 36)).astype(np.uint8)
    gain = random.uniform(0.8, 1.2, (41, 36)).astype(np.float32)
    defects = np.zeros((41, 36), np.bool_)
    defects[[3, 3, 20, 40], [4, 5, 30, 2]] = True  # two in one binned pixel, one in the row that binning leaves out
    spoilt = frames.copy()
    spoilt[:, defects] = 255
    starts = np.array([0, 2, 4])
    repaired = frames.copy()
    repair = plan_repair(defects, 41, 36)
    repair.apply(repaired)
    corrected = (repaired * repair.fill_gain(gain))[:, :40]
    wanted = np.add.reduceat(corrected.reshape(7, 20, 2, 18, 2).sum((2, 4)), starts, axis=0)
    wanted -= wanted.mean((1, 2), keepdims=True)
    found = np.array(bin_movie(spoilt, starts, gain, defects, 2))
    assert found.shape == (8, 20 + 2 * MARGIN, 18 + 2 * MARGIN)
    # Sums of 24 counts of 50 in float32: measured 2e-4.
    assert np.abs(found[:3, MARGIN:-MARGIN, MARGIN:-MARGIN] - wanted).max() < 2e-3
    found[:3, MARGIN:-MARGIN, MARGIN:-MARGIN] = 0
    assert not found.any()


def test_automatic_grid_follows_the_long_side_and_the_frames() -> None:
    assert automatic_grid(24, 1024, 1024, 1.1, 1.5) == (5, 5, 24)
    assert automatic_grid(40, 4092, 5760, 0.83, 1.0) == (7, 5, 40)
    assert automatic_grid(2000, 4096, 4096, 2.0, 0.02)[2] == 256


def test_what_is_no_movie_is_refused() -> None:
    with pytest.raises(ValueError, match="frames x height x width"):
        estimate_motion(np.ones((10, 10), np.uint8), **ARGUMENTS)


@pytest.mark.parametrize("odd", [[0], [5, 6, 7], [3], [2, 4], [1, 3, 5, 7]], ids=str)
def test_frames_that_do_not_count_take_the_movement_of_those_around(movie: np.ndarray, odd: list[int]) -> None:
    """Blank ones, which made whole tracks wrong before. Measured for good frames: 0.02 to 0.05 Å.

    Odd frames between them are off by at most 0.4 Å. At the ends what is not seen is not known: here 2.8 Å in three
    frames in which the specimen goes faster and faster, by 8 Å.
    """
    spoilt, good = movie.copy(), np.ones(FRAMES, bool)
    spoilt[odd], good[odd] = 0, False
    found = estimate_motion(spoilt, **ARGUMENTS, good=good)
    track, truth = found.global_track_angstrom(), _smooth_track() * PIXEL
    error = track - truth - (track - truth)[good].mean(0)
    between = ~good & (np.maximum.accumulate(good) & np.maximum.accumulate(good[::-1])[::-1])
    assert _rmse(track[good], truth[good]) < 0.2
    assert np.linalg.norm(error, axis=1).max() < 4.0
    assert np.linalg.norm(error[between], axis=1).max(initial=0) < 0.8


def test_odd_frames_of_low_dose_are_left_out_of_their_groups(movie: np.ndarray) -> None:
    good = np.ones(FRAMES, bool)
    good[[2, 3]] = False
    spoilt = np.where(good[:, None, None], movie, 200).astype(np.uint8)
    models = [estimate_motion(one, **ARGUMENTS, good=good, group_frames=2) for one in (movie, spoilt)]
    np.testing.assert_array_equal(models[0].global_nodes, models[1].global_nodes)
    assert _rmse(models[0].global_track_angstrom()[good], _smooth_track()[good] * PIXEL) < 0.8


def test_one_good_frame_moves_nowhere(movie: np.ndarray) -> None:
    for number in (0, 1):
        found = estimate_motion(movie, **ARGUMENTS, good=np.arange(FRAMES) < number)
        assert not found.global_track_angstrom().any()
        assert found.failure is None
