"""The state of a new run from what an earlier one stored."""

from __future__ import annotations

from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import ItemState, Order, WorkerState
from warpcore.services.scheduler.core import alarms, exporting, rows
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import Ban, WorkerRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.store.database import Stored
from warpcore.services.session.hand_picks import edits_id
from warpcore.services.session.migrations import adopt
from warpcore.services.session.settings import Settings


def restore(stored: Stored, *, data_directory: str, processing_directory: str, now: float) -> State:
    """The state as stored. Leases hold: from `now` on their workers have the heartbeat time-out to come back with them.

    Raises ValueError, TypeError, KeyError or UnpackException for rows that are damaged.
    """
    adopted = adopt(stored.settings, stored.migration, stored.set_aside) if stored.settings is not None else None
    settings = adopted.settings if adopted is not None else Settings()
    state = State(
        settings,
        data_directory=data_directory,
        processing_directory=processing_directory,
        epoch=stored.epoch,
    )
    state.now = now
    if adopted is not None:
        state.set_aside = adopted.set_aside
        state.words = adopted.words
        state.migrated = settings.to_dict() != stored.settings or adopted.set_aside != stored.set_aside
    state.revision = stored.revision
    state.choices = {row.key: rows.choice_from_row(row) for row in stored.choices}
    selections = map(rows.selection_from_row, stored.selections)
    state.selections = {change.number: change for change in selections}
    state.hand_picks = {row.movie: rows.hand_picks_from_row(row) for row in stored.hand_picks}
    state.tries = {row.number: rows.try_from_row(row) for row in stored.tries}
    state.profiles = {row.name: rows.profile_from_row(row) for row in stored.profiles}
    state.adopt(settings, stored.references)
    state.paused_by, state.seq = stored.paused_by, stored.seq
    state.arrange(Order(stored.order))
    state.last_lease, state.last_modified = stored.last_lease, stored.last_modified
    state.bans = {ban.worker: ban for ban in (Ban(*row) for row in stored.bans)}
    alarms.restore(state, map(Alarm.from_body, stored.alarms))
    _restore_movies(state, stored)
    _restore_leases(state, stored)
    _restore_exports(state, stored)
    return state


def _restore_movies(state: State, stored: Stored) -> None:
    leases = {task.movie: task.lease for task in stored.tasks}
    for row in stored.movies:
        movie = rows.movie_from_row(row)
        movie.lease = leases.get(movie.id)
        edited = state.hand_picks.get(movie.id)
        movie.hand_picks = edits_id(edited.present) if edited is not None else ""
        if movie.restoring:
            # It may have ended half-way: which files are there is known once it is done again.
            movie.fingerprints = {}
            state.restoring.add(movie.id)
        state.derived += state.derive(movie)
        state.index(movie)
        if done_at := movie.run.get("done_at"):
            state.last_hour.count(movie.id, done_at)


def _restore_leases(state: State, stored: Stored) -> None:
    for row in stored.tasks:
        task = rows.task_from_row(row)
        task.active_at = state.now
        state.tasks[task.lease] = task
        if task.state == LeaseState.PLACING:
            state.placing.add(task.lease)
            continue
        worker = state.workers.get(task.worker)
        if worker is None:
            worker = WorkerRecord(task.worker, task.instance, heard_at=state.now)
            worker.become(WorkerState.BUSY, "holds leases of an earlier run")
            state.workers[task.worker] = worker
        worker.leases.append(task.lease)


def _restore_exports(state: State, stored: Stored) -> None:
    state.exports = {row.job: rows.export_from_row(row) for row in stored.exports}
    for row in stored.export_items:
        state.exports[row.job].items[row.movie] = rows.export_item_from_row(row)
    for job in state.exports.values():
        job.count()
        for movie, item in job.items.items():
            if item.state == ItemState.HELD:
                exporting.move_item(state, job, movie, ItemState.PENDING, "looked at again after a restart")
