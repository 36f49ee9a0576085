"""Whether this worker sees the session's folders, looked at beside the nanny's loop: a file system may hang."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from warpcore.bus.messages import LookAtFolders, SeenFile, WorkerSees
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.process.side_thread import SILENT_S, SideThread
from warpcore.services.session.allowed import PathOutsideError, inside
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.storage.faults import reason, storage_kind
from warpcore.services.storage.looking import TOKEN, read_token
from warpcore.services.worker.limits import folder_fault, own_folders

AT_ONCE_S = 0.05
"""So long an answer is waited for, since a look at well storage takes less."""


class FolderLook:
    """Answers the scheduler's questions, one after another."""

    def __init__(self, worker: str, paths: PathMap = AS_TOLD) -> None:
        """`paths` says where this host sees the folders that the scheduler names."""
        self._worker = worker
        self._paths = paths
        self._thread: SideThread[WorkerSees] = SideThread("look at folders")
        self._asked: LookAtFolders | None = None

    def ask(self, question: LookAtFolders) -> None:
        """Look at these folders."""
        if self._thread.is_free:
            self._thread.begin(lambda: sees(self._worker, question, self._paths))
        self._asked = question

    def answer(self, now: float) -> WorkerSees | None:
        """The answer to the last question, once: what was seen, or that the storage hangs."""
        question = self._asked
        if question is None:
            return None
        found = self._thread.taken(AT_ONCE_S if self._thread.hangs_s(now) < AT_ONCE_S else 0.0)
        if found is None and (hangs_s := self._thread.hangs_s(now)) > SILENT_S:
            asked = question.processing_directory, question.data_directory
            folders = " or ".join(self._paths.here(folder) for folder in asked)
            found = WorkerSees(self._worker, "", problem=f"{folders} gives no answer for {hangs_s:.0f} s on its host")
        if found is not None:
            self._asked = None
        return found


def sees(worker: str, question: LookAtFolders, paths: PathMap = AS_TOLD) -> WorkerSees:
    """What this host sees of the folders. Takes as long as its storage hangs."""
    there = question.processing_directory, question.data_directory, *question.references
    here = {path: paths.here(path) for path in there}
    seen = _sees(worker, question, {path: Path(where) for path, where in here.items()})
    return msgspec.structs.replace(seen, looked_in=here) if paths.pairs else seen


def _sees(worker: str, question: LookAtFolders, here: Mapping[str, Path]) -> WorkerSees:
    processing, data, movie = here[question.processing_directory], here[question.data_directory], question.movie
    own = own_folders()
    for folder in (processing, data, *(here[reference].parent for reference in question.references)):
        if fault := folder_fault(str(folder), own):
            return WorkerSees(worker, "", movie, problem=fault)
    path, token = processing / TOKEN, ""
    references: list[SeenFile] = []
    try:
        token = read_token(processing)
        if token:
            _try_to_write(path.parent)
        for reference in question.references:
            path = here[reference]
            references.append(SeenFile(reference, *_identity(path)))
        if not movie:
            return WorkerSees(worker, token, references=references)
        path = inside(data, movie)
        size, mtime_ns = _identity(path)
    except OSError as error:
        return WorkerSees(worker, token, movie, problem=f"{path}: {reason(error)}")
    except PathOutsideError as error:
        return WorkerSees(worker, token, movie, problem=str(error))
    return WorkerSees(worker, token, movie, size, mtime_ns, references=references)


def trouble(seen: WorkerSees) -> str:
    """Why the scheduler will give this worker nothing, "" where it sees what it was asked for."""
    if seen.problem:
        return seen.problem
    missing = f"{TOKEN} is not there in the processing directory" if not seen.token else ""
    if not missing and seen.movie and seen.size is None:
        missing = f"{seen.movie} is not there in the data directory"
    if not missing:
        return ""
    folders = ", ".join(f"{there} at {here}" for there, here in seen.looked_in.items())
    looked = f" (--path-map: {folders})" if folders else ""
    return f"{missing}{looked}; is it mounted on this host?"


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
