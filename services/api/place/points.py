"""Where movies lie on a map: stage positions, and around each what beam shift reached from it. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.float64]

_SAME_STAGE_UM = 0.05
"""Stage positions that differ by less are one: the stage stood still, and the beam moved."""
_REACH = 0.4
"""The widest beam shift is drawn as so much of the distance between neighbouring stage positions."""
_ALONE_UM = 10.0
"""The distance that stands for it where there is one position alone: about that of holes that one stage move serves."""
_MOST_COMPARED = 100


def positions_um(stage: Positions, shift: Positions) -> Positions:
    """Positions [N, 2] to draw, µm, of stage positions [N, 2] and beam shifts [N, 2] (NaN: not known).

    Beam shifts have no common unit, so they are drawn as directions: relative to their mean at one stage position, and
    the widest of all as `_REACH` of the distance between stage positions.
    """
    stops, at = np.unique(np.rint(stage / _SAME_STAGE_UM), axis=0, return_inverse=True)
    at = at.reshape(-1)
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(shift).all(axis=1))
    moved = np.where(known[:, None], shift, 0.0)
    counts = np.maximum(1, np.bincount(at, known, minlength=len(stops)))
    means = np.stack([np.bincount(at, moved[:, axis], minlength=len(stops)) / counts for axis in (0, 1)], axis=1)
    relative = np.where(known[:, None], moved - means[at], 0.0)
    widest = float(np.hypot(*relative.T).max(initial=0.0))
    if widest == 0.0:
        return stage
    return stage + relative * (_REACH * spacing_um(stops * _SAME_STAGE_UM) / widest)


def spacing_um(stops: Positions) -> float:
    """The median distance [µm] from a position [N, 2] to its nearest neighbour; a usual one where there is none."""
    if len(stops) < 2:
        return _ALONE_UM
    some = stops[:: -(-len(stops) // _MOST_COMPARED)]
    nearest = [_nearest(stops, one) for one in some]
    return float(np.median(nearest))


def _nearest(stops: Positions, one: npt.NDArray[Any]) -> float:
    distances = np.hypot(*(stops - one).T)
    return float(np.min(distances[distances > 0], initial=np.inf))
