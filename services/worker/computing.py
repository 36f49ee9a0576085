"""A nanny's compute processes: each as the nanny knows it, and what is decided about all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from warpcore.bus.limits import MOST_PROCESSES
from warpcore.bus.messages import Load
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.effects import KillCompute, StartCompute
from warpcore.services.worker.held import Held, in_compute
from warpcore.services.worker.line import Noticed, Ready

RESTART_PAUSE_S = (0.0, 1.0, 5.0, 15.0, 60.0)
"""Pauses before a compute process is started again, by its number of deaths without a finished task between them."""

START_PATIENCE_S = 600.0
"""A compute process that has not told its device by then hangs: drivers and a first compilation take minutes."""

_PROCESS_CORES = 4
_PROCESS_BYTES = 20 << 30
"""Cores and bytes of the device for each process: a large movie and the next fit."""


def processes_for(memory_bytes: int | None, cores: int) -> int:
    """How many compute processes serve a device of so much memory (None: the CPU, or unknown): one, or a few.

    Beside a GPU much of a movie's time is the host's, in small steps of Python that wait for each other, and threads of
    one process may not run Python at the same time.
    """
    if memory_bytes is None:
        return 1
    return max(1, min(MOST_PROCESSES, cores // _PROCESS_CORES, memory_bytes // _PROCESS_BYTES))


@dataclass
class Computing:
    """One compute process as its nanny knows it; `ready` is None while it starts, rests or is gone.

    `at_rest` is what it has told of its device before it was ended to give its memory back; it is started again for the
    next task. `lives` says whether there is a process.
    """

    number: int
    lives: bool = False
    started_at: float = 0.0
    ready: Ready | None = None
    at_rest: Ready | None = None
    noticed: Noticed = field(default_factory=Noticed)
    deaths: int = 0
    restart_at: float | None = None
    kill_cause: tuple[FailureKind, str, int | None] | None = None
    """Why the nanny ends it: the kind, the cause, and the lease that is to blame, if one is."""

    @property
    def at_once(self) -> int:
        """How many tasks fit into it, at once or as soon as it is woken."""
        device = self.ready or self.at_rest
        return device.at_once if device is not None else 0

    def started(self, now: float) -> None:
        """A process was started."""
        self.lives, self.started_at, self.restart_at, self.at_rest = True, now, None, None

    def came_up(self, ready: Ready) -> None:
        """It has told its device, whoever has started it."""
        self.lives, self.ready, self.at_rest, self.restart_at = True, ready, None, None

    def hangs(self, now: float) -> bool:
        """Whether it was started long ago and has told nothing of its device."""
        told = self.ready is not None or self.at_rest is not None or self.kill_cause is not None
        return self.lives and not told and now - self.started_at > START_PATIENCE_S

    def rest(self) -> None:
        """It is being ended, to give its memory back."""
        self.at_rest, self.ready = self.ready, None

    def gone(self) -> None:
        """Its process is no more, for whatever reason."""
        self.lives, self.ready, self.noticed = False, None, Noticed()

    def died(self, now: float) -> None:
        """It has ended by itself; the next one is started after a pause."""
        self.restart_at = now + RESTART_PAUSE_S[min(self.deaths, len(RESTART_PAUSE_S) - 1)]
        self.deaths += 1


class Processes:
    """All compute processes of one nanny: which of them start, rest and wake, which takes a task, what they notice."""

    def __init__(self, count: int, rest_after_s: float | None) -> None:
        """Without a task for `rest_after_s` (None: never) they are ended, so that others have their memory."""
        self._all = [Computing(number) for number in range(count)]
        self._rest_after_s = rest_after_s
        self._idle_since = 0.0

    def __getitem__(self, number: int) -> Computing:
        return self._all[number]

    @property
    def at_once(self) -> int:
        """How many tasks fit into those that are there, or as soon as they are woken."""
        return sum(one.at_once for one in self._all)

    @property
    def warnings(self) -> list[str]:
        """What they have noticed and a person should know."""
        return [warning for one in self._all for warning in one.noticed.warnings]

    def measured(self, load: Load) -> Load:
        """The load with what they have measured of themselves."""
        for one in self._all:
            load = load.updated(one.noticed.load)
        return load

    def start(self, now: float) -> list[StartCompute]:
        """Start all."""
        self._idle_since = now
        return [self._started(one, now) for one in self._all]

    def start_due(self, now: float) -> list[StartCompute]:
        """Start again those that have died, once their pause is over."""
        return [self._started(one, now) for one in self._all if one.restart_at is not None and now >= one.restart_at]

    def end_hanging(self, now: float) -> list[KillCompute]:
        """End those that do not come up; the next ones are started after a pause."""
        cause = f"it has not come up within {START_PATIENCE_S / 60:g} min"
        hanging = [one for one in self._all if one.hangs(now)]
        for one in hanging:
            one.kill_cause = (FailureKind.LOST_WORKER, cause, None)
        return [KillCompute(cause, one.number) for one in hanging]

    def end(self, why: str) -> list[KillCompute]:
        """End all."""
        return [KillCompute(why, one.number) for one in self._all]

    def give_up(self) -> None:
        """None of them is to take a task any more."""
        for one in self._all:
            one.ready = one.at_rest = None

    def rest(self, now: float, busy: bool) -> list[KillCompute]:
        """End those that are ready where there was no task for long; the next one wakes them."""
        if busy:
            self._idle_since = now
        if self._rest_after_s is None or now - self._idle_since < self._rest_after_s:
            return []
        ready = [one for one in self._all if one.ready is not None]
        for one in ready:
            one.rest()
        return [KillCompute("no movie came for long; the next one starts it again", one.number) for one in ready]

    def wake(self, now: float) -> list[StartCompute]:
        """Start those at rest; one that has not ended yet is started once it has."""
        return [self._started(one, now) for one in self._all if one.at_rest is not None and not one.lives]

    def taker(self, held: Mapping[int, Held], beside: Sequence[int] = ()) -> Computing | None:
        """The ready process with the fewest tasks, with those of others `beside`; None where none is ready."""
        ready = [one for one in self._all if one.ready is not None]
        others = dict(enumerate(beside))
        return min(ready, key=lambda one: len(in_compute(held, one.number)) + others.get(one.number, 0), default=None)

    def _started(self, one: Computing, now: float) -> StartCompute:
        one.started(now)
        return StartCompute(one.number)
