"""The device's form of what works on whole movies, beside the CPU's, on this backend."""

from __future__ import annotations

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from warpcore.kernels.correct import Corrected, correct_movie
from warpcore.kernels.correct._field import Displacements, cell_field
from warpcore.kernels.ctf import frame_sums
from warpcore.kernels.image import DeviceFrames, Plan, device_form, find_defects, smoothed, sum_frames
from warpcore.kernels.image._backend import rounded_to_float16
from warpcore.kernels.motion import MotionModel, estimate_motion

PIXEL = 1.5
HEIGHT, WIDTH = 300, 420


@pytest.fixture(autouse=True)
def _device_form() -> Iterator[None]:
    with device_form():
        yield


def _movie(count: int = 11, seed: int = 4, dtype: type = np.uint8) -> np.ndarray:
    """A texture of 12 Å and coarser that drifts by 0.8 px a frame, counted, with hot and dead pixels."""
    random = np.random.default_rng(seed)
    ky, kx = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None]
    spectrum = np.fft.rfft2(random.normal(size=(HEIGHT, WIDTH))) * (np.hypot(kx, ky) < PIXEL / 12)
    frames = []
    for index in range(count):
        moved = np.fft.irfft2(spectrum * np.exp(-2j * np.pi * (kx * 0.8 - ky * 0.5) * index), s=(HEIGHT, WIDTH))
        frames.append(random.poisson(np.clip(6 * (1 + 0.6 * moved / moved.std()), 0, None)))
    movie = np.array(frames).astype(dtype)
    movie[:, 40, 50] = 200
    movie[:, 170, 300] = 0
    return movie


def _gain(seed: int = 9) -> np.ndarray:
    gain = np.random.default_rng(seed).uniform(0.9, 1.1, (HEIGHT, WIDTH)).astype(np.float32)
    gain[100:103, 7] = 0
    return gain


def _model(count: int = 11) -> MotionModel:
    """Drift, and a local field that changes over time."""
    random = np.random.default_rng(2)
    track = np.stack([1.2 * np.arange(count), -0.75 * np.arange(count)], axis=1)
    local = np.cumsum(random.normal(size=(4, 3, 3, 2)), axis=0)
    return MotionModel(count, track.astype(np.float32), (local - local[:1]).astype(np.float32))


def _resident(frames: np.ndarray, at_once: int = 4, resident: bool = True) -> DeviceFrames:
    return DeviceFrames(frames, Plan(resident, at_once))


def _corrected(frames: np.ndarray | DeviceFrames, **changed: object) -> Corrected:
    arguments: dict[str, object] = {
        "gain": GAIN,
        "defects": DEFECTS,
        "pixel_size_angstrom": PIXEL,
        "binning": 0.0,
        "dose_per_frame": 1.2,
        "voltage_kv": 300.0,
        "dose_weighting": True,
        "halves": True,
        "stack": True,
    }
    return correct_movie(frames, _model(), **(arguments | changed))  # type: ignore[arg-type]


GAIN = _gain()
DEFECTS = np.zeros((HEIGHT, WIDTH), np.bool_)
DEFECTS[[40, 170, 0, HEIGHT - 1], [50, 300, 0, WIDTH - 1]] = True
IMAGES = ("average", "unweighted", "odd", "even", "stack")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"gain": None, "defects": None},
        {"binning": 0.5},
        {"dose_weighting": False},
        {"dose_weighting": False, "halves": False, "stack": False},
    ],
    ids=str,
)
def test_corrected_images_are_those_of_the_cpu(changed: dict[str, object]) -> None:
    frames = _movie()
    there, here = _corrected(_resident(frames), **changed), _corrected(frames, **changed)
    assert there.pixel_size_angstrom == here.pixel_size_angstrom
    for name in IMAGES:
        one, other = (
            None if image is None else np.asarray(image) for image in (getattr(there, name), getattr(here, name))
        )
        assert (one is None) == (other is None), name
        if one is not None and other is not None:
            assert one.dtype == np.float32
            assert_alike(np.asarray(one), other, name)


