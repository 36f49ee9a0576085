"""How the tasks that fit into a worker are shared among the schedulers that it serves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

OPEN_S = 2.0
"""A scheduler that has left an offer open for so long has no movie waiting: it assigns at once where it has."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one scheduler stands: the credit that it was told, the tasks of it that are held, and whether it answers."""

    credit: int
    held: int
    answers: bool


@dataclass
class Turns:
    """Which schedulers have waiting movies, as far as a worker can tell, and how many tasks each may give it.

    A scheduler takes all that it is offered for as long as it has movies. So those that do share the worker evenly: as
    many tasks of each are on their way, and each end of one makes room for the same scheduler's next. All others are
    offered one task, so that their first movie comes at once, whatever the rest does.
    """

    count: int
    _waits: list[bool] = field(init=False)
    _open_since: list[float | None] = field(init=False)

    def __post_init__(self) -> None:
        self._waits = [False] * self.count
        self._open_since = [None] * self.count

    def shares(self, now: float, capacity: int, standings: Sequence[Standing]) -> list[int]:
        """For each scheduler how many tasks it may have given in all; `capacity` (tasks) is what fits into the worker.

        The sum is at most capacity + 2 count - 2: shares are rounded up, so that none has less than another.
        """
        for number, one in enumerate(standings):
            self._look(number, one, now)
        each = math.ceil(capacity / max(1, sum(self._waits)))
        return [each if waits else min(1, capacity) for waits in self._waits]

    def _look(self, number: int, one: Standing, now: float) -> None:
        if one.answers and one.credit and one.held >= one.credit:
            self._waits[number], self._open_since[number] = True, None
            return
        since = self._open_since[number]
        if since is None:
            self._open_since[number] = since = now
        if not one.answers or now - since > OPEN_S:
            self._waits[number] = False
