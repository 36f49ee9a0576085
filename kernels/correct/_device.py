"""The device's form of the correction: all cells of a few frames at once, in few large operations.

The same cells, blocks and taps as in `_tiles`, so the pixels agree but for the order in which a machine adds, and for
displacements that round to another 1/64 px. A chunk of frames is cut into windows, moved along x, moved along y and
added to the sums, each in one compiled step. Frames are added one after the other, so the bytes do not depend on how
many come at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct._field import (
    BINS,
    CELL,
    COLUMNS,
    ROWS,
    Displacements,
    block_centres,
    side,
    wider,
)
from warpcore.kernels.correct._outputs import TABLE, amplitudes, boost, tabulated
from warpcore.kernels.correct._taps import HALF, STEPS, furthest, tap_table
from warpcore.kernels.image import ReadyFrames, even_size, irfft2, rfft2, sent_back

Array = jax.Array
FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

_PAD_STEP = 64
_COUNTED_AT_ONCE = 4


def sums_on_device(
    frames: ReadyFrames, displacements: Displacements, weights: Float64Array, on_chunk: Callable[[float], None]
) -> tuple[Array, Float64Array]:
    """Weighted sums of all frames, interpolated, `weights` [sums, F]: cells [sums, cells, 128, 128].

    Also how often displacements by fractions of a pixel occur in each frame [F, 17, 17].
    """
    bands = _bands(displacements)
    sums = [jnp.zeros((len(weights), band.corners.shape[1], CELL, CELL), jnp.float32) for band in bands]
    filled = np.zeros((len(weights), -(-len(frames) // frames.plan.frames) * frames.plan.frames), np.float32)
    filled[:, : len(frames)] = weights
    for first, chunk in frames.chunks():
        for number, band in enumerate(bands):
            moved = _moved(chunk, first, frames, band)
            sums[number] = _add(sums[number], moved, filled[:, first : first + len(chunk)])
            del moved  # it would stay until the next is there
        on_chunk(min(1.0, (first + len(chunk)) / len(frames)))
    counted = sum(np.asarray(band.histogram(), np.float64) for band in bands)
    return _joined(sums, bands), np.asarray(counted)


class DeviceOutputs:
    """Makes images of sums of frames [height, width]; binning x crops to 2^-x in Fourier space and keeps electrons.

    What `_outputs.Outputs` does on the CPU, with whole transforms.
    """

    def __init__(self, height: int, width: int, binning: float, direct: bool) -> None:
        self.shape = even_size(height, 2.0**binning), even_size(width, 2.0**binning)
        self._size = height, width
        self._direct = direct and self.shape == self._size
        (ky, along_y), (kx, along_x) = (
            amplitudes(self.shape[0], self.shape[0], height),
            amplitudes(self.shape[1] // 2 + 1, self.shape[1], width),
        )
        self._waves = _Waves(*(jnp.asarray(one) for one in (ky, kx, along_y, along_x)))

    def images(self, sums: Array, table: Float64Array | None, loss: Float64Array) -> list[Array]:
        """Images of sums [sums, cells, 128, 128]; arguments and order as in `_outputs.Outputs.images`."""
        if self._direct:
            return [_image(one, self._size) for one in sums]
        rows = jnp.asarray(np.ones((1, TABLE)) if table is None else table, jnp.float32)
        counts = jnp.asarray(loss, jnp.float32)
        terms = len(rows)
        every, plain = _boosts(self._waves, rows, counts)
        nothing = jnp.zeros((self.shape[0], self.shape[1] // 2 + 1), jnp.complex64)
        images, first = [], nothing
        for begin in range(0, len(sums), terms):
            spectrum = nothing
            for term in range(terms):
                own = _spectrum(sums[begin + term], self._size, self.shape)
                spectrum = _weighted(spectrum, own, rows[term], every, self._waves)
                if term == 0 and table is not None:
                    first = first + own
            images.append(_back(spectrum, self.shape))
        return images if table is None else [*images, _back(first * plain, self.shape)]


def aligned_on_device(
    frames: ReadyFrames, displacements: Displacements, outputs: DeviceOutputs, loss: Float64Array
) -> FloatArray:
    """All frames, interpolated: [F, h, w] on the host."""
    aligned = np.empty((len(frames), *outputs.shape), np.float32)
    bands = _bands(displacements)
    for first, chunk in frames.chunks():
        moved = _joined([_moved(chunk, first, frames, band) for band in bands], bands)
        images = [sent_back(image) for image in outputs.images(moved, None, loss)[: len(frames) - first]]
        for image, target in zip(images, aligned[first:], strict=False):
            target[:] = image
    return aligned


class _Band(NamedTuple):
    """The field of some rows of cells that need taps of the same length, frame by frame: [F, cells, …].

    As on the CPU, where displacements differ much within a cell, its row of cells gets longer taps (`extra`). `rows` of
    the cells; `pad` is how far they read beyond the frame (before, after) in y and in x; corners count from there.
    """

    rows: npt.NDArray[np.intp]
    corners: Array
    index_x: Array
    index_y: Array
    extra: int
    pad: tuple[tuple[int, int], tuple[int, int]]

    def histogram(self) -> Array:
        """As `Field.histogram` counts."""
        counted: Array = _histogram(self.index_x, self.index_y, self.extra)
        return counted


def _bands(displacements: Displacements) -> list[_Band]:
    """The field of all cells and frames, mostly one band: few numbers come back to the host, which shapes follow."""
    size = displacements.width, displacements.height
    left, extra = np.arange(-(-size[1] // CELL)), 0
    nodes = jnp.asarray(displacements.nodes, jnp.float32)
    bands: list[_Band] = []
    while len(left):
        centres = block_centres(size[0], left * CELL, side(extra))
        waves = [jnp.asarray(one, jnp.float32) for one in displacements.bases(*centres)]
        *field, largest = _field(nodes, *waves, jnp.asarray(left * CELL), extra)
        fits = np.asarray(largest) * STEPS <= furthest(extra)
        if fits.any():
            bands.append(_band(left[fits], [_rows_of(one, fits) for one in field], extra, size))
        left, extra = left[~fits], wider(extra)
    return bands


def _rows_of(field: Array, fits: npt.NDArray[np.bool_]) -> Array:
    """Those rows of cells of a field [F, cells, …] that fit."""
    if fits.all():
        return field
    return field.reshape(len(field), len(fits), -1, *field.shape[2:])[:, fits].reshape(len(field), -1, *field.shape[2:])


def _band(rows: npt.NDArray[np.intp], field: list[Array], extra: int, size: tuple[int, int]) -> _Band:
    corners, index_x, index_y = field
    low, high = np.asarray(corners.min((0, 1))), np.asarray(corners.max((0, 1))) + side(extra)
    # In steps, so that movies of one session compile once.
    pad_x, pad_y = ((_rounded_up(max(0, -int(low[i]))), _rounded_up(max(0, int(high[i]) - size[i]))) for i in range(2))
    return _Band(rows, corners + np.array([pad_x[0], pad_y[0]], np.int32), index_x, index_y, extra, (pad_y, pad_x))


def _joined(parts: list[Array], bands: list[_Band]) -> Array:
    """Cells [·, cells, 128, 128] of all bands in the order of the image."""
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([band.rows for band in bands])
    by_row = [part.reshape(len(part), len(band.rows), -1, CELL, CELL) for part, band in zip(parts, bands, strict=True)]
    cells = jnp.concatenate(by_row, axis=1)
    return cells[:, np.argsort(rows)].reshape(len(cells), -1, CELL, CELL)


@partial(jax.jit, static_argnames="extra")
def _field(
    nodes: Array, outer: Array, rows: Array, columns: Array, top: Array, extra: int
) -> tuple[Array, Array, Array, Array]:
    """Corners [F, cells, 2], indices [F, cells, 8, 4] of taps along x and y, the largest displacement in rows of cells.

    `nodes` [F, R, C, 2] in px; spline bases of rows that the pass along x covers, of rows and of columns; `top`: first
    pixel of each row of cells.
    """

    def by_cell(at_y: Array, axis: int) -> Array:
        lattice = jnp.einsum("yr,frc,xc->fyx", at_y, nodes[..., axis], columns, precision="highest")
        return lattice.reshape(len(nodes), len(top), ROWS, -1, COLUMNS).transpose(0, 1, 3, 2, 4)

    both = by_cell(outer, 0), by_cell(rows, 1)
    whole_x, whole_y = (jnp.round((one.max((3, 4)) + one.min((3, 4))) / 2) for one in both)
    part_x, part_y = both[0] - whole_x[..., None, None], both[1] - whole_y[..., None, None]
    left = jnp.arange(whole_x.shape[2]) * CELL
    reach = HALF + extra
    corners = jnp.stack([left + whole_x - reach, top[:, None] + whole_y - reach], axis=-1)
    index_x, index_y = ((jnp.round(part * STEPS) + furthest(extra)).astype(jnp.int32) for part in (part_x, part_y))
    largest = jnp.maximum(jnp.abs(part_x).max((0, 2, 3, 4)), jnp.abs(part_y).max((0, 2, 3, 4)))
    frames = len(nodes)
    return (
        corners.astype(jnp.int32).reshape(frames, -1, 2),
        index_x.reshape(frames, -1, ROWS, COLUMNS),
        index_y.reshape(frames, -1, ROWS, COLUMNS),
        largest,
    )


class _Waves(NamedTuple):
    """Frequencies ky [h] and kx [w//2 + 1], cycles a pixel before the crop, and amplitudes left there [·, 17]."""

    ky: Array
    kx: Array
    along_y: Array
    along_x: Array


def _moved(chunk: Array, first: int, frames: ReadyFrames, band: _Band) -> Array:
    """A chunk of frames from `first` on, interpolated: cells [f, cells, 128, 128] of a band."""
    table = jnp.asarray(tap_table(band.extra))
    at = np.minimum(first + np.arange(len(chunk)), len(frames) - 1)
    windows = _windows(chunk, frames.gain, band.corners, at, band.pad, side(band.extra))
    along_x = _along_x(windows, band.index_x, at, table, band.extra)
    del windows  # its memory is needed
    moved: Array = _along_y(along_x, band.index_y, at, table, band.extra)
    return moved


def _rounded_up(size: int) -> int:
    return -(-size // _PAD_STEP) * _PAD_STEP


@partial(jax.jit, static_argnames=("pad", "size"))
def _windows(
    frames: Array, gain: Array, corners: Array, at: Array, pad: tuple[tuple[int, int], tuple[int, int]], size: int
) -> Array:
    """What each cell reads of raw `frames` [f, H, W], in electrons, mirrored beyond the edges: [f, cells, n, n]."""
    electrons = jnp.pad(frames.astype(jnp.float32) * gain, ((0, 0), *pad), mode="symmetric")

    def of_frame(image: Array, corners: Array) -> Array:
        return jax.vmap(lambda corner: jax.lax.dynamic_slice(image, (corner[1], corner[0]), (size, size)))(corners)

    windows: Array = jax.vmap(of_frame)(electrons, corners[at])
    return windows


@partial(jax.jit, static_argnames="extra")
def _along_x(windows: Array, index_x: Array, at: Array, table: Array, extra: int) -> Array:
    """Windows [f, cells, n, n] moved along x: [f, cells, n, 128]."""
    frames, cells, size, _ = windows.shape
    taps = table[index_x[at]]
    rows = windows.reshape(frames, cells, ROWS, size // ROWS, size)
    moved = jnp.zeros((), jnp.float32)
    for n in range(2 * (HALF + extra) + 1):
        part = rows[..., n : n + CELL].reshape(frames, cells, ROWS, size // ROWS, COLUMNS, CELL // COLUMNS)
        moved = moved + taps[:, :, :, None, :, n, None] * part
    return moved.reshape(frames, cells, size, CELL)


@partial(jax.jit, static_argnames="extra")
def _along_y(pixels: Array, index_y: Array, at: Array, table: Array, extra: int) -> Array:
    """Pixels [f, cells, n, 128] moved along y: [f, cells, 128, 128]."""
    frames, cells = pixels.shape[:2]
    taps = table[index_y[at]]
    moved = jnp.zeros((), jnp.float32)
    for n in range(2 * (HALF + extra) + 1):
        part = pixels[:, :, n : n + CELL].reshape(frames, cells, ROWS, CELL // ROWS, COLUMNS, CELL // COLUMNS)
        moved = moved + taps[:, :, :, None, :, n, None] * part
    return moved.reshape(frames, cells, CELL, CELL)


@partial(jax.jit, donate_argnums=0)
def _add(sums: Array, moved: Array, weights: Array) -> Array:
    """Adds frames [f, cells, 128, 128] to sums [sums, cells, 128, 128], one after the other; `weights` [sums, f]."""
    for f in range(len(moved)):
        sums = sums + weights[:, f, None, None, None] * moved[f]
    return sums


@partial(jax.jit, static_argnames="extra")
def _histogram(index_x: Array, index_y: Array, extra: int) -> Array:
    def binned(index: Array) -> Array:
        distance = jnp.abs(index - furthest(extra))
        distance = jnp.where(distance > STEPS, jnp.abs((distance + STEPS // 2) % STEPS - STEPS // 2), distance)
        number = jnp.round(distance * ((BINS - 1) / STEPS)).astype(jnp.int32).reshape(-1, 1)
        return (number == jnp.arange(BINS)).astype(jnp.float32)

    def one(both: tuple[Array, Array]) -> Array:
        # Whole numbers below 2^24: the product is exact.
        return jnp.dot(binned(both[1]).T, binned(both[0]), precision="highest")

    counted: Array = jax.lax.map(one, (index_x, index_y), batch_size=_COUNTED_AT_ONCE)
    return counted


@partial(jax.jit, static_argnames="size")
def _image(cells: Array, size: tuple[int, int]) -> Array:
    """Cells [cells, 128, 128] as an image of `size`."""
    columns = -(-size[1] // CELL)
    rows = cells.reshape(-1, columns, CELL, CELL).transpose(0, 2, 1, 3)
    return rows.reshape(-1, columns * CELL)[: size[0], : size[1]]


@partial(jax.jit, static_argnames=("size", "out"))
def _spectrum(cells: Array, size: tuple[int, int], out: tuple[int, int]) -> Array:
    """The transform of an image, cropped to that of an image of `out`."""
    transform = rfft2(_image(cells, size))[:, : out[1] // 2 + 1]
    # The unpaired Nyquist row and column of the smaller image: their sign is lost.
    if out[1] < size[1]:
        transform = transform.at[:, -1].set(0)
    if out[0] < size[0]:
        half = out[0] // 2
        empty = jnp.zeros_like(transform[:1])
        transform = jnp.concatenate([transform[:half], empty, transform[size[0] - half + 1 :]])
    return transform


@jax.jit
def _boosts(waves: _Waves, rows: Array, loss: Array) -> tuple[Array, Array]:
    """Amplitude to be put back into the weighted sum and into the plain one: [h, w//2 + 1] each."""
    factors = [tabulated(row, waves.ky, waves.kx) for row in rows]
    passed = [jnp.einsum("yb,bc,xc->yx", waves.along_y, one, waves.along_x, precision="highest") for one in loss]
    given = loss.sum((1, 2))
    wanted, left = (
        sum((factor * one for factor, one in zip(factors, amounts, strict=True)), jnp.zeros((), jnp.float32))
        for amounts in (given, passed)
    )
    return boost(wanted, left), boost(given[0], passed[0])


@jax.jit
def _weighted(spectrum: Array, own: Array, row: Array, every: Array, waves: _Waves) -> Array:
    return spectrum + own * (tabulated(row, waves.ky, waves.kx) * every)


@partial(jax.jit, static_argnames="size")
def _back(spectrum: Array, size: tuple[int, int]) -> Array:
    """Scaled by the size after cropping: a pixel is the sum over those that it replaces."""
    return irfft2(spectrum, size)
