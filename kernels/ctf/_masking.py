"""Gold beads and other bodies far darker or brighter than their surroundings, taken out of an image before its fit."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from scipy import ndimage

# Blocks of this length are looked at: gold beads of 5 nm fill nine of them, counting noise averages out in each.
BLOCK_ANGSTROM = 15.0
# Deviations from the surroundings that make a block foreign, and those of its rim.
FOREIGN_DEVIATIONS, RIM_DEVIATIONS = 6.0, 3.0
# Blocks across the surroundings, and across the largest body (anything larger is another part of the field, foil or
# carbon, and stays); the largest share of the field that is taken out.
SURROUNDINGS = 33
LARGEST_BLOCKS = 20
LARGEST_SHARE = 0.5


def without_bodies(image: jax.Array, limits: jax.Array, pixel_size_angstrom: float) -> jax.Array:
    """The image [H, W] with foreign bodies replaced by the level around them; unchanged without any.

    Single pixels count as no more than `limits` (least, middle, largest; see `_spectra.clip_limits`).
    """
    block = max(1, round(BLOCK_ANGSTROM / pixel_size_angstrom))
    if min(image.shape) < 8 * block:
        return image
    coarse = np.asarray(_block_means(image, limits, block=block), np.float64)
    bad = foreign_blocks(coarse)
    if not bad.any():
        return image
    good = (~bad).astype(np.float64)
    reach = SURROUNDINGS / 4
    level = ndimage.gaussian_filter(np.where(bad, 0.0, coarse), reach) / np.maximum(
        ndimage.gaussian_filter(good, reach), 1e-6
    )
    filled: jax.Array = _filled(image, jnp.asarray(bad), jnp.asarray(level, jnp.float32), block=block)
    return filled


def foreign_blocks(coarse: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Blocks [h, w] far off their surroundings (bool), with their rims; none where they fill much of the field."""
    middle, reach = _spread(coarse)
    around = ndimage.uniform_filter(np.clip(coarse, middle - 2 * reach, middle + 2 * reach), SURROUNDINGS)
    off = coarse - around
    middle, reach = _spread(off)
    deviations = np.abs(off - middle) / max(reach, 1e-12)
    core = np.asarray(deviations > FOREIGN_DEVIATIONS)
    if not core.any():
        return core
    bodies = ndimage.binary_propagation(core, mask=deviations > RIM_DEVIATIONS)
    labels, count = ndimage.label(bodies)
    for number, place in enumerate(ndimage.find_objects(labels, count), start=1):
        if max(one.stop - one.start for one in place) > LARGEST_BLOCKS:
            bodies[place] &= labels[place] != number
    bad = np.asarray(ndimage.binary_dilation(bodies, np.ones((3, 3))), np.bool_)
    return bad if bad.mean() <= LARGEST_SHARE else np.zeros_like(bad)


def _spread(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Median and standard deviation, the latter from the quartiles: bodies may fill a quarter of the field."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float(middle), float(high - low) / 1.349


@partial(jax.jit, static_argnames="block")
def _block_means(image: jax.Array, limits: jax.Array, *, block: int) -> jax.Array:
    rows, columns = image.shape[0] // block, image.shape[1] // block
    used = image[: rows * block, : columns * block]
    used = jnp.clip(jnp.where(jnp.isfinite(used), used, limits[1]), limits[0], limits[2])
    means: jax.Array = used.reshape(rows, block, columns, block).mean((1, 3))
    return means


@partial(jax.jit, static_argnames="block")
def _filled(image: jax.Array, bad: jax.Array, level: jax.Array, *, block: int) -> jax.Array:
    """Blocks at the lower and right edge that are cut off follow their neighbours."""
    row = jnp.minimum(jnp.arange(image.shape[0]) // block, bad.shape[0] - 1)
    column = jnp.minimum(jnp.arange(image.shape[1]) // block, bad.shape[1] - 1)
    return jnp.where(bad[row][:, column], level[row][:, column], image)
