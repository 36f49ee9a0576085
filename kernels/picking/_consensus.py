"""Two pickers that look differently, taken together: what both find is surer than what one finds."""

from __future__ import annotations

import numpy as np
import scipy.spatial
from scipy.special import expit, logit

from warpcore.kernels.picking._picks import LEAST_SCORE, Picks

_NEAR_DIAMETERS = 0.35  # picks of one particle lie within this
_SUREST = 0.997  # a score is not believed beyond this


def agreed(first: Picks, second: Picks, diameter_px: float) -> Picks:
    """The candidates of the first picker, scored by both: the mean of their log odds (a logarithmic opinion pool).

    A candidate that the second did not find has that one's least score. Both must be all candidates, whatever their
    score. The certainty of any particle at all is pooled alike.
    """
    theirs = np.full(len(first.scores), LEAST_SCORE)
    if len(second.scores) and len(first.scores):
        tree = scipy.spatial.cKDTree(np.stack([second.x_px, second.y_px], axis=1))
        distance, nearest = tree.query(np.stack([first.x_px, first.y_px], axis=1))
        near = distance <= _NEAR_DIAMETERS * diameter_px
        theirs[near] = second.scores[nearest[near]]
    scores = _pooled(first.scores, theirs)
    order = np.argsort(-scores, kind="stable")
    certainty = float(_pooled(np.array([first.certainty]), np.array([second.certainty]))[0])
    return Picks(first.x_px[order], first.y_px[order], scores[order], certainty)


def _pooled(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    both = (np.clip(one, 1 - _SUREST, _SUREST) for one in (first, second))
    return np.asarray(expit(sum(logit(one) for one in both) / 2))
