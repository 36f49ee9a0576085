"""A person's own edits of what the picker found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from warpcore.bus.messages import HandPicks
from warpcore.kernels.picking import Picks
from warpcore.services.session.hand_picks import placed

SCORE = 1.0
"""Of a pick that a person has added."""


def edited(picks: Picks, hand: HandPicks, shape: tuple[int, ...], near_px: float) -> Picks:
    """The picks on an average of `shape` [h, w] with a person's edits, still best first.

    Picks within `near_px` of a removed position are left out, and those that near to an added one: it is the same
    particle.
    """
    height, width = shape
    added = _positions(placed(hand.added, hand, width, height))
    meant = np.concatenate([added, _positions(placed(hand.removed, hand, width, height))])
    found = np.stack([picks.x_px, picks.y_px], axis=1).astype(np.float64)
    kept = np.ones(len(found), bool)
    if len(meant) and len(found):
        kept = cKDTree(meant).query(found)[0] > near_px
    x, y = np.concatenate([added, found[kept]]).T
    scores = np.concatenate([np.full(len(added), SCORE), np.asarray(picks.scores, np.float64)[kept]])
    return Picks(x, y, scores, picks.certainty)


def _positions(positions: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
    return np.array(positions, np.float64).reshape(-1, 2)
