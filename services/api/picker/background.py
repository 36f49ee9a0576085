"""One command of warpcore at a time as a child process, told of by files in a folder of its own.

The child holds a lock for as long as it lives: so every process of the API, also one that was started since, knows
whether it runs. It ends with the API, waits behind the workers for the CPU, and leaves their GPUs alone.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from warpcore.bus.vocabulary import Word
from warpcore.services.process import command
from warpcore.services.process.parent import PARENT_VARIABLE
from warpcore.services.session.paths import close_to_readers, write_text_whole


class BackgroundState(Word):
    """Where a background job stands."""

    NONE = "none", "Nothing was asked for yet."
    RUNNING = "running", "It runs."
    DONE = "done", "Its result is there."
    FAILED = "failed", "It ended without a result; the problem says why."
    CANCELLED = "cancelled", "It was cancelled."


class AlreadyRunningError(Exception):
    """A job runs; another one must wait for its end."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What was `asked`, what the command has printed, and what went wrong."""

    state: BackgroundState = BackgroundState.NONE
    asked: dict[str, Any] | None = None
    output: str = ""
    problem: str = ""


class BackgroundJob:
    """The job of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, asked: dict[str, Any], arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Run `warpcore` with these arguments; `asked` is what `status` tells of it.

        Call in the main thread: the child ends with the thread that has started it. Raises AlreadyRunningError and
        OSError.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = self._lock()
        if lock is None:
            raise AlreadyRunningError
        try:
            for name in ("job.json", "exit", "cancelled", "output", "log"):
                (self._folder / name).unlink(missing_ok=True)
            child_command = [sys.executable, "-m", command.__name__, str(self._folder), *arguments]
            environment = {**os.environ, PARENT_VARIABLE: str(os.getpid()), "JAX_PLATFORMS": "cpu"}
            with (self._folder / "output").open("xb") as out, (self._folder / "log").open("xb") as log:
                child = subprocess.Popen(child_command, stdout=out, stderr=log, pass_fds=[lock], env=environment)
            told = {"asked": asked, "pid": child.pid}
            write_text_whole(self._folder / "job.json", json.dumps(told))
            return child
        finally:
            os.close(lock)

    def status(self) -> JobStatus:
        """How far the job is. Raises OSError, ValueError."""
        job = self._job()
        if job is None:
            return JobStatus()
        running = self._is_running()
        output = (self._folder / "output").read_text(errors="replace")
        told = JobStatus(BackgroundState.RUNNING, job["asked"], output)
        if running:
            return told
        if (self._folder / "exit").exists():
            ended_well = (self._folder / "exit").read_text() == "0"
            return replace(told, state=BackgroundState.DONE) if ended_well else self._failed(told)
        if (self._folder / "cancelled").exists():
            return replace(told, state=BackgroundState.CANCELLED)
        return self._failed(told)

    def cancel(self) -> None:
        """End the job, where it runs. Raises OSError, ValueError."""
        job = self._job()
        if job is not None and self._is_running():
            (self._folder / "cancelled").touch()
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(job["pid"], signal.SIGTERM)

    def _failed(self, told: JobStatus) -> JobStatus:
        lines = (self._folder / "log").read_text(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it was ended from outside; start it again")
        return replace(told, state=BackgroundState.FAILED, problem=last.removeprefix("warpcore: "))

    def _job(self) -> dict[str, Any] | None:
        try:
            job: dict[str, Any] = json.loads((self._folder / "job.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return job

    def _is_running(self) -> bool:
        lock = self._lock()
        if lock is not None:
            os.close(lock)
        return lock is None

    def _lock(self) -> int | None:
        """The lock, which closing the descriptor gives up; None where a child holds it."""
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        close_to_readers(self._folder / "lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return lock
