"""A simulated compute process: it loads a movie, computes for a while, and writes into the task's own folder."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation.clock import Simulator
from tests.simulation.disk import FileSystem, Inode
from tests.simulation.hosts import Host
from tests.simulation.microscope import DAMAGED, WHOLE
from tests.simulation.part import Killed, Part
from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import FailureKind, StoragePlace
from warpcore.services.session.declared import staged_name
from warpcore.services.session.errors import InputError
from warpcore.services.session.placing import STAGING
from warpcore.services.steps import ctf, export, motion
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT, Output
from warpcore.services.storage.looking import SeenFolders
from warpcore.services.worker.failures import TaskError, classify
from warpcore.services.worker.line import (
    Begin,
    Cancel,
    Command,
    Dropped,
    Failed,
    Finished,
    Progress,
    Ready,
    Report,
    Stage,
)

OUTPUTS: dict[str, tuple[Output, ...]] = {
    "motion": (motion.MODEL, motion.PICTURE),
    "ctf": (ctf.FIT,),
    "export": (export.MOVIE_XML, export.AVERAGE),
}


def true_content(step: str, output: Output, fingerprint: str) -> str:
    """The bytes of an output of an honest worker: they follow from the fingerprint that the step is to have."""
    return f"{step} {output.pattern} {fingerprint}{WHOLE}"


def true_results(made_with: dict[str, str]) -> dict[str, Any]:
    """The results of an honest worker, by step, and of reading the movie; from the fingerprints of the steps."""
    found: dict[str, Any] = {
        INPUT: InputResult(
            frames=8,
            height=512,
            width=512,
            raw_height=512,
            raw_width=512,
            pixel_size_angstrom=1.0,
            raw_pixel_size_angstrom=1.0,
            dose_per_frame=1.0,
        ).to_dict()
    }
    for step, fingerprint in made_with.items():
        measured = int(hashlib.sha256(fingerprint.encode()).hexdigest()[:4], 16) / 65536
        found[step] = CHAIN[step].result.unmeasured().to_dict()
        if step == "motion":
            found[step] |= {"skipped": False, "mean_frame_movement_angstrom": 6 * measured}
        if step == "ctf":
            found[step] |= {"defocus_um": 1.0, "resolution_angstrom": 3 + 3 * measured, "warnings": []}
    return found


@dataclasses.dataclass
class Job:
    """A task in the process."""

    task: AssignTask
    cancelled: bool = False


class Compute(Part):
    """One process. `line` leads to its nanny, None where that has ended; `hangs`: the computation does not end."""

    period_s = 1e9

    def __init__(self, simulator: Simulator, host: Host, name: str) -> None:
        super().__init__(simulator, host, name)
        self.line: Callable[[Report | None], None] | None = None
        self.hangs = False

    def begin(self) -> None:
        """A new process; it is ready after a while."""
        self.hangs = False
        self._folders = SeenFolders()
        self._jobs: dict[int, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._commands: deque[Command] = deque()
        self.after(self.chance.uniform(0.5, 3.0), lambda: self._tell(Ready("cpu", 8, {"jax": "1"})))

    def kill(self) -> None:
        """SIGKILL; its nanny sees the line closed."""
        was_up, line = self.up, self.line
        super().kill()
        if was_up and line is not None:
            line(None)

    def round(self) -> None:
        """It is woken by commands alone."""
        while self._commands:
            command = self._commands.popleft()
            if isinstance(command, Begin):
                job = self._jobs[command.task.lease] = Job(command.task)
                self._waiting.append(job)
            elif isinstance(command, Cancel) and command.lease in self._jobs:
                job = self._jobs[command.lease]
                job.cancelled = True
                if job in self._waiting:
                    self._waiting.remove(job)
                    self._end(job, Dropped(command.lease))
        self._next_job()

    def command(self, command: Command) -> None:
        """The nanny says something down the line."""
        if self.up:
            self._commands.append(command)
            self.wake()

    def _next_job(self) -> None:
        if self._running is None and self._waiting:
            self._running = job = self._waiting.popleft()
            self._go_on(job, self._work(job))

    def _go_on(self, job: Job, work: Iterator[float | FileSystem]) -> None:
        """Do the next piece of a job, and the following one after a time, or once a file system answers."""
        if self.hangs:
            return
        try:
            if job.cancelled:
                self._end(job, Dropped(job.task.lease))
                return
            waits = next(work)
        except StopIteration:
            return
        except (TaskError, InputError, OSError) as error:
            failed = classify(error, "load")
            self._end(job, Failed(job.task.lease, failed.kind, failed.step, failed.message))
            return
        if isinstance(waits, FileSystem):
            waits.answer(self.bound(lambda: self._go_on(job, work)))
        else:
            self.after(waits, lambda: self._go_on(job, work))

    def _work(self, job: Job) -> Iterator[float | FileSystem]:
        task = job.task
        self._tell(Progress(task.lease, Stage.LOAD, "load", 0.0))
        yield self.chance.uniform(0.1, 0.5)
        yield self.host.mounts[StoragePlace.DATA]
        self._load(task)
        for step in task.run:
            self._tell(Progress(task.lease, Stage.COMPUTE, step, 0.0))
            yield self.chance.uniform(0.2, 1.5)
        outputs: dict[str, dict[str, int | None]] = {}
        files = self.host.mounts[StoragePlace.PROCESSING]
        for step in task.run:
            for output in OUTPUTS[step]:
                yield from self._write(task, step, output, outputs)
        yield files
        files.flush(f"{STAGING}/{task.lease}")
        results = true_results({step: task.wanted[step] for step in task.run})
        yield from self.hand_in(task, outputs)
        self._end(job, Finished(task.lease, task.run, results, outputs))

    def hand_in(self, task: AssignTask, outputs: dict[str, dict[str, int | None]]) -> Iterator[float]:
        """What follows the writing: nothing, since the scheduler places outputs."""
        yield from ()

    def _load(self, task: AssignTask) -> None:
        """Read the movie, as `worker/pipeline.py` does."""
        directory = self.host.path(task.data_directory)
        path = directory / task.path
        try:
            found = path.stat()
        except FileNotFoundError:
            if why := self._folders.why_away(directory, path):  # type: ignore[arg-type]
                raise TaskError(FailureKind.STORAGE_AWAY, "load", why) from None
            raise InputError(f"{path}: the file is gone") from None
        self._folders.note(path.parent)  # type: ignore[arg-type]
        if (found.st_size, found.st_mtime_ns) != (task.size, task.mtime_ns):
            raise InputError(f"{path}: the file has changed since it was registered")
        if path.read_text().startswith(DAMAGED):
            raise InputError(f"{path}: it is damaged")

    def _write(
        self, task: AssignTask, step: str, output: Output, outputs: dict[str, dict[str, int | None]]
    ) -> Iterator[float | FileSystem]:
        """Write an output in two halves; leave one that is in place with the same bytes."""
        files = self.host.mounts[StoragePlace.PROCESSING]
        text = true_content(step, output, task.wanted[step])
        folder = f"{STAGING}/{task.lease}"
        name = f"{folder}/{staged_name(step, output.pattern)}"
        self._tell(Progress(task.lease, Stage.WRITE, "write", 0.0))
        yield files
        files.make_folder(folder)
        inode: Inode = files.create(name)
        for half in (text[: len(text) // 2], text[len(text) // 2 :]):
            yield self.chance.uniform(0.01, 0.2)
            yield files
            files.append(inode, half)
        files.flush_file(inode)
        present = files.at(output.path(task.name))
        unchanged = present is not None and present.text == text
        if unchanged:
            files.remove(name)
        outputs.setdefault(step, {})[output.pattern] = None if unchanged else len(text)

    def _end(self, job: Job, report: Dropped | Failed | Finished) -> None:
        del self._jobs[job.task.lease]
        if self._running is job:
            self._running = None
        self._tell(report)
        self._next_job()

    def _tell(self, report: Report) -> None:
        """Speak to the nanny. Where that has ended, this process ends too."""
        self.step()
        if self.line is None:
            raise Killed
        self.line(report)
