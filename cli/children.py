"""Child processes: each in its own session, with its output in a log file, and ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from warpcore.cli.log_files import LogFile
from warpcore.cli.logs import as_event
from warpcore.services.process.logs import LogFormat
from warpcore.services.process.parent import PARENT_VARIABLE

LONGEST_LINE_BYTES = 64 * 1024
"""A longer line is read as several."""
LAST_LINES_S = 1.0
"""Seconds to wait for the last lines of a child that has ended."""


class Process(Protocol):
    """A child process, as a session uses it."""

    last_line: str

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it and all that it started."""


class Child:
    """A running service. Start it from the main thread: the kernel ends it with the thread that started it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log_file: Path,
        tell: Callable[[str], None],
        log_format: LogFormat = LogFormat.TEXT,
    ) -> None:
        """`tell` gets each line that goes to `log_file`; the file is named after the service."""
        self.last_line = ""
        self._log_format = log_format
        self._status: int | None = None
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**_inherited(), **environment, PARENT_VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"},
        )
        self._reader = threading.Thread(target=self._read, args=(log_file, tell), daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id, also the id of its session and of its group."""
        return self._process.pid

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs. Processes that it leaves behind are killed."""
        if self._status is None and _has_ended(self.pid):
            # Killed before it is reaped: until then no other process can get its id, which is its group's id too.
            self.kill()
            self._status = self._process.wait()
            self._reader.join(2 * LAST_LINES_S)
        return self._status

    def terminate(self) -> None:
        """Send TERM to it alone; it ends its own children."""
        if self._status is None:
            # Not Popen.send_signal, which would reap a child that has just ended before its group is killed.
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Send KILL to its whole group."""
        if self._status is None:
            os.killpg(self.pid, signal.SIGKILL)

    def _read(self, log_file: Path, tell: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        log = LogFile(log_file)
        with self._process.stdout as output:
            for raw in iter(lambda: output.readline(LONGEST_LINE_BYTES), b""):
                line = raw.decode("utf-8", "replace").rstrip()
                if line:
                    self.last_line = line
                    if self._log_format is LogFormat.JSON:
                        line = as_event(log_file.stem, line)
                    log.write(line)
                    tell(line)
        log.close(LAST_LINES_S)


def _inherited() -> dict[str, str]:
    """Our environment without our options, which are on the child's command line, some at its first start only."""
    kept = ("WARPCORE_CACHE",)
    return {name: value for name, value in os.environ.items() if not name.startswith("WARPCORE_") or name in kept}


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
