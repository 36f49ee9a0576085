"""A process of the session: it runs in rounds, and dies, stops and is started again at any step."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol

from tests.simulation.clock import Simulator, Timer
from tests.simulation.hosts import Host


class Killed(BaseException):
    """SIGKILL: nothing of the process goes on. Not an Exception, so that no handler of the product survives it."""


class Broken(BaseException):
    """An invariant does not hold; the text begins with its name. Not an Exception, so that no handler hides it."""


class Closing(Protocol):
    """What can be closed."""

    def close(self) -> None:
        """Close it."""


class Part(ABC):
    """A process on a host. A subclass says what it has when it starts, and what it does in a round.

    A round comes at once when something has arrived, and otherwise every `period_s`.
    """

    period_s = 1.0
    running: ClassVar[Part | None] = None
    """The process that does something now."""

    def __init__(self, simulator: Simulator, host: Host, name: str) -> None:
        self.simulator, self.host, self.name = simulator, host, name
        self.chance: random.Random = simulator.stream(name)
        self.up = False
        self.stopped = False
        self.starts = 0
        self.steps_left: int | None = None
        """So many steps more, then it dies; None: it lives on."""
        self._next: Timer | None = None
        self._next_at = 0.0
        self._postponed: list[Callable[[], None]] = []
        self.sockets: list[Closing] = []
        """Connections of the process, which end with it."""

    @abstractmethod
    def begin(self) -> None:
        """A new process: all that an earlier one knew is gone."""

    @abstractmethod
    def round(self) -> None:
        """Take in what has arrived, decide, act."""

    def start(self) -> None:
        """Start the process, unless it runs."""
        if not self.up:
            self.up, self.stopped, self.steps_left = True, False, None
            self.starts += 1
            self._postponed = []
            self.simulator.note(f"{self.name} starts")
            self._guarded(self.begin)
            if self.up:
                self._plan(0.0)

    def kill(self) -> None:
        """SIGKILL."""
        if self.up:
            self.simulator.note(f"{self.name} is killed")
            self.up, self.stopped, self.steps_left = False, False, None
            if self._next is not None:
                self._next.cancel()
            sockets, self.sockets = self.sockets, []
            for socket in sockets:
                socket.close()

    def stop(self) -> None:
        """SIGSTOP: it does nothing, and what arrives waits."""
        if self.up and not self.stopped:
            self.stopped = True
            self.simulator.note(f"{self.name} is stopped")

    def go_on(self) -> None:
        """SIGCONT."""
        if self.stopped:
            self.stopped = False
            self.simulator.note(f"{self.name} goes on")
            postponed, self._postponed = self._postponed, []
            for action in postponed:
                if self.up:
                    self._guarded(action)
            if self.up:
                self._plan(0.0)

    def step(self) -> None:
        """The process does something that others can see. Raises Killed where it is to die now."""
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise Killed

    def wake(self) -> None:
        """Something has arrived."""
        if self.up and not self.stopped:
            self._plan(0.0005)

    def bound(self, action: Callable[[], None]) -> Callable[[], None]:
        """The action as one of this process: a later one does not do it, and while it is stopped it waits."""
        started = self.starts

        def act() -> None:
            if self.up and self.starts == started:
                if self.stopped:
                    self._postponed.append(action)
                else:
                    self._guarded(action)

        return act

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something as this process, `delay_s` from now."""
        self.simulator.after(delay_s, self.bound(action))

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do something as this process; dying on the way ends it."""
        Part.running, before = self, Part.running
        try:
            action()
        except Killed:
            self.kill()
        except Exception as error:
            raise Broken(f"unexpected: {self.name} is ended by {error!r}") from error
        finally:
            Part.running = before

    def _plan(self, delay_s: float) -> None:
        at = self.simulator.now + delay_s
        if self._next is not None and self._next.action is not None:
            if self._next_at <= at:
                return
            self._next.cancel()
        self._next_at = at
        self._next = self.simulator.after(delay_s, self._run)

    def _run(self) -> None:
        if self._next is not None:
            self._next.cancel()
        if self.up and not self.stopped:
            self._guarded(self.round)
            if self.up:
                self._plan(self.period_s)
