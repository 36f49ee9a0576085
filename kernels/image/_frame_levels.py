"""How bright each frame of a movie is, cell by cell, and which frames are copies of the one before."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._chunked import Chunked

CELLS = 16
"""Cells along each side of a frame."""
_SPARSE_FROM_PX = 512
_ROW_STEP = 4
"""Of large frames every fourth row is looked at: a quarter of the time, and still no band of four rows is missed."""


@dataclass(frozen=True, eq=False)
class FrameLevels:
    """What is known of each frame's brightness.

    `counts` [F, n, n] are the counts of a frame summed over cells of the field, as read; non-finite pixels count 0.
    `pixels` is the number of pixels that a cell's sum holds, `copies` [F] whether a frame has the bytes of the one
    before; `lowest` is the lowest value of a pixel. A field of fewer pixels than cells is one cell.
    """

    counts: npt.NDArray[np.float64]
    pixels: int
    copies: npt.NDArray[np.bool_]
    lowest: float


@dataclass(frozen=True)
class _Cut:
    """Which pixels belong to cells: `side` cells along each side, of height x width px, of which each `step`th row."""

    side: int
    height: int
    width: int
    step: int

    @classmethod
    def of(cls, height: int, width: int) -> _Cut:
        side = CELLS if min(height, width) >= CELLS else 1
        return cls(side, height // side, width // side, _ROW_STEP if height >= _SPARSE_FROM_PX else 1)

    @property
    def pixels(self) -> int:
        return -(-self.height // self.step) * self.width


def frame_levels(frames: npt.NDArray[np.generic] | Chunked) -> FrameLevels:
    """The brightness of each frame of a movie of raw counts [F, H, W]."""
    cut = _Cut.of(*frames.shape[1:])
    if not isinstance(frames, np.ndarray):
        return _on_device(frames, cut)
    with ThreadPoolExecutor(min(len(frames), os.cpu_count() or 1, 8)) as pool:
        sums, lowest = zip(*pool.map(partial(_levels_of_frame, cut=cut), frames), strict=True)
    counts = np.stack(sums)
    # Frames whose cells all hold equal counts are compared byte by byte: hardly ever more than copies.
    alike = np.flatnonzero((counts[1:] == counts[:-1]).all((1, 2))) + 1
    copies = np.zeros(len(frames), np.bool_)
    copies[[f for f in alike if np.array_equal(frames[f], frames[f - 1])]] = True
    return FrameLevels(counts, cut.pixels, copies, float(min(lowest)))


def _levels_of_frame(frame: npt.NDArray[np.generic], cut: _Cut) -> tuple[npt.NDArray[np.float64], float]:
    used = frame[: cut.side * cut.height, : cut.side * cut.width]
    cells = used.reshape(cut.side, cut.height, cut.side, cut.width)[:, :: cut.step]
    if np.issubdtype(frame.dtype, np.unsignedinteger):
        return cells.sum((1, 3), dtype=np.int64).astype(np.float64), 0.0
    if np.issubdtype(frame.dtype, np.floating):
        cells = np.where(np.isfinite(cells), cells, 0)
    return cells.sum((1, 3), dtype=np.float64), float(cells.min())


def _on_device(frames: Chunked, cut: _Cut) -> FrameLevels:
    found, before = [], None
    for _, chunk in frames.chunks():
        found.append(_levels_of_chunk(chunk, chunk[0] if before is None else before, cut))
        before = chunk[-1]
    counts, copies, lowest = (np.concatenate(part)[: len(frames)] for part in zip(*found, strict=True))
    copies[0] = False
    return FrameLevels(counts.astype(np.float64), cut.pixels, copies, float(lowest.min()))


@partial(jax.jit, static_argnames="cut")
def _levels_of_chunk(frames: jax.Array, before: jax.Array, cut: _Cut) -> tuple[jax.Array, jax.Array, jax.Array]:
    used = frames[:, : cut.side * cut.height, : cut.side * cut.width]
    cells = used.reshape(-1, cut.side, cut.height, cut.side, cut.width)[:, :, :: cut.step]
    exact = jnp.int32 if jnp.issubdtype(frames.dtype, jnp.integer) else jnp.float32
    cells = jnp.where(jnp.isfinite(cells), cells, 0).astype(exact)
    same = (frames == jnp.concatenate([before[None], frames[:-1]])).all((1, 2))
    return cells.sum((2, 4)), same, cells.min((1, 2, 3, 4))
