"""Several schedulers, one set of compute processes: what each nanny wants of these, and what all of them hear.

Each scheduler has a nanny of its own, which knows nothing of the others. So one that dies, hangs or refuses leaves the
others as they are. No sockets, clocks or processes here, as in the nanny.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from warpcore.bus import messages as m
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.effects import Effect, End, KillCompute, StartCompute, ToCompute, ToScheduler
from warpcore.services.worker.held import in_compute
from warpcore.services.worker.line import (
    Begin,
    Cancel,
    Dropped,
    Failed,
    Faulty,
    Finished,
    Noticed,
    Ready,
    Report,
    Stage,
    Unusable,
)
from warpcore.services.worker.nanny import Nanny
from warpcore.services.worker.turns import Standing, Turns

Addressed = tuple[int, Effect]
"""An effect, and the number of the nanny that wants it: what goes to a scheduler goes to that nanny's."""

_FOR_ALL = Ready | Faulty | Unusable | Noticed
_LAST = Finished | Failed | Dropped
_ENDED_FOR_ANOTHER = "it was ended, since a movie of another session did not stop"


@dataclass
class _Process:
    """One compute process: `ready` once it has told its device, `ending` once it was killed.

    `jobs` are scheduler and lease by the number that a task has on the line.
    """

    lives: bool = False
    ready: Ready | None = None
    ending: bool = False
    jobs: dict[int, tuple[int, int]] = field(default_factory=dict)


