"""Outputs are put in place by a few threads beside the running service: new ones, and those kept from earlier.

One movie is always in the hands of the same thread, so what is asked for first is done first.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core.effects import DropMovie, DropStaging, PlaceOutputs, RemoveExport, RestoreOutputs
from warpcore.services.scheduler.core.stimuli import (
    ExportRemoved,
    OutputsPlaced,
    OutputsRestored,
    PlacingFailed,
    RestoringFailed,
)
from warpcore.services.scheduler.shell.disk import taken
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.file_operations import Flush, RemoveFolder
from warpcore.services.session.generations import Generation
from warpcore.services.session.movie_record import MovieRecordFile
from warpcore.services.session.paths import is_job_folder
from warpcore.services.session.placing import (
    STAGING,
    IncompleteError,
    check_placed,
    drop,
    folders_of_tasks,
    forget,
    plan_placing,
    restore,
)
from warpcore.services.storage.faults import may_pass, reason, storage_kind
from warpcore.services.storage.looking import TOKEN

log = logging.getLogger(__name__)

THREADS = 4
AT_ONCE = 64
"""Movies that a thread places before it flushes their folders, which many share."""
CLOSE_S = 5.0
"""How long the end waits for threads; one that hangs on the disk is left to itself."""

DiskTask = PlaceOutputs | RestoreOutputs | DropStaging | DropMovie | RemoveExport
Done = OutputsPlaced | PlacingFailed | OutputsRestored | RestoringFailed | ExportRemoved


class Placer:
    """The threads. They begin by deleting what leases of an earlier run have left.

    `leases` are those that hold, `last_lease` the last that was given.
    """

    def __init__(self, processing_directory: Path, leases: Collection[int], last_lease: int) -> None:
        self._files = DiskFiles(processing_directory)
        self._directory = processing_directory
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._asked: list[queue.SimpleQueue[DiskTask | None]] = [queue.SimpleQueue() for _ in range(THREADS + 1)]
        self._threads = [
            threading.Thread(target=self._run, args=(asked,), name=f"place outputs {number}", daemon=True)
            for number, asked in enumerate(self._asked)
        ]
        self._held, self._last_lease = frozenset(leases), last_lease
        for thread in self._threads:
            thread.start()

    def begin(self, task: DiskTask) -> None:
        """Have it done."""
        # To delete the folder of a large export takes minutes: the last thread is for that alone.
        self._asked[THREADS if isinstance(task, RemoveExport) else task.movie % THREADS].put(task)

    def done(self, most: int = 100) -> Iterator[Done]:
        """What has ended since the last call."""
        return taken(self._done, most)

    def close(self) -> None:
        """End the threads after what they do now; the next run does the rest."""
        for asked in self._asked:
            list(taken(asked, asked.qsize()))
            asked.put(None)
        until = time.monotonic() + CLOSE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))

    def _run(self, asked: queue.SimpleQueue[DiskTask | None]) -> None:
        if asked is self._asked[0]:
            self._sweep()
        while (first := asked.get()) is not None:
            tasks: list[DiskTask | None] = [first, *taken(asked, AT_ONCE - 1)]
            self._carry_out([task for task in tasks if task is not None])
            if None in tasks:
                return

    def _carry_out(self, tasks: list[DiskTask]) -> None:
        """Do them in order; what was placed is told once the folders that it lies in are flushed."""
        placed: dict[int, OutputsPlaced] = {}
        folders: dict[Flush, list[int]] = {}
        for task in tasks:
            if isinstance(task, PlaceOutputs):
                self._place(task, placed, folders)
            elif isinstance(task, RestoreOutputs):
                self._done.put(self._restored(task))
            elif isinstance(task, RemoveExport):
                self._done.put(self._removed(task))
            elif isinstance(task, DropStaging):
                self._drop(task.lease)
            else:
                self._forget(task)
        for flush, leases in folders.items():
            try:
                self._files.carry_out(flush)
            except OSError as error:
                for lease in leases:
                    if placed.pop(lease, None) is not None:
                        self._done.put(self._failed(lease, error))
        for outcome in placed.values():
            self._done.put(outcome)

    def _place(self, task: PlaceOutputs, placed: dict[int, OutputsPlaced], folders: dict[Flush, list[int]]) -> None:
        try:
            plan = plan_placing(task.placement, self._files)
            for operation in plan.operations:
                if isinstance(operation, Flush):
                    folders.setdefault(operation, []).append(task.lease)
                else:
                    self._files.carry_out(operation)
            check_placed(task.placement, self._files)
            placed[task.lease] = OutputsPlaced(task.lease, plan.kept)
        except (OSError, IncompleteError) as error:
            self._done.put(self._failed(task.lease, error))
        except Exception as error:
            log.exception("outputs of lease %d cannot be placed", task.lease)
            self._done.put(PlacingFailed(task.lease, f"{type(error).__name__}: {error}", False, FailureKind.INTERNAL))

    def _failed(self, lease: int, error: OSError | IncompleteError) -> PlacingFailed:
        if isinstance(error, IncompleteError):
            if not self._is_there():
                return PlacingFailed(lease, self._away, True, FailureKind.STORAGE_AWAY)
            return PlacingFailed(lease, str(error), False, FailureKind.STORAGE_AWAY)
        text = f"outputs cannot be put in place: {self._told(error)}"
        return PlacingFailed(lease, text, may_pass(error), storage_kind(error) or FailureKind.RESOURCE)

    @property
    def _away(self) -> str:
        return f"processing directory {self._directory} is away; is its file system mounted?"

    def _told(self, error: OSError) -> str:
        """Where a file was to go, if that is known, and why it did not."""
        return f"{error.filename2 or error.filename or self._directory}: {reason(error)}"

    def _is_there(self) -> bool:
        """Whether the processing directory is the session's: the token lies in it, or what workers have written."""
        try:
            return self._files.size(TOKEN) is not None or self._files.has_folder(STAGING)
        except OSError:
            return False

    def _restored(self, task: RestoreOutputs) -> OutputsRestored | RestoringFailed:
        def record(made: Generation) -> str:
            file = task.name, task.path, task.size, task.mtime_ns
            return MovieRecordFile(*file, made.fingerprints, made.results, made.outputs, *task.said).text

        try:
            generation, keys = restore(self._files, task.name, task.key, task.present, record)
            if generation is None and not self._is_there():
                return RestoringFailed(task.movie, self._away)
            return OutputsRestored(task.movie, generation, keys)
        except Exception as error:  # noqa: BLE001 - anybody may have changed the folder; the others must go on
            if isinstance(error, OSError) and may_pass(error):
                return RestoringFailed(task.movie, f"earlier outputs cannot be put back: {self._told(error)}")
            log.error("earlier outputs of %s cannot be put back, its steps run again: %s", task.name, error)
            return OutputsRestored(task.movie, None, [], untouched=False)

    def _removed(self, task: RemoveExport) -> ExportRemoved:
        """Delete the folder of a job. One that is not there counts as deleted only where the session's files are."""
        if not is_job_folder(task.folder):
            return ExportRemoved(task.job, f"{task.folder} is no folder of an export job; nothing else is deleted")
        if not self._is_there():
            return ExportRemoved(task.job, self._away)
        try:
            self._files.carry_out(RemoveFolder(task.folder))
        except OSError as error:
            return ExportRemoved(task.job, self._told(error))
        return ExportRemoved(task.job)

    def _sweep(self) -> None:
        """Delete the folders of leases that have ended. Leases of this run may write already: theirs are newer."""
        try:
            folders = folders_of_tasks(self._files)
        except OSError as error:
            log.warning("what workers have left under %s cannot be listed: %s", self._directory, error)
            return
        for lease in (int(name) for name in folders if name.isdecimal()):
            if lease <= self._last_lease and lease not in self._held:
                self._drop(lease)

    def _forget(self, task: DropMovie) -> None:
        try:
            forget(self._files, task.name, task.outputs)
        except OSError as error:
            log.warning("files of %s, which was forgotten, cannot be deleted: %s", task.name, error)

    def _drop(self, lease: int) -> None:
        try:
            drop(self._files, str(lease))
        except OSError as error:
            log.warning("files that lease %d has left cannot be deleted: %s", lease, error)
