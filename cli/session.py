"""A running session: carries out what the supervisor decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from warpcore.cli.children import Child, Process
from warpcore.cli.plan import ServiceSpec
from warpcore.cli.supervisor import Action, Finished, Kill, Say, Start, Supervisor, Terminate

Spawn = Callable[[Sequence[str], Mapping[str, str], Path, Callable[[str], None]], Process]

ENDED_LAST = frozenset({"discoverer", "scheduler"})
"""Services that are ended after all others, a pool among them: the scheduler would tell that the discoverer is lost."""


class Session:
    """The services of one `warpcore up`. `say(service, line, error)` gets each line of output and each decision."""

    def __init__(
        self,
        services: Sequence[ServiceSpec],
        logs: Path,
        say: Callable[[str, str, bool], None],
        spawn: Spawn = Child,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._specs = {service.name: service for service in services}
        patience = {service.name: service.ends_within_s for service in services if service.ends_within_s is not None}
        self._supervisor = Supervisor(self._specs, last=ENDED_LAST, ends_within_s=patience)
        self._logs = logs
        self._say = say
        self._spawn = spawn
        self._clock = clock
        self._processes: dict[str, Process] = {}
        self._lines: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self.finished = False
        self.fault: str | None = None
        """Why the session ended without being told to: the service at fault and its last line."""

    @property
    def ending(self) -> bool:
        """Whether it is being ended."""
        return self._supervisor.ending

    def begin(self) -> None:
        """Start everything."""
        self._carry_out(self._supervisor.begin(self._clock()))

    def step(self) -> None:
        """Find services that have ended, start those that are due, pass on output. Call it several times a second."""
        ended = {name: process.poll() for name, process in self._processes.items()}
        self._pass_on()
        for name, status in ended.items():
            if status is not None:
                process = self._processes.pop(name)
                actions = self._supervisor.exited(name, status, self._clock())
                if self._supervisor.failed == name and self.fault is None:
                    self.fault = f"{name}: {process.last_line.removeprefix('warpcore: ')}"
                self._carry_out(actions)
        self._carry_out(self._supervisor.tick(self._clock()))

    def end(self) -> None:
        """End everything in good order; called again, by force."""
        self._carry_out(self._supervisor.end(self._clock()))

    def kill(self) -> None:
        """Kill every process that still runs."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
        self._processes.clear()

    def _carry_out(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Start(service, first):
                    self._start(self._specs[service], first)
                case Terminate(service):
                    self._processes[service].terminate()
                case Kill(service):
                    self._processes[service].kill()
                case Say(text, error):
                    self._say("up", text, error)
                case Finished():
                    self._pass_on()
                    self.finished = True

    def _start(self, spec: ServiceSpec, first: bool) -> None:
        def keep(line: str) -> None:
            self._lines.put((spec.name, line))

        log_file = self._logs / f"{spec.name}.log"
        try:
            self._processes[spec.name] = self._spawn(spec.command(first=first), spec.environment, log_file, keep)
        except OSError as error:
            self._say("up", f"{spec.name} cannot be started: {error}", True)
            self._carry_out(self._supervisor.exited(spec.name, 1, self._clock()))

    def _pass_on(self) -> None:
        while True:
            try:
                service, line = self._lines.get_nowait()
            except Empty:
                return
            self._say(service, line, False)
