"""What the motion fit works on: frames gain-corrected, repaired, summed where the dose is low, binned, mean zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import (
    DeviceFrames,
    ReadyFrames,
    Repair,
    all_defects,
    apply_gain,
    chosen_frames,
    multiplicative_gain,
    plan_repair,
)

Array = jax.Array
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

MARGIN = 32
"""Zeros around a binned frame, px: patches follow drifts beyond its edge."""

_CHUNK_BYTES = 160 << 20
_FRAME_BUCKET = 8
_PLACES_BUCKET = 1024
_MAX_GROUPS = 128
_MIN_GROUPS = 8
_GROUP_DOSE = 0.2


def automatic_group(frames: int, dose_per_frame: float) -> int:
    """Frames summed before the fit: enough for 0.2 e⁻/Å² and for no more than 128 groups; at least 8 groups stay."""
    wanted = max(math.ceil(frames / _MAX_GROUPS), math.ceil(_GROUP_DOSE / max(dose_per_frame, 1e-6) - 1e-6))
    return max(1, min(wanted, frames // _MIN_GROUPS))


def binning_factor(pixel_size_angstrom: float, range_max_angstrom: float) -> int:
    """Raw pixels a side that make one of the fit's: as coarse as its finest detail allows."""
    return max(1, int(0.26 * range_max_angstrom / pixel_size_angstrom))


def fit_bytes(pixels: int, groups: int, factor: int) -> int:
    """About what the fit takes of a device's memory: binned groups of frames, and patches of them three times."""
    return 4 * 4 * groups * pixels // factor**2


def bin_movie(
    frames: npt.NDArray[np.generic] | DeviceFrames,
    starts: npt.NDArray[np.intp],
    gain: npt.NDArray[np.floating] | None,
    defects: BoolArray | None,
    factor: int,
    used: npt.NDArray[np.intp] | None = None,
) -> jnp.ndarray:
    """Sums of frames from each of `starts` to the next, float32 [G bucketed, y, x].

    They are gain-corrected, repaired, binned, of mean zero, with a margin of zeros; groups after the last are zero.
    Where only the frames `used` count, `starts` are places in that list.
    """
    if used is None:
        used = np.arange(len(frames))
    if isinstance(frames, DeviceFrames):
        return _binned_on_device(frames.ready(gain, defects), starts, factor, used)
    _, height, width = frames.shape
    groups = len(starts)
    repair = plan_repair(all_defects(gain, defects), height, width)
    filled = repair.fill_gain(multiplicative_gain(gain, height, width))
    fill = _Fill.of(repair, filled, factor)
    multiplier = filled.copy()
    multiplier[repair.targets[:, 0], repair.targets[:, 1]] = 0
    on_device = jax.device_put(multiplier)
    step = _FRAME_BUCKET
    while step > 1 and step * height * width * 4 > _CHUNK_BYTES:
        step //= 2
    binned = _empty(groups, height, width, factor)
    ends = np.append(starts[1:], len(used))
    for begin in range(0, groups, step):
        end = min(begin + step, groups)
        first, last = int(starts[begin]), int(ends[end - 1])
        chunk = chosen_frames(frames, used[first:last])
        values = fill.values(chunk, first)
        if len(used) > groups:
            chunk = np.add.reduceat(chunk, starts[begin:end] - first, axis=0, dtype=np.float32)
            values = np.add.reduceat(values, starts[begin:end] - first, axis=0)
        if end - begin < step:
            missing = step - (end - begin)
            chunk = np.concatenate([chunk, np.zeros((missing, height, width), chunk.dtype)])
            values = np.concatenate([values, np.zeros((missing, values.shape[1]), np.float32)])
        # An aligned array is used without a copy, which would cost as much as the sums.
        binned = bin_into(binned, jax.device_put(chunk), on_device, fill.places, values, np.int32(begin), factor)
    return binned


