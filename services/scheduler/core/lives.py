"""The lives of movies, leases, workers, tries, exports and their movies: a table each of all legal changes of state."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, ClassVar

from warpcore.bus.vocabulary import DONE, LEASED, ItemState, JobState, MovieStatus, TryState, Word, WorkerState


class LeaseState(Word):
    """Where a lease stands: a worker's right to process or export one movie."""

    ASSIGNED = "assigned", "Given to a worker that has not begun."
    BEGUN = "begun", "The worker has shown progress."
    PLACING = "placing", "The worker has reported and is free; the scheduler puts the files in place."
    FINISHED = "finished", "The results are there and the files are in place."
    LOST = "lost", "Ended without results: failed, taken back or lost with its worker."


class IllegalTransition(RuntimeError):
    """A change of state that is not in its table. The text tells the story of what should have changed."""

    def __init__(self, who: str, before: str, after: str, why: str, story: Iterable[str]) -> None:
        told = "; ".join(story) or "none"
        super().__init__(f"{who}: {before} → {after} ({why}) is not a legal transition. Story: {told}")


class Life:
    """A table of legal changes. `field` is the attribute of the records that holds the state."""

    def __init__(self, field: str, *changes: tuple[Iterable[StrEnum], Iterable[StrEnum]]) -> None:
        self.field = field
        self.changes = frozenset(itertools.chain.from_iterable(itertools.product(*change) for change in changes))

    def __contains__(self, change: tuple[str, str]) -> bool:
        return change in self.changes

    def __iter__(self) -> Iterator[tuple[StrEnum, ...]]:
        return iter(self.changes)


class Living(ABC):
    """Base of records with a life. `become` is the only place that sets a state."""

    __slots__ = ()
    LIFE: ClassVar[Life]

    def become(self, to: Any, why: str) -> None:
        """Change the state; to the present one is no change. Raises IllegalTransition, and nothing has changed."""
        before = getattr(self, self.LIFE.field)
        if before != to and (before, to) not in self.LIFE.changes:
            raise IllegalTransition(self.title, before, to, why, self.told())
        setattr(self, self.LIFE.field, to)

    @property
    @abstractmethod
    def title(self) -> str:
        """What a person calls it."""

    @abstractmethod
    def told(self) -> Iterable[str]:
        """Its story, oldest first."""


_M, _J, _I, _L, _T, _W = MovieStatus, JobState, ItemState, LeaseState, TryState, WorkerState

MOVIE = Life(
    "status",
    ({_M.UNPROCESSED, _M.OUTDATED}, {_M.QUEUED}),
    ({_M.QUEUED}, {_M.PROCESSING}),
    (LEASED, DONE | {_M.OUTDATED, _M.UNPROCESSED, _M.FAILED}),
    (DONE, {_M.OUTDATED}),
    ({_M.PROCESSED}, {_M.FILTERED_OUT}),
    ({_M.FILTERED_OUT}, {_M.PROCESSED}),
    ({_M.OUTDATED}, DONE),  # settings, or the file, are as they were before
    ({_M.FAILED}, DONE | {_M.UNPROCESSED, _M.OUTDATED}),
)

LEASE = Life(
    "state",
    ({_L.ASSIGNED}, {_L.BEGUN}),
    ({_L.BEGUN}, {_L.PLACING}),
    ({_L.PLACING}, {_L.FINISHED}),
    ({_L.ASSIGNED, _L.BEGUN, _L.PLACING}, {_L.LOST}),
)

WORKER = Life(
    "state",
    ({_W.IDLE}, {_W.BUSY}),
    ({_W.BUSY}, {_W.IDLE}),
    ({_W.IDLE, _W.BUSY}, {_W.SET_ASIDE}),
    ({_W.IDLE, _W.BUSY, _W.SET_ASIDE}, {_W.LOST}),
    ({_W.LOST}, {_W.IDLE, _W.SET_ASIDE}),  # the same process registers again
)
"""A nanny that was started anew is another record, which begins as idle."""

JOB = Life(
    "state",
    ({_J.RUNNING}, {_J.COLLECTING, _J.DONE, _J.FAILED, _J.CANCELLED}),
    ({_J.COLLECTING}, {_J.DONE}),
    ({_J.RUNNING, _J.COLLECTING, _J.DONE, _J.FAILED, _J.CANCELLED}, {_J.DELETING}),
)

ITEM = Life(
    "state",
    ({_I.PENDING}, {_I.HELD, _I.RUNNING, _I.FAILED, _I.DROPPED}),
    ({_I.HELD}, {_I.PENDING, _I.DROPPED}),
    ({_I.RUNNING}, {_I.PENDING, _I.DONE, _I.FAILED, _I.DROPPED}),
)

TRY = Life(
    "state",
    ({_T.WAITING}, {_T.RUNNING, _T.FAILED}),
    ({_T.RUNNING}, {_T.WAITING, _T.DONE, _T.FAILED}),
)
