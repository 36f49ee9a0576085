"""What to think of a square or hole, in words. Pure: counts and medians in, advice out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from warpcore.bus.vocabulary import Verdict

FEW = 5
"""Fewer movies say nothing."""
UNSURE = 12
"""Of so many movies, and shares near one half, a verdict is more than chance at last."""
WORSE = 0.2
"""By so much a median must be worse than the session's to be named as a reason."""
_DEVIATIONS = 1.645
"""Half the width of the interval in which the true share lies nine times in ten, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A value by which movies are compared: its name in sentences, its unit, its digits, and which way is better."""

    noun: str
    unit: str
    digits: int
    less_is_better: bool = True


RESOLUTION, EARLY_STEP = "ctf.resolutionAngstrom", "motion.meanFrameMovementAngstrom"
ICE, PARTICLES = "ctf.iceThickness", "picking.count"
_COMPARED = {
    RESOLUTION: Compared("resolution", "Å", 1),
    EARLY_STEP: Compared("early step", "Å", 2),
    ICE: Compared("ice", "", 2),
    PARTICLES: Compared("particles", "", 0, less_is_better=False),
}
"""By column."""

Medians = Mapping[str, float | None]


class Counts(NamedTuple):
    """Movies of a place: `done` ones, and those of them that pass the filter, and that have failed."""

    done: int
    good: int
    failed: int = 0


def verdict_of(counts: Counts, here: Medians, session: Medians) -> tuple[Verdict, str]:
    """A word and a sentence for a place with so many movies; medians are by column.

    A share counts as above or below one half where the interval of Wilson (1927) that holds the true share nine times
    in ten does not reach it: so three good movies of three are no good square yet.
    """
    done, good, failed = counts
    low, high = wilson(done, good)
    if done < FEW or (done < UNSURE and low <= 0.5 <= high):
        return Verdict.FEW, f"{_movies(done)}: too few to judge" + (f" ({good} good)" if done else "")
    word = Verdict.GOOD if low > 0.5 else Verdict.POOR if high < 0.5 else Verdict.MIDDLING
    told = [f"{word}: {good} of {_movies(done)} good ({round(100 * good / done)} %)"]
    if word != Verdict.GOOD:
        rejected = ((done - good - failed, "filtered out"), (failed, "failed"))
        told += [", ".join(f"{count} {what}" for count, what in rejected if count), *_reasons(here, session)]
    return word, "; ".join(told)


def wilson(done: int, good: int) -> tuple[float, float]:
    """The interval in which the true share lies nine times in ten. E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927)."""
    if not done:
        return 0.0, 1.0
    squared = _DEVIATIONS**2
    middle = (good + squared / 2) / (done + squared)
    half = _DEVIATIONS / (done + squared) * math.sqrt(good * (done - good) / done + squared / 4)
    return middle - half, middle + half


def _reasons(here: Medians, session: Medians) -> list[str]:
    """What is worse here than in the session."""
    found = []
    for name, one in _COMPARED.items():
        mine, usual = here.get(name), session.get(name)
        if mine is None or usual is None or usual <= 0:
            continue
        excess = mine / usual - 1
        if (excess if one.less_is_better else -excess) > WORSE:
            value = f"{one.noun} {mine:.{one.digits}f} {one.unit}".rstrip()
            found.append(f"{value}, in the session {usual:.{one.digits}f}")
    return found


def _movies(count: int) -> str:
    return "1 movie" if count == 1 else f"{count} movies"
