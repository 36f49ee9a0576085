"""What happens to a movie that went wrong: again at once, again after a while, or failed. Pure."""

from __future__ import annotations

import enum

FAILURE_KINDS = ("input", "resource", "lost_worker", "bad_gpu", "internal", "poisoned", "conflict")
MOST_RETRIES = {"input": 0, "resource": 2, "bad_gpu": 2, "internal": 2}
"""How often a movie is tried again after each kind of failure; a lost worker counts apart."""
RESOURCE_PAUSE_S = 30.0
"""How long a movie rests after memory or disk was short, so that others can end first."""
WORKERS_A_MOVIE_MAY_COST = 2

FORGIVABLE = frozenset({"input", "internal", "resource", "bad_gpu", "lost_worker"})
"""Kinds of failure that a settings change touching the failed step makes void; a poisoned movie needs a person's word."""


class Outcome(enum.Enum):
    """What to do with the movie."""

    AGAIN = enum.auto()
    AFTER_A_PAUSE = enum.auto()
    FAIL = enum.auto()


def after_failure(kind: str, earlier: int) -> Outcome:
    """What follows a failure of this kind (reported by a worker), `earlier` times seen before. Unknown kinds count as internal."""
    if earlier >= MOST_RETRIES.get(kind, MOST_RETRIES["internal"]):
        return Outcome.FAIL
    return Outcome.AFTER_A_PAUSE if kind == "resource" else Outcome.AGAIN


def after_loss(cost: int) -> Outcome:
    """What follows when a movie has now cost `cost` workers."""
    return Outcome.FAIL if cost >= WORKERS_A_MOVIE_MAY_COST else Outcome.AGAIN
