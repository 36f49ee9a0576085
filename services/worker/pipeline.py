"""One movie from file to staged outputs, in the three stages that the compute process overlaps: load, compute, write.

Steps that need not run are read back from what they wrote; where that is gone, they run too, with those that build on
them. Of a step whose cheap half alone has changed, the costly half is taken up from disk.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import FailureKind, Purpose
from warpcore.kernels.image import DeviceFrames, find_defects, on_cpu, raw_counts, sum_frames
from warpcore.services.formats.star_text import UNWRITABLE, is_writable
from warpcore.services.formats.warp_xml import write_movie_xml
from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.gain import read_gain
from warpcore.services.readers.movies import pixel_size_angstrom
from warpcore.services.session.errors import InputError
from warpcore.services.session.fingerprints import same_costly_half
from warpcore.services.session.paths import inside
from warpcore.services.session.settings import parse_settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.export import AVERAGE as AVERAGE_FILE
from warpcore.services.steps.export import MOVIE_XML
from warpcore.services.steps.step import INPUT, Step
from warpcore.services.storage.looking import SeenFolders
from warpcore.services.worker import stored
from warpcore.services.worker.failures import TaskError, is_out_of_device_memory
from warpcore.services.worker.gain_watch import GainWatch, shows_gain
from warpcore.services.worker.on_device import frames_for_kernels, read_for_worker
from warpcore.services.worker.running import Running
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.doing import doing_of
from warpcore.services.worker.steps.work import (
    AVERAGE,
    BAD_PIXELS,
    COUNTS,
    EXPOSURE,
    FRAMES,
    Average,
    Exposure,
    Frames,
    Report,
    Work,
)
from warpcore.services.worker.steps.xml import movie_xml

log = logging.getLogger(__name__)

_RUNNING = Running()
_FOLDERS = SeenFolders()
_SMALLER = (1 / 4, 1 / 16)
"""Shares of a device's memory that a movie gets after it ran out."""


def load(task: AssignTask, report: Report, memory_share: float = 1.0) -> Work:
    """Read what the task's steps need. Raises InputError for a movie that cannot be read."""
    report("load", 0.0)
    path = inside(Path(task.data_directory), task.path)
    if not is_writable(str(path)):
        raise InputError(f"{str(path)!r}: its path {UNWRITABLE}")
    _check_identity(path, task)
    results = dict(task.results)
    work = Work(task, parse_settings(task.settings), list(task.run), results, memory_share=memory_share)
    _read_back(work)
    _take_up(work)
    if _needs_frames(work) or not _load_average(work):
        # Without the average the images of the export must be made anew too.
        work.cheap.discard("export")
        _load_frames(work, path)
        report("load", 1.0)
    else:
        report("load", 1.0, "average of the earlier run")
    work.results = {step: summary for step, summary in results.items() if step not in work.run}
    return work


def compute(work: Work, report: Report, watch: GainWatch | None = None) -> Work:
    """Run the steps on the device, in order; a step that is switched off leaves no result behind.

    `watch` looks at the raw counts beside it; nothing of what it finds goes into the results. Where an accelerator's
    memory does not suffice, the movie is loaded again and worked on in smaller pieces, with no other movie beside it;
    results have the same bytes.
    """
    with _RUNNING.beside_others():
        try:
            return _compute(work, report, watch)
        except Exception as error:
            if on_cpu() or not is_out_of_device_memory(error):
                raise
    # Outside of the handler: its traceback holds on to what fills the memory.
    with _RUNNING.alone():
        for share in _SMALLER:
            log.warning("%s: out of memory on the device; again with fewer frames at a time", work.task.name)
            work.forget()
            work = load(work.task, report, share)
            try:
                return _compute(work, report, watch)
            except Exception as error:
                if share == _SMALLER[-1] or not is_out_of_device_memory(error):
                    raise
    raise AssertionError("a last try returns or raises")


def _compute(work: Work, report: Report, watch: GainWatch | None) -> Work:
    try:
        if work.get(FRAMES) is not None:
            with work.timed("defects"):
                _find_defects(work, watch)
        _run_steps(work, report)
        return work
    finally:
        _let_go_of_frames(work)


def _run_steps(work: Work, report: Report) -> None:
    for step in CHAIN:
        if not work.settings.runs(step.name):
            work.results.pop(step.name, None)
            continue
        doing = doing_of(step)
        if step.name in work.run:
            report(step.name, 0.0)
            with work.timed(step.name):
                result = doing.run(work, report)
            if result is not None:
                work.tell(step.name, result)
        doing.complete(work)


def _let_go_of_frames(work: Work) -> None:
    """The frames leave the device, and the memory that they were decoded into may be used again."""
    frames = work.get(FRAMES)
    if frames is not None and isinstance(frames.counts, DeviceFrames):
        frames.counts.settle()
        frames.movie.release()
        work.put(FRAMES, replace(frames, counts=frames.movie.frames))


def stage_outputs(work: Work, report: Report) -> Staging:
    """Write all outputs into the task's own folder; on any error nothing of them stays behind."""
    try:
        return _staged(work, report)
    except Exception as error:
        if on_cpu() or not is_out_of_device_memory(error):
            raise
    # Pictures are made on the device, beside other movies.
    with _RUNNING.alone():
        return _staged(work, report)


