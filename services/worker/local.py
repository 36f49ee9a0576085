"""The same steps on named files in this process, without services: `warpcore process`.

There is no session to learn from: in a step that learns each movie goes by its own evidence.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpcore.bus.messages import Failure
from warpcore.bus.vocabulary import FailureKind, MovieStatus
from warpcore.services.session.declared import paths_of, staged_files
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.learning import without_evidence
from warpcore.services.session.movie_record import MovieRecordFile
from warpcore.services.session.placing import Placement, drop, place
from warpcore.services.session.settings import Settings
from warpcore.services.steps.step import INPUT
from warpcore.services.worker.devices import DeviceError, open_device
from warpcore.services.worker.failures import classify
from warpcore.services.worker.local_files import Planned, plan_file
from warpcore.services.worker.overlapping import overlapped

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from warpcore.services.worker.line import Ready
    from warpcore.services.worker.staging import Staging
    from warpcore.services.worker.steps.work import Work

Progress = Callable[[str, str, float, str], None]
"""`on_progress(name, step, fraction, message)`, which several threads call."""


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file: `status` is processed or failed; `results` as `services/steps` declares them.

    `record` is what is known of it now; None where it failed. `ran` are the steps that ran, none where all was done.
    `filter_reasons` say why the filter rejects it, once that has judged: then `status` is filtered_out.
    """

    path: Path
    name: str
    status: MovieStatus
    failure: Failure | None = None
    results: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    record: MovieRecordFile | None = None
    ran: tuple[str, ...] = ()
    filter_reasons: tuple[str, ...] = ()


@dataclass
class _Job:
    """A file on its way. Each stage replaces `work` by what it has made; a failed one has a failure and no work."""

    plan: Planned
    on_progress: Progress
    step: str = "load"
    work: Work | None = None
    failure: Failure | None = None

    def report(self, step: str, fraction: float, message: str = "") -> None:
        """Take in how far a step is, and pass it on."""
        self.step = step
        self.on_progress(self.plan.file.name, step, fraction, message)


def process_files(
    files: Sequence[Path],
    settings: Settings,
    processing_directory: Path,
    on_progress: Progress,
    *,
    device: str = "auto",
) -> list[FileOutcome]:
    """Process each file under its own name, as `process_movies` does."""
    plans = [plan_file(path, settings, processing_directory) for path in files]
    return list(process_movies(plans, processing_directory, on_progress, device=device))


def process_movies(
    plans: Sequence[Planned], processing_directory: Path, on_progress: Progress, *, device: str = "auto"
) -> Iterator[FileOutcome]:
    """Process files, and yield what became of each, in their order; a bad one fails by itself.

    While one is computed others are loaded and written, as in a worker. Where two files have one name, so that their
    outputs would meet, the second one fails and says so. Raises DeviceError for a device that is not there or computes
    wrongly; files that are done already need none.
    """
    from warpcore.services.worker.staging import sweep_killed

    sweep_killed(processing_directory)
    at_once = _opened(device).at_once if any(plan.task.run for plan in plans) else 1
    # Before threads import it: those could find modules that are half imported.
    from warpcore.services.worker.gain_watch import GainWatch
    from warpcore.services.worker.pipeline import compute, load, stage_outputs

    watch = GainWatch()
    stages = _Stages(
        load=lambda job: load(job.plan.task, job.report),
        compute=lambda job, work: compute(work, job.report, watch),
        stage=lambda job, work: stage_outputs(work, job.report),
    )
    jobs = [_Job(plan, on_progress) for plan in plans]
    taken: dict[str, Path] = {}
    for job in jobs:
        _claim(job, taken)
    yield from overlapped(jobs, stages.loaded, stages.computed, stages.written, at_once)


