"""Sums of a few frames each. Their spectra are averaged, so what moves from one to the next does not blur the rings.

A spectrum of a single frame holds few electrons: its rings drown in counting noise. Frames of about 4 e⁻/Å² together
are what RELION and CTFFIND take for this (Rohou & Grigorieff 2015, section 2.1; McMullan et al. 2015 on water that
moves between frames).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import DeviceFrames, ReadyFrames, all_defects, chosen_frames, multiplicative_gain
from warpcore.kernels.motion import MotionModel

DOSE_OF_A_SUM = 4.0
# More sums than this cost time and, each with fewer electrons, show rings less well.
MOST_SUMS = 12
MARGIN = 32


@dataclass(frozen=True, eq=False)
class FrameSums:
    """The sums of a movie of raw counts [F, H, W], made one by one in each pass over them.

    `used` [n] are the frames that count. `gain` [H, W] multiplies, 0 marks a defect (None: as `frames` on the device
    know it); `shifts_px` [n, 2] (y, x): where a used frame's content lies relative to the first; `edges`: place in
    `used` of the first frame of each sum, and the number of used frames.
    Within a sum frames are moved by whole pixels, around the edges of the field.
    """

    frames: npt.NDArray[np.generic] | ReadyFrames
    gain: npt.NDArray[np.float32] | None
    shifts_px: npt.NDArray[np.float64]
    used: npt.NDArray[np.intp]
    edges: tuple[int, ...]
    pixel_size_angstrom: float
    dose_per_frame: float

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of a sum."""
        return self.frames.shape[1], self.frames.shape[2]

    @property
    def dose(self) -> float:
        """Mean dose of a sum in e⁻/Å²."""
        return self.dose_per_frame * len(self.used) / (len(self.edges) - 1)

    def __len__(self) -> int:
        """Number of sums."""
        return len(self.edges) - 1

    def __iter__(self) -> Iterator[jax.Array]:
        """Each sum in turn, float32 [H, W]."""
        if isinstance(self.frames, ReadyFrames):
            yield from self._on_device(self.frames)
        else:
            yield from self._on_cpu(self.frames)

    def _on_device(self, frames: ReadyFrames) -> Iterator[jax.Array]:
        """The device's form: frames are read around the edges of the field, without a margin."""
        gain, total = frames.gain_without_defects, None
        begins, ends = np.array(self.edges[:-1]), np.array(self.edges[1:])
        for first, chunk in frames.chunks():
            for frame in self.used[(self.used >= first) & (self.used < first + len(chunk))]:
                index = int(np.searchsorted(self.used, frame))
                of_sum = int(np.searchsorted(ends, index, side="right"))
                begin, end = int(begins[of_sum]), int(ends[of_sum])
                shift = np.round(self.shifts_px[index] - self.shifts_px[begin:end].mean(axis=0)).astype(np.int32)
                before = jnp.zeros(chunk.shape[1:], jnp.float32) if index == begin else total
                total = _add_moved(before, chunk, np.int32(frame - first), gain, shift)
                if index == end - 1:
                    yield total

    def _on_cpu(self, frames: npt.NDArray[np.generic]) -> Iterator[jax.Array]:
        assert self.gain is not None
        gains: dict[int, jax.Array] = {}
        for begin, end in zip(self.edges[:-1], self.edges[1:], strict=True):
            centre = self.shifts_px[begin:end].mean(axis=0)
            shifts = np.round(self.shifts_px[begin:end] - centre).astype(np.int32)
            margin = MARGIN * max(1, -(-int(np.abs(shifts).max()) // MARGIN))
            around = ((margin, margin), (margin, margin))
            group = chosen_frames(frames, self.used[begin:end])
            means = group[:, ::16, ::16].astype(np.float64)
            level = np.nanmean(np.where(np.isfinite(means), means, np.nan), axis=(1, 2)) * self.gain[::16, ::16].mean()
            if margin not in gains:
                gains = {margin: jnp.asarray(np.pad(self.gain, around, "wrap"))}
            yield _sum(
                jnp.asarray(np.pad(group, ((0, 0), *around), "wrap")),
                gains[margin],
                jnp.asarray(shifts),
                jnp.asarray(np.nan_to_num(level), jnp.float32),
                margin=margin,
            )


def frame_sums(
    frames: npt.NDArray[np.generic] | DeviceFrames,
    model: MotionModel | None,
    *,
    gain: npt.NDArray[np.floating] | None,
    defects: npt.NDArray[np.bool_] | None,
    pixel_size_angstrom: float,
    dose_per_frame: float,
    good: npt.NDArray[np.bool_] | None = None,
) -> FrameSums:
    """The sums of a movie [F, H, W], about 4 e⁻/Å² each, with frames aligned along `model` (None: not aligned).

    Frames that are not `good` [F] are in none of them.
    """
    count, height, width = frames.shape
    used = np.arange(count) if good is None else np.flatnonzero(good)
    shifts = np.zeros((count, 2))
    if model is not None:
        places = (np.arange(3) + 0.5) / 3
        x, y = np.meshgrid(places, places)
        shifts = model.displacements_angstrom(x, y).mean(axis=(1, 2))[:, ::-1] / pixel_size_angstrom
    shifts = shifts[used]
    sums = sum_count(len(used), dose_per_frame)
    edges = tuple(int(e) for e in np.round(np.linspace(0, len(used), sums + 1)))
    if isinstance(frames, DeviceFrames):
        ready = frames.ready(gain, defects)
        return FrameSums(ready, None, shifts, used, edges, pixel_size_angstrom, dose_per_frame)
    factors = multiplicative_gain(gain, height, width)
    bad = all_defects(gain, defects)
    factors = factors if bad is None else np.where(bad, np.float32(0), factors)
    return FrameSums(frames, factors, shifts, used, edges, pixel_size_angstrom, dose_per_frame)


def sum_count(frames: int, dose_per_frame: float) -> int:
    """How many sums: of 4 e⁻/Å² each, or of four frames where the dose is not known (0)."""
    each = DOSE_OF_A_SUM / dose_per_frame if dose_per_frame > 0 else 4.0
    return max(1, min(round(frames / max(1.0, each)), MOST_SUMS))


@jax.jit
def _clean(value: jax.Array, factor: jax.Array, level: jax.Array) -> jax.Array:
    return jnp.where((factor != 0) & jnp.isfinite(value), value * factor, level)


def _sum_of(frames: jax.Array, gain: jax.Array, shifts: jax.Array, level: jax.Array, margin: int) -> jax.Array:
    height, width = gain.shape[0] - 2 * margin, gain.shape[1] - 2 * margin
    total = jnp.zeros((height, width), jnp.float32)
    for index in range(frames.shape[0]):
        corner = (margin + shifts[index, 0], margin + shifts[index, 1])
        counts = jax.lax.dynamic_slice(frames[index], corner, (height, width)).astype(jnp.float32)
        total = total + _clean(counts, jax.lax.dynamic_slice(gain, corner, (height, width)), level[index])
    return total


@partial(jax.jit, donate_argnums=0)
def _add_moved(total: jax.Array, frames: jax.Array, place: jax.Array, gain: jax.Array, shift: jax.Array) -> jax.Array:
    """`total` and one of the raw `frames` [f, H, W] times the gain, read from `shift` (y, x) on around the edges."""
    counts = frames[place].astype(jnp.float32)
    sampled = counts[::16, ::16]
    finite = jnp.isfinite(sampled)
    level = jnp.where(finite, sampled, 0).sum() / jnp.maximum(finite.sum(), 1) * gain[::16, ::16].mean()
    clean = _clean(counts, gain, level)
    rows = (jnp.arange(counts.shape[0]) + shift[0]) % counts.shape[0]
    columns = (jnp.arange(counts.shape[1]) + shift[1]) % counts.shape[1]
    moved: jax.Array = total + clean[rows[:, None], columns[None]]
    return moved


_sum = jax.jit(_sum_of, static_argnames="margin")
