"""What the network's log odds are worth on a micrograph: the probability that a candidate is a particle.

The inverted image has the same noise and texture and no particles: what the network finds there is what chance finds
(the decoys of proteomics: Elias & Gygi, Nat. Methods 4 (2007) 207). Where decoys reach high, a candidate must show
more; where candidates far outnumber them, more of the candidates are particles.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import scipy.special

_DECOYS = 0.1  # a squared diameter: the level of chance is where so many decoys are as high
_LOWEST = -8.0


class Compared(Protocol):
    """Candidates' log odds, best first, those of decoys, best first, and the area in squared diameters."""

    @property
    def log_odds(self) -> np.ndarray: ...

    @property
    def decoys(self) -> np.ndarray: ...

    @property
    def area(self) -> float: ...


class Beside(NamedTuple):
    """What a micrograph's candidates and decoys say together."""

    level: float
    """Log odds that a tenth of a decoy a squared diameter reaches."""
    enrichment: float
    """Natural log of how many more candidates than decoys reach that level."""
    height: float
    """How far the best candidate stands above the level that one decoy reaches."""


class Calibration(NamedTuple):
    """Coefficients of two logistic regressions, measured on simulated scenes outside the training set.

    Log odds that a candidate with the network's log odds L is a particle: slope · L + level · (the micrograph's level)
    + enrichment · (its enrichment) + offset. Log odds that more of the picks are particles than not:
    better_enrichment · (its enrichment) + better_height · (its height) + better_offset.
    """

    slope: float
    level: float
    enrichment: float
    offset: float
    better_enrichment: float
    better_height: float
    better_offset: float

    def scores(self, found: Compared) -> np.ndarray:
        """Probability of being a particle of each of a micrograph's candidates; higher log odds never have less.

        On a micrograph whose picks are no better than chance all are lowered by the odds of that.
        """
        beside = compared(found)
        own = self.level * beside.level + self.enrichment * beside.enrichment + self.offset
        own += min(0.0, self._better(beside))
        return np.asarray(scipy.special.expit(self.slope * np.asarray(found.log_odds, np.float64) + own))

    def certainty(self, found: Compared) -> float:
        """Probability that a micrograph's picks are better than chance: more of them particles than not."""
        return float(scipy.special.expit(self._better(compared(found))))

    def _better(self, beside: Beside) -> float:
        return self.better_enrichment * beside.enrichment + self.better_height * beside.height + self.better_offset


def compared(found: Compared) -> Beside:
    """Candidates beside decoys."""
    wanted = max(1, round(_DECOYS * found.area))
    level = float(found.decoys[wanted - 1]) if len(found.decoys) >= wanted else _LOWEST
    above, chance = int((found.log_odds >= level).sum()), int((found.decoys >= level).sum())
    best = float(found.log_odds[0]) if len(found.log_odds) else _LOWEST
    highest = float(found.decoys[0]) if len(found.decoys) else _LOWEST
    return Beside(level, math.log((above + 1) / (chance + 1)), best - highest)
