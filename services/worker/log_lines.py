"""A worker's log on its way to the scheduler: what the nanny logs, and what its compute processes print."""

from __future__ import annotations

import itertools
import logging
import subprocess
from collections import deque
from collections.abc import Collection
from typing import Any

from warpcore.bus.limits import LOG_LINES
from warpcore.services.process.logs import concerns, read_event

log = logging.getLogger("warpcore.worker.compute")

LINES_AT_ONCE = 50
LONGEST_LINE = 4000
"""Characters of a log line. Lines of one message fit a frame, whatever they hold."""
LONGEST_READ_BYTES = 64 * 1024
"""A longer line of a compute process is read as several."""


class LogLines(logging.Handler):
    """Numbers each line of this process's log and keeps the last ones. Any thread may log."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: deque[tuple[str, dict[str, Any]]] = deque(maxlen=LOG_LINES)
        self._number = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an event, a line each where it has several."""
        text = logging.Formatter().format(record)
        session = str(concerns(record).get("session", ""))
        for line in text.splitlines():
            self._number += 1
            values = {"number": self._number, "level": record.levelname.lower(), "ts": record.created}
            self._kept.append((session, {**values, "text": line[:LONGEST_LINE]}))

    def newer(self, number: int, sessions: Collection[str]) -> list[dict[str, Any]]:
        """The next lines after this number, oldest first: of these sessions, and of none."""
        self.acquire()
        try:
            newer = (line for session, line in self._kept if line["number"] > number and session in sessions)
            return list(itertools.islice(newer, LINES_AT_ONCE))
        finally:
            self.release()


class Reader:
    """What one scheduler is told of a worker's log: not what concerns the movies of another one's session.

    `sessions` are the processing directories of its own, and "" for what concerns none.
    """

    def __init__(self, lines: LogLines) -> None:
        self._lines = lines
        self._told = 0
        self.sessions = {""}

    def take(self) -> list[dict[str, Any]]:
        """The next lines that were not taken, oldest first."""
        lines = self._lines.newer(self._told, self.sessions)
        self._told = lines[-1]["number"] if lines else self._told
        return lines

    def tell_again(self) -> None:
        """All that is kept is to be taken again: a scheduler that was started anew has none of it."""
        self._told = 0


class Output:
    """What a compute process prints: its events, and the words of libraries and of a crash."""

    def __init__(self) -> None:
        self.last = ""
        """The last line."""

    def read_from(self, process: subprocess.Popen[bytes]) -> None:
        """Log the process's output until its end."""
        assert process.stdout is not None
        with process.stdout as output:
            for raw in iter(lambda: output.readline(LONGEST_READ_BYTES), b""):
                line = raw.decode(errors="replace").rstrip()
                if not line:
                    continue
                event = read_event(line)
                if event is None:
                    self.last = line
                    log.info("%s", line)
                else:
                    self.last = event.getMessage().rpartition("\n")[2]
                    logging.getLogger(event.name).handle(event)