def test_rows_of_cells_with_taps_of_different_length_are_those_of_the_cpu() -> None:
    frames = np.random.default_rng(1).poisson(6, (4, 520, 300)).astype(np.uint8)
    local = np.zeros((4, 5, 3, 2))
    # The lower part turns quickly, the upper one stands still.
    local[1:, 3:] = np.cumsum(np.random.default_rng(0).normal(size=(3, 2, 3, 2)), axis=0) * 4
    model = MotionModel(4, np.zeros((4, 2), np.float32), local.astype(np.float32))
    displacements = Displacements(model, 520, 300, PIXEL)
    extras = [cell_field(displacements, range(4), row, row + 1).extra for row in range(5)]
    assert len(set(extras)) > 1
    arguments = {"gain": None, "defects": None, "pixel_size_angstrom": PIXEL, "binning": 0.0, "dose_per_frame": 1.0}
    arguments |= {"voltage_kv": 300.0, "dose_weighting": False}
    there, here = (correct_movie(one, model, **arguments) for one in (_resident(frames), frames))  # type: ignore[arg-type]
    assert_alike(np.asarray(there.average), np.asarray(here.average))


def assert_alike(one: np.ndarray, other: np.ndarray, name: str = "") -> None:
    """Equal but for the order of sums, and for blocks that a displacement's last digit moves by 1/64 px more or less.

    Measured: 3e-5 of the deviation; 0.15 % of pixels lie in such blocks, up to 0.006 off, 0.05 in a single frame.
    """
    off = np.abs(one - other) / other.std()
    assert np.mean(off > 2e-4) < 0.01, name
    assert off.max() < 0.1, name
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.999999, name


def test_a_movie_that_stands_still_is_summed_exactly() -> None:
    frames = _movie()
    arguments = {"gain": None, "defects": None, "pixel_size_angstrom": PIXEL, "binning": 0.0}
    arguments |= {"dose_per_frame": 0.0, "voltage_kv": 300.0, "dose_weighting": False}
    found = correct_movie(_resident(frames), MotionModel.zero(len(frames)), **arguments)  # type: ignore[arg-type]
    np.testing.assert_allclose(np.asarray(found.average), frames.sum(0), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("at_once", "resident"), [(1, True), (3, False), (16, False)])
def test_bytes_do_not_depend_on_how_many_frames_are_there_at_once(at_once: int, resident: bool) -> None:
    frames = _movie()
    first, other = (_corrected(_resident(frames, *plan)) for plan in ((4, True), (at_once, resident)))
    for name in IMAGES:
        np.testing.assert_array_equal(np.asarray(getattr(first, name)), np.asarray(getattr(other, name)), name)
    models = [
        estimate_motion(
            _resident(frames, *plan), gain=GAIN, defects=DEFECTS, pixel_size_angstrom=PIXEL, dose_per_frame=1.2
        )
        for plan in ((4, True), (at_once, resident))
    ]
    np.testing.assert_array_equal(models[0].global_nodes, models[1].global_nodes)


@pytest.mark.parametrize("group_frames", [None, 2])
def test_motion_is_that_of_the_cpu(group_frames: int | None) -> None:
    frames = _movie(count=24)
    arguments = {"gain": GAIN, "defects": DEFECTS, "pixel_size_angstrom": PIXEL, "dose_per_frame": 1.2}
    there, here = (
        estimate_motion(one, group_frames=group_frames, **arguments)  # type: ignore[arg-type]
        for one in (_resident(frames, 8), frames)
    )
    assert here.failure is None
    error = (there.global_track_angstrom() - here.global_track_angstrom()) / PIXEL
    # Measured: 0.0003 px; the issue asks for 0.02.
    assert np.abs(error).max() < 0.02
    truth = np.stack([0.8 * np.arange(24), -0.5 * np.arange(24)], axis=1)
    assert np.abs(there.global_track_angstrom() / PIXEL - truth).max() < 0.25


def test_defects_and_sums_are_those_of_the_cpu_exactly() -> None:
    frames = _movie()
    there, here = sum_frames(_resident(frames, 3)), sum_frames(frames)
    np.testing.assert_array_equal(np.asarray(there.first), np.asarray(here.first))
    np.testing.assert_array_equal(there.total, here.total)
    found = find_defects(_resident(frames, 3), GAIN)
    np.testing.assert_array_equal(found, find_defects(frames, GAIN))
    assert found[40, 50]
    assert found[101, 7]


def test_sums_of_few_frames_for_the_ctf_are_those_of_the_cpu() -> None:
    frames = _movie()
    arguments = {"gain": GAIN, "defects": DEFECTS, "pixel_size_angstrom": PIXEL, "dose_per_frame": 1.2}
    there = frame_sums(_resident(frames, 4), _model(), **arguments)  # type: ignore[arg-type]
    here = frame_sums(frames, _model(), **arguments)  # type: ignore[arg-type]
    assert len(there) == len(here) > 1
    for one, other in zip(there, here, strict=True):
        # Only the level that stands in for defects is another mean, without the counts of hot pixels: measured 0.025.
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=0.05)


