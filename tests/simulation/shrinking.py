"""Reduces the faults of a run that failed to those that matter (delta debugging), and says how to repeat it."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.faults import Fault, written
from tests.simulation.world import Outcome, run


def shrink(outcome: Outcome, run_again: Callable[[int, list[Fault]], Outcome] = run) -> Outcome:
    """The same failure with as few faults as can be found: no one of them can be left out."""
    shortest, portions = outcome, 2
    while portions <= max(2, len(shortest.faults)) and shortest.faults:
        size = -(-len(shortest.faults) // portions)
        for first in range(0, len(shortest.faults), size):
            rest = shortest.faults[:first] + shortest.faults[first + size :]
            tried = run_again(outcome.seed, rest)
            if _name(tried.broken) == _name(outcome.broken):
                shortest, portions = tried, max(2, portions - 1)
                break
        else:
            if size == 1:
                break
            portions = min(2 * portions, len(shortest.faults))
    return shortest


def told(outcome: Outcome) -> str:
    """What a person needs of a run that failed: the invariant, the faults, and the command that repeats it."""
    faults = written(outcome.faults)
    return (
        f"seed {outcome.seed}: {outcome.broken}\n"
        f"  faults: {faults or 'none'}\n"
        f"  again: python -m tests.simulation --seed {outcome.seed} --faults '{faults}'"
    )


def _name(broken: str) -> str:
    return broken.partition(":")[0]
