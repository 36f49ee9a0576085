"""A worker as two processes: its nanny, whose decisions are the product's, and a simulated compute process."""

from __future__ import annotations

from collections import deque

from tests.simulation.clock import Simulator
from tests.simulation.compute import Compute
from tests.simulation.hosts import Host
from tests.simulation.network import Dealer, Ports
from tests.simulation.part import Part
from warpcore.bus import messages as m
from warpcore.bus.requester import read_answer
from warpcore.bus.schema import read_message
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.effects import Effect, KillCompute, LookAt, LookFor, StartCompute, ToCompute, ToScheduler
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.line import Report
from warpcore.services.worker.nanny import Nanny
from warpcore.services.worker.seeing import FolderLook


class Worker(Part):
    """A nanny, with what its shell does for it. Workers that share a name have a `number` and a host each."""

    def __init__(self, simulator: Simulator, host: Host, ports: Ports, name: str, number: int = 0) -> None:
        super().__init__(simulator, host, name if number == 0 else f"{name}+{number}")
        self.worker_name = name
        self.compute: Compute | None = None
        self._ports = ports
        self._processes = 0
        self._reports: deque[tuple[Compute, Report | None]] = deque()

    @property
    def instance(self) -> str:
        """Names this process among all that had its worker's name."""
        return f"{self.name}#{self.starts}"

    def begin(self) -> None:
        """A new nanny."""
        identity = Identity(self.worker_name, self.instance, self.host.name, self.starts)
        self.nanny = Nanny(identity, jitter=self.chance.random)
        self._dealer = Dealer(self, self._ports.workers, self.instance.encode(), self.worker_name)
        self._folders = FolderLook(self.worker_name)
        self._reports.clear()
        self._do(self.nanny.start(self.simulator.now))

    def kill(self) -> None:
        """SIGKILL of the nanny: its compute process ends when it next speaks."""
        super().kill()
        if self.compute is not None:
            self.compute.line = None

    def round(self) -> None:
        """One round of the nanny's shell."""
        now = self.simulator.now
        for envelope in self._dealer.receive():
            if envelope.reply_to is not None:
                message = read_answer(envelope, "the scheduler")
            else:
                message = read_message(envelope.type, envelope.body)
            self._do(self.nanny.from_scheduler(message, envelope.reply_to, now))
        while self._reports:
            process, report = self._reports.popleft()
            if process is not self.compute:
                continue
            if report is None:
                self.compute = None
                self._do(self.nanny.compute_exited(FailureKind.LOST_WORKER, "killed by SIGKILL", now))
            else:
                self._do(self.nanny.from_compute(report, now))
        self._do(self.nanny.tick(now, m.Load()))
        if (seen := self._folders.answer(now)) is not None:
            self._dealer.send(seen)

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.step()
            match effect:
                case ToScheduler(message, id):
                    self._dealer.send(message, id=id)
                case ToCompute(command) if self.compute is not None:
                    self.compute.command(command)
                case StartCompute():
                    self._start_compute()
                case KillCompute() if self.compute is not None:
                    self.compute.kill()
                case LookAt(question):
                    self._folders.ask(question)
                case LookFor(instance) if self._has_ended(instance):
                    self._do(self.nanny.instance_ended(instance, self.simulator.now))

    def _has_ended(self, instance: str) -> bool:
        """Whether the process of an instance is gone. Of other hosts' processes none can tell."""
        name, _, start = instance.partition("#")
        return name == self.name and start != str(self.starts)

    def _start_compute(self) -> None:
        self._processes += 1
        process = Compute(self.simulator, self.host, f"{self.name}/compute{self._processes}")
        process.line = lambda report: self._hear(process, report)
        self.compute = process
        process.start()

    def _hear(self, process: Compute, report: Report | None) -> None:
        """What comes down the line from a compute process; None: the line is closed."""
        self._reports.append((process, report))
        self.wake()
