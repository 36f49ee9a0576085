"""A worker with several schedulers, all simulated: messages and processes as they are, time as the test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from tests.services.nanny_talk import NOTHING, task
from warpcore.bus import messages as m
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.effects import KillCompute, StartCompute, ToCompute, ToScheduler
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.leaving import Leaving
from warpcore.services.worker.line import Begin, Cancel, Dropped, Finished, Progress, Ready, Stage
from warpcore.services.worker.nanny import Nanny
from warpcore.services.worker.sharing import Addressed, Shared


class Scheduler:
    """Assigns waiting movies as long as the worker's credit allows, and notes what is done and what came back.

    While it `hangs` it neither hears nor says anything; what was sent meanwhile is lost. Its leases begin at 1, as
    those of every other one do.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: deque[str] = deque()
        self.held: dict[int, str] = {}
        self.done: list[str] = []
        self.died: list[m.ComputeDied] = []
        self.beats: list[m.Heartbeat] = []
        self.goodbyes = 0
        self.credit = 0
        self.hangs = False
        self._lease = 0

    def add(self, count: int) -> None:
        """New movies."""
        self.waiting.extend(f"{self.name}{len(self.done) + len(self.held) + len(self.waiting)}" for _ in range(count))

    def hear(self, message: Message) -> Message | None:
        """The answer to a message."""
        match message:
            case m.RegisterWorker():
                return m.WorkerRegistered(message.name, 2.0, [lease for lease in message.leases if lease in self.held])
            case m.Heartbeat():
                self.beats.append(message)
                self.credit = self.credit if message.credit is None else message.credit
            case m.PullTasks():
                self.credit = message.credit
            case m.TaskFinished():
                name = self.held.pop(message.lease, None)
                assert name is None or message.results == {"of": name}, "the results of another session's movie"
                self.done += [name] if name else []
                return m.Ok()
            case m.ComputeDied():
                self.died.append(message)
                self.waiting.extendleft(self.held.pop(lease) for lease in message.leases if lease in self.held)
                return m.Ok()
            case m.Goodbye():
                self.goodbyes += 1
                return m.Ok()
        return None

    def assigned(self) -> list[m.AssignTask]:
        """What it assigns now."""
        tasks = []
        while not self.hangs and self.waiting and len(self.held) < self.credit:
            self._lease += 1
            self.held[self._lease] = self.waiting.popleft()
            tasks.append(task(self._lease, self.held[self._lease]))
        return tasks


class World:
    """The worker, its schedulers and its compute processes. `order` are the movies in the order of their ends."""

    def __init__(self, schedulers: int, device: str = "cpu", processes: int = 1, **options: object) -> None:
        self.now = 0.0
        self.schedulers = [Scheduler("abcdef"[number]) for number in range(schedulers)]
        self.leaving = [Leaving() for _ in self.schedulers]
        nannies = [
            Nanny(Identity("w", "i", "h", 1), lambda: 0.5, processes, leaving=leaving, **options)  # type: ignore[arg-type]
            for leaving in self.leaving
        ]
        self.shared = Shared(nannies)
        self.ready = Ready(device, 8, {})
        self.jobs: dict[int, list[Begin]] = {}
        self.order: list[str] = []
        self.starts = 0
        self.ended = False
        self._to_hear: deque[Callable[[], list[Addressed]]] = deque()
        self._do(self.shared.start(0.0))
        self.wait(0.5)

    @property
    def capacity(self) -> int:
        """How many tasks fit into the worker."""
        return self.ready.at_once * len(self.jobs)

    @property
    def in_hand(self) -> int:
        """How many tasks are in compute processes."""
        return sum(len(jobs) for jobs in self.jobs.values())

    def wait(self, seconds: float) -> None:
        """Time passes, in steps in which all that is sent arrives."""
        for _ in range(max(1, round(seconds / 0.5))):
            self.now += 0.5
            self._do(self.shared.tick(self.now, NOTHING))
            self._assign()

    def add(self, number: int, count: int) -> None:
        """New movies of a session."""
        self.schedulers[number].add(count)
        self._assign()

    def compute(self, process: int = 0) -> None:
        """A compute process ends the movie that it has had for longest."""
        if not self.jobs.get(process):
            return
        begin = self.jobs[process].pop(0)
        name = begin.task.name
        self._do(self.shared.from_compute(Progress(begin.number, Stage.COMPUTE, "ctf", 0.5), self.now, process))
        self.order.append(name)
        done = Finished(begin.number, ["motion"], {"of": name}, {})
        self._do(self.shared.from_compute(done, self.now, process))
        self._assign()

    def die(self, process: int = 0) -> None:
        """A compute process dies by itself."""
        if process in self.jobs:
            del self.jobs[process]
            self._do(self.shared.compute_exited(FailureKind.LOST_WORKER, "killed", self.now, process))
            self._assign()

    def say(self, number: int, message: Message) -> None:
        """A scheduler tells the worker something."""
        self._do(self.shared.from_scheduler(number, message, None, self.now))

    def _assign(self) -> None:
        while tasks := [(n, one) for n, scheduler in enumerate(self.schedulers) for one in scheduler.assigned()]:
            for number, one in tasks:
                self._do(self.shared.from_scheduler(number, one, None, self.now))

    def _do(self, effects: list[Addressed]) -> None:
        """Carry effects out in order; what comes of one is heard after all of them."""
        self._carry(effects)
        while self._to_hear:
            self._carry(self._to_hear.popleft()())

    def _carry(self, effects: list[Addressed]) -> None:
        for number, effect in effects:
            match effect:
                case ToScheduler():
                    self._send(number, effect)
                case StartCompute():
                    assert effect.process not in self.jobs, "there is one already"
                    self.jobs[effect.process] = []
                    self.starts += 1
                    self._hear(self.shared.from_compute, self.ready, self.now, effect.process)
                case KillCompute() if effect.process in self.jobs:
                    del self.jobs[effect.process]
                    exited = self.shared.compute_exited
                    self._hear(exited, FailureKind.LOST_WORKER, "ended", self.now, effect.process)
                case ToCompute(Begin() as begin) if effect.process in self.jobs:
                    self.jobs[effect.process].append(begin)
                case ToCompute(Cancel(job)) if effect.process in self.jobs:
                    self.jobs[effect.process] = [one for one in self.jobs[effect.process] if one.number != job]
                    self._hear(self.shared.from_compute, Dropped(job), self.now, effect.process)
                case _:
                    self.ended = self.ended or type(effect).__name__ == "End"

    def _send(self, number: int, effect: ToScheduler) -> None:
        scheduler = self.schedulers[number]
        if scheduler.hangs:
            return
        answer = scheduler.hear(effect.message)
        if answer is not None:
            self._hear(self.shared.from_scheduler, number, answer, effect.id, self.now)

    def _hear(self, stimulus: Callable[..., list[Addressed]], *arguments: object) -> None:
        self._to_hear.append(partial(stimulus, *arguments))
