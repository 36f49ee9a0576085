"""Whether this worker sees the session's folders, looked at beside the nanny's loop: a file system may hang."""

from __future__ import annotations

import tempfile
from pathlib import Path

from warpcore.bus.messages import LookAtFolders, WorkerSees
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.process.side_thread import SideThread
from warpcore.services.storage.faults import reason, storage_kind
from warpcore.services.storage.looking import TOKEN, read_token

SILENT_S = 10.0
AT_ONCE_S = 0.05
"""So long an answer is waited for, since a look at well storage takes less."""


class FolderLook:
    """Answers the scheduler's questions, one after another."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._thread: SideThread[WorkerSees] = SideThread("look at folders")
        self._asked: LookAtFolders | None = None

    def ask(self, question: LookAtFolders) -> None:
        """Look at these folders."""
        if self._thread.is_free:
            self._thread.begin(lambda: sees(self._worker, question))
        self._asked = question

    def answer(self, now: float) -> WorkerSees | None:
        """The answer to the last question, once: what was seen, or that the storage hangs."""
        question = self._asked
        if question is None:
            return None
        found = self._thread.taken(AT_ONCE_S if self._thread.hangs_s(now) < AT_ONCE_S else 0.0)
        if found is None and (hangs_s := self._thread.hangs_s(now)) > SILENT_S:
            folders = f"{question.processing_directory} or {question.data_directory}"
            found = WorkerSees(self._worker, "", problem=f"{folders} gives no answer for {hangs_s:.0f} s on its host")
        if found is not None:
            self._asked = None
        return found


def sees(worker: str, question: LookAtFolders) -> WorkerSees:
    """What this host sees of the folders. Takes as long as its storage hangs."""
    processing, token = Path(question.processing_directory), ""
    path = processing / TOKEN
    try:
        token = read_token(processing)
        if token:
            _try_to_write(path.parent)
        if not question.movie:
            return WorkerSees(worker, token)
        path = Path(question.data_directory) / question.movie
        size, mtime_ns = _identity(path)
    except OSError as error:
        return WorkerSees(worker, token, question.movie, problem=f"{path}: {reason(error)}")
    return WorkerSees(worker, token, question.movie, size, mtime_ns)


def trouble(seen: WorkerSees) -> str:
    """Why the scheduler will give this worker nothing, "" where it sees what it was asked for."""
    if seen.problem:
        return seen.problem
    if not seen.token:
        return f"{TOKEN} is not there in the processing directory; is it mounted on this host?"
    if seen.movie and seen.size is None:
        return f"{seen.movie} is not there in the data directory; is it mounted on this host?"
    return ""


def _identity(path: Path) -> tuple[int | None, int | None]:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    return found.st_size, found.st_mtime_ns


def _try_to_write(folder: Path) -> None:
    """Raises OSError where this host cannot write; a full disk is found by the scheduler."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if storage_kind(error) is not FailureKind.DISK_FULL:
            raise
