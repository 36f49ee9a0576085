"""The state of a new run from what an earlier one stored."""

from __future__ import annotations

from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import DONE, ENDED, ItemState, Order, WorkerState
from warpcore.services.scheduler.core import alarms, exporting, rows
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import Ban, MovieRecord, WorkerRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.store.database import Stored
from warpcore.services.session.hand_picks import edits_id
from warpcore.services.session.migrations import adopt
from warpcore.services.session.settings import Settings


def restore(stored: Stored, *, data_directory: str, processing_directory: str, now: float, wall: float) -> State:
    """The state as stored. Leases hold: from `now` on their workers have the heartbeat time-out to come back with them.

    `now` (monotonic seconds) and `wall` (epoch seconds) are the same moment: stored times are of the second kind.
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
    state.now, state.wall = now, wall
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
    for pool in map(rows.pool_from_row, stored.pools):
        pool.heard_at = now  # it is not known to be silent before it had time to report to this run
        state.pools[pool.name] = pool
    state.adopt(settings, stored.references)
    state.paused_by, state.seq = stored.paused_by, stored.seq
    state.arrange(Order(stored.order))
    state.last_lease, state.last_movie = stored.last_lease, stored.last_movie
    state.last_export = stored.last_export
    state.last_optics_group = stored.last_optics_group
    state.last_modified = stored.last_modified
    state.bans = {ban.worker: ban for ban in (Ban(*row) for row in stored.bans)}
    alarms.restore(state, map(Alarm.from_body, stored.alarms))
    _restore_movies(state, stored)
    _restore_rates(state)
    _restore_recent(state)
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
    state.derived_by = state.learning


def _restore_rates(state: State) -> None:
    """How fast movies came, and were done for the first time, by the times that are stored of each."""
    to_monotonic = state.now - state.wall
    for ready_at in sorted(movie.ready_at for movie in state.movies.values() if movie.ready_at):
        state.arrivals.note(ready_at + to_monotonic)
    done = ((movie.run["done_at"], movie.id) for movie in state.movies.values() if "done_at" in movie.run)
    for done_at, id in sorted(done):
        state.last_hour.count(id, done_at)
        state.rate.begin(state.movies[id].run["assigned_at"] + to_monotonic)
        state.rate.count(done_at + to_monotonic)


def _restore_recent(state: State) -> None:
    """Which movies ended last, whatever order they ran in."""
    for movie in sorted((one for one in state.movies.values() if one.status in ENDED), key=_ended_at):
        state.recent.note(movie.id)


def _ended_at(movie: MovieRecord) -> float:
    """When it got its first results, or has failed (epoch seconds); one of an earlier version: when its story ends."""
    told_at = movie.story[-1][1] if movie.story else 0.0
    return float(movie.run.get("done_at", told_at)) if movie.status in DONE else told_at


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
        state.last_export = max(state.last_export, job.number)
        job.count()
        for movie, item in job.items.items():
            if item.state == ItemState.HELD:
                exporting.move_item(state, job, movie, ItemState.PENDING, "looked at again after a restart")
