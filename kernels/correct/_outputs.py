"""From sums over frames to averages: dose weights, lost amplitude and binning, all in Fourier space.

Rows are transformed strip by strip as they come; columns in blocks that stay in the cache, forth and back at once: the
whole transform of a sum never exists. Lines are transformed in multiples of 64, see `kernels.image.LINES`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct._field import BINS, CELL
from warpcore.kernels.correct._taps import transfer
from warpcore.kernels.image import LINES, even_size

Array = jax.Array
FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

TABLE = 16384
CORNER = float(np.hypot(0.5, 0.5))
"""Factors by frequency are tabulated at 16384 places from 0 to the corner of the transform, in cycles a pixel."""
_LARGEST_GAIN = 2.0


class Outputs:
    """Makes images of sums of frames [height, width]; binning x crops to 2^-x in Fourier space and keeps electrons.

    Where nothing is asked that needs a transform (`direct`), the sums themselves are the images.
    """

    def __init__(self, height: int, width: int, binning: float, direct: bool) -> None:
        self.shape = even_size(height, 2.0**binning), even_size(width, 2.0**binning)
        self._size = height, width
        self._direct = direct and self.shape == self._size
        out_height, out_width = self.shape
        columns = out_width // 2 + 1
        self._columns = -(-columns // LINES) * LINES
        self._ky, self._along_y = amplitudes(out_height, out_height, height)
        self._kx, self._along_x = amplitudes(self._columns, out_width, width)

    def strip(self, sums: Array) -> Array:
        """One strip of cells [cells, sums, 128, 128] as rows, transformed along x: [sums, rows, columns]."""
        done: Array
        if self._direct:
            done = _rows(sums, self._size[1])
        else:
            done = _transformed_rows(sums, self._size[1], self.shape[1], self._columns)
        return done

    def images(
        self, strips: list[Array], table: Float64Array | None, loss: Float64Array, pool: Executor
    ) -> list[FloatArray]:
        """Images of all `strips`, top to bottom; the list is emptied as soon as they are not needed.

        `table` [terms, 16384]: an image is the sum over terms of transform times factor, terms of one image next to
        each other; last comes the plain sum of the images' first terms. None: an image for each sum. `loss` [terms, 17,
        17]: how often displacements by fractions of a pixel occur in each term, as `Field.histogram` counts; the mean
        amplitude that they took is put back, by a factor of at most 2.
        """
        block, step = LINES, CELL
        if self._direct:
            return self._filled(lambda first: strips[first // step], len(strips[0]), step, pool)
        rows = np.ones((1, TABLE), np.float32) if table is None else table.astype(np.float32)
        work = partial(self._block, strips, rows, loss.astype(np.float32), block, table is not None)
        blocks = list(pool.map(work, range(0, self._columns, block)))
        strips.clear()
        back = partial(_rows_back, blocks, step=step, width=self.shape[1])
        return self._filled(back, len(blocks[0]), step, pool)

    def _filled(self, rows: Callable[[int], Array], count: int, step: int, pool: Executor) -> list[FloatArray]:
        """Images of which `rows` gives `step` rows from the first on: [images, step, w]."""
        images = [np.empty(self.shape, np.float32) for _ in range(count)]

        def fill(first: int) -> None:
            for image, part in zip(images, np.asarray(rows(first)), strict=True):
                image[first : first + step] = part[: len(image) - first]

        list(pool.map(fill, range(0, self.shape[0], step)))
        return images

    def _block(
        self, strips: list[Array], rows: FloatArray, loss: FloatArray, block: int, plain: bool, first: int
    ) -> Array:
        kx, along_x = self._kx[first : first + block], self._along_x[first : first + block]
        done: Array = _block_of_columns(
            strips, first, self._ky, kx, self._along_y, along_x, rows, loss, self._size[0], self.shape[0], block, plain
        )
        return done.block_until_ready()


@lru_cache(maxsize=8)
def amplitudes(lines: int, out_size: int, size: int) -> tuple[FloatArray, FloatArray]:
    """Frequencies [lines] of a transform cropped from `size` to `out_size`, and amplitudes [lines, 17] left there.

    Frequencies are in cycles a pixel before the crop; amplitudes are those after displacements of 0 to 1 px.
    """
    index = np.arange(lines)
    k = np.where(index <= out_size // 2, index, index - out_size) / size
    return k.astype(np.float32), transfer(np.abs(k), np.linspace(0, 1, BINS)).astype(np.float32)


@partial(jax.jit, static_argnames=("width",))
def _rows(sums: Array, width: int) -> Array:
    columns = -(-width // CELL)
    cells = sums.reshape(-1, columns, *sums.shape[1:]).transpose(2, 0, 3, 1, 4)
    return cells.reshape(len(cells), -1, columns * CELL)[..., :width]


@partial(jax.jit, static_argnames=("width", "out_width", "columns"))
def _transformed_rows(sums: Array, width: int, out_width: int, columns: int) -> Array:
    kept = out_width // 2 + 1
    transform = jnp.fft.rfft(_rows(sums, width), axis=-1)[..., :kept]
    if out_width < width:
        # The unpaired Nyquist column of the smaller image: its sign is lost.
        transform = transform.at[..., -1].set(0)
    return jnp.pad(transform, ((0, 0), (0, 0), (0, columns - kept)))


def tabulated(row: Array, ky: Array, kx: Array) -> Array:
    """A table [16384] by |k| at frequencies ky [h], kx [w]: [h, w]."""
    radius = jnp.sqrt(ky[:, None] ** 2 + kx**2)
    return jnp.take(row, jnp.round(radius * np.float32((TABLE - 1) / CORNER)).astype(jnp.int32), mode="clip")


def boost(wanted: Array | float, passed: Array) -> Array:
    """The factor that puts a lost amplitude back, at most 2: what was given over what passed."""
    return wanted / jnp.maximum(passed, wanted / _LARGEST_GAIN)


@partial(jax.jit, static_argnames=("height", "out_height", "block", "plain"))
def _block_of_columns(
    strips: list[Array],
    first: Array,
    ky: Array,
    kx: Array,
    along_y: Array,
    along_x: Array,
    rows: Array,
    loss: Array,
    height: int,
    out_height: int,
    block: int,
    plain: bool,
) -> Array:
    """`block` columns of all images, from `first` on, back along y: [images, rows (a multiple of 128), block]."""
    parts = [jax.lax.dynamic_slice_in_dim(strip, first, block, axis=2) for strip in strips]
    transform = jnp.fft.fft(jnp.concatenate(parts, axis=1)[:, :height], axis=1)
    if out_height < height:
        half = out_height // 2
        # The unpaired Nyquist row, like the column, is left empty.
        empty = jnp.zeros_like(transform[:, :1])
        transform = jnp.concatenate([transform[:, :half], empty, transform[:, height - half + 1 :]], axis=1)
    terms = len(rows)
    images = transform.reshape(-1, terms, out_height, block)
    factors = [tabulated(row, ky, kx) for row in rows]
    passed = [along_y @ counts @ along_x.T for counts in loss]
    given = loss.sum((1, 2))
    gained = boost(
        sum(factor * one for factor, one in zip(factors, given, strict=True)),
        sum(factor * one for factor, one in zip(factors, passed, strict=True)),
    )
    done = sum(images[:, i] * (factor * gained) for i, factor in enumerate(factors))
    if plain:
        done = jnp.concatenate([done, images[:, 0].sum(0)[None] * boost(given[0], passed[0])])
    # Scaled by the size after cropping: a pixel is the sum over those that it replaces.
    return jnp.pad(jnp.fft.ifft(done, axis=1), ((0, 0), (0, -out_height % CELL), (0, 0)))


@partial(jax.jit, static_argnames=("step", "width"))
def _rows_back(blocks: list[Array], first: Array, step: int, width: int) -> Array:
    """Rows first … first + step - 1 of all images: [images, step, width]."""
    parts = [jax.lax.dynamic_slice_in_dim(block, first, step, axis=1) for block in blocks]
    return jnp.fft.irfft(jnp.concatenate(parts, axis=2)[..., : width // 2 + 1], n=width, axis=-1)
