"""Interpolation of frames along a displacement field, and their sums, cell by cell: all stays in the cache.

out(x, y) = frame(x + dx, y + dy). The displacement is one number for blocks of 32 x 16 pixels; a cell of 128 x 128
pixels takes its whole-pixel part by where it starts to read. Rows of cells do not depend on each other, so results are
the same however many threads share them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct._field import CELL, COLUMNS, ROWS, Displacements, Field, cell_field, side
from warpcore.kernels.correct._taps import HALF, tap_table
from warpcore.kernels.correct._windows import Windows

Array = jax.Array
Float64Array = npt.NDArray[np.float64]

GROUP = 8
"""Frames interpolated before they are added to the sums; a movie's last group is filled up with frames of no weight."""
_STEP = 32


# Vectors of 512 bits are 1.6 times as fast where the CPU has them; XLA takes 256 unless told.
@partial(
    jax.jit,
    static_argnames=("extra",),
    donate_argnums=(0,),
    compiler_options={"xla_cpu_prefer_vector_width": 512},
)
def _add_group(
    sums: Array,
    frames: Array,
    gain: Array | None,
    corners: Array,
    gain_corners: Array,
    index_x: Array,
    index_y: Array,
    weights: Array,
    table: Array,
    extra: int,
) -> Array:
    """Adds GROUP frames [G, h, w] to the sums of a strip of cells [cells, sums, 128, 128], `weights` [sums, G]."""
    reach, size = HALF + extra, side(extra)
    count = 2 * reach + 1
    block = CELL // COLUMNS

    def cell(start: Array, corner: Array, gain_corner: Array, at_x: Array, at_y: Array) -> Array:
        taps_x, taps_y = table[at_x], table[at_y]

        def along_x(f: Array) -> Array:
            raw = jax.lax.dynamic_slice(frames, (f, corner[f, 1], corner[f, 0]), (1, size, size))[0]
            pixels = raw.astype(jnp.float32)
            if gain is not None:
                pixels = pixels * jax.lax.dynamic_slice(gain, (gain_corner[f, 1], gain_corner[f, 0]), (size, size))
            pixels = pixels.reshape(ROWS, -1, size)
            moved = jnp.zeros((), jnp.float32)
            for n in range(count):
                part = pixels[:, :, n : n + CELL].reshape(ROWS, -1, COLUMNS, block)
                moved = moved + taps_x[f][:, None, :, n, None] * part
            return moved.reshape(size, CELL)

        def along_y(one: tuple[Array, Array]) -> Array:
            f, pixels = one
            moved = jnp.zeros((), jnp.float32)
            for n in range(count):
                part = pixels[n : n + CELL].reshape(ROWS, -1, COLUMNS, block)
                moved = moved + taps_y[f][:, None, :, n, None] * part
            return moved.reshape(CELL, CELL)

        # Two loops: in one expression XLA would repeat the first pass for every tap of the second, both for each sum.
        order = jnp.arange(frames.shape[0])
        moved = jax.lax.map(along_y, (order, jax.lax.map(along_x, order)))
        total = start
        for f in range(frames.shape[0]):
            total = total + weights[:, f, None, None] * moved[f]
        return total

    cells = (corners, gain_corners, index_x, index_y)

    def into(i: Array, all_sums: Array) -> Array:
        # In place: a map would copy all sums.
        return all_sums.at[i].set(cell(all_sums[i], *(one[i] for one in cells)))

    added: Array = jax.lax.fori_loop(0, len(sums), into, sums)
    return added


def threads(height: int) -> int:
    """How many threads share the strips of an image: XLA runs a loop over cells on one core."""
    return min(os.cpu_count() or 1, 8, -(-height // CELL))


def interpolated_sums(
    windows: Windows,
    displacements: Displacements,
    frames: range,
    weights: Float64Array,
    finish: Callable[[Array], Array],
    pool: Executor,
    on_strip: Callable[[float], None] = lambda fraction: None,
) -> tuple[list[Array], Float64Array]:
    """Weighted sums of `frames`, interpolated; `weights` [sums, len(frames)].

    Returns what `finish` makes of the strips, each [cells, sums, 128, 128], from top to bottom, and how often fractions
    of a pixel occur in each frame [len(frames), 17, 17]. `on_strip` is called with the fraction done.
    """
    rows = -(-displacements.height // CELL)
    strips = [(row, row + 1) for row in range(rows)]
    done: list[Array] = []
    histogram = np.zeros(())
    for strip, counts in pool.map(partial(_strip, windows, displacements, frames, weights, finish), strips):
        done.append(strip)
        histogram = histogram + counts
        on_strip(len(done) / len(strips))
    return done, histogram


def _strip(
    windows: Windows,
    displacements: Displacements,
    frames: range,
    weights: Float64Array,
    finish: Callable[[Array], Array],
    rows: tuple[int, int],
) -> tuple[Array, Float64Array]:
    field = cell_field(displacements, frames, *rows)
    cells = len(field.corners)
    table = jnp.asarray(tap_table(field.extra))
    low = field.corners.min(0)
    # In steps, so that movies of one session compile once.
    width, height = (_rounded_up(n) for n in (field.corners - low).max((0, 1)) + side(field.extra))
    gain, gain_low = _gain_of(windows, field)
    sums = jnp.zeros((cells, len(weights), CELL, CELL), jnp.float32)
    for begin in range(0, len(frames), GROUP):
        chosen = np.minimum(np.arange(begin, begin + GROUP), len(frames) - 1)
        missing = max(0, begin + GROUP - len(frames))
        here = chosen[: GROUP - missing]
        buffer = windows.group(here + frames.start, low[here], (GROUP, height, width))
        corners = field.corners[:, chosen]
        group_weights = np.pad(weights[:, begin : begin + GROUP], ((0, 0), (0, missing))).astype(np.float32)
        sums = _add_group(
            sums,
            buffer,
            gain,
            corners - low[chosen],
            corners - gain_low,
            field.index_x[:, chosen],
            field.index_y[:, chosen],
            group_weights,
            table,
            extra=field.extra,
        )
        sums.block_until_ready()
    return finish(sums).block_until_ready(), field.histogram()


def _gain_of(windows: Windows, field: Field) -> tuple[Array | None, npt.NDArray[np.int32]]:
    """The gain over all that the field reads, and (x, y) of its first pixel."""
    low = field.corners.min((0, 1))
    if windows.gain is None:
        return None, low
    width, height = (_rounded_up(n) for n in field.corners.max((0, 1)) - low + side(field.extra))
    return jnp.asarray(windows.gain_window(int(low[1]), int(low[0]), height, width)), low


def _rounded_up(size: int) -> int:
    return -(-int(size) // _STEP) * _STEP
