"""What a movie's raw counts say: their mean with and without the gain, and how much of its pattern the gain leaves."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._defects import FrameSums
from warpcore.kernels.image._gain import gain_on_device
from warpcore.kernels.image._orientation import (
    BLOCK_PX,
    FLAT,
    LEAST_SIDE_PX,
    WINDOW_PX,
    BoolArray,
    centre,
    middle_of,
    pattern_of,
)

_HOT = (4.0, 20.0)  # times the mean, and more: no pixel without a fault counts as much
_MOST_ROWS = 512  # a million pixels know the mean to 0.02 %
_SIDE_PX = 512  # in the middle of the field: enough for one movie, and a millisecond
_LARGEST_ERROR = 0.1


class GainPattern(NamedTuple):
    """A gain's pattern in the middle of the field [h, w] (0 where it is unknown), and where it is known (1, else 0)."""

    deviation: jax.Array
    known: jax.Array


class RawCounts(NamedTuple):
    """What the counts of a movie, summed over frames, say.

    `per_pixel` is the mean of all pixels as read, where a hot pixel counts as one of four times the mean;
    `gained_per_pixel` the same times the gain: electrons where a count is one. `gain_residual` is how much of the
    gain's pattern is left after the gain was applied: 0 is nothing, -1 it was not there before. It is the share of
    `match_gain`, less one; None without a gain, for a flat one, and where the standard error is above 0.1.
    """

    per_pixel: float
    gained_per_pixel: float
    gain_residual: float | None


class PendingCounts(NamedTuple):
    """The same on the device, where it may still be computed.

    `rows` [R] are means of rows spread over the field, `gained` those after the gain; `found` and `expected` are sums
    over blocks of the middle of the field.
    """

    rows: jax.Array
    gained: jax.Array
    found: jax.Array | None
    expected: jax.Array | None

    def read(self) -> RawCounts:
        """Wait for it."""
        here: PendingCounts = jax.device_get(self)
        return RawCounts(_mean(here.rows), _mean(here.gained), _residual(here.found, here.expected))


def _mean(values: npt.ArrayLike) -> float:
    return float(np.asarray(values, np.float64).mean())


def _residual(found_blocks: npt.ArrayLike | None, expected_blocks: npt.ArrayLike | None) -> float | None:
    """The slope of pixels' deviations from their neighbourhoods on those that their sensitivity gives them, less one.

    Its standard error comes from the scatter of the blocks.
    """
    if found_blocks is None or expected_blocks is None:
        return None
    found, expected = np.asarray(found_blocks, np.float64), np.asarray(expected_blocks, np.float64)
    whole = float(expected.sum())
    if not whole > 0:
        return None
    share = float(found.sum()) / whole
    error = math.sqrt(float(np.square(found - share * expected).sum())) / whole
    return share - 1 if error <= _LARGEST_ERROR else None


def raw_counts(
    sums: FrameSums,
    gain: npt.NDArray[np.float32] | None,
    gain_defects: BoolArray | None = None,
    *,
    shows_gain: bool = True,
) -> PendingCounts:
    """What a movie's counts say, from its `sum_frames`. Nothing is waited for.

    `gain` [H, W] is what counts are multiplied by, `gain_defects` where its file has none; without `shows_gain` no
    pattern is looked for.
    """
    factor = None if gain is None else gain_on_device(gain, *sums.first.shape).factor
    pattern = _kept_pattern(gain, gain_defects) if gain is not None and shows_gain else None
    rows, gained, blocks = _counted(sums.first, sums.second, factor, pattern)
    return PendingCounts(rows, gained, *blocks)


_last_pattern: tuple[npt.NDArray[np.float32], BoolArray | None, GainPattern | None] | None = None


def _kept_pattern(gain: npt.NDArray[np.float32], defects: BoolArray | None) -> GainPattern | None:
    """Made once for all movies that share a gain: the last one is kept."""
    global _last_pattern
    kept = _last_pattern
    if kept is None or kept[0] is not gain or kept[1] is not defects:
        _last_pattern = kept = (gain, defects, _gain_pattern(gain, defects))
    return kept[2]


def _gain_pattern(gain: npt.NDArray[np.float32], defects: BoolArray | None) -> GainPattern | None:
    """The pattern of a gain [H, W]; None for a flat one and a field below 64 px."""
    middle = centre(gain, _SIDE_PX)
    if min(middle.shape) < LEAST_SIDE_PX:
        return None
    deviation, known = pattern_of(middle, None if defects is None else centre(defects, _SIDE_PX))
    if not known.any() or float(np.sqrt(np.mean(np.square(deviation[known], dtype=np.float64)))) < FLAT:
        return None
    return GainPattern(jnp.asarray(deviation), jnp.asarray(known, jnp.float32))


@jax.jit
def _counted(
    first: jax.Array, second: jax.Array, factor: jax.Array | None, pattern: GainPattern | None
) -> tuple[jax.Array, jax.Array, tuple[jax.Array | None, jax.Array | None]]:
    # Odd steps, since even and odd rows may differ. Means of rows: one of all pixels would lose digits in float32.
    step = first.shape[0] // _MOST_ROWS | 1
    counts = first[::step] + second[::step]
    times, more = _HOT
    most = times * counts.mean(1).mean() + more
    counts = jnp.minimum(counts, most)
    rows = counts.mean(1)
    gained = rows if factor is None else (counts * factor[::step]).mean(1)
    if pattern is None:
        return rows, gained, (None, None)
    at = middle_of(first.shape, _SIDE_PX)
    middle = jnp.minimum(first[at] + second[at], most)
    around = _window_sums(middle * pattern.known) / jnp.maximum(_window_sums(pattern.known), 1)
    found = (middle - around) * pattern.deviation
    return rows, gained, (_block_sums(found), _block_sums(around * jnp.square(pattern.deviation)))


def _window_sums(image: jax.Array) -> jax.Array:
    """Sums over 9 x 9 pixels around each, mirrored at the edges."""
    height, width = image.shape
    padded = jnp.pad(image, WINDOW_PX // 2, mode="symmetric")
    rows = sum((padded[i : i + height] for i in range(1, WINDOW_PX)), padded[:height])
    return sum((rows[:, i : i + width] for i in range(1, WINDOW_PX)), rows[:, :width])


def _block_sums(image: jax.Array) -> jax.Array:
    """Sums over blocks of 32 px; what is left at the right and below is no block."""
    height, width = (size // BLOCK_PX for size in image.shape)
    cut = image[: height * BLOCK_PX, : width * BLOCK_PX]
    return cut.reshape(height, BLOCK_PX, width, BLOCK_PX).sum((1, 3))
