"""Interpolation of frames along a smooth displacement field, cell by cell, summed over frames while still in the cache.

out(x, y) = frame(x + dx, y + dy) with a Kaiser-windowed sinc of 2 x 12 taps, along x, then along y. The displacement is one number for 16 x 32 pixels; a
cell of 256 x 256 pixels takes its whole-pixel part by where it starts to read. Cells do not depend on each other, so results are the same
however many threads share them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.gain import apply_gain

Array = jax.Array
FloatArray = npt.NDArray[np.float32]

CELL = 256
BLOCK_X, BLOCK_Y = 16, 32
HALF_TAPS = 12
_KAISER_BETA = 4.0
# The Kaiser window I0(β sqrt(1 - u)) is smooth in u = (x / half)²: a polynomial in place of the Bessel function.
_U = np.linspace(0, 1, 257)
_WINDOW = np.polynomial.Polynomial.fit(_U, np.i0(_KAISER_BETA * np.sqrt(1 - _U)), 7, domain=[0, 1], window=[0, 1]).coef


def taps(fraction: Array, reach: int) -> Array:
    """Weights [n, 2 (12 + reach) + 1, m] of the pixels around each for the value at `fraction` [n, m], |fraction| <= reach.

    Scaled to sum to 1: a constant stays a constant.
    """
    half = HALF_TAPS + reach
    place = np.arange(-half, half + 1, dtype=np.float32)[None, :, None]
    x = place - fraction[:, None, :]
    u = (x / HALF_TAPS) ** 2
    window = jnp.full_like(u, np.float32(_WINDOW[-1]))
    for coefficient in _WINDOW[-2::-1]:
        window = window * u + np.float32(coefficient)
    sign = np.where(place % 2 == 0, 1, -1).astype(np.float32)
    near = jnp.abs(x) < 1e-3
    # sin(π(n - f)) = -(-1)^n sin(πf): one sine for all taps.
    sine = -sign * jnp.sin(np.float32(np.pi) * fraction)[:, None, :]
    sinc = jnp.where(near, 1.0, sine / jnp.where(near, 1.0, np.float32(np.pi) * x))
    weight = jnp.where(u < 1, sinc * window, 0.0)
    scaled: Array = weight / weight.sum(1, keepdims=True)
    return scaled


def halo(reach: int) -> int:
    """Pixels that a cell reads beyond each of its sides: a multiple of half a block."""
    return -(-(HALF_TAPS + reach) // (BLOCK_Y // 2)) * (BLOCK_Y // 2)


@partial(jax.jit, static_argnames=("reach", "together"), donate_argnums=(0,))
def _add_cells(
    sums: Array,
    frames: Array,
    gain: Array,
    corners: Array,
    part_x: Array,
    part_y: Array,
    weights: Array,
    reach: int,
    together: int | None,
) -> Array:
    margin = halo(reach)
    side = CELL + 2 * margin
    half = HALF_TAPS + reach

    def cell(one: tuple[Array, Array, Array, Array]) -> Array:
        start, corner, along_x, along_y = one

        def add(f: Array, total: Array) -> Array:
            y, x = corner[f, 1], corner[f, 0]
            raw = jax.lax.dynamic_slice(frames, (f, y, x), (1, side, side))
            block = apply_gain(raw, jax.lax.dynamic_slice(gain, (y, x), (side, side)))[0]
            weight_x, weight_y = along_x[f], along_y[f]
            rows = block.reshape(-1, BLOCK_Y, side)
            first = margin - half
            shape = (-1, BLOCK_Y, CELL // BLOCK_X, BLOCK_X)
            moved = jnp.zeros((), jnp.float32)
            for j in range(2 * half + 1):
                part = rows[:, :, first + j : first + j + CELL].reshape(shape)
                moved = moved + weight_x[:, j][:, None, :, None] * part
            columns = moved.reshape(side, CELL)
            out = jnp.zeros((), jnp.float32)
            for j in range(2 * half + 1):
                part = columns[first + j : first + j + CELL].reshape(shape)
                out = out + weight_y[:, j][:, None, :, None] * part
            more: Array = total + weights[:, f][:, None, None] * out.reshape(CELL, CELL)
            return more

        total: Array = jax.lax.fori_loop(0, frames.shape[0], add, start)
        return total

    # The taps of all blocks beforehand: within the loop XLA would compute them again for every pixel.
    tap: Callable[[Array], Array] = jax.vmap(jax.vmap(partial(taps, reach=reach)))
    done: Array = jax.lax.map(cell, (sums, corners, tap(part_x), tap(part_y)), batch_size=together)
    return done


class Cells:
    """Weighted sums of interpolated frames, [sums, H, W], built up from groups of frames.

    Cells are shared among threads where the device is the CPU (XLA runs a loop over cells on one core), else computed side by side.
    """

    def __init__(self, height: int, width: int, sums: int, reach: int) -> None:
        self.height, self.width, self.reach = height, width, reach
        self.rows, self.columns = -(-height // CELL), -(-width // CELL)
        on_cpu = jax.default_backend() == "cpu"
        threads = min(4, os.cpu_count() or 1, self.rows * self.columns) if on_cpu else 1
        each = -(-self.rows * self.columns // threads)
        self._slots = each * threads
        self._together = None if on_cpu else 16
        self._sums = [jnp.zeros((each, sums, CELL, CELL), jnp.float32) for _ in range(threads)]

    def add(
        self,
        frames: npt.NDArray[np.generic],
        gain: Array,
        corners: npt.NDArray[np.int32],
        part_x: FloatArray,
        part_y: FloatArray,
        weights: FloatArray,
    ) -> None:
        """Adds frames [G, …] padded like the gain. By cell [rows * columns, G, …]: `corners` (x, y) of what is read, the rest of the displacement
        for the pass along x [9 or more, 16] and along y [8, 16]; `weights` [sums, G]."""
        device_frames = jnp.asarray(frames)
        shared = [self._split(values) for values in (corners, part_x, part_y)]
        device_weights = jnp.asarray(weights)

        def one(index: int) -> Array:
            part = [values[index] for values in shared]
            result: Array = _add_cells(
                self._sums[index],
                device_frames,
                gain,
                *map(jnp.asarray, part),
                device_weights,
                self.reach,
                self._together,
            )
            result.block_until_ready()
            return result

        if len(self._sums) == 1:
            self._sums = [one(0)]
            return
        with ThreadPoolExecutor(len(self._sums)) as pool:
            self._sums = list(pool.map(one, range(len(self._sums))))

    def result(self) -> Array:
        """The sums so far, [sums, H, W]."""
        whole: Array = _assembled(self._sums, self.rows, self.columns)
        return whole[:, : self.height, : self.width]

    def _split(self, values: npt.NDArray[np.generic]) -> list[npt.NDArray[np.generic]]:
        missing = self._slots - len(values)
        if missing:
            values = np.concatenate([values, np.repeat(values[:1], missing, axis=0)])
        return np.split(values, len(self._sums))


@partial(jax.jit, static_argnames=("rows", "columns"))
def _assembled(parts: list[Array], rows: int, columns: int) -> Array:
    cells = jnp.concatenate(parts)[: rows * columns]
    grid = cells.reshape(rows, columns, -1, CELL, CELL).transpose(2, 0, 3, 1, 4)
    whole: Array = grid.reshape(grid.shape[0], rows * CELL, columns * CELL)
    return whole
