"""After a round that could not be stored: the state as it is stored, and what no database needs to know.

Workers, their connections and their progress are there whatever became of the round. So nobody has to register again,
and only what the round has decided is taken back.
"""

from __future__ import annotations

from dataclasses import replace

from warpcore.bus.vocabulary import WorkerState
from warpcore.services.scheduler.core.records import PoolRecord, TaskRecord, WorkerRecord
from warpcore.services.scheduler.core.state import State


def go_on(stored: State, before: State) -> State:
    """The `stored` state with what the one `before` knew beside it."""
    stored.rate, stored.reruns, stored.arrivals = before.rate, before.reruns, before.arrivals
    stored.latest_runs, stored.forgotten = before.latest_runs, before.forgotten
    stored.file_warnings, stored.file_notes = before.file_warnings, before.file_notes
    stored.discoverer_heard_at = before.discoverer_heard_at
    stored.suspected, stored.alarms_held_until = before.suspected, before.alarms_held_until
    stored.active_at = before.active_at
    stored.storage, stored.fault = before.storage, before.fault
    for pool in before.pools.values():
        _take_report(stored, pool)
    for task in stored.tasks.values():
        _take_progress(task, before.tasks.get(task.lease))
    for worker in before.workers.values():
        _take_worker(stored, worker)
    for id, movie in before.movies.items():
        if movie.parked_until is not None and id in stored.movies:
            stored.movies[id].parked_until = movie.parked_until
            stored.place(stored.movies[id])
    return stored


def _take_progress(task: TaskRecord, before: TaskRecord | None) -> None:
    if before is not None:
        task.active_at, task.unlisted_since = before.active_at, before.unlisted_since
        task.step, task.fraction, task.message = before.step, before.fraction, before.message


def _take_report(stored: State, before: PoolRecord) -> None:
    """What a pool has told; one that reported for the first time in this round is known at its next report."""
    pool = stored.pools.get(before.name)
    if pool is not None and not pool.ended:
        pool.report, pool.heard_at, pool.troubled = before.report, before.heard_at, before.troubled


def _take_worker(stored: State, worker: WorkerRecord) -> None:
    """A worker as it was heard, with the leases that are stored.

    Where they belong to another instance of its name, that one still has it. One that the round has lost lives again
    if it has leases; a silent one is soon lost again.
    """
    holder = stored.workers.get(worker.name)
    if holder is not None and holder.instance != worker.instance:
        return
    leases = holder.leases if holder is not None else []
    ban = stored.bans.get(worker.name)
    if ban is not None and ban.instance == worker.instance:
        state = WorkerState.SET_ASIDE
    elif leases:
        state = WorkerState.BUSY
    else:
        state = WorkerState.LOST if worker.state == WorkerState.LOST else WorkerState.IDLE
    stored.workers[worker.name] = replace(worker, state=state, leases=leases)
    stored.hungry.add(worker.name)
