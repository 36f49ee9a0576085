"""Boxes of particles out of a micrograph, resampled once."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

_BATCH = 32
_MARGIN_PX = 48  # around a box: the interpolation's tails end in there, not in the box


def extract_particles(
    image: jax.Array | np.ndarray,
    x_px: np.ndarray,
    y_px: np.ndarray,
    *,
    box_px: int,
    pixel_size_angstrom: float,
    particle_pixel_size_angstrom: float | None = None,
    invert: bool = True,
    normalize: bool = True,
    diameter_angstrom: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes float32 [N, b, b] around positions of an image [h, w], and which of the positions they are (bool [P]).

    A position (px of the image, centre of pixel 0 at 0) comes to lie on pixel b//2 of its box. Boxes have `box_px`
    pixels of `particle_pixel_size_angstrom` (None: that of the image). The sub-pixel shift and the new pixel size are
    one band-limited (Fourier) interpolation, cut off at the coarser of the two Nyquist frequencies. Edge rule: a box of
    which any pixel would lie outside the image is left out. `invert` turns dark particles bright; `normalize` makes the
    mean 0 and the standard deviation 1 outside a circle of `diameter_angstrom` (None, or larger than 95 % of the box:
    75 % of the box, RELION's usual choice). Raises ValueError for an odd or too small box.
    """
    if box_px < 8 or box_px % 2:
        raise ValueError(f"box_px = {box_px}: an even number of at least 8 is needed")
    step = (particle_pixel_size_angstrom or pixel_size_angstrom) / pixel_size_angstrom
    height, width = image.shape
    x, y = np.asarray(x_px, np.float64), np.asarray(y_px, np.float64)
    before, after = box_px // 2 * step, (box_px - 1 - box_px // 2) * step
    kept = (x >= before) & (y >= before) & (x <= width - 1 - after) & (y <= height - 1 - after)
    x, y = x[kept], y[kept]
    if not len(x):
        return np.zeros((0, box_px, box_px), np.float32), kept
    patch_px = 2 * (int(np.ceil(box_px * step / 2)) + _MARGIN_PX)
    pad = patch_px // 2
    finite = jnp.asarray(np.nan_to_num(np.asarray(image, np.float32)))
    padded = jnp.pad(finite, pad, mode="reflect" if min(height, width) > pad else "wrap")
    column, row = np.round(x).astype(int), np.round(y).astype(int)
    outside = _outside_circle(box_px, diameter_angstrom, step * pixel_size_angstrom)
    boxes = np.empty((len(x), box_px, box_px), np.float32)
    for start in range(0, len(x), _BATCH):
        # The last batch is filled up with its first particle: one compiled shape for any number.
        chosen = np.arange(start, min(start + _BATCH, len(x)))
        filled = np.concatenate([chosen, np.full(_BATCH - len(chosen), start)])
        batch = _boxes(
            padded,
            jnp.asarray(np.stack([row[filled], column[filled]], axis=1)),
            jnp.asarray(np.stack([y[filled] - row[filled], x[filled] - column[filled]], axis=1), jnp.float32),
            jnp.asarray(outside),
            patch_px,
            box_px,
            float(step),
            invert,
            normalize,
        )
        boxes[chosen] = np.asarray(batch)[: len(chosen)]
    return boxes, kept


def _outside_circle(box_px: int, diameter_angstrom: float | None, pixel_size_angstrom: float) -> np.ndarray:
    side = box_px * pixel_size_angstrom
    diameter = diameter_angstrom if diameter_angstrom and diameter_angstrom < 0.95 * side else 0.75 * side
    offset = np.arange(box_px) - box_px // 2
    return np.asarray(np.hypot(offset[:, None], offset[None]) * pixel_size_angstrom > diameter / 2)


@partial(jax.jit, static_argnums=(4, 5, 6, 7, 8))
def _boxes(
    padded: jax.Array,
    corners: jax.Array,
    fractions: jax.Array,
    outside: jax.Array,
    patch_px: int,
    box_px: int,
    step: float,
    invert: bool,
    normalize: bool,
) -> jax.Array:
    offset = np.arange(patch_px) - patch_px // 2
    inner = box_px * step / 2 + _MARGIN_PX / 3
    ramp = np.clip((np.abs(offset) - inner) / (patch_px / 2 - inner), 0, 1)
    taper_1d = (0.5 + 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
    taper = jnp.asarray(taper_1d[:, None] * taper_1d[None])
    samples = jnp.asarray((np.arange(box_px) - box_px // 2) * step, jnp.float32)

    def one(corner: jax.Array, fraction: jax.Array) -> jax.Array:
        patch = jax.lax.dynamic_slice(padded, corner, (patch_px, patch_px))
        level = patch.mean()
        patch = (patch - level) * taper
        rows = _interpolation(samples + fraction[0], patch_px, step)
        columns = _interpolation(samples + fraction[1], patch_px, step)
        box = rows @ patch @ columns.T + level
        box = -box if invert else box
        if not normalize:
            return box
        count = jnp.sum(outside)
        mean = jnp.sum(jnp.where(outside, box, 0)) / count
        variance = jnp.sum(jnp.where(outside, (box - mean) ** 2, 0)) / count
        return (box - mean) / jnp.sqrt(jnp.where(variance > 0, variance, 1))

    boxes: jax.Array = jax.lax.map(lambda pair: one(*pair), (corners, fractions))
    return boxes


def _interpolation(at: jax.Array, size: int, step: float) -> jax.Array:
    """Matrix [b, size] of the periodic sinc (Dirichlet kernel): samples at -size/2 … size/2-1 to positions `at` [b].

    Cut off at min(1, 1/step) of Nyquist; without a coarser step it passes the samples' full band and is the identity at
    them.
    """
    distance = at[:, None] - (jnp.arange(size, dtype=jnp.float32) - size // 2)[None]
    nearest = jnp.abs(distance) < 1e-4
    turn = jnp.where(nearest, 0.25, distance) / size
    if step <= 1:
        kernel = _sin_pi(size * turn) / (size * jnp.tan(jnp.pi * turn))
        return jnp.where(nearest, 1.0, kernel)
    terms = 2 * (int(np.ceil(size / (2 * step))) - 1) + 1
    kernel = _sin_pi(terms * turn) / (size * jnp.sin(jnp.pi * turn))
    return jnp.where(nearest, terms / size, kernel)


def _sin_pi(turns: jax.Array) -> jax.Array:
    """sin(π·turns), exact in float32 for many turns too."""
    return jnp.sin(jnp.pi * (turns - 2 * jnp.round(turns / 2)))
