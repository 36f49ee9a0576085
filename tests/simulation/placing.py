"""Placing on a simulated disk, one operation after another, with all that happens in between."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Collection, Iterator

from tests.simulation.disk import FileSystem
from tests.simulation.part import Part
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.scheduler.core.effects import DropMovie, DropStaging, PlaceOutputs, RemoveExport, RestoreOutputs
from warpcore.services.scheduler.core.stimuli import OutputsPlaced
from warpcore.services.scheduler.shell.placing import DiskTask, Done, Placer
from warpcore.services.session import file_operations as do
from warpcore.services.session.file_operations import Operation
from warpcore.services.session.placing import IncompleteError, check_placed, plan_placing


class SimulatedFiles:
    """A simulated file system as `session/placing.py` sees it. `step` comes before each operation."""

    def __init__(self, system: Callable[[], FileSystem], step: Callable[[], None]) -> None:
        self._system, self._step = system, step

    @property
    def system(self) -> FileSystem:
        """The file system that is there now."""
        return self._system()

    def size(self, path: str) -> int | None:
        inode = self.system.at(path)
        return inode.size if inode is not None else None

    def text(self, path: str) -> str | None:
        inode = self.system.at(path)
        return inode.text if inode is not None else None

    def has_folder(self, path: str) -> bool:
        self.system.at(path)
        return path in self.system.folders

    def folders(self, path: str) -> list[str]:
        inside = [name for name in self.system.names(path) if f"{path}/{name}" in self.system.folders]
        return sorted(inside, key=lambda name: self.system.folders[f"{path}/{name}"])

    def carry_out(self, operation: Operation) -> None:
        self._step()
        files = self.system
        match operation:
            case do.MakeFolder(path):
                files.make_folder(path)
            case do.Link(source, target):
                files.link(source, target)
            case do.Write(path, text):
                files.write_whole(path, text)
            case do.Move(source, target):
                if source in files.files or source in files.folders or files.error:
                    files.rename(source, target)
            case do.RemoveFile(path):
                files.remove(path)
            case do.RemoveFolder(path):
                files.remove_folder(path)
            case do.Renew(path):
                files.renew(path)
            case do.Flush(path):
                files.flush(path)


class DiskFiles(SimulatedFiles):
    """What is mounted as the processing directory now. Each operation is a step of its process."""

    def __init__(self, part: Part) -> None:
        super().__init__(lambda: part.host.mounts[StoragePlace.PROCESSING], part.step)


class StepwisePlacer(Placer):
    """The scheduler's placer; its thread does one operation whenever the file system answers."""

    def __init__(self, part: Part, files: DiskFiles, leases: Collection[int], last_lease: int) -> None:
        self._files = files  # type: ignore[assignment]
        self._directory = part.host.path("/processing")  # type: ignore[assignment]
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._held, self._last_lease = frozenset(leases), last_lease
        self._part = part
        self._waiting: deque[DiskTask | None] = deque([None])
        self._works = False
        self._begin_next()

    def begin(self, task: DiskTask) -> None:
        """Have it done."""
        self._waiting.append(task)
        self._begin_next()

    def close(self) -> None:
        """Nothing to end."""

    def _begin_next(self) -> None:
        if not self._works and self._waiting:
            self._works = True
            self._go_on(self._work(self._waiting.popleft()))

    def _go_on(self, work: Iterator[None]) -> None:
        def act() -> None:
            if next(work, self) is self:
                self._works = False
                self._part.wake()
                self._begin_next()
            else:
                self._go_on(work)

        self._files.system.answer(self._part.bound(act))  # type: ignore[attr-defined]

    def _work(self, task: DiskTask | None) -> Iterator[None]:
        match task:
            case None:
                self._sweep()
            case PlaceOutputs():
                try:
                    plan = plan_placing(task.placement, self._files)
                    for operation in plan.operations:
                        yield
                        self._files.carry_out(operation)
                    check_placed(task.placement, self._files)
                    self._done.put(OutputsPlaced(task.lease, plan.kept))
                except (OSError, IncompleteError) as error:
                    self._done.put(self._failed(task.lease, error))
            case RestoreOutputs():
                self._done.put(self._restored(task))
            case DropStaging():
                self._drop(task.lease)
            case RemoveExport():
                self._done.put(self._removed(task))
            case DropMovie():
                self._forget(task)
