"""Outputs are written into a folder of the task's own; whoever holds the truth places them (`session/placing.py`)."""

from __future__ import annotations

import filecmp
import logging
import os
import secrets
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import psutil

from warpcore.services.session.declared import declared, staged_name
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.opening import result_path
from warpcore.services.session.paths import flush, flush_folder
from warpcore.services.session.placing import STAGING, drop, folders_of_tasks
from warpcore.services.steps.step import Output

log = logging.getLogger(__name__)

_OWN_FOLDER = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}"


def task_folder(lease: int) -> str:
    """The name of a task's folder. A process that has no scheduler has lease 0, and a folder of its own."""
    return str(lease) if lease else _OWN_FOLDER


def sweep_killed(processing_directory: Path) -> None:
    """Delete what processes of this host without a scheduler have left when they were killed."""
    files = DiskFiles(processing_directory)
    try:
        for folder in folders_of_tasks(files):
            host, _, process = folder.rpartition(".")[0].rpartition(".")
            if host == socket.gethostname() and process.isdecimal() and not psutil.pid_exists(int(process)):
                drop(files, folder)
    except OSError as error:
        log.warning("what killed processes have left in %s cannot be deleted: %s", processing_directory, error)


class Staging:
    """The outputs of one task: ask `place` where to write each, then `settle`, or `discard` all.

    `folder` is the name of the task's folder, `path_of` gives the final path of an output for its movie.
    """

    def __init__(self, processing_directory: Path, folder: str, path_of: Callable[[Output], str]) -> None:
        self._processing = processing_directory
        self.folder = folder
        self._folder = processing_directory / STAGING / folder
        self._path_of = path_of
        self._staged: dict[tuple[str, Output], Path] = {}
        self.outputs: dict[str, dict[str, int | None]] = {}
        """By step and pattern the bytes of each file, None for one that is in place with the same bytes."""

    def place(self, step: str, output: Output) -> Path:
        """Where to write an output that the step declares (else UndeclaredError); an empty file is there."""
        result_path(self._processing, f"{STAGING}/{self.folder}").mkdir(parents=True, exist_ok=True)
        path = self._folder / staged_name(step, output.pattern)
        path.touch()
        self._staged[step, output] = path
        self.outputs.setdefault(step, {})[output.pattern] = 0
        return path

    def retain(self, step: str, output: Output) -> None:
        """Leave a file of an earlier run where it is, as an output of this run's step."""
        declared(step, output.pattern)
        self.outputs.setdefault(step, {})[output.pattern] = None

    def settle(self) -> None:
        """Flush what was written. The same bytes stay the same file: kept generations then share its disk space."""
        for (step, output), path in self._staged.items():
            if _same_content(path, result_path(self._processing, self._path_of(output))):
                path.unlink()
                self.outputs[step][output.pattern] = None
            else:
                flush(path)
                self.outputs[step][output.pattern] = path.stat().st_size
        if self._staged:
            flush_folder(self._folder)

    def discard(self) -> None:
        """Delete what was staged."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; False where one is missing."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
