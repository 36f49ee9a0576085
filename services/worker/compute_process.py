"""A compute process as its nanny holds it: the process, the line to it, and a thread that reads what it prints."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from warpcore.bus.vocabulary import FailureKind
from warpcore.services.session.path_map import PathMap
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.exits import exit_cause, oom_kills
from warpcore.services.worker.line import Command, Report
from warpcore.services.worker.log_lines import Output

LAST_WORDS_S = 1.0
"""How long the last log lines of an ended compute process are waited for."""


class ComputeProcess:
    """A compute process that was started."""

    def __init__(self, device: str, environment: Mapping[str, str], cache: Path, paths: PathMap) -> None:
        """`cache` is the folder of compiled kernels; `paths` says where this host sees the scheduler's folders."""
        ours, theirs = socket.socketpair()
        command = [
            *(sys.executable, "-m", "warpcore.services.worker.compute"),
            *("--line", str(theirs.fileno()), "--device", device, "--cache", str(cache)),
            *(argument for text in paths.texts() for argument in ("--path-map", text)),
        ]
        self._oom_kills = oom_kills()
        self.process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        theirs.close()
        self.line: Channel[Command, Report] = Channel(ours, Report)
        self._output = Output()
        self._reader = threading.Thread(target=self._output.read_from, args=(self.process,), daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """End it by SIGKILL, since a computation cannot be interrupted in any other way."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)

    def end(self) -> tuple[FailureKind, str]:
        """Kill it if it still lives, close the line, and return why it ended."""
        self.kill()
        status = self.process.wait()
        self.line.close()
        self._reader.join(LAST_WORDS_S)
        return exit_cause(status, oom_kills() - self._oom_kills, self._output.last)
