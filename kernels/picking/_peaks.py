"""From a score map to positions: local maxima between the pixels, best first, none too close to a better one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.ndimage
import scipy.spatial


class Peaks(NamedTuple):
    """Positions in px of the map, values, and the pixel of each; best first."""

    y: np.ndarray
    x: np.ndarray
    value: np.ndarray
    row: np.ndarray
    column: np.ndarray


def find_peaks(values: np.ndarray, least: float, distance_px: float, places: np.ndarray | None = None) -> Peaks:
    """Local maxima (8 neighbours) of a map [h, w], at least `least` and no nearer than `distance_px` to a better one.

    Sub-pixel by a parabola through the three values along each axis. A plateau counts once. `places` [h, w] is another
    map of the same maxima: where it is given, it tells their positions, from its largest of the 3 x 3 values there.
    """
    rows, columns = np.nonzero((values == scipy.ndimage.maximum_filter(values, size=3)) & (values >= least))
    order = np.lexsort((columns, rows, -values[rows, columns]))
    rows, columns = rows[order], columns[order]
    y, x = _between_pixels(values, rows, columns) if places is None else _nearby(places, rows, columns)
    kept = thinned(y, x, distance_px)
    return Peaks(y[kept], x[kept], values[rows, columns][kept], rows[kept], columns[kept])


def thinned(y: np.ndarray, x: np.ndarray, distance: float) -> np.ndarray:
    """Which of the positions, given best first, have no better kept one nearer than `distance` (bool)."""
    if len(y) < 2 or distance <= 0:
        return np.ones(len(y), bool)
    tree = scipy.spatial.cKDTree(np.stack([y, x], axis=1))
    better, worse = tree.query_pairs(distance * (1 - 1e-9), output_type="ndarray").T
    kept, open_ = np.zeros(len(y), bool), np.ones(len(y), bool)
    while open_.any():
        # All at once that have no better open one near by: what follows cannot change them.
        first = open_.copy()
        first[worse] = False
        kept |= first
        open_ &= ~first
        open_[worse[first[better]]] = False
        both = open_[better] & open_[worse]
        better, worse = better[both], worse[both]
    return kept


def _between_pixels(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows + _parabola(values, rows, columns, 0), columns + _parabola(values, rows, columns, 1)


def _nearby(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (y, x) of the largest values among the 3 x 3 around some pixels."""
    down, across = (one.ravel() for one in np.mgrid[-1:2, -1:2])
    near_rows = np.clip(rows + down[:, None], 0, values.shape[0] - 1)
    near_columns = np.clip(columns + across[:, None], 0, values.shape[1] - 1)
    largest = values[near_rows, near_columns].argmax(axis=0), np.arange(len(rows))
    row, column = near_rows[largest], near_columns[largest]
    y, x = _between_pixels(values, row, column)
    # Where values rise on beyond the 3 x 3, the parabola's top is not in this pixel.
    return np.clip(y, row - 0.5, row + 0.5), np.clip(x, column - 0.5, column + 0.5)


def _parabola(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, axis: int) -> np.ndarray:
    step_y, step_x = (1, 0) if axis == 0 else (0, 1)
    height, width = values.shape
    before = values[np.maximum(rows - step_y, 0), np.maximum(columns - step_x, 0)]
    here = values[rows, columns]
    after = values[np.minimum(rows + step_y, height - 1), np.minimum(columns + step_x, width - 1)]
    place, last = (rows, height - 1) if axis == 0 else (columns, width - 1)
    curvature = before - 2 * here + after
    inner = (place > 0) & (place < last) & (curvature < 0)
    return np.where(inner, 0.5 * (before - after) / np.where(inner, curvature, 1.0), 0.0)
