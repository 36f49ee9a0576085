"""`warpcore worker` whose movies take `SLEEPING_MOVIE_S` seconds and nothing else: its compute process only waits.

    python tests/services/pool/sleeping_worker.py worker --scheduler HOST …

All else is the project's own: names, keys, registration, drain, wall time, signals. Each finished movie becomes a line
of `$SLEEPING_DONE`, with the time.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from pathlib import Path

from tests.services.reports import whole
from warpcore.bus.vocabulary import FailureKind
from warpcore.cli.main import run
from warpcore.services.worker import service
from warpcore.services.worker.channel import Channel, ChannelClosedError
from warpcore.services.worker.line import Begin, Cancel, Command, Dropped, Finished, Ready, Report

MOVIE_S = float(os.environ.get("SLEEPING_MOVIE_S", "0.5"))
DONE = Path(os.environ.get("SLEEPING_DONE", os.devnull))


class SleepingCompute:
    """The end of a line to which a thread answers, one movie after the other."""

    def __init__(self, *_: object) -> None:
        ours, theirs = socket.socketpair()
        self.line: Channel[Command, Report] = Channel(ours, Report)
        self.process = self
        self.pid = os.getpid()
        self._theirs: Channel[Report, Command] = Channel(theirs, Command)  # type: ignore[arg-type]
        threading.Thread(target=self._work, daemon=True).start()

    def kill(self) -> None:
        """Let the line go."""
        self._theirs.close()

    def end(self) -> tuple[FailureKind, str]:
        """Close both ends."""
        self.line.close()
        return FailureKind.LOST_WORKER, "ended"

    def _work(self) -> None:
        self._theirs.send(Ready("cpu", 0, {}))
        waiting: list[Begin] = []
        ends_at = 0.0
        try:
            while True:
                select.select([self._theirs.fileno], [], [], 0.02)
                for command in self._theirs.drain():
                    if isinstance(command, Begin):
                        ends_at = ends_at if waiting else time.monotonic() + MOVIE_S
                        waiting.append(command)
                    elif isinstance(command, Cancel):
                        waiting = [one for one in waiting if one.number != command.lease]
                        self._theirs.send(Dropped(command.lease))
                if waiting and time.monotonic() >= ends_at:
                    self._finish(waiting.pop(0))
                    ends_at = time.monotonic() + MOVIE_S
        except (ChannelClosedError, OSError, ValueError):
            return

    def _finish(self, begin: Begin) -> None:
        task = begin.task
        results = whole({step: {} for step in task.run})
        self._theirs.send(Finished(begin.number, list(task.run), results, {step: {} for step in task.run}))
        with DONE.open("a") as done:
            done.write(f"{task.name} {time.time()}\n")


if __name__ == "__main__":
    service.ComputeProcess = SleepingCompute  # type: ignore[misc, assignment]
    run()
