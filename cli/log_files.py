"""The log file of a service: bounded in size and number, and never in the way of the service."""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG_BYTES = 10 * 1024 * 1024
LOG_GENERATIONS = 3
MOST_WAITING = 1000
"""Lines that wait for a disk that is slow or hangs; more are lost."""


class LogFile:
    """Writes lines in a thread of its own. Where the disk is full, away or hangs, lines are lost and nobody waits.

    The file then says how many are missing. With `LOG_GENERATIONS` older files beside it, it never holds more than
    `LOG_BYTES` each.
    """

    def __init__(self, path: Path) -> None:
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._file = _Rotating(path)
        self.lost = 0
        """Lines that were lost since the last one that was written."""
        self._thread = threading.Thread(target=self._run, name=f"log {path.name}", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Write a line, later."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self.lost += 1

    def close(self, wait_s: float) -> None:
        """Write what waits, for up to `wait_s` seconds."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=wait_s)
        self._thread.join(wait_s)

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            if self.lost and self._file.written(f"{self.lost} lines are missing here: the disk did not take them"):
                self.lost = 0
            if not self._file.written(line):
                self.lost += 1
        self._file.drop()


class _Rotating(RotatingFileHandler):
    """A rotating file that is opened when there is something to write, and again after each failure."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LOG_BYTES, backupCount=LOG_GENERATIONS, encoding="utf-8", delay=True)
        self._failed = False

    def written(self, line: str) -> bool:
        """Write a line; False where that is not possible now."""
        self._failed = False
        self.emit(logging.makeLogRecord({"msg": "%s", "args": (line,)}))
        return not self._failed

    def emit(self, record: logging.LogRecord) -> None:
        """Write an event, in a folder that is made where it is missing."""
        try:
            if self.stream is None:
                Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            self._failed = True
            return
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Close the file, with what it could not write."""
        self._failed = True
        self.drop()

    def drop(self) -> None:
        """Close the file; it is opened again for the next line."""
        stream, self.stream = self.stream, None
        if stream is not None:
            with suppress(OSError):
                stream.close()
