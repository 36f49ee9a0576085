"""Defective pixels: found by counts that stay in place over frames, replaced by counts of good neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._backend import on_host
from warpcore.kernels.image._chunked import Chunked, chosen_frames
from warpcore.kernels.image._counting import in_electrons, too_many
from warpcore.kernels.image._gain import apply_gain, gain_on_device

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

_SIGMA = 7.0
_SOURCES = 16
_LOOKS = 4
_EXPECTED = 20.0
_LEAST_CLIP = 6.0
"""Of counts of less than one a pixel four times the mean is not one electron."""
_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class FrameSums:
    """Raw counts [H, W] float32 summed over the first and over the second half of a movie's frames."""

    first: jax.Array
    second: jax.Array

    @property
    def total(self) -> npt.NDArray[np.float32]:
        """Over all frames."""
        return np.asarray(self.first + self.second)


def sum_frames(frames: npt.NDArray[np.generic] | Chunked, good: BoolArray | None = None) -> FrameSums:
    """The sums of both halves of a movie [F, H, W]; non-finite pixels count as their frame's mean.

    Frames that are not `good` [F] are in neither half.
    """
    used = np.arange(len(frames)) if good is None else np.flatnonzero(good)
    middle = len(used) // 2
    if not isinstance(frames, np.ndarray):
        return _halves_of_chunks(frames, used[:middle], used[middle:])
    return FrameSums(_summed(frames, used[:middle]), _summed(frames, used[middle:]))


def find_defects(
    frames: npt.NDArray[np.generic] | Chunked, gain: npt.NDArray[np.floating] | None, sums: FrameSums | None = None
) -> BoolArray:
    """Hot and dead pixels of a movie [F, H, W]: [H, W], True where defect; zeros of the gain are included.

    A pixel is hot or dead where its count over all frames differs from that of its 24 neighbours by more than 7
    standard deviations, to the same side in both halves of the movie: specimen and cosmic hits do not stay in one pixel
    of a drifting movie. The deviation is the larger of counting statistics and the spread among neighbours. With few
    counts so many deviate by chance; a hot one must also be too improbable for that (`too_many`). A pixel without
    counts where 20 are expected is dead. One frame shows nothing: then only the gain's defects are returned.
    `sums` are those of `sum_frames`, if they were made before.
    """
    count, height, width = frames.shape
    known = gain_on_device(gain, height, width)
    mask = np.zeros((height, width), np.bool_) if known.defects is None else known.defects
    if count < 2 or min(height, width) < 16:
        return mask
    sums = sums or sum_frames(frames)
    first, second = in_electrons(sums.first, sums.second)
    gained = first * known.factor, second * known.factor
    found = jnp.asarray(mask)
    # A hot pixel inflates the spread among its neighbours and hides others: the search is repeated without those found.
    for _ in range(_LOOKS):
        look = _outliers(*gained, ~found)
        more = _confirmed(look, first + second, known.factor) | look.dead
        if not bool(more.any()):
            break
        found = found | more
    return on_host(found)


