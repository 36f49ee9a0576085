"""What every picker returns, and what a micrograph's scores say together."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

TOUCHING = 0.65
"""Default minimum distance by diameter: below 1, since particles may touch and the diameter may be too large."""

LEAST_SCORE = 0.01
"""Candidates below are not kept."""


class Picks(NamedTuple):
    """Positions in px of the micrograph (centre of pixel 0 at 0, row 0 first) and scores from 0 to 1, best first."""

    x_px: np.ndarray
    y_px: np.ndarray
    scores: np.ndarray
    """Probabilities of being a particle."""
    certainty: float = 1.0
    """Probability that the micrograph shows particles at all (blobs, templates), or more right picks than wrong ones
    (network)."""


def least_score(scores: np.ndarray, expected_false: float) -> float:
    """The lowest threshold at which at most this fraction of the kept picks is expected to be false.

    Expected of kept picks with scores p is the mean of 1 - p. Above 1 where not even the best pick is sure enough.
    """
    best_first = np.sort(np.asarray(scores, np.float64))[::-1]
    false = np.cumsum(1 - best_first) / np.arange(1, len(best_first) + 1)
    kept_as_one = np.diff(best_first, append=-1.0) < 0  # equal scores are kept or left together
    few_enough = np.nonzero(kept_as_one & (false <= expected_false + 1e-12))[0]
    return float(best_first[few_enough[-1]]) if len(few_enough) else math.nextafter(1.0, 2.0)
