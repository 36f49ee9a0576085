"""What a movie's steps begin with: its frames, and what earlier runs have left of those that do not run again."""

from __future__ import annotations

from pathlib import Path

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import FailureKind, Purpose
from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.gain import named, read_gain
from warpcore.services.readers.movies import pixel_size_angstrom
from warpcore.services.session.allowed import inside, results_below
from warpcore.services.session.errors import InputError
from warpcore.services.session.fingerprints import same_costly_half
from warpcore.services.session.opening import check_file, within
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.export import AVERAGE as AVERAGE_FILE
from warpcore.services.steps.fields import known
from warpcore.services.steps.step import INPUT, Step
from warpcore.services.storage.looking import SeenFolders
from warpcore.services.worker import stored
from warpcore.services.worker.failures import TaskError
from warpcore.services.worker.gain_watch import shows_gain
from warpcore.services.worker.on_device import frames_for_kernels, read_for_worker
from warpcore.services.worker.steps.doing import doing_of
from warpcore.services.worker.steps.work import (
    AVERAGE,
    EXPOSURE,
    FRAMES,
    Average,
    Exposure,
    Frames,
    Work,
)

_FOLDERS = SeenFolders()


def check_identity(path: Path, data: Path, task: AssignTask) -> None:
    """Raises InputError where the movie is gone or another file, TaskError where its storage is away."""
    try:
        found = check_file(path)
    except (FileNotFoundError, NotADirectoryError):
        if why := _FOLDERS.why_away(data, path):
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


def read_back(work: Work) -> None:
    """Fill in what steps that do not run have left.

    Where that is gone, they and those after them are added to the run.
    """
    for step in CHAIN:
        if step.name in work.run or not work.settings.runs(step.name):
            continue
        with within(results_below(work.processing)):
            is_there = doing_of(step).read_back(work, work.processing)
        if not is_there:
            again = {*work.run, *work.settings.following(step.name)}
            work.run = [name for name in CHAIN.names if name in again]


def take_up(work: Work) -> None:
    """Take up costly halves that are as wanted: their settings are, and no step that they build on runs."""
    task = work.task
    for step in running(work):
        if step.cheap is None or work.is_export_job or set(step.parents) & set(work.run):
            continue
        if not same_costly_half(step.name, task.wanted, task.stored):
            continue
        with within(results_below(work.processing)):
            if doing_of(step).take_up(work, work.processing):
                work.cheap.add(step.name)


def needs_frames(work: Work) -> bool:
    """Whether a step that runs does so on the frames."""
    return any(doing_of(step).needs_frames(work) for step in running(work))


def running(work: Work) -> list[Step]:
    """The steps that run, in order."""
    return [step for step in CHAIN if step.name in work.run and work.settings.runs(step.name)]


def load_average(work: Work) -> bool:
    """The average of the earlier run; False where there is none to use."""
    known = work.task.results.get(INPUT)
    if not work.settings.export.average or known is None:
        return False
    with within(results_below(work.processing)):
        pixels = stored.read_average(inside(work.processing, work.path(AVERAGE_FILE)))
    if pixels is None:
        return False
    # Sizes from the summary: the header of an MRC holds them in fewer digits.
    work.put(AVERAGE, Average(pixels, known["pixel_size_angstrom"], pixels))
    work.put(EXPOSURE, Exposure(known["raw_pixel_size_angstrom"], known["dose_per_frame"]))
    return True


def load_frames(work: Work, path: Path) -> None:
    """Read frames, gain and defects. Raises InputError; TaskError where this host does not see a file of theirs."""
    imported, here = work.settings.import_, work.settings_here
    movie = read_for_worker(path, work.settings)
    height, width = movie.height, movie.width
    dose = known(imported, "dose_per_frame") * movie.dose_factor
    try:
        work.put(EXPOSURE, Exposure(pixel_size_angstrom(movie, imported), dose, dose * movie.first_frame))
    except InputError:
        movie.release()
        raise
    try:
        gain = read_gain(here.import_, (height, width), movie.is_eer)
        defects = read_defects(here.import_, (height, width))
    except InputError as error:
        movie.release()
        if isinstance(error.__context__, FileNotFoundError):  # the scheduler has seen the file: this host does not
            raise TaskError(FailureKind.STORAGE_AWAY, "load", str(error)) from None
        raise InputError(f"{path}: {error}") from error
    if gain is not None and imported.gain_path is not None and here is not work.settings:
        gain = named(gain, Path(imported.gain_path))
    seen = shows_gain(movie, here)
    movie, counts = frames_for_kernels(movie, work.settings, work.take(EXPOSURE), work.memory_share)
    work.put(FRAMES, Frames(movie, counts, gain, defects, seen))
