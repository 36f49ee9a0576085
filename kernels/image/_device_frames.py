"""A movie's raw counts on the device: sent once and kept there, or sent in chunks where they do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._backend import is_cpu
from warpcore.kernels.image._defects import Repair, plan_repair
from warpcore.kernels.image._device_plan import Plan
from warpcore.kernels.image._gain import gain_on_device

Array = jax.Array
BoolArray = npt.NDArray[np.bool_]
FloatingArray = npt.NDArray[np.floating]
Frame = npt.NDArray[np.generic]

_TARGETS_BUCKET = 1024


class DeviceFrames:
    """Raw counts [F, H, W] of a movie for the device's form of the kernels.

    `packed` movies have two 4-bit pixels a byte, the first in the low bits: [F, H, (width + 1) // 2] of uint8, unpacked
    on the device. A resident movie is sent here and now; when this returns, the host's memory may be used again.
    Whatever the plan, results have the same bytes.
    """

    def __init__(self, frames: Frame, plan: Plan, *, packed_width: int | None = None) -> None:
        self.plan = plan
        self.shape: tuple[int, int, int] = (*frames.shape[:2], packed_width or frames.shape[2])
        self._packed_width = packed_width
        self._host = None if plan.resident else frames
        self._stored = _sent(frames) if plan.resident else None
        self._on_its_way: Array | None = None
        self._ready: tuple[FloatingArray | None, BoolArray | None, ReadyFrames] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def settle(self) -> None:
        """Wait until nothing is read from the host's memory any more, whatever became of it."""
        if self._on_its_way is not None:
            with suppress(Exception):
                self._on_its_way.block_until_ready()

    def chunk(self, first: int) -> Array:
        """`plan.frames` frames from `first` on; beyond the last one it is repeated."""
        wanted = self.plan.frames
        if self._stored is not None:
            part: Array = _taken(self._stored, np.int32(first), wanted)
        else:
            assert self._host is not None
            last = len(self) - 1
            some = self._host[first : first + wanted]
            missing = wanted - len(some)
            part = jax.device_put(np.concatenate([some, self._host[last:].repeat(missing, 0)]) if missing else some)
            self._on_its_way = part
        if self._packed_width is None:
            return part
        unpacked: Array = _unpacked(part, self._packed_width)
        return unpacked

    def chunks(self) -> Iterator[tuple[int, Array]]:
        """All frames: the first index of each chunk, and the chunk."""
        for first in range(0, len(self), self.plan.frames):
            yield first, self.chunk(first)

    def ready(self, gain: FloatingArray | None, defects: BoolArray | None) -> ReadyFrames:
        """The movie with its gain and defects, made once for the same two arrays.

        Raises ValueError where they do not fit.
        """
        if self._ready is None or self._ready[0] is not gain or self._ready[1] is not defects:
            self._ready = gain, defects, ReadyFrames(self, gain, defects)
        return self._ready[2]


class ReadyFrames:
    """Frames whose defects are replaced chunk by chunk, and the gain they are multiplied by."""

    def __init__(self, raw: DeviceFrames, gain: FloatingArray | None, defects: BoolArray | None) -> None:
        _, height, width = raw.shape
        known = gain_on_device(gain, height, width)
        mask = known.defects if defects is None else defects if known.defects is None else known.defects | defects
        repair = plan_repair(mask, height, width)
        self._raw = raw
        self.shape, self.plan = raw.shape, raw.plan
        self._targets, self._sources = _flat(repair, width, height * width)
        self.gain: Array = _filled(known.factor, self._targets, self._sources[:, 0])
        """Factor of each pixel [H, W]; at defects that of their first substitute."""

    def __len__(self) -> int:
        return self.shape[0]

    def chunk(self, first: int) -> Array:
        """Raw counts of `plan.frames` frames from `first` on, without defects; beyond the last one it is repeated."""
        repaired: Array = _repaired(self._raw.chunk(first), np.int32(first), self._targets, self._sources)
        return repaired

    def chunks(self) -> Iterator[tuple[int, Array]]:
        """All frames: the first index of each chunk, and the chunk."""
        for first in range(0, len(self), self.plan.frames):
            yield first, self.chunk(first)

    @property
    def gain_without_defects(self) -> Array:
        """Factor of each pixel [H, W], 0 at defects."""
        zeroed: Array = _zeroed(self.gain, self._targets)
        return zeroed


def _sent(frames: Frame) -> Array:
    """The frames on the device, once they are there: until then the host's memory is still read."""
    # On a CPU the array would share the host's memory: there a copy stands for the transfer.
    on_its_way = jnp.array(frames, copy=True) if is_cpu() else jax.device_put(frames)
    return on_its_way.block_until_ready()


@partial(jax.jit, static_argnames="wanted")
def _taken(frames: Array, first: Array, wanted: int) -> Array:
    return frames[jnp.minimum(first + jnp.arange(wanted), frames.shape[0] - 1)]


@partial(jax.jit, static_argnames="width")
def _unpacked(packed: Array, width: int) -> Array:
    both = jnp.stack([packed & 15, packed >> 4], axis=-1)
    return both.reshape(*packed.shape[:2], -1)[..., :width]


def _flat(repair: Repair, width: int, pixels: int) -> tuple[Array, Array]:
    """Targets [n bucketed] and sources [n bucketed, 16] as row · width + column; those that fill up lie outside."""
    count = len(repair.targets)
    bucket = -(-max(count, 1) // _TARGETS_BUCKET) * _TARGETS_BUCKET
    targets = pixels + np.arange(bucket)
    sources = np.zeros((bucket, repair.sources.shape[1]), np.intp)
    targets[:count] = repair.targets @ (width, 1)
    sources[:count] = repair.sources @ (width, 1)
    return jnp.asarray(targets, jnp.int32), jnp.asarray(sources, jnp.int32)


@jax.jit
def _repaired(frames: Array, first: Array, targets: Array, sources: Array) -> Array:
    """The rule of `Repair.values`; frames of floats get the mean of the rest where they are not finite."""
    count, height, width = frames.shape
    flat = frames.reshape(count, -1)
    slot = (jnp.arange(len(targets)) * 7 + (first + jnp.arange(count))[:, None] * 5) % sources.shape[1]
    source = sources[jnp.arange(len(targets)), slot]
    values = jnp.take_along_axis(flat, source, axis=1)
    flat = flat.at[:, targets].set(values, mode="drop", unique_indices=True)
    if jnp.issubdtype(frames.dtype, jnp.floating):
        # One by one: a mean is then made in the same order however many frames come at once.
        flat = jax.lax.map(_finite, flat)
    return flat.reshape(count, height, width)


def _finite(values: Array) -> Array:
    """Values [n] with the mean of the rest where they are not finite."""
    finite = jnp.isfinite(values)
    return jnp.where(finite, values, jnp.where(finite, values, 0).sum() / jnp.maximum(finite.sum(), 1))


@jax.jit
def _filled(factor: Array, targets: Array, first_source: Array) -> Array:
    flat = factor.ravel()
    return flat.at[targets].set(flat[first_source], mode="drop", unique_indices=True).reshape(factor.shape)


@jax.jit
def _zeroed(gain: Array, targets: Array) -> Array:
    return gain.ravel().at[targets].set(0, mode="drop", unique_indices=True).reshape(gain.shape)
