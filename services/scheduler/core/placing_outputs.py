"""What workers have made is placed: the scheduler alone gives outputs their names, and only while the lease holds."""

from __future__ import annotations

from functools import partial

from msgspec import structs

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind, Purpose
from warpcore.services.scheduler.core import seeing, tasks
from warpcore.services.scheduler.core.effects import PlaceOutputs
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import TaskRecord
from warpcore.services.scheduler.core.report_checks import finite, report_fault
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import OutputsPlaced, PlacingFailed
from warpcore.services.session.declared import paths_of, staged_files
from warpcore.services.session.generations import Generation
from warpcore.services.session.movie_record import MovieRecordFile
from warpcore.services.session.paths import try_folder
from warpcore.services.session.placing import Placement

MOST_PLACING = 256
"""Tasks whose outputs wait for their place; with so many nothing more is assigned."""
REPEAT_AFTER_S = 5.0
"""How long after the storage did not let outputs be placed it is tried again."""


def reported(state: State, task: TaskRecord, message: wire.TaskFinished) -> None:
    """A worker has handed in its work, and is free. An impossible report counts as its internal failure."""
    message = structs.replace(message, results=finite(message.results))
    fault = report_fault(state, task, message)
    if fault:
        tasks.fail(state, task, FailureKind.INTERNAL, "write", f"the worker's report cannot be right: {fault}")
        return
    tasks.begin(state, task)
    worker = state.workers.get(task.worker)
    if worker is not None:
        worker.done += 1
        worker.sight.met, worker.sight.pause_s = "", 0.0
    state.storage.done += 1
    task.report = message
    task.step, task.fraction, task.message = "write", 1.0, ""
    state.take_over(task)
    state.advance(task, LeaseState.PLACING, f"reported by {task.worker}")
    state.effects.append(_ordered(state, task))


def placed(state: State, stimulus: OutputsPlaced) -> None:
    """The outputs have their names: the task is done."""
    task = state.tasks.get(stimulus.lease)
    if task is not None and task.state == LeaseState.PLACING:
        tasks.finish(state, task, paths_of_report(state, task), stimulus.kept)


def failed(state: State, stimulus: PlacingFailed) -> None:
    """Outputs could not be placed: again once the storage may have recovered, else the task has failed."""
    task = state.tasks.get(stimulus.lease)
    if task is None or task.state != LeaseState.PLACING:
        return
    if stimulus.fault is FailureKind.DISK_FULL:
        state.storage.met_full(stimulus.text[: tasks.LONGEST_TEXT], state.now)
    if stimulus.again:
        task.message, task.place_at = stimulus.text[: tasks.LONGEST_TEXT], state.now + REPEAT_AFTER_S
        return
    tasks.fail(state, task, stimulus.fault, "write", stimulus.text)
    worker = state.workers.get(task.worker)
    if stimulus.fault is FailureKind.STORAGE_AWAY and worker is not None and worker.alive:
        seeing.met_away(state, worker, stimulus.text[: tasks.LONGEST_TEXT])


def repeat_due(state: State) -> None:
    """Try again where the storage had not let outputs be placed."""
    for task in _placing(state):
        if task.place_at is not None and state.now >= task.place_at:
            state.effects.append(_ordered(state, task))


def begun(state: State) -> list[PlaceOutputs]:
    """What had begun."""
    return [_ordered(state, task) for task in _placing(state)]


def warnings(state: State) -> list[str]:
    """What keeps outputs from being placed, each text once, with how many tasks wait for it."""
    texts = [task.message for task in _placing(state) if task.place_at is not None]
    return [f"{text}; tasks that wait for it: {texts.count(text)}" for text in dict.fromkeys(texts)]


def paths_of_report(state: State, task: TaskRecord) -> dict[str, list[str]]:
    """The final paths of what a task has made, by step."""
    assert task.report is not None
    return paths_of(task.report.outputs, state.movies[task.movie].name, task.suffix)


def _placing(state: State) -> list[TaskRecord]:
    return [state.tasks[lease] for lease in sorted(state.placing)]


def _ordered(state: State, task: TaskRecord) -> PlaceOutputs:
    task.place_at = None
    return PlaceOutputs(task.movie, task.lease, _placement(state, task))


def _placement(state: State, task: TaskRecord) -> Placement:
    """What is to become of a task's files; those of an export job and of a try lie in a folder of their own."""
    assert task.report is not None
    movie, ran = state.movies[task.movie], task.report.ran
    staged = staged_files(task.report.outputs, movie.name, task.suffix)
    paths = paths_of_report(state, task)
    new = {path for of_step in paths.values() for path in of_step}
    placed = partial(Placement, movie.name, str(task.lease), staged, sorted(new - staged.keys()))
    if task.kind is Purpose.EXPORT:
        return placed(target=state.exports[task.purpose].folder)
    if task.kind is Purpose.TRY:
        others = {path for step, paths in movie.outputs.items() if step not in ran for path in paths}
        return placed(target=try_folder(task.purpose), linked=sorted(others - new))
    former = {path for step in ran for path in movie.outputs.get(step, [])}
    before = Generation(movie.fingerprints, movie.results, movie.outputs)
    after = tasks.generation_after(movie, task, paths)
    file = movie.name, movie.path, movie.size, movie.mtime_ns
    record = MovieRecordFile(*file, after.fingerprints, after.results, after.outputs, *movie.said)
    return placed(stale=sorted(former - new), before=before, record=record.text)
