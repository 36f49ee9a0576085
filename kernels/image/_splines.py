"""Natural cubic splines through evenly spaced nodes, as Warp's grids are interpolated (einspline, natural ends)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


@lru_cache(maxsize=64)
def _second_derivatives(nodes: int) -> Float64Array:
    """[nodes, nodes]: node values (spacing 1) to second derivatives at the nodes, zero at both ends."""
    matrix, right = np.eye(nodes), np.zeros((nodes, nodes))
    for i in range(1, nodes - 1):
        matrix[i, i - 1 : i + 2] = (1 / 6, 2 / 3, 1 / 6)
        right[i, i - 1 : i + 2] = (1.0, -2.0, 1.0)
    return np.asarray(np.linalg.solve(matrix, right))


def spline_basis(nodes: int, positions: npt.ArrayLike) -> Float64Array:
    """The linear map [..., nodes] from node values to values at `positions` (0: the first node, 1: the last).

    Outside 0..1 the spline goes on as a straight line, as a natural spline does. One node: a constant.
    """
    x = np.asarray(positions, dtype=np.float64)
    if nodes == 1:
        return np.ones((*x.shape, 1))
    u = x * (nodes - 1)
    cell = np.clip(np.floor(u), 0, nodes - 2).astype(np.intp)
    t = u - cell
    second = _second_derivatives(nodes)
    inside = np.clip(t, 0.0, 1.0)
    s = 1 - inside
    identity = np.eye(nodes)
    value = (
        (1 - t)[..., None] * identity[cell]
        + t[..., None] * identity[cell + 1]
        + ((s**3 - s) / 6)[..., None] * second[cell]
        + ((inside**3 - inside) / 6)[..., None] * second[cell + 1]
    )
    # The cubic part's slope at the ends of the range, where a straight line takes over.
    over, under = np.maximum(t - 1, 0.0)[..., None], np.minimum(t, 0.0)[..., None]
    value = value + over * (second[cell] / 6 + second[cell + 1] / 3)
    value = value - under * (second[cell] / 3 + second[cell + 1] / 6)
    return np.asarray(value)
