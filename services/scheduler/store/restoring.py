"""The state of a new run from what an earlier one stored."""

from __future__ import annotations

from warpcore.services.scheduler.core.export_records import HELD, PENDING
from warpcore.services.scheduler.core.records import WorkerRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.store.database import Stored
from warpcore.services.session.settings import Settings, parse_settings


def restore(stored: Stored, *, data_directory: str, processing_directory: str, now: float) -> State:
    """The state as stored. Leases hold on: their workers have the heartbeat time-out, from `now`, to come back with them.

    Raises SettingsError where the stored settings are none of this version's.
    """
    settings = parse_settings(stored.settings) if stored.settings is not None else Settings()
    state = State(
        settings,
        data_directory=data_directory,
        processing_directory=processing_directory,
        epoch=stored.epoch,
    )
    state.now = now
    state.restoring = {movie.id for movie in stored.movies if movie.restoring}
    state.revision = stored.revision
    state.adopt(settings, stored.references)
    state.paused, state.seq = stored.paused, stored.seq
    state.last_lease, state.last_modified = stored.last_lease, stored.last_modified
    state.bans = {ban.worker: ban for ban in stored.bans}
    leases = {task.movie: task.lease for task in stored.tasks}
    for movie in stored.movies:
        movie.lease = leases.get(movie.id)
        if movie.restoring:
            movie.fingerprints = {}  # it may have ended half-way: which files are there is known when it has been done again
        state.derived += state.derive(movie)
        state.index(movie)
    for task in stored.tasks:
        task.active_at = now
        worker = state.workers.get(task.worker)
        if worker is None:
            worker = WorkerRecord(task.worker, task.instance, heard_at=now)
            state.workers[task.worker] = worker
        worker.leases.append(task.lease)
        state.tasks[task.lease] = task
    for export in stored.exports:
        state.exports[export.job] = export
        for movie_id, item in export.items.items():
            if item.state == HELD:
                export.set_state(movie_id, PENDING)
    return state
