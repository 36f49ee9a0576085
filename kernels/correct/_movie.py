"""Correction of a movie: each raw frame is interpolated once along the displacement and summed with dose weights."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct._device import DeviceOutputs, aligned_on_device, sums_on_device
from warpcore.kernels.correct._dose import low_rank_weights
from warpcore.kernels.correct._field import Displacements
from warpcore.kernels.correct._outputs import CORNER, TABLE, Outputs
from warpcore.kernels.correct._tiles import GROUP, interpolated_sums, threads
from warpcore.kernels.correct._windows import Windows
from warpcore.kernels.image import DeviceFrames, ReadyFrames
from warpcore.kernels.motion import MotionModel

FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Image = FloatArray | jax.Array
Progress = Callable[[float, str], None]

_WEIGHT_TOLERANCE = 2e-3
_STACK_PIXELS = 96 << 20
_NOW = "correcting frames"


@dataclass(frozen=True, eq=False)
class Corrected:
    """Sums of aligned frames in e⁻/px (counts times gain), float32 [h, w], and the pixel size after binning.

    `average` has dose weights where they were asked for, `unweighted` never. `odd` and `even` are the sums of every
    other good frame (the first is odd), weighted like the average. `stack` [F, h, w] holds all aligned frames. Images
    of a movie on the device lie there too.
    """

    average: Image
    unweighted: Image
    odd: Image | None
    even: Image | None
    stack: FloatArray | None
    pixel_size_angstrom: float


def correct_movie(
    frames: npt.NDArray[np.generic] | DeviceFrames,
    model: MotionModel,
    *,
    gain: npt.NDArray[np.floating] | None,
    defects: BoolArray | None,
    pixel_size_angstrom: float,
    binning: float,
    dose_per_frame: float,
    voltage_kv: float,
    dose_weighting: bool,
    pre_exposure: float = 0.0,
    halves: bool = False,
    stack: bool = False,
    good: BoolArray | None = None,
    on_progress: Progress | None = None,
) -> Corrected:
    """Aligned sums of a movie of raw counts [F, H, W], in the orientation of its arrays.

    `binning` x makes 2^x pixels a side one, by Fourier cropping to an even size (0 keeps the size). Doses are in e⁻/Å².
    Frames are summed, not averaged; those that are not `good` [F] weigh nothing, though they stay in the stack. Dose
    weights keep the sum's mean and its noise power. Content beyond a frame's edge is mirrored. Raises ValueError where
    model, gain or defects do not fit the movie.
    """
    count, height, width = frames.shape
    if model.frames != count:
        raise ValueError(f"the motion model has {model.frames} frames, the movie {count}")
    if binning < 0:
        raise ValueError(f"binning is a power of 2, at least 0, not {binning}")
    report = on_progress or (lambda fraction, message: None)
    displacements = Displacements(model, height, width, pixel_size_angstrom)
    terms, table = np.ones((1, count)) if good is None else good[None].astype(np.float64), None
    if dose_weighting and dose_per_frame > 0 and count > 1:
        used = None if good is None else tuple(good.tolist())
        terms, table = _dose_terms(count, dose_per_frame, voltage_kv, pre_exposure, pixel_size_angstrom, used)
    weights = _halved(terms, good) if halves else terms
    asked = _Asked(displacements, weights, terms, table, stack, binning, lambda done: report(0.8 * done, _NOW))
    if isinstance(frames, DeviceFrames):
        images, aligned, shape = _on_device(frames.ready(gain, defects), asked)
    else:
        images, aligned, shape = _on_cpu(Windows(frames, gain, defects), asked)
    unweighted = None if table is None else images.pop()
    average = images[0] + images[1] if halves else images[0]
    report(1.0, "frames corrected")
    return Corrected(
        average=average,
        unweighted=average if unweighted is None else unweighted,
        odd=images[0] if halves else None,
        even=images[1] if halves else None,
        stack=aligned,
        pixel_size_angstrom=pixel_size_angstrom * width / shape[1],
    )


def _halved(terms: Float64Array, good: BoolArray | None) -> Float64Array:
    """Weights of odd frames, then of even ones: the first frame that counts is odd."""
    number = np.arange(terms.shape[1]) if good is None else np.cumsum(good) - 1
    odd = number % 2 == 0
    return np.concatenate([terms * odd, terms * ~odd])


class _Asked(NamedTuple):
    """What is made of a movie: sums of frames by `weights` [sums, F], of which each image takes so many as `terms` has.

    `table` [terms, n] are the dose weights by frequency, None without any; `tell` is called with the fraction done.
    """

    displacements: Displacements
    weights: Float64Array
    terms: Float64Array
    table: Float64Array | None
    stack: bool
    binning: float
    tell: Callable[[float], None]

    @property
    def outputs(self) -> tuple[int, int, float, bool]:
        """Height, width, binning, and whether the sums themselves are the images."""
        direct = self.table is None and not self.displacements
        return self.displacements.height, self.displacements.width, self.binning, direct


class _Made(NamedTuple):
    """Images of all frames (or of odd and even ones), then the plain sum where there are dose weights; the stack."""

    images: list[Image]
    aligned: FloatArray | None
    shape: tuple[int, int]


def _on_cpu(windows: Windows, asked: _Asked) -> _Made:
    displacements, count = asked.displacements, asked.terms.shape[1]
    outputs = Outputs(*asked.outputs)
    with ThreadPoolExecutor(threads(displacements.height)) as pool:
        strips, displaced = interpolated_sums(
            windows, displacements, range(count), asked.weights, outputs.strip, pool, asked.tell
        )
        made = outputs.images(strips, asked.table, np.tensordot(asked.terms, displaced, axes=1), pool)
        loss = displaced.sum(0, keepdims=True)
        aligned = _aligned(windows, displacements, count, outputs, loss, pool) if asked.stack else None
    return _Made([*made], aligned, outputs.shape)


def _on_device(frames: ReadyFrames, asked: _Asked) -> _Made:
    outputs = DeviceOutputs(*asked.outputs)
    sums, displaced = sums_on_device(frames, asked.displacements, asked.weights, asked.tell)
    made = outputs.images(sums, asked.table, np.tensordot(asked.terms, displaced, axes=1))
    loss = displaced.sum(0, keepdims=True)
    aligned = aligned_on_device(frames, asked.displacements, outputs, loss) if asked.stack else None
    return _Made([*made], aligned, outputs.shape)


def weighted_sums(
    count: int, dose_per_frame: float, voltage_kv: float, pre_exposure: float, pixel_size_angstrom: float
) -> int:
    """How many sums of a movie's `count` frames hold its dose weights; doses in e⁻/Å²."""
    if dose_per_frame <= 0 or count < 2:
        return 1
    return len(_dose_terms(count, dose_per_frame, voltage_kv, pre_exposure, pixel_size_angstrom)[0])


