"""The same steps on named files in this process, without services: `warpcore process`.

There is no session to learn from: in a step that learns each movie goes by its own evidence.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpcore.bus.messages import AssignTask, Failure
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Purpose
from warpcore.services.session.declared import paths_of, staged_files
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.fingerprints import wanted_fingerprints
from warpcore.services.session.learning import without_evidence
from warpcore.services.session.paths import movie_root
from warpcore.services.session.placing import Placement, drop, place
from warpcore.services.session.settings import Settings
from warpcore.services.worker.devices import DeviceError, open_device
from warpcore.services.worker.failures import TaskError, classify

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from warpcore.services.worker.gain_watch import GainWatch
    from warpcore.services.worker.staging import Staging
    from warpcore.services.worker.steps.work import Work


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file: `status` is processed or failed; `results` as `services/steps` declares them."""

    path: Path
    name: str
    status: str
    failure: Failure | None = None
    results: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)


def process_files(
    files: Sequence[Path],
    settings: Settings,
    processing_directory: Path,
    on_progress: Callable[[str, str, float, str], None],
    *,
    device: str = "auto",
) -> list[FileOutcome]:
    """Process each file; a bad one fails by itself. `on_progress(name, step, fraction, message)`.

    Two files of the same name from different folders would meet in the output: the second one fails and says so.
    Raises DeviceError for a device that is not there or computes wrongly.
    """
    from warpcore.services.worker.service import cache_directory

    ready = open_device(device, cache_directory())
    from warpcore.services.worker.device_check import NotCheckedError, check_device

    try:
        fault = check_device()
    except NotCheckedError as error:
        log.warning("%s", error)
    else:
        if fault is not None:
            raise DeviceError(f"{ready.device}: {fault}")
    from warpcore.services.worker.gain_watch import GainWatch

    watch = GainWatch()
    outcomes: list[FileOutcome] = []
    taken: dict[str, Path] = {}
    for path in files:
        name = movie_root(path.name)
        if name in taken:
            conflict = f"{path}: same name as {taken[name]}, whose outputs it would overwrite"
            outcomes.append(
                FileOutcome(path, name, MovieStatus.FAILED, Failure(FailureKind.CONFLICT, "load", conflict, ""))
            )
            continue
        taken[name] = path
        outcomes.append(_process(path.absolute(), name, settings, processing_directory, on_progress, watch))
    return outcomes


def _process(
    path: Path,
    name: str,
    settings: Settings,
    processing_directory: Path,
    on_progress: Callable[[str, str, float, str], None],
    watch: GainWatch,
) -> FileOutcome:
    from warpcore.services.worker.pipeline import compute, load, stage_outputs

    now_in = "load"

    def report(step: str, fraction: float, message: str = "") -> None:
        nonlocal now_in
        now_in = step
        on_progress(name, step, fraction, message)

    try:
        products = compute(load(_task(path, name, settings, processing_directory), report), report, watch)
        outputs = place_outputs(products, stage_outputs(products, report))
    except Exception as error:  # noqa: BLE001 - a bad file must not stop the others; its kind and step are reported
        fault: TaskError = classify(error, now_in)
        return FileOutcome(path, name, MovieStatus.FAILED, Failure(fault.kind, fault.step, fault.message, ""))
    return FileOutcome(path, name, MovieStatus.PROCESSED, None, without_evidence(products.results), outputs)


def place_outputs(work: Work, staging: Staging) -> dict[str, list[str]]:
    """Place what was made; returns the outputs by step. Raises OSError."""
    files, folder, suffix = DiskFiles(work.processing), str(work.task.lease), work.settings.picking.suffix
    staged = staged_files(staging.outputs, work.task.name, suffix)
    try:
        place(files, Placement(work.task.name, folder, staged))
    finally:
        drop(files, folder)
    return paths_of(staging.outputs, work.task.name, suffix)


def _task(path: Path, name: str, settings: Settings, processing_directory: Path) -> AssignTask:
    try:
        identity = path.stat()
        size, mtime_ns = identity.st_size, identity.st_mtime_ns
    except OSError:
        size, mtime_ns = 0, 0
    wanted = wanted_fingerprints(settings, size, mtime_ns)
    return AssignTask(
        lease=os.getpid(),  # it names the folder that this process writes to
        purpose=Purpose.PROCESS,
        name=name,
        path=path.name,
        size=size,
        mtime_ns=mtime_ns,
        run=[step for step, fingerprint in wanted.items() if fingerprint != "off"],
        wanted=wanted,
        settings=settings.to_dict(),
        results={},
        data_directory=str(path.parent),
        processing_directory=str(processing_directory.absolute()),
    )
