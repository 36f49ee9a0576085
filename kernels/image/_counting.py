"""Counting statistics of summed frames: what one electron counts, and what chance makes of few electrons."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import scipy.special

Float64Array = npt.NDArray[np.float64]

_BLOCK = 32
_EVERY = 4
"""Every fourth row of blocks tells the unit well enough, in a quarter of the time."""
_ONE = (0.5, 1.5)
"""Units between these are taken as 1: gains and the uneven sensitivity of pixels change it by as much."""
_FALSE_ALARMS = 0.01
"""Pixels of a movie that may be called hot by chance, on average."""
_PRIOR_COUNTS = 5.0
"""Weight of the movie's mean beside a pixel's neighbours, in electrons: rates are believed to differ by 45 %."""


def in_electrons(first: jax.Array, second: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums of raw counts [H, W] over both halves of a movie, so that their variance is about their mean.

    Counts of a camera that writes many for one electron, or floats that are fractions of one, are divided by that unit:
    the variance over the mean of the difference of both halves, in which fixed patterns cancel. The median over blocks
    is not moved by defects. Counts that lie below zero (less 32 768, say) are taken from the lowest one.
    """
    unit, whole, below = (one.item() for one in _unit(first, second))
    if below:
        first, second = first - first.min(), second - second.min()
        unit = _unit(first, second)[0].item()
    if not np.isfinite(unit) or unit <= 0 or _ONE[0] <= unit <= _ONE[1] or (whole and unit < 1):
        return first, second
    return first / np.float32(unit), second / np.float32(unit)


@jax.jit
def _unit(first: jax.Array, second: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The unit of counts, whether they are whole numbers, and whether they begin below zero."""
    one, two = _some_blocks(first), _some_blocks(second)
    difference, total = one - two, one + two
    unit = jnp.median(difference.var(-1) / jnp.maximum(total.mean(-1), 1e-30))
    return unit, (total == jnp.round(total)).all(), total.mean() < 0


def _some_blocks(image: jax.Array) -> jax.Array:
    """Blocks of 32 x 32 px (or what there is) of some rows of an image [H, W]: [blocks, pixels]."""
    height, width = (min(_BLOCK, size) for size in image.shape)
    rows, columns = image.shape[0] // height, image.shape[1] // width
    cut = image[: rows * height, : columns * width].reshape(rows, height, columns, width)
    some = cut[:: _EVERY if rows >= 2 * _EVERY else 1]
    return some.transpose(0, 2, 1, 3).reshape(-1, height * width)


def too_many(
    counts: Float64Array,
    around: Float64Array,
    pixels: Float64Array,
    sensitivity: Float64Array,
    mean: float,
    tried: int,
) -> npt.NDArray[np.bool_]:
    """Which pixels have more electrons than chance gives to any of `tried` pixels (0.01 of them on average): [n].

    `counts` [n] electrons as detected, by pixels of `sensitivity` [n]; `around` [n] is the mean of `pixels` [n]
    neighbours, in electrons at sensitivity 1, `mean` that of the movie. The rate has a gamma distribution: of shape 5
    about the movie's mean, and what the neighbours add. Counts are then negative binomial; their upper tail is an
    incomplete beta function.
    """
    shape = _PRIOR_COUNTS + around * pixels
    inverse_scale = _PRIOR_COUNTS / max(mean, 1e-30) + pixels
    tail = scipy.special.betainc(np.maximum(counts, 1e-9), shape, sensitivity / (sensitivity + inverse_scale))
    return np.asarray(tail < _FALSE_ALARMS / tried)
