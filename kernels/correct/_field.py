"""The displacement field of a movie as interpolation needs it.

A cell of pixels says where to start to read, a block of it how far from there each pixel lies, in 1/64 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct._taps import HALF, STEPS, furthest
from warpcore.kernels.image import spline_basis
from warpcore.kernels.motion import MotionModel

Float64Array = npt.NDArray[np.float64]
FloatingArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int32]

CELL = 128
ROWS, COLUMNS = 8, 4
BINS = 17
"""Displacements of 0 to 1 px in steps of 1/16, by which the loss of amplitude is summed up."""


@dataclass(frozen=True, eq=False)
class Field:
    """Displacements of some cells over all frames.

    `corners` [cells, F, 2] is the first pixel (x, y) of each frame that a cell reads. `index_x`, `index_y` [cells,
    F, 8, 4] are rows of `tap_table(extra)` for each block, of the passes along x and along y.
    """

    corners: IntArray
    index_x: IntArray
    index_y: IntArray
    extra: int

    def histogram(self) -> Float64Array:
        """How often displacements of (|y|, |x|) px occur in each frame: [F, 17, 17]."""
        x, y = (_bins(index, self.extra) for index in (self.index_x, self.index_y))
        frames = x.shape[1]
        place = (np.arange(frames)[:, None, None] * BINS + y) * BINS + x
        return np.bincount(place.ravel(), minlength=frames * BINS * BINS).reshape(frames, BINS, BINS).astype(np.float64)


def _bins(index: IntArray, extra: int) -> npt.NDArray[np.intp]:
    distance = np.abs(index - furthest(extra))
    # Beyond one pixel only the fraction counts.
    distance = np.where(distance > STEPS, np.abs((distance + STEPS // 2) % STEPS - STEPS // 2), distance)
    return np.asarray(np.round(distance * ((BINS - 1) / STEPS)), np.intp)


class Displacements:
    """The model's displacements in px for an image of height x width, at pixel positions given as rows and columns.

    `nodes` [F, rows, columns, 2] (x, y) are those of the splines in each frame.
    """

    def __init__(self, model: MotionModel, height: int, width: int, pixel_size_angstrom: float) -> None:
        self.height, self.width = height, width
        time = np.arange(model.frames) / max(1, model.frames - 1)
        track = spline_basis(len(model.global_nodes), time) @ model.global_nodes.astype(np.float64)
        nodes = np.tensordot(spline_basis(len(model.local_nodes), time), model.local_nodes.astype(np.float64), axes=1)
        nodes = nodes + track[:, None, None]
        self.nodes = (nodes - nodes[:1]) / pixel_size_angstrom

    def __bool__(self) -> bool:
        """Whether anything moves."""
        return bool(self.nodes.any())

    def bases(
        self, outer: FloatingArray, rows: FloatingArray, columns: FloatingArray
    ) -> tuple[FloatingArray, FloatingArray, FloatingArray]:
        """Spline bases [·, nodes] at rows, rows and columns of pixels; beyond the image those of its edge."""
        _, of_rows, of_columns, _ = self.nodes.shape
        at_outer, at_rows = (spline_basis(of_rows, np.clip(one / self.height, 0, 1)) for one in (outer, rows))
        return at_outer, at_rows, spline_basis(of_columns, np.clip(columns / self.width, 0, 1))

    def along(self, axis: int, frames: range, y: FloatingArray, x: FloatingArray) -> Float64Array:
        """Component `axis` (0: x) in `frames` at rows y and columns x, px: [frames, len(y), len(x)].

        Beyond the image it is the displacement of its edge.
        """
        _, rows, columns, _ = self.nodes.shape
        at_y = spline_basis(rows, np.clip(y / self.height, 0, 1))
        at_x = spline_basis(columns, np.clip(x / self.width, 0, 1))
        return np.asarray(at_y @ self.nodes[frames.start : frames.stop, ..., axis] @ at_x.T)


def cell_field(displacements: Displacements, frames: range, first_row: int, end_row: int) -> Field:
    """The field in `frames` of the rows of cells first_row … end_row - 1, row by row."""
    columns = -(-displacements.width // CELL)
    top = np.arange(first_row, end_row) * CELL
    width = CELL // COLUMNS
    x = np.arange(columns * COLUMNS) * width + (width - 1) / 2
    y = top[:, None] + np.arange(ROWS) * (CELL // ROWS) + (CELL // ROWS - 1) / 2
    extra = 0
    while True:
        # The pass along x comes first and covers also the rows that the taps along y reach.
        height = side(extra)
        outer = top[:, None] - (HALF + extra) + np.arange(ROWS) * (height // ROWS) + (height // ROWS - 1) / 2
        along_x = _by_cell(displacements.along(0, frames, outer.ravel(), x), len(top), columns)
        along_y = _by_cell(displacements.along(1, frames, y.ravel(), x), len(top), columns)
        whole_x, whole_y = (np.round((one.max((2, 3)) + one.min((2, 3))) / 2) for one in (along_x, along_y))
        part_x, part_y = along_x - whole_x[:, :, None, None], along_y - whole_y[:, :, None, None]
        largest = max(float(np.abs(part_x).max()), float(np.abs(part_y).max()))
        if largest * STEPS <= furthest(extra):
            break
        extra = wider(extra)
    cell_y, cell_x = (a.ravel() for a in np.meshgrid(top, np.arange(columns) * CELL, indexing="ij"))
    reach = HALF + extra
    corners = np.stack([cell_x[:, None] + whole_x - reach, cell_y[:, None] + whole_y - reach], axis=-1)
    index_x, index_y = ((np.round(part * STEPS) + furthest(extra)).astype(np.int32) for part in (part_x, part_y))
    return Field(corners.astype(np.int32), index_x, index_y, extra)


def block_centres(
    width: int, top: npt.NDArray[np.intp], cell_side: int
) -> tuple[FloatingArray, FloatingArray, FloatingArray]:
    """Centres in px of the blocks of cells: rows for the pass along x over `cell_side` rows, rows, and columns.

    `top`: first pixel of each row of cells. The pass along x comes first and covers also the rows that the taps along y
    reach.
    """
    block, outer_block = CELL // ROWS, cell_side // ROWS
    rows = top[:, None] + np.arange(ROWS) * block + (block - 1) / 2
    outer = top[:, None] - (cell_side - CELL) // 2 + np.arange(ROWS) * outer_block + (outer_block - 1) / 2
    width_of_block = CELL // COLUMNS
    columns = np.arange(-(-width // CELL) * COLUMNS) * width_of_block + (width_of_block - 1) / 2
    return outer.ravel(), rows.ravel(), columns


def wider(extra: int) -> int:
    """The next `extra`: few different values, so that movies of a session compile once.

    128 + 2 (12 + extra) stays a multiple of 8.
    """
    return 2 * extra + 4


def side(extra: int) -> int:
    """Pixels a side that a cell reads."""
    return CELL + 2 * (HALF + extra)


def _by_cell(lattice: Float64Array, rows: int, columns: int) -> Float64Array:
    """[F, rows * 8, columns * 4] to [rows * columns, F, 8, 4]."""
    blocks = lattice.reshape(-1, rows, ROWS, columns, COLUMNS).transpose(1, 3, 0, 2, 4)
    return blocks.reshape(rows * columns, -1, ROWS, COLUMNS)