def _empty(groups: int, height: int, width: int, factor: int) -> Array:
    bucket = -(-groups // _FRAME_BUCKET) * _FRAME_BUCKET
    return jnp.zeros((bucket, height // factor + 2 * MARGIN, width // factor + 2 * MARGIN), jnp.float32)


def _binned_on_device(
    frames: ReadyFrames, starts: npt.NDArray[np.intp], factor: int, used: npt.NDArray[np.intp]
) -> Array:
    """The device's form: `bin_movie` of frames that are there; a group's frames are added one after the other."""
    count, height, width = frames.shape
    binned = _empty(len(starts), height, width, factor)
    outside = len(binned)
    group_of_frame = np.full(count, outside)
    group_of_frame[used] = np.searchsorted(starts, np.arange(len(used)), side="right") - 1
    for first, chunk in frames.chunks():
        index = first + np.arange(len(chunk))
        groups = np.where(index < count, group_of_frame[np.minimum(index, count - 1)], outside)
        binned = _add_binned(binned, chunk, frames.gain, groups.astype(np.int32), factor)
    return binned


@partial(jax.jit, static_argnames=("factor",), donate_argnames=("binned",))
def _add_binned(binned: Array, frames: Array, gain: Array, groups: Array, factor: int) -> Array:
    """Adds raw `frames` [f, H, W], times the gain, binned, less their mean, to `binned` at `groups` [f], if inside."""
    height, width = frames.shape[1] // factor * factor, frames.shape[2] // factor * factor

    def one(frame: Array) -> Array:
        pixels = frame[:height, :width].astype(jnp.float32) * gain[:height, :width]
        rows = sum((pixels[i::factor] for i in range(1, factor)), pixels[::factor])
        image = sum((rows[:, i::factor] for i in range(1, factor)), rows[:, ::factor])
        return image - image.mean()

    # One by one: sums over a frame are then made in the same order however many come at once.
    images = jax.lax.map(one, frames)
    last = binned.shape[0] - 1
    for image, group in zip(images, groups, strict=True):
        corner = (jnp.minimum(group, last), MARGIN, MARGIN)
        there = jax.lax.dynamic_slice(binned, corner, (1, *image.shape))
        binned = jax.lax.dynamic_update_slice(binned, there + jnp.where(group <= last, image, 0), corner)
    return binned


@dataclass(frozen=True, eq=False)
class _Fill:
    """Values that replace defects, summed into the binned pixels with defects: `places` [n bucketed]."""

    repair: Repair
    gain: FloatArray
    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    places: npt.NDArray[np.int32]

    @classmethod
    def of(cls, repair: Repair, filled_gain: FloatArray, factor: int) -> _Fill:
        rows, columns = (side // factor for side in filled_gain.shape)
        y, x = repair.targets.T // factor
        place = np.where((y < rows) & (x < columns), y * columns + x, rows * columns)
        order = np.argsort(place, kind="stable")
        at, starts = np.unique(place[order], return_index=True)
        bucket = -(-max(len(at), 1) // _PLACES_BUCKET) * _PLACES_BUCKET
        places = np.full(bucket, rows * columns, np.int32)
        places[: len(at)] = at
        return cls(repair, filled_gain[repair.targets[:, 0], repair.targets[:, 1]], order, starts, places)

    def values(self, frames: npt.NDArray[np.generic], first_frame: int) -> FloatArray:
        """[F, n bucketed] in electrons, 0 beyond the last."""
        result = np.zeros((len(frames), len(self.places)), np.float32)
        if len(self.starts):
            each = self.repair.values(frames, first_frame).astype(np.float32) * self.gain
            result[:, : len(self.starts)] = np.add.reduceat(each[:, self.order], self.starts, axis=1)
        return result


@partial(jax.jit, static_argnames=("factor",), donate_argnames=("binned",))
def bin_into(
    binned: Array, frames: Array, gain: Array, places: Array, values: Array, first: Array, factor: int
) -> Array:
    """`binned` with its frames from `first` on made of raw `frames` [f, H, W]: times the gain, binned, less their mean.

    `binned` is [F, H // factor + 2 m, W // factor + 2 m], with m zeros on each side. `values` [f, n] stand in for
    defects, whose gain is 0: they are added at the binned pixels `places` [n], counted row by row; places outside are
    left out.
    """
    height, width = frames.shape[1] // factor * factor, frames.shape[2] // factor * factor
    rows = jnp.zeros((), jnp.float32)
    for i in range(factor):
        rows = rows + apply_gain(frames[:, i:height:factor, :width], gain[i:height:factor, :width])
    images = _columns_summed(rows, factor)
    flat = images.reshape(len(frames), -1).at[:, places].add(values, mode="drop")
    images = (flat - flat.mean(1, keepdims=True)).reshape(images.shape)
    margin = (binned.shape[1] - height // factor) // 2
    return jax.lax.dynamic_update_slice(binned, images, (first, margin, margin))


@partial(jax.jit, static_argnames=("margin", "factor"))
def bin_again(binned: Array, margin: int, factor: int) -> Array:
    """Mean over `factor` x `factor` pixels of float frames [F, y, x] within their margins."""
    height, width = (side - 2 * margin for side in binned.shape[1:])
    height, width = height // factor * factor, width // factor * factor
    rows = jnp.zeros((), jnp.float32)
    for i in range(factor):
        rows = rows + binned[:, margin + i : margin + height : factor, margin : margin + width]
    return _columns_summed(rows, factor) / factor**2


def _columns_summed(rows: Array, factor: int) -> Array:
    # Strided slices and not a reshape, on an array that is there already: twenty times as fast in XLA on a CPU.
    rows = jax.lax.optimization_barrier(rows)  # type: ignore[no-untyped-call]
    total: Array = rows[:, :, ::factor]
    for i in range(1, factor):
        total = total + rows[:, :, i::factor]
    return total
