"""Applying a gain reference: electrons a pixel from raw counts, non-finite pixels kept out."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


def multiplicative_gain(gain: npt.NDArray[np.floating] | None, height: int, width: int) -> FloatArray:
    """The factor of each pixel [height, width], float32; 1 without a gain.

    Zero or non-finite pixels are defects and get 1, since counts of neighbours replace theirs. Raises ValueError with
    both sizes where the gain does not fit.
    """
    if gain is None:
        return np.ones((height, width), np.float32)
    if gain.shape != (height, width):
        raise ValueError(f"the gain is {gain.shape[1]} x {gain.shape[0]} px (x, y), the movie {width} x {height}")
    factor = np.asarray(gain, np.float32)
    return np.where(np.isfinite(factor) & (factor != 0), factor, np.float32(1))


def gain_defects(gain: npt.NDArray[np.floating] | None) -> BoolArray | None:
    """Pixels that the gain marks as defect: zero or not finite."""
    if gain is None:
        return None
    return np.asarray((gain == 0) | ~np.isfinite(gain))


@dataclass(frozen=True, eq=False)
class GainOnDevice:
    """A gain as it multiplies [H, W], 1 at its defects, and those on the host (None without a gain)."""

    factor: jax.Array
    defects: BoolArray | None


_last_gain: tuple[npt.NDArray[np.floating] | None, tuple[int, int], GainOnDevice] | None = None


def gain_on_device(gain: npt.NDArray[np.floating] | None, height: int, width: int) -> GainOnDevice:
    """Sent once for all movies of a session that share it: the last one is kept. Raises ValueError for another size."""
    global _last_gain
    kept = _last_gain
    if kept is None or kept[0] is not gain or kept[1] != (height, width):
        made = GainOnDevice(jnp.asarray(multiplicative_gain(gain, height, width)), gain_defects(gain))
        _last_gain = kept = (gain, (height, width), made)
    return kept[2]


def all_defects(gain: npt.NDArray[np.floating] | None, defects: BoolArray | None) -> BoolArray | None:
    """Pixels that the gain or the map marks as defect; None without both."""
    marked = gain_defects(gain)
    if marked is None or defects is None:
        return defects if marked is None else marked
    return marked | defects


def apply_gain(frames: jax.Array, gain: jax.Array) -> jax.Array:
    """Raw counts [..., y, x] of any type times the gain [y, x], float32; non-finite pixels get their frame's mean."""
    counts = frames.astype(jnp.float32) * gain
    if jnp.issubdtype(frames.dtype, jnp.integer):
        return counts
    finite = jnp.isfinite(counts)
    clean = jnp.where(finite, counts, 0)
    mean = clean.sum((-2, -1), keepdims=True) / jnp.maximum(finite.sum((-2, -1), keepdims=True), 1)
    return jnp.where(finite, counts, mean)
