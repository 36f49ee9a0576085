"""What happens to a movie that went wrong: again at once, again after a while, or failed. Pure."""

from __future__ import annotations

import enum
import math

from warpcore.bus.vocabulary import FailureKind

MOST_RETRIES: dict[str, float] = {
    FailureKind.INPUT: 0,
    FailureKind.DISK_FULL: math.inf,
    FailureKind.STORAGE_AWAY: 4,
    FailureKind.RESOURCE: 2,
    FailureKind.BAD_GPU: 2,
    FailureKind.INTERNAL: 2,
}
"""How often a movie is tried again after each kind of failure; a lost worker counts apart.

A failure of the storage counts only where other tasks have gone well since the last one.
"""
RESOURCE_PAUSE_S = 30.0
"""How long a movie waits after memory was short, or the storage failed it alone, so that others can end first."""
STORAGE_PAUSE_S = 5.0
"""How long a movie waits that the storage failed, so that it does not stand in the way of others."""
_PAUSED = frozenset({FailureKind.RESOURCE, FailureKind.DISK_FULL, FailureKind.STORAGE_AWAY})
WORKERS_A_MOVIE_MAY_COST = 2

FORGIVABLE = frozenset({*MOST_RETRIES, FailureKind.LOST_WORKER})
"""Kinds of failure that no longer count once settings of the failed step change; a poisoned movie needs a person."""


class Outcome(enum.Enum):
    """What to do with the movie."""

    AGAIN = enum.auto()
    AFTER_A_PAUSE = enum.auto()
    FAIL = enum.auto()


def after_failure(kind: str, earlier: int) -> Outcome:
    """What follows a failure that a worker reports, `earlier` times seen before. Unknown kinds count as internal."""
    if earlier >= MOST_RETRIES.get(kind, MOST_RETRIES[FailureKind.INTERNAL]):
        return Outcome.FAIL
    return Outcome.AFTER_A_PAUSE if kind in _PAUSED else Outcome.AGAIN


def after_loss(cost: int) -> Outcome:
    """What follows when a movie has now cost `cost` workers."""
    return Outcome.FAIL if cost >= WORKERS_A_MOVIE_MAY_COST else Outcome.AGAIN