class Shared:
    """The nannies of one worker. Every method returns effects in order, each with the number of its nanny."""

    def __init__(self, nannies: Sequence[Nanny]) -> None:
        self.nannies = list(nannies)
        self._processes = [_Process() for _ in range(nannies[0].processes)]
        self._turns = Turns(len(nannies))
        self._jobs = itertools.count(1)
        self._left: set[int] = set()
        self._sessions: dict[str, int] = {}
        """Whose session has this processing directory."""

    @property
    def waits_for_answers(self) -> bool:
        """Whether a nanny's requests are still unanswered."""
        return any(nanny.waits_for_answers for nanny in self.nannies)

    def expects_end(self, process: int) -> bool:
        """Whether this compute process was ended on purpose, and not for a fault of its own."""
        if all(nanny.stopping for nanny in self.nannies):
            return True
        return any(nanny.aside or nanny.rests(process) for nanny in self.nannies)

    def start(self, now: float) -> list[Addressed]:
        """The first effects."""
        return [one for number, nanny in self._all() for one in self._carry(number, nanny.start(now), now)]

    def stop(self, now: float) -> list[Addressed]:
        """An orderly end with all schedulers."""
        staying = [(number, nanny) for number, nanny in self._all() if not nanny.stopping]
        return [one for number, nanny in staying for one in self._carry(number, nanny.stop(now), now)]

    def tick(self, now: float, load: m.Load, warnings: Sequence[str] = ()) -> list[Addressed]:
        """Time has passed."""
        effects: list[Addressed] = []
        for number, nanny in self._all():
            self._tell_of_others(number)
            effects += self._carry(number, nanny.tick(now, load, warnings), now)
        return effects + self._share(now)

    def from_scheduler(self, number: int, message: Message, reply_to: str | None, now: float) -> list[Addressed]:
        """A message from the scheduler of this nanny."""
        self._tell_of_others(number)
        effects = self._carry(number, self.nannies[number].from_scheduler(message, reply_to, now), now)
        return effects + self._share(now)

    def from_compute(self, report: Report, now: float, process: int = 0) -> list[Addressed]:
        """A report of a compute process: on its device to all, on a task to whom this belongs."""
        one = self._processes[process]
        if isinstance(report, Ready):
            one.ready = report
        if isinstance(report, Noticed) and report.processing_directory in self._sessions:
            number = self._sessions[report.processing_directory]
            return self._carry(number, self.nannies[number].from_compute(report, now, process), now)
        if isinstance(report, _FOR_ALL):
            return self._tell_all(report, now, process) + self._share(now)
        owner = one.jobs.get(report.lease)
        if owner is None:
            return []
        if isinstance(report, _LAST):
            del one.jobs[report.lease]
        number, lease = owner
        self._tell_of_others(number)
        told = msgspec.structs.replace(report, lease=lease)
        return self._carry(number, self.nannies[number].from_compute(told, now, process), now) + self._share(now)

    def compute_exited(self, kind: FailureKind, cause: str, now: float, process: int = 0) -> list[Addressed]:
        """A compute process is gone, with the tasks of all that were in it. One movie at most is to blame."""
        suspect = self._suspect(process)
        killer = next((number for number, nanny in self._all() if nanny.kills_for_a_task(process)), None)
        self._processes[process] = _Process()
        effects: list[Addressed] = []
        for number, nanny in self._all():
            self._tell_of_others(number)
            other = killer is not None and killer != number
            innocent = other or (suspect is not None and suspect != number)
            why = (FailureKind.LOST_WORKER, _ENDED_FOR_ANOTHER) if other else (kind, cause)
            effects += self._carry(number, nanny.compute_exited(*why, now, process, innocent=innocent), now)
        return effects + self._share(now)

    def unsendable(self, number: int, effect: ToScheduler, why: str, now: float) -> list[Addressed]:
        """A message of this nanny cannot travel."""
        return self._carry(number, self.nannies[number].unsendable(effect, why, now), now)

    def instance_ended(self, number: int, instance: str, now: float) -> list[Addressed]:
        """The process of an instance that has this nanny's name has ended."""
        return self._carry(number, self.nannies[number].instance_ended(instance, now), now)

    def _all(self) -> list[tuple[int, Nanny]]:
        return list(enumerate(self.nannies))

    def _tell_all(self, report: Report, now: float, process: int) -> list[Addressed]:
        effects: list[Addressed] = []
        for number, nanny in self._all():
            effects += self._carry(number, nanny.from_compute(report, now, process), now)
        return effects

    def _suspect(self, process: int) -> int | None:
        """Whose task may have cost a compute process its life, where only one nanny's can."""
        held = [
            (number, nanny.held[lease].stage)
            for number, nanny in self._all()
            for lease in in_compute(nanny.held, process)
        ]
        computing = {number for number, stage in held if stage is Stage.COMPUTE}
        suspects = computing or {number for number, _ in held}
        return suspects.pop() if len(suspects) == 1 else None

    # --- what nannies want of the compute processes ------------------------------------------------------------------

    def _carry(self, number: int, effects: Sequence[Effect], now: float) -> list[Addressed]:
        """The effects of one nanny, where compute processes are concerned as these stand."""
        carried: list[Addressed] = []
        for effect in effects:
            if isinstance(effect, StartCompute):
                carried += self._start(number, effect, now)
            elif isinstance(effect, KillCompute):
                carried += self._kill(number, effect)
            elif isinstance(effect, ToCompute):
                carried += self._command(number, effect)
            elif isinstance(effect, End):
                carried += self._end(number, effect, now)
            else:
                carried.append((number, effect))
        return carried

    def _start(self, number: int, effect: StartCompute, now: float) -> list[Addressed]:
        one = self._processes[effect.process]
        if not one.lives:
            one.lives = True
            return [(number, effect)]
        if one.ready is not None and not one.ending:
            return self._carry(number, self.nannies[number].from_compute(one.ready, now, effect.process), now)
        return []

    def _kill(self, number: int, effect: KillCompute) -> list[Addressed]:
        one = self._processes[effect.process]
        if not one.lives or one.ending:
            return []
        one.ending = True
        return [(number, effect)]

    def _command(self, number: int, effect: ToCompute) -> list[Addressed]:
        jobs = self._processes[effect.process].jobs
        command = effect.command
        if isinstance(command, Begin):
            job = next(self._jobs)
            jobs[job] = (number, command.task.lease)
            self._sessions[command.task.processing_directory] = number
            return [(number, ToCompute(Begin(command.task, job), effect.process))]
        found = [job for job, owner in jobs.items() if owner == (number, command.lease)]
        return [(number, ToCompute(Cancel(job), effect.process)) for job in found]

    def _end(self, number: int, effect: End, now: float) -> list[Addressed]:
        """The worker ends once no scheduler has it any more; until then one after the other hears its goodbye."""
        if number in self._left:
            return []
        self._left.add(number)
        if len(self._left) == len(self.nannies):
            return [(number, effect)]
        effects = self.nannies[number].stop(now)
        return [(number, one) for one in effects if not isinstance(one, KillCompute)]

    # --- what nannies know of each other -----------------------------------------------------------------------------

    def _tell_of_others(self, number: int) -> None:
        others = [nanny for other, nanny in self._all() if other != number]
        busy = any(nanny.held for nanny in others)
        tasks = [sum(len(in_compute(nanny.held, p)) for nanny in others) for p in range(len(self._processes))]
        self.nannies[number].hear_of_others(busy, tasks)

    def _share(self, now: float) -> list[Addressed]:
        """Tell each scheduler how many tasks it may give now."""
        if len(self.nannies) == 1:
            return []
        standings = [Standing(nanny.told_credit, len(nanny.held), nanny.is_answered) for nanny in self.nannies]
        capacity = max(nanny.at_once for nanny in self.nannies)
        shares = self._turns.shares(now, capacity, standings)
        return [
            (n, effect) for (n, nanny), share in zip(self._all(), shares, strict=True) for effect in nanny.offer(share)
        ]
