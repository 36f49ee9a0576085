"""A worker's log on its way to the scheduler: what the nanny logs, and what its compute processes print."""

from __future__ import annotations

import itertools
import logging
import subprocess
from collections import deque
from typing import Any

from warpcore.bus.limits import LOG_LINES
from warpcore.services.process.logs import read_event

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
        self._kept: deque[dict[str, Any]] = deque(maxlen=LOG_LINES)
        self._number = 0
        self._told = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an event, a line each where it has several."""
        text = logging.Formatter().format(record)
        for line in text.splitlines():
            self._number += 1
            values = {"number": self._number, "level": record.levelname.lower(), "ts": record.created}
            self._kept.append({**values, "text": line[:LONGEST_LINE]})

    def take(self) -> list[dict[str, Any]]:
        """The next lines that were not taken, oldest first."""
        self.acquire()
        try:
            newer = (line for line in self._kept if line["number"] > self._told)
            lines = list(itertools.islice(newer, LINES_AT_ONCE))
        finally:
            self.release()
        self._told = lines[-1]["number"] if lines else self._told
        return lines

    def tell_again(self) -> None:
        """All that is kept is to be taken again: a scheduler that was started anew has none of it."""
        self._told = 0


class Output:
    """What compute processes print: their events, and the words of libraries and of a crash."""

    def __init__(self) -> None:
        self.last = ""
        """The last line."""

    def read_from(self, process: subprocess.Popen[bytes]) -> None:
        """Log a process's output until its end."""
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