def _staged(work: Work, report: Report) -> Staging:
    report("write", 0.0)
    staging = Staging(work.processing, str(work.task.lease), work.path)
    try:
        _write(work, staging)
        staging.settle()
        report("write", 1.0)  # raises where the task is no longer wanted
    except BaseException:
        staging.discard()
        raise
    return staging


# --- loading -----------------------------------------------------------------------------------------------------


def _check_identity(path: Path, task: AssignTask) -> None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if why := _FOLDERS.why_away(Path(task.data_directory), path):
            raise TaskError(FailureKind.STORAGE_AWAY, "load", why) from None
        raise InputError(f"{path}: the file is gone") from None
    _FOLDERS.note(path.parent)
    if Purpose.of(task.purpose) is not Purpose.EXPORT and (found.st_size, found.st_mtime_ns) != (
        task.size,
        task.mtime_ns,
    ):
        raise InputError(
            f"{path}: the file has changed since it was registered; it is taken up again once it is stable"
        )


def _read_back(work: Work) -> None:
    """Fill in what steps that do not run have left.

    Where that is gone, they and those after them are added to the run.
    """
    for step in CHAIN:
        if step.name in work.run or not work.settings.runs(step.name):
            continue
        if not doing_of(step).read_back(work, work.processing):
            again = {*work.run, *work.settings.following(step.name)}
            work.run = [name for name in CHAIN.names if name in again]


def _take_up(work: Work) -> None:
    """Take up costly halves that are as wanted: their settings are, and no step that they build on runs."""
    task = work.task
    for step in _running(work):
        if step.cheap is None or work.is_export_job or set(step.parents) & set(work.run):
            continue
        if same_costly_half(step.name, task.wanted, task.stored) and doing_of(step).take_up(work, work.processing):
            work.cheap.add(step.name)


def _needs_frames(work: Work) -> bool:
    return any(doing_of(step).needs_frames(work) for step in _running(work))


def _running(work: Work) -> list[Step]:
    return [step for step in CHAIN if step.name in work.run and work.settings.runs(step.name)]


def _load_average(work: Work) -> bool:
    """The average of the earlier run; False where there is none to use."""
    known = work.task.results.get(INPUT)
    if not work.settings.export.average or known is None:
        return False
    pixels = stored.read_average(inside(work.processing, work.path(AVERAGE_FILE)))
    if pixels is None:
        return False
    # Sizes from the summary: the header of an MRC holds them in fewer digits.
    work.put(AVERAGE, Average(pixels, known["pixel_size_angstrom"], pixels))
    work.put(EXPOSURE, Exposure(known["raw_pixel_size_angstrom"], known["dose_per_frame"]))
    return True


def _load_frames(work: Work, path: Path) -> None:
    imported = work.settings.import_
    movie = read_for_worker(path, work.settings)
    height, width = movie.height, movie.width
    dose = imported.dose_per_frame * movie.dose_factor
    work.put(EXPOSURE, Exposure(pixel_size_angstrom(movie, imported), dose, dose * movie.first_frame))
    try:
        gain = read_gain(imported, (height, width), movie.is_eer)
        defects = read_defects(imported, (height, width))
    except InputError as error:
        movie.release()
        if isinstance(error.__context__, FileNotFoundError):  # the scheduler has seen the file: this host does not
            raise TaskError(FailureKind.STORAGE_AWAY, "load", str(error)) from None
        raise InputError(f"{path}: {error}") from error
    if gain is not None:
        defects = gain.defects if defects is None else defects | gain.defects
    seen = shows_gain(movie, work.settings)
    movie, counts = frames_for_kernels(movie, work.settings, work.take(EXPOSURE), work.memory_share)
    work.put(FRAMES, Frames(movie, counts, gain, defects, seen))


# --- computing and writing ---------------------------------------------------------------------------------------


def _find_defects(work: Work, watch: GainWatch | None) -> None:
    """Known defects and those that the frames show; the sums that show them also show whether the gain fits."""
    frames = work.take(FRAMES)
    movie = frames.movie
    sums = sum_frames(frames.counts)
    gain_defects = None if frames.gain is None else frames.gain.defects
    work.put(COUNTS, raw_counts(sums, frames.multiplier, gain_defects, shows_gain=frames.shows_gain))
    found = find_defects(frames.counts, frames.multiplier, sums)
    work.put(BAD_PIXELS, found if frames.known_defects is None else found | frames.known_defects)
    if watch is None or not frames.shows_gain:
        return
    if watch.see(frames.gain, work.settings.import_, movie.is_eer, lambda: sums.total):
        for warning in watch.warnings:
            log.warning("%s", warning)


def _write(work: Work, staging: Staging) -> None:
    """The outputs of the steps that ran. A job writes those of its own step alone."""
    for step in _running(work):
        if work.is_export_job and step.name not in work.task.run:
            continue
        result = doing_of(step).write(work, staging)
        if result is not None:
            work.tell(step.name, result)
    if not work.is_export_job:
        # With the export, whose outputs always hold the XML; a run of earlier steps alone renews the same file.
        write_movie_xml(staging.place("export", MOVIE_XML), movie_xml(work))
