"""Decides what `warpcore up` does with its child processes: stimuli in, actions out, without processes and clocks.

A service that ends is started again, after a pause that doubles while it keeps ending. The session ends where a service
says that its configuration is wrong before it has ever run well, since a restart cannot help then. At the end the
services marked `last` are ended after all others, so that workers can still tell the scheduler that they go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
SETTLED_S = 10.0
"""A service that has run this long works: its configuration is good, and earlier deaths no longer count."""
FIRST_WAVE_S = 5.0
"""At the end: services that run this long after TERM are killed, unless they have longer, and the `last` get TERM."""
SECOND_WAVE_S = 3.0
CONFIGURATION_EXITS = frozenset({2, 78})
"""Exit statuses for a wrong configuration: usage, EX_CONFIG."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start this service. `first`: it has not yet run well, so it gets the initial settings too."""

    service: str
    first: bool


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask this service to end."""

    service: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End this service and all that it started."""

    service: str


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the user this; `error` where something went wrong."""

    text: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """All services have ended; `failed` names the one whose configuration ended the session."""

    failed: str | None


Action = Start | Terminate | Kill | Say | Finished


@dataclass
class _Service:
    name: str
    last: bool
    running: bool = False
    settled: bool = False
    started_at: float = 0.0
    start_at: float | None = None
    deaths: int = 0
    killed: bool = False


@dataclass
class Supervisor:
    """State of one session. Every method returns the actions to carry out, in order; `now` is monotonic seconds.

    `ends_within_s`: how long services may take to end that may take longer than others.
    """

    names: Iterable[str]
    last: frozenset[str] = frozenset()
    ends_within_s: Mapping[str, float] = field(default_factory=dict)
    failed: str | None = None
    _services: dict[str, _Service] = field(init=False)
    _ending_since: float | None = None
    _second_wave_at: float | None = None
    _killing: bool = False
    _finished: bool = False

    def __post_init__(self) -> None:
        self._services = {name: _Service(name, name in self.last) for name in self.names}

    @property
    def ending(self) -> bool:
        """Whether the session is ending."""
        return self._ending_since is not None

    @property
    def running(self) -> list[str]:
        """The services that run."""
        return [service.name for service in self._services.values() if service.running]

    def begin(self, now: float) -> list[Action]:
        """Start everything."""
        return [self._start(service, now) for service in self._services.values()]

    def exited(self, name: str, status: int, now: float) -> list[Action]:
        """A service has ended with this exit status (negative: by that signal)."""
        service = self._services[name]
        service.running = False
        if self.ending:
            return self._advance(now)
        if status in CONFIGURATION_EXITS and not service.settled and not self._ran_well(service, now):
            self.failed = name
            return [Say(f"{name} cannot run with this configuration; ending the session", error=True), *self.end(now)]
        if self._ran_well(service, now):
            service.settled = True
            service.deaths = 0
        pause_s = min(FIRST_PAUSE_S * 2**service.deaths, LONGEST_PAUSE_S)
        service.deaths += 1
        service.start_at = now + pause_s
        return [Say(f"{name} ended ({describe(status)}); starting it again in {pause_s:g} s", error=True)]

    def tick(self, now: float) -> list[Action]:
        """Time has passed: start services that are due, or go on with the end."""
        if self.ending:
            return self._advance(now)
        actions: list[Action] = []
        for service in self._services.values():
            if service.running and self._ran_well(service, now):
                service.settled = True
                service.deaths = 0
            if service.start_at is not None and now >= service.start_at:
                actions.append(self._start(service, now))
        return actions

    def end(self, now: float) -> list[Action]:
        """End everything in good order; called again, kill everything."""
        if self._ending_since is None:
            self._ending_since = now
            first = [service for service in self._services.values() if service.running and not service.last]
            slow = [service.name for service in first if service.name in self.ends_within_s]
            told = [Say(f"{name} may take up to {self.ends_within_s[name]:g} s to end its jobs") for name in slow]
            return [*(Terminate(service.name) for service in first), *told, *self._advance(now)]
        self._killing = True
        return [*(Kill(name) for name in self.running), *self._advance(now)]

    def _start(self, service: _Service, now: float) -> Start:
        service.running, service.started_at, service.start_at = True, now, None
        return Start(service.name, first=not service.settled)

    def _ran_well(self, service: _Service, now: float) -> bool:
        return now - service.started_at >= SETTLED_S

    def _patience_s(self, service: _Service) -> float:
        """How long a service may take to end."""
        return self.ends_within_s.get(service.name, FIRST_WAVE_S)

    def _advance(self, now: float) -> list[Action]:
        """The next actions of the end: kill what is left of the first wave, end the `last` services, kill those."""
        assert self._ending_since is not None
        if not self.running:
            if self._finished:
                return []
            self._finished = True
            return [Finished(self.failed)]
        if self._killing:
            return []
        actions: list[Action] = []
        if self._second_wave_at is None:
            first = [service for service in self._services.values() if service.running and not service.last]
            late = [one for one in first if now - self._ending_since >= self._patience_s(one)]
            actions += [Kill(service.name) for service in late if not service.killed]
            for service in late:
                service.killed = True
            if len(late) < len(first):
                return actions
            self._second_wave_at = now
            actions += [
                Terminate(service.name) for service in self._services.values() if service.running and service.last
            ]
        elif now - self._second_wave_at >= SECOND_WAVE_S:
            self._killing = True
            actions += [Kill(name) for name in self.running]
        return actions


def describe(status: int) -> str:
    """An exit status in words."""
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