@dataclass(frozen=True)
class _Stages:
    """The three stages of a job; none of them raises what is a file's fault."""

    load: Callable[[_Job], Work]
    compute: Callable[[_Job, Work], Work]
    stage: Callable[[_Job, Work], Staging]

    def loaded(self, job: _Job) -> _Job:
        """Read what the steps need."""
        if job.failure is None and job.plan.task.run:
            self._carry_out(job, lambda: self.load(job))
        return job

    def computed(self, job: _Job) -> _Job:
        """Run the steps."""
        work, job.work = job.work, None
        if work is not None:
            self._carry_out(job, lambda: self.compute(job, work))
        return job

    def written(self, job: _Job) -> FileOutcome:
        """Write and place the outputs."""
        plan, work, record = job.plan, job.work, job.plan.before
        ran: tuple[str, ...] = ()
        if work is not None:
            made: list[MovieRecordFile] = []

            def write() -> Work:
                made.append(place_outputs(work, self.stage(job, work), plan.before))
                return work

            self._carry_out(job, write)
            ran = tuple(work.run)
            record = made[0] if made else record
        path, name = plan.file.absolute, plan.file.name
        if job.failure is not None:
            return FileOutcome(path, name, MovieStatus.FAILED, job.failure)
        results = without_evidence(record.results)
        return FileOutcome(path, name, MovieStatus.PROCESSED, None, results, record.outputs, record, ran)

    def _carry_out(self, job: _Job, stage: Callable[[], Work]) -> None:
        try:
            job.work = stage()
            return
        except Exception as error:  # noqa: BLE001 - a bad file must not stop the others; its kind and step are reported
            fault = classify(error, job.step)
        # Outside of the handler: its traceback holds on to all that the movie has on the device.
        job.work, job.failure = None, Failure(fault.kind, fault.step, fault.message, "")


def place_outputs(work: Work, staging: Staging, before: MovieRecordFile | None = None) -> MovieRecordFile:
    """Place what was made, and the record of it; returns what is known of the movie then. Raises OSError.

    `before` is what was known of the movie: outputs that are no longer made are deleted.
    """
    task, files, suffix = work.task, DiskFiles(work.processing), work.settings.picking.suffix
    known = before or MovieRecordFile(task.name, task.path, task.size, task.mtime_ns, {}, {}, {})
    made = paths_of(staging.outputs, task.name, suffix)
    outputs = {step: made.get(step, []) for step in work.run}
    reported = {step: summary for step, summary in work.results.items() if step in (INPUT, *work.run)}
    after = replace(
        known,
        fingerprints={**known.fingerprints, **{step: task.wanted[step] for step in work.run}},
        results={**known.results, **reported},
        outputs={**known.outputs, **outputs},
    )
    new = {path for paths in made.values() for path in paths}
    former = {path for step in work.run for path in known.outputs.get(step, [])}
    placement = Placement(
        root=task.name,
        folder=staging.folder,
        staged=staged_files(staging.outputs, task.name, suffix),
        stale=sorted(former - new),
        record=after.text,
    )
    try:
        place(files, placement)
    finally:
        drop(files, staging.folder)
    return after


def _opened(device: str) -> Ready:
    """The device, which is checked. Raises DeviceError."""
    from warpcore.services.worker.caches import cache_directory

    ready = open_device(device, cache_directory())
    from warpcore.services.worker.compute import GPU_SWITCH_S
    from warpcore.services.worker.device_check import NotCheckedError, check_device

    try:
        fault = check_device()
    except NotCheckedError as error:
        log.warning("%s", error)
    else:
        if fault is not None:
            raise DeviceError(f"{ready.device}: {fault}")
    if not ready.device.startswith("cpu"):
        sys.setswitchinterval(GPU_SWITCH_S)
    return ready


def _claim(job: _Job, taken: dict[str, Path]) -> None:
    """Fail a file whose name another one has."""
    path, name = job.plan.file.absolute, job.plan.file.name
    if name in taken:
        conflict = f"{path}: same name as {taken[name]}, whose outputs it would overwrite"
        job.failure = Failure(FailureKind.CONFLICT, "load", conflict, "")
    taken.setdefault(name, path)