@lru_cache(maxsize=4)
def _dose_terms(
    count: int,
    dose_per_frame: float,
    voltage_kv: float,
    pre_exposure: float,
    pixel_size_angstrom: float,
    good: tuple[bool, ...] | None = None,
) -> tuple[Float64Array, Float64Array]:
    """([terms, frames], [terms, TABLE]): the first of the terms is the plain sum of the good frames."""
    coarse = np.linspace(0, 1, 513)
    of_frame, of_frequency = low_rank_weights(
        coarse * CORNER / pixel_size_angstrom, count, dose_per_frame, voltage_kv, pre_exposure, _WEIGHT_TOLERANCE, good
    )
    fine = np.linspace(0, 1, TABLE)
    return of_frame, np.stack([np.interp(fine, coarse, row) for row in of_frequency])


def _aligned(
    windows: Windows, displacements: Displacements, count: int, outputs: Outputs, loss: Float64Array, pool: Executor
) -> FloatArray:
    """All frames, interpolated: [F, h, w]; in groups whose sums and images fit in memory beside the stack."""
    step = max(1, min(GROUP, count // 4, _STACK_PIXELS // (displacements.height * displacements.width)))
    aligned = np.empty((count, *outputs.shape), np.float32)
    for begin in range(0, count, step):
        frames = range(begin, min(begin + step, count))
        # Always as many sums as a group has frames, so that the last group compiles nothing new.
        weights = np.eye(step)[:, : len(frames)]
        strips, _ = interpolated_sums(windows, displacements, frames, weights, outputs.strip, pool)
        for image, target in zip(outputs.images(strips, None, loss, pool), aligned[begin:], strict=False):
            target[:] = image
    return aligned