def _summed(frames: npt.NDArray[np.generic], used: IntArray) -> jax.Array:
    total = jnp.zeros(frames.shape[1:], jnp.float32)
    step = max(1, _CHUNK_BYTES // max(1, total.size * frames.itemsize))
    for start in range(0, len(used), step):
        total = total + _sum_of(jax.device_put(chosen_frames(frames, used[start : start + step])))
    return total


@jax.jit
def _sum_of(frames: jax.Array) -> jax.Array:
    if jnp.issubdtype(frames.dtype, jnp.integer):
        return frames.sum(0, dtype=jnp.int32).astype(jnp.float32)
    return apply_gain(frames, jnp.ones(frames.shape[1:], jnp.float32)).sum(0)


def _halves_of_chunks(frames: Chunked, *halves: IntArray) -> FrameSums:
    both = jnp.zeros((2, *frames.shape[1:]), jnp.float32)
    for first, chunk in frames.chunks():
        # Frames that only fill up the last chunk have indices beyond those of the halves.
        belongs = np.stack([np.isin(first + np.arange(len(chunk)), half) for half in halves])
        both = _add_halves(both, chunk, belongs)
    return FrameSums(both[0], both[1])


@partial(jax.jit, donate_argnums=0)
def _add_halves(both: jax.Array, frames: jax.Array, belongs: jax.Array) -> jax.Array:
    counts = frames
    if not jnp.issubdtype(frames.dtype, jnp.integer):
        counts = jax.lax.map(lambda frame: apply_gain(frame, jnp.ones(frame.shape, jnp.float32)), frames)
    # One after the other, so that the bytes do not depend on how many come at once.
    for frame, mine in zip(counts, belongs.T, strict=True):
        both = both + jnp.where(mine[:, None, None], frame.astype(jnp.float32), 0)
    return both


def _neighbourhood(image: jax.Array) -> jax.Array:
    """Sum over the 5 x 5 window without its centre, mirrored at the edges."""
    padded = jnp.pad(image, 2, mode="symmetric")
    rows = jnp.zeros((), image.dtype)
    for i in range(5):
        rows = rows + padded[i : i + image.shape[0]]
    total = -image
    for i in range(5):
        total = total + rows[:, i : i + image.shape[1]]
    return total


class _Look(NamedTuple):
    """Pixels that look hot or dead [H, W], the mean of the good ones around each, their number, and that of all."""

    hot: jax.Array
    dead: jax.Array
    around: jax.Array
    number: jax.Array
    mean: jax.Array


@jax.jit
def _outliers(first: jax.Array, second: jax.Array, good: jax.Array) -> _Look:
    weight = good.astype(jnp.float32)
    around = _neighbourhood(weight)
    both = first + second
    # Clipped at four times the mean: one hot pixel must not hide another beside it.
    overall = jnp.sum(both * weight) / jnp.maximum(jnp.sum(weight), 1)
    known = jnp.minimum(both, jnp.maximum(4 * overall, _LEAST_CLIP)) * weight
    mean = _neighbourhood(known) / jnp.maximum(around, 1)
    variance = _neighbourhood(known * known) / jnp.maximum(around, 1) - mean * mean
    spread = jnp.sqrt(jnp.maximum(jnp.maximum(variance, jnp.abs(mean)), 1e-12))
    # Either half by itself must lean the same way: a cosmic hit in one frame does not.
    share = jnp.sum(first * weight) / jnp.maximum(jnp.sum(both * weight), 1e-12)
    one = (first - mean * share) / (spread * jnp.sqrt(jnp.maximum(share, 1e-6)))
    two = (second - mean * (1 - share)) / (spread * jnp.sqrt(jnp.maximum(1 - share, 1e-6)))
    deviation = (both - mean) / spread
    hot = (deviation > _SIGMA) & (one > _SIGMA / 2) & (two > _SIGMA / 2)
    # No counts at all where 20 or more are expected: exp(-20) by chance.
    dead = ((deviation < -_SIGMA) & (one < -1) & (two < -1)) | ((both < 0.02 * mean) & (mean > _EXPECTED))
    told = good & (around >= 4)
    return _Look(hot & told, dead & told, mean, around, overall)


def _confirmed(look: _Look, electrons: jax.Array, factor: jax.Array) -> jax.Array:
    """The hot pixels of a look [H, W] that have more electrons than chance gives a few of so many pixels."""
    at = np.flatnonzero(on_host(look.hot))
    if not len(at):
        return look.hot
    values = [np.asarray(one.ravel()[at], np.float64) for one in (electrons, look.around, look.number, factor)]
    counts, around, number, gain = values
    real = at[too_many(counts, around, number, 1 / np.abs(gain), float(look.mean), look.hot.size)]
    confirmed = np.zeros(look.hot.size, np.bool_)
    confirmed[real] = True
    return jnp.asarray(confirmed.reshape(look.hot.shape))


@dataclass(frozen=True, eq=False)
class Repair:
    """Pixels to replace, `targets` [n, 2] (y, x), and candidates near each of them, `sources` [n, 16, 2]."""

    targets: IntArray
    sources: IntArray

    def apply(self, frames: npt.NDArray[np.generic], first_frame: int = 0) -> None:
        """Replaces the defects of frames [F, H, W] in place by `values`."""
        if len(self.targets):
            frames[:, self.targets[:, 0], self.targets[:, 1]] = self.values(frames, first_frame)

    def values(self, frames: npt.NDArray[np.generic], first_frame: int = 0) -> npt.NDArray[np.generic]:
        """What stands in for each defect in each frame, [F, n].

        Each frame takes another candidate, by a fixed rule: noise stays independent from frame to frame, and equal
        input gives equal output.
        """
        pixel, frame = np.arange(len(self.targets)), np.arange(len(frames))[:, None]
        source = self.sources[pixel, (pixel * 7 + (first_frame + frame) * 5) % self.sources.shape[1]]
        return np.asarray(frames[frame, source[..., 0], source[..., 1]])

    def fill_gain(self, gain: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The gain with each defect's factor set to that of its first candidate."""
        if not len(self.targets):
            return gain
        filled = gain.copy()
        filled[self.targets[:, 0], self.targets[:, 1]] = gain[self.sources[:, 0, 0], self.sources[:, 0, 1]]
        return filled


def plan_repair(mask: BoolArray | None, height: int, width: int) -> Repair:
    """Good pixels near each defect of mask [height, width], drawn at random with a fixed seed, nearest ring first.

    Raises ValueError where the mask does not fit the movie or leaves no good pixel.
    """
    if mask is None:
        return Repair(np.zeros((0, 2), np.intp), np.zeros((0, _SOURCES, 2), np.intp))
    if mask.shape != (height, width):
        raise ValueError(f"the defect map is {mask.shape[1]} x {mask.shape[0]} px (x, y), the movie {width} x {height}")
    targets = np.argwhere(mask)
    if len(targets) == mask.size:
        raise ValueError("the defect map marks every pixel of the movie")
    sources = np.full((len(targets), _SOURCES, 2), -1, np.intp)
    random = np.random.default_rng(20240501)
    missing = np.ones((len(targets), _SOURCES), np.bool_)
    radius = 2
    while missing.any():
        for _ in range(4):
            which, slot = np.nonzero(missing)
            candidate = targets[which] + random.integers(-radius, radius + 1, (len(which), 2))
            inside = ((candidate >= 0) & (candidate < (height, width))).all(1)
            candidate = np.clip(candidate, 0, (height - 1, width - 1))
            good = inside & ~mask[candidate[:, 0], candidate[:, 1]]
            sources[which[good], slot[good]] = candidate[good]
            missing[which[good], slot[good]] = False
        radius = min(radius * 2, max(height, width))
    return Repair(targets.astype(np.intp), sources)
