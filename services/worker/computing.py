"""One of a nanny's compute processes, and which of them takes a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from warpcore.bus.limits import MOST_PROCESSES
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.held import Held, in_compute
from warpcore.services.worker.line import Noticed, Ready

RESTART_PAUSE_S = (0.0, 1.0, 5.0, 15.0, 60.0)
"""Pauses before a compute process is started again, by its number of deaths without a finished task between them."""

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
    ready: Ready | None = None
    at_rest: Ready | None = None
    noticed: Noticed = field(default_factory=Noticed)
    deaths: int = 0
    restart_at: float | None = None
    kill_cause: tuple[FailureKind, str, int] | None = None
    """Why the nanny ends it: the kind, the cause, and the lease that is to blame."""

    @property
    def at_once(self) -> int:
        """How many tasks fit into it, at once or as soon as it is woken."""
        device = self.ready or self.at_rest
        return device.at_once if device is not None else 0

    def started(self) -> None:
        """A process was started."""
        self.lives, self.restart_at, self.at_rest = True, None, None

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


def taker(processes: Iterable[Computing], held: Mapping[int, Held]) -> Computing | None:
    """The ready process with the fewest tasks; None where none is ready."""
    ready = [one for one in processes if one.ready is not None]
    return min(ready, key=lambda one: len(in_compute(held, one.number)), default=None)
