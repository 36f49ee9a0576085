"""The life of tries: a movie is processed with other settings into a folder of its own, and the session stays as it is.

A try goes before the movies that wait, and while the session is paused, but only one runs at a time: it costs the
session no more than one movie's time.
"""

from __future__ import annotations

from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind, Purpose, TryState
from warpcore.services.scheduler.core import rows, views
from warpcore.services.scheduler.core.effects import DropTry, SaveTry
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.try_records import TryRecord
from warpcore.services.session.filtering import filter_reasons
from warpcore.services.session.settings import Settings, SettingsError, parse_settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.step import INPUT

MOST_ATTEMPTS = 2


def named(state: State, id: str) -> TryRecord | None:
    """The try of this id."""
    return next((one for one in state.tries.values() if one.id == id), None)


def task_of(state: State, record: TryRecord) -> TaskRecord | None:
    """The task that runs a try now."""
    return next((task for task in state.tasks.values() if task.purpose == record.id), None)


def next_ready(state: State) -> TryRecord | None:
    """The try that is to be assigned next, None where a worker has one or none can begin."""
    if any(task.kind is Purpose.TRY and task.state != LeaseState.PLACING for task in state.tasks.values()):
        return None
    waiting = (one for one in state.tries.values() if one.state == TryState.WAITING)
    return next((one for one in waiting if _free(state.movies[one.movie])), None)


def settings_of(state: State, record: TryRecord) -> Settings | None:
    """All settings of a try. Where this version cannot use them, the try fails, and None is returned."""
    try:
        return parse_settings(record.settings)
    except SettingsError as error:
        failure = wire.Failure(FailureKind.INPUT, "load", f"{error}; start the try again", "")
        _end(state, record, TryState.FAILED, failure)
        return None


def begun(state: State, record: TryRecord, worker: str) -> None:
    """A try was assigned."""
    record.become(TryState.RUNNING, f"assigned to {worker}")
    state.effects.append(SaveTry(rows.try_row(record)))


def finished(state: State, task: TaskRecord, results: dict[str, Any], outputs: dict[str, list[str]]) -> None:
    """A try is done: what ran is new, the results of all other steps are the movie's present ones."""
    record = _running(state, task)
    movie, settings = state.movies[record.movie], settings_of(state, record)
    if settings is None:
        return
    on = [INPUT, *(step for step in CHAIN.names if settings.runs(step))]
    known = {**movie.results, **results}
    record.results = {step: known[step] for step in on if step in known}
    record.outputs = {step: outputs.get(step, movie.outputs.get(step, [])) for step in on if step != INPUT}
    record.filter_reasons = filter_reasons(record.results, settings.filter)
    _end(state, record, TryState.DONE)


def failed(state: State, task: TaskRecord, failure: wire.Failure, *, again: bool, counted: bool = True) -> None:
    """A try went wrong, or its lease was taken back: it is tried again, elsewhere first, or it fails."""
    record = _running(state, task)
    if counted:
        record.attempts += 1
        record.avoid = task.worker
    if again and record.attempts < MOST_ATTEMPTS:
        record.become(TryState.WAITING, failure.message)
        state.effects.append(SaveTry(rows.try_row(record)))
    else:
        _end(state, record, TryState.FAILED, failure)


def _running(state: State, task: TaskRecord) -> TryRecord:
    record = named(state, task.purpose)
    assert record is not None, f"{task.title} is for {task.purpose}, which is unknown"
    return record


def _free(movie: MovieRecord) -> bool:
    return movie.lease is None and not movie.restoring and not movie.restore_to


def _end(state: State, record: TryRecord, end: TryState, failure: wire.Failure | None = None) -> None:
    record.become(end, failure.message if failure is not None else "finished")
    record.failure = failure
    save(state, record, "try.done")


def save(state: State, record: TryRecord, topic: str) -> None:
    """Store a try, and tell it."""
    state.effects.append(SaveTry(rows.try_row(record)))
    _tell(state, record, topic)


def drop(state: State, record: TryRecord) -> None:
    """Forget a try; its files go."""
    del state.tries[record.number]
    state.effects.append(DropTry(record.number, record.id))
    _tell(state, record, "try.deleted")


def _tell(state: State, record: TryRecord, topic: str) -> None:
    state.publish(topic, wire.TryEvent(views.try_head(record, state.movies[record.movie].name)))
