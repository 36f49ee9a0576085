"""Frames without a measurement of their own are told from good ones by the movie alone."""

from __future__ import annotations

from dataclasses import astuple
from functools import cache, partial

import numpy as np
import pytest

from warpcore.kernels.image import DeviceFrames, FrameLevels, Plan, check_frames, device_form, frame_levels, frame_noise
from warpcore.kernels.image._odd_frames import BLANK, BRIGHT, COPY, DIM, UNEVEN

FRAMES, SIDE = 16, 256


def _movie(level: np.ndarray | None = None, mean: float = 2.0) -> np.ndarray:
    """A specimen that drifts by 40 px, with an edge of thick carbon; `level` [F] is each frame's brightness."""
    random = np.random.default_rng(6)
    level = np.ones(FRAMES) if level is None else level
    x = np.arange(SIDE + 60)
    field = np.where(x > 150, 0.35, 1.0) * (1 + 0.2 * np.sin(x / 9))
    shifts = np.round(40 * (1 - np.exp(-np.arange(len(level)) / 4))).astype(int)
    rows = np.stack([field[shift : shift + SIDE] for shift in shifts])
    expected = mean * level[:, None, None] * rows[:, None]
    return random.poisson(np.broadcast_to(expected, (len(level), SIDE, SIDE))).astype(np.uint8)


def _found(movie: np.ndarray) -> dict[int, str]:
    check = check_frames(frame_levels(movie), partial(frame_noise, movie))
    return {number: why for number, why in enumerate(check.reasons) if why}


@cache
def _plain() -> np.ndarray:
    return _movie()


def _with(frames: slice | list[int], value: object) -> np.ndarray:
    movie = _plain().astype(np.uint16)
    movie[frames] = value(movie[frames]) if callable(value) else value
    return movie


def _part(rows: slice, columns: slice, factor: float) -> object:
    def changed(frames: np.ndarray) -> np.ndarray:
        frames = frames.copy()
        frames[:, rows, columns] = (frames[:, rows, columns] * factor).astype(frames.dtype)
        return frames

    return changed


