"""One movie from file to staged outputs, in the three stages that the compute process overlaps: load, compute, write.

Steps that need not run are read back from what they wrote; where that is gone, they run too, with those that build on
them. Of a step whose cheap half alone has changed, the costly half is taken up from disk.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from warpcore.bus.messages import AssignTask
from warpcore.kernels.image import DeviceFrames, find_defects, on_cpu, raw_counts, sum_frames
from warpcore.services.formats.star_text import is_writable
from warpcore.services.formats.warp_xml import write_movie_xml
from warpcore.services.session.allowed import inside
from warpcore.services.session.errors import InputError
from warpcore.services.session.movie_names import name_fault
from warpcore.services.session.opening import within
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.session.settings import parse_settings
from warpcore.services.session.workable import Field, unworkable
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.export import MOVIE_XML
from warpcore.services.steps.step import Step
from warpcore.services.worker.failures import is_out_of_device_memory
from warpcore.services.worker.gain_watch import GainWatch
from warpcore.services.worker.loading import (
    check_identity,
    load_average,
    load_frames,
    needs_frames,
    read_back,
    running,
    take_up,
)
from warpcore.services.worker.running import Running
from warpcore.services.worker.staging import Staging, task_folder
from warpcore.services.worker.steps.doing import doing_of
from warpcore.services.worker.steps.odd_frames import look_for_odd_frames
from warpcore.services.worker.steps.relion_motion import write_relion_motion
from warpcore.services.worker.steps.work import (
    AVERAGE,
    BAD_PIXELS,
    COUNTS,
    EXPOSURE,
    FRAMES,
    ODD_FRAMES,
    Report,
    Work,
)
from warpcore.services.worker.steps.xml import movie_xml

log = logging.getLogger(__name__)

_RUNNING = Running()
_SMALLER = (1 / 4, 1 / 16)
"""Shares of a device's memory that a movie gets after it ran out."""


def load(task: AssignTask, report: Report, memory_share: float = 1.0, paths: PathMap = AS_TOLD) -> Work:
    """Read what the task's steps need. Raises InputError for a movie that cannot be read, or may not be.

    `paths` says where this host sees the folders that the task names.
    """
    settings = parse_settings(task.settings)
    work = Work(task, settings, list(task.run), dict(task.results), memory_share=memory_share, paths=paths)
    with within(work.allowed):
        _load(work, report)
    return work


def _load(work: Work, report: Report) -> None:
    report("load", 0.0)
    data = work.here(work.task.data_directory)
    path = inside(data, work.task.path)
    if fault := name_fault(work.task.path):
        raise InputError(f"{str(path)!r}: {fault}")
    if not is_writable(work.task.data_directory):
        raise InputError(f"{work.task.data_directory!r}: no STAR file can hold the name of this folder; rename it")
    check_identity(path, data, work.task)
    read_back(work)
    take_up(work)
    if needs_frames(work) or not load_average(work):
        # Without the average the images of the export must be made anew too.
        work.cheap.discard("export")
        load_frames(work, path)
        report("load", 1.0)
    else:
        report("load", 1.0, "average of the earlier run")
    work.results = {step: summary for step, summary in work.results.items() if step not in work.run}


def compute(work: Work, report: Report, watch: GainWatch | None = None) -> Work:
    """Run the steps on the device, in order; a step that is switched off leaves no result behind.

    `watch` looks at the raw counts beside it; nothing of what it finds goes into the results. Where an accelerator's
    memory does not suffice, the movie is loaded again and worked on in smaller pieces, with no other movie beside it;
    results have the same bytes.
    """
    with within(work.allowed):
        return _computed(work, report, watch)


def _computed(work: Work, report: Report, watch: GainWatch | None) -> Work:
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
            work = load(work.task, report, share, work.paths)
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
                look_for_odd_frames(work)
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
            _hold_against(work, step)
            with work.timed(step.name):
                result = doing.run(work, report)
            if result is not None:
                work.tell(step.name, result)
        doing.complete(work)


def _hold_against(work: Work, step: Step) -> None:
    """Refuse settings of a step that cannot work with this movie, as another try would. Raises InputError."""
    average, frames = work.get(AVERAGE), work.get(FRAMES)
    if average is not None:
        height, width = average.pixels.shape
        field = Field(height, width, average.pixel_size_angstrom)
    elif frames is not None:
        scale = 2**work.settings.import_.binning
        height, width = (int(side / scale) for side in frames.movie.frames.shape[1:])
        field = Field(height, width, work.take(EXPOSURE).pixel_size_angstrom * scale)
    else:
        return
    for problem in unworkable(work.settings, field, [step.name]):
        raise InputError(f"{work.task.name}: {problem.name} = {problem.value} cannot work with it: {problem.text}")


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
    staging = Staging(work.processing, task_folder(work.task.lease), work.path)
    try:
        _write(work, staging)
        staging.settle()
        report("write", 1.0)  # raises where the task is no longer wanted
    except BaseException:
        staging.discard()
        raise
    return staging


def _find_defects(work: Work, watch: GainWatch | None) -> None:
    """Known defects and those that the frames show; the sums that show them also show whether the gain fits."""
    frames = work.take(FRAMES)
    movie = frames.movie
    sums = sum_frames(frames.counts, work.take(ODD_FRAMES).good)
    gain_defects = None if frames.gain is None else frames.gain.defects
    work.put(COUNTS, raw_counts(sums, frames.multiplier, gain_defects, shows_gain=frames.shows_gain))
    found, known = find_defects(frames.counts, frames.multiplier, sums), frames.known_defects
    work.put(BAD_PIXELS, found if known is None else found | known)
    if watch is None or not frames.shows_gain:
        return
    is_lone = movie.frames_in_file == 1 and not movie.is_eer
    if watch.see(frames.gain, work.settings.import_, movie.is_eer, lambda: sums.total, is_lone=is_lone):
        for warning in watch.warnings:
            log.warning("%s", warning)


def _write(work: Work, staging: Staging) -> None:
    """The outputs of the steps that ran. A job writes those of its own step alone."""
    for step in running(work):
        if work.is_export_job and step.name not in work.task.run:
            continue
        result = doing_of(step).write(work, staging)
        if result is not None:
            work.tell(step.name, result)
    if not work.is_export_job:
        if work.get(FRAMES) is not None:
            _write_references(work)
            if not (work.results.get("motion") or {}).get("metadata"):
                write_relion_motion(work, staging)
        # With the export, whose outputs always hold the XML; a run of earlier steps alone renews the same file.
        write_movie_xml(staging.place("export", MOVIE_XML), movie_xml(work))


def _write_references(work: Work) -> None:
    """What motion STAR and XML name must be there before they are."""
    for reference in work.take(FRAMES).references(work.settings.import_.defects_path):
        if reference is not None:
            reference.write(work.processing)