def test_pixels_that_are_not_finite_are_replaced() -> None:
    frames = _movie(dtype=np.float32)
    frames[3, 200, 100], frames[5, 10, 10] = np.nan, np.inf
    there, here = _corrected(_resident(frames)), _corrected(frames)
    assert np.isfinite(np.asarray(there.average)).all()
    assert_alike(np.asarray(there.average), np.asarray(here.average))


@pytest.mark.parametrize("width", [WIDTH, WIDTH - 1])
def test_packed_frames_are_unpacked_there(width: int) -> None:
    frames = np.minimum(_movie()[..., :width], 15)
    even = np.pad(frames, ((0, 0), (0, 0), (0, width % 2)))
    packed = (even[..., 0::2] | even[..., 1::2] << 4).astype(np.uint8)
    there = DeviceFrames(packed, Plan(True, 4), packed_width=width)
    assert there.shape == frames.shape
    for first, chunk in there.chunks():
        np.testing.assert_array_equal(np.asarray(chunk)[: len(frames) - first], frames[first : first + 4])


def test_a_gain_or_defects_of_another_size_are_refused() -> None:
    frames = _resident(_movie())
    with pytest.raises(ValueError, match="the gain is 10 x 10 px"):
        frames.ready(np.ones((10, 10), np.float32), None)
    with pytest.raises(ValueError, match="the defect map is 10 x 10 px"):
        frames.ready(None, np.zeros((10, 10), np.bool_))


def test_the_hosts_memory_may_be_used_again_once_a_movie_is_on_the_device() -> None:
    buffer = _movie()
    expected = buffer.copy()
    there = _resident(buffer, 16)
    buffer[:] = 0
    np.testing.assert_array_equal(np.asarray(there.chunk(0))[: len(expected)], expected)


@pytest.mark.parametrize("mode", ["reflect", "nearest"])
@pytest.mark.parametrize("sigma", [1.0, 40.0, 200.0])
def test_wide_smoothing_is_that_of_scipy(mode: str, sigma: float) -> None:
    image = np.random.default_rng(3).normal(size=(150, 210)).astype(np.float32) + 5
    expected = scipy.ndimage.gaussian_filter(image.astype(np.float64), sigma, mode=mode)
    # Measured: 2e-6.
    np.testing.assert_allclose(smoothed(image, sigma, mode), expected, rtol=1e-5)


def test_what_is_sent_back_as_float16_is_what_a_writer_makes_of_it() -> None:
    """Cut to the range as `write_mrc` does; what must not be written stays recognisable."""
    values = np.array([0.1, 1 / 3, -70000.0, 65519.0, 1e30, 2.0**-20, np.nan, np.inf], np.float32)
    found = np.asarray(rounded_to_float16(jnp.asarray(values)))
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found[:6], np.clip(values[:6], -65504, 65504).astype(np.float16))
    assert np.isnan(found[6])
    assert np.isinf(found[7])


def test_odd_frames_are_left_out_as_on_the_cpu() -> None:
    frames = _movie(count=12)
    good = np.ones(12, bool)
    good[[0, 5, 6]] = False
    frames[~good] = 0
    there, here = sum_frames(_resident(frames, 4), good), sum_frames(frames, good)
    np.testing.assert_array_equal(np.asarray(there.first), np.asarray(here.first))
    np.testing.assert_array_equal(np.asarray(there.second), np.asarray(here.second))
    arguments = {"gain": GAIN, "defects": DEFECTS, "pixel_size_angstrom": PIXEL, "dose_per_frame": 1.2, "good": good}
    models = [estimate_motion(one, **arguments) for one in (_resident(frames, 4), frames)]  # type: ignore[arg-type]
    tracks = [model.global_track_angstrom() for model in models]
    np.testing.assert_allclose(tracks[0], tracks[1], atol=0.01)
    sums = [frame_sums(one, models[1], **arguments) for one in (_resident(frames, 4), frames)]  # type: ignore[arg-type]
    for one, other in zip(*sums, strict=True):
        # Defects hold the frame's mean, which is added up in another order: 0.02 off.
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-5, atol=0.05)