HALF, ALL = slice(0, SIDE // 2), slice(None)


@pytest.mark.parametrize(
    ("frames", "value", "why"),
    [
        ([0], 0, BLANK),
        ([13, 14, 15], 0, BLANK),
        ([5, 6, 7, 8, 9], 0, BLANK),
        ([0, 8, 15], 0, BLANK),
        (list(range(1, 12)), 0, BLANK),
        ([0], lambda frames: np.random.default_rng(1).binomial(frames, 0.1), DIM),
        ([4, 5], lambda frames: frames * 20, BRIGHT),
        ([7], _part(ALL, HALF, 20), BRIGHT),
        ([7], _part(HALF, ALL, 0), UNEVEN),
        ([0], _part(HALF, HALF, 0), UNEVEN),
        ([3, 4, 5], _part(ALL, HALF, 2), UNEVEN),
        ([15], _part(slice(96, 112), ALL, 10), UNEVEN),
        ([0, 1], _part(slice(96, 112), ALL, 0), UNEVEN),
    ],
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_odd_frames_are_found_and_no_others(frames: list[int], value: object, why: str) -> None:
    assert _found(_with(frames, value)) == dict.fromkeys(frames, why)


def test_a_copy_is_the_later_one_of_a_pair() -> None:
    movie = _plain().copy()
    movie[1::2] = movie[::2]
    assert _found(movie) == dict.fromkeys(range(1, FRAMES, 2), COPY)
    movie[8, 3, 5] += 1
    movie[9] = movie[8]
    movie[9, 3, 5] += 1  # one pixel is enough
    assert 9 not in _found(movie)


def _as_read(movie: np.ndarray, kind: str, noise: float | np.ndarray) -> np.ndarray:
    """Counts [F, H, W] as cameras with read-out `noise` write them, of the movie's electrons."""
    gain, pedestal, form = {
        "plus 100": (1, 100, np.uint16),
        "less 32 768, gained": (16, -32700, np.int16),
        "integrating": (40, 500, np.uint16),
        "float": (1.0, 100.0, np.float32),
    }[kind]
    read = np.random.default_rng(8).normal(0, 1, movie.shape) * np.reshape(noise, (-1, 1, 1))
    counts = gain * movie.astype(np.float64) + pedestal + read
    return (counts if form == np.float32 else np.round(counts)).astype(form)


KINDS = ("plus 100", "less 32 768, gained", "integrating", "float")


@pytest.mark.parametrize(
    ("odd", "kind"), list(zip(([0], [13, 14, 15], [1, 3, 4, 6, 8, 9, 11, 15], [8]), KINDS, strict=True))
)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_pedestal_hides_no_blank_frames_and_makes_none_of_those_of_half_a_dose(
    odd: list[int], kind: str, noise: float
) -> None:
    movie = _plain().copy()
    movie[2] = np.random.default_rng(1).binomial(movie[2], 0.5)
    assert _found(_as_read(movie, kind, noise)) == {}
    movie[odd] = 0
    found = _found(_as_read(movie, kind, noise))
    assert list(found) == odd
    # Less 32 768 the lowest pixel tells most of the pedestal: what is left of noisy frames is dim.
    assert set(found.values()) <= {BLANK, DIM}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_pedestal_hides_no_bright_frames(kind: str, noise: float) -> None:
    movie = _plain().astype(np.uint16)
    movie[15] = 0
    movie[8] *= 20
    movie[12] = np.random.default_rng(3).poisson(12.0 * movie[12])
    found = _found(_as_read(movie, kind, noise))
    assert list(found) == [8, 12, 15]
    assert found[8] == found[12] == BRIGHT
    assert found[15] in {BLANK, DIM}


@pytest.mark.parametrize("noise", [0.5, 3.0])
def test_blank_frames_that_alone_have_noise_are_told_on_a_pedestal(noise: float) -> None:
    movie = _with([0, 9], 0)
    blank = np.isin(np.arange(FRAMES), [0, 9])
    assert _found(_as_read(movie, "plus 100", noise * blank)) == {0: BLANK, 9: BLANK}


def test_noise_that_drowns_the_counts_makes_no_frame_odd() -> None:
    """A frame of half a dose may be blank then, for all that its counts show: the share of 0.25 has an error of 0.4."""
    movie = _plain().copy()
    movie[0] = np.random.default_rng(1).binomial(movie[0], 0.5)
    assert _found(_as_read(movie, "plus 100", 4.0)) == {}


@pytest.mark.parametrize("pedestal", [0, 100])
@pytest.mark.parametrize(
    "level",
    [
        np.linspace(0.1, 1.9, FRAMES),
        np.linspace(2, 0.2, 40),
        1 + 0.6 * (1 - np.exp(-np.arange(24) / 5)),
        np.r_[0.5, np.ones(15)],
        np.tile([1.0, 2.0], 8),
        2.0 ** -np.arange(8),
    ],
    ids=["comes up", "fades", "ice melts", "half a first frame", "flickers", "halves"],
)
def test_brightness_that_changes_without_a_gap_is_not_odd(level: np.ndarray, pedestal: int) -> None:
    assert _found(_movie(level) + np.uint8(pedestal)) == {}


@pytest.mark.parametrize("mean", [1e-4, 1e-3, 0.01, 0.1, 1.0])
def test_few_counts_are_not_odd(mean: float) -> None:
    """Frames of 1 to 16 000 counts each; the most uneven one of 300 measured 1.05, and 1.6 counts as odd."""
    frames = np.random.default_rng(2).poisson(mean, (100, 128, 128)).astype(np.uint8)
    assert _found(frames) == {}


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_the_zero_of_the_counts_does_not_matter_where_it_is_negative(kind: type) -> None:
    movie = _plain().astype(np.int32) - 32768
    movie[3] = -32768
    assert _found(movie.astype(kind)) == {3: BLANK}


def test_pixels_that_are_not_finite_count_nothing() -> None:
    movie = _plain().astype(np.float32)
    movie[2] = np.nan
    movie[4, :40] = np.inf
    assert _found(movie) == {2: BLANK, 4: UNEVEN}


def test_a_movie_of_blank_frames_has_no_good_one_and_one_of_two_frames_is_not_judged_by_their_parts() -> None:
    assert _found(np.zeros((3, 64, 64), np.uint8)) == dict.fromkeys(range(3), BLANK)
    assert _found(_plain()[:2]) == {}
    assert _found(_plain()[:1]) == {}


def test_tiny_fields_are_one_cell() -> None:
    assert frame_levels(np.ones((2, 5, 7), np.uint8)).counts.tolist() == [[[35.0]], [[35.0]]]


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_a_device_finds_the_same(kind: type) -> None:
    movie = _with([5], 0).astype(kind)
    movie[9] = movie[8]
    with device_form():
        there: FrameLevels = frame_levels(DeviceFrames(movie, Plan(True, 3)))
        noise = frame_noise(DeviceFrames(movie, Plan(True, 3)), np.array([1, 5, 15]))
    here = frame_levels(movie)
    np.testing.assert_array_equal(there.counts, here.counts)
    np.testing.assert_array_equal(there.copies, here.copies)
    assert (there.pixels, there.lowest) == (here.pixels, here.lowest)
    for one, other in zip(astuple(noise), astuple(frame_noise(movie, np.array([1, 5, 15]))), strict=True):
        np.testing.assert_array_equal(one, other)
