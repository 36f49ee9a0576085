"""Runs a session: its loop, signals, display and end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.keys import ClientKey
from warpcore.cli.children import Child
from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.cli.overview import Overview
from warpcore.cli.plan import ServiceSpec
from warpcore.cli.screens import Screen
from warpcore.cli.session import Session
from warpcore.cli.watching import Watcher
from warpcore.services.process.logs import LogFormat

STEP_S = 0.1


class Interrupts:
    """Counts Ctrl-C, TERM and HUP: the first ends in good order, a second one by force. Use in the main thread."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._add)

    def _add(self, number: int, frame: FrameType | None) -> None:
        self.count += 1


def run_session(
    services: Sequence[ServiceSpec],
    logs: Path,
    endpoints: Endpoints,
    screen: Screen,
    ready: str,
    until: Callable[[Overview], bool] = lambda overview: False,
    key: ClientKey | None = None,
    log_format: LogFormat = LogFormat.TEXT,
) -> None:
    """Run the services until a signal comes, or until `until` is true. `ready` is the note while the scheduler answers.

    The display asks the scheduler under `key`.

    Raises CliError where a service cannot run with its configuration. No process is left behind in any case.
    """
    interrupts = Interrupts()
    session = Session(services, logs, screen.line, partial(Child, log_format=log_format))
    with screen, Watcher(endpoints, key) as watcher:
        try:
            session.begin()
            heeded = 0
            while not session.finished:
                session.step()
                while heeded < interrupts.count:
                    heeded += 1
                    session.end()
                overview = watcher.latest
                screen.show(overview, _note(session, watcher, ready))
                if overview is not None and not session.ending and until(overview):
                    session.end()
                time.sleep(STEP_S)
        finally:
            session.kill()
    if session.fault is not None:
        raise CliError(session.fault, CONFIGURATION)


def _note(session: Session, watcher: Watcher, ready: str) -> str:
    if session.ending:
        return "ending"
    if watcher.answers:
        return ready
    return "waiting for the scheduler" if watcher.latest is None else "the scheduler does not answer; waiting for it"
