"""Assigns movies to workers."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import JobState, MovieStatus, Purpose
from warpcore.services.scheduler.core import exporting, placing_outputs, seeing, tasks, trying
from warpcore.services.scheduler.core.export_records import ExportRecord
from warpcore.services.scheduler.core.queue import Verdict
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord, WorkerRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.fingerprints import needed_steps
from warpcore.services.session.learning import SessionPlan


def dispatch(state: State) -> None:
    """Assign all movies that can be assigned now; each worker gets one before any gets two."""
    if not state.hungry or state.fault or state.storage.holds or seeing.is_unsure(state):
        return
    if len(state.placing) >= placing_outputs.MOST_PLACING:
        return
    _assign_try(state)
    if state.paused:
        return
    running = waiting_exports(state)
    if not len(state.queue) and not running:
        return
    while [worker.name for worker in _hungry(state) if _assign_one(state, worker, running)]:
        pass


def waiting_exports(state: State) -> list[ExportRecord]:
    """Export jobs of which movies wait for a worker."""
    return [job for job in state.exports.values() if job.state == JobState.RUNNING and len(job.pending)]


def waiting(state: State) -> int:
    """How many movies could be given to workers now, were there enough: also for exports, and for the next try.

    While the session is paused that is the try alone, and nothing while it holds.
    """
    if state.fault or state.storage.holds:
        return 0
    tries = int(trying.next_ready(state) is not None)
    if state.paused:
        return tries
    return tries + len(state.queue) + len(state.parked) + sum(len(job.pending) for job in waiting_exports(state))


def _hungry(state: State) -> list[WorkerRecord]:
    """Workers that ask for more: those with the fewest tasks first, of these those without another session's."""
    asking = [worker for name in state.hungry if (worker := state.workers.get(name)) is not None and worker.asks > 0]
    # One that may have none now, as it does not see the folders, stays: nothing would bring it back.
    state.hungry = {worker.name for worker in asking}
    return sorted(
        (one for one in asking if one.room > 0),
        key=lambda worker: (len(worker.leases), worker.serves_another, worker.name),
    )


def _assign_one(state: State, worker: WorkerRecord, exports: list[ExportRecord]) -> bool:
    if worker.room <= 0 or _holds_suspect(state, worker):
        return False
    stopped = False

    def judge(id: int) -> Verdict:
        nonlocal stopped
        movie = state.movies[id]
        if _elsewhere_first(state, worker, movie.avoid):
            return Verdict.SKIP
        if movie.suspect and worker.leases:
            # It must run alone, to show whether it was to blame: the worker ends what it holds, then takes it.
            stopped = True
            return Verdict.STOP
        return Verdict.TAKE

    chosen = state.queue.in_turn(state.last_lease).choose(judge)
    if chosen is not None:
        _assign_processing(state, worker, state.movies[chosen])
        return True
    return not stopped and any(_assign_export(state, worker, job) for job in exports)


def _assign_processing(state: State, worker: WorkerRecord, movie: MovieRecord) -> None:
    wanted, stored = state.wanted(movie), state.stored(movie, movie.fingerprints)
    run = needed_steps(wanted, stored)
    if not run:
        tasks.settle(state, movie, "nothing left to run")
        return
    # The worker compares halves of fingerprints, and names what it keeps by them: both need today's form.
    movie.fingerprints = stored
    task = state.lease(movie, worker, Purpose.PROCESS, run, wanted, state.settings.picking.suffix)
    state.move(movie, MovieStatus.QUEUED, f"assigned to {worker.name}")
    _send(state, worker, movie, task, state.learning)


def _assign_export(state: State, worker: WorkerRecord, job: ExportRecord) -> bool:
    def judge(id: int) -> Verdict:
        item = job.items[id]
        if item.avoid and _elsewhere_first(state, worker, [item.avoid]):
            return Verdict.SKIP
        return Verdict.TAKE if exporting.ready(state, job, state.movies[id]) else Verdict.SKIP

    chosen = job.pending.choose(judge)
    if chosen is None:
        return False
    movie = state.movies[chosen]
    settings = exporting.job_settings(state, job)
    planned = state.planned(settings)
    wanted = planned.of(movie.facts).plan.wanted(movie.size, movie.mtime_ns, movie.edits)
    task = state.lease(movie, worker, job.job, ["export"], wanted, settings.picking.suffix)
    exporting.begun(state, job, movie)
    state.place(movie)
    _send(state, worker, movie, task, planned, folder=job.folder)
    return True


def _assign_try(state: State) -> None:
    record = trying.next_ready(state) if state.tries else None
    if record is None:
        return
    movie = state.movies[record.movie]
    avoid = [record.avoid] if record.avoid else []
    for worker in _hungry(state):
        alone = movie.suspect and worker.leases
        if not (alone or _holds_suspect(state, worker) or _elsewhere_first(state, worker, avoid)):
            break
    else:
        return
    settings = trying.settings_of(state, record)
    if settings is None:
        return
    planned = state.planned(settings, record.references)
    wanted = planned.of(movie.facts).plan.wanted(movie.size, movie.mtime_ns, movie.edits)
    stored = state.stored(movie, movie.fingerprints)
    run = needed_steps(wanted, stored)
    task = state.lease(movie, worker, record.id, run, wanted, settings.picking.suffix)
    trying.begun(state, record, worker.name)
    state.place(movie)
    _send(state, worker, movie, task, planned)


def _send(
    state: State,
    worker: WorkerRecord,
    movie: MovieRecord,
    task: TaskRecord,
    planned: SessionPlan,
    folder: str = "",
) -> None:
    plan = planned.of(movie.facts)
    message = wire.AssignTask(
        lease=task.lease,
        purpose=task.purpose,
        name=movie.name,
        path=movie.path,
        size=movie.size,
        mtime_ns=movie.mtime_ns,
        run=task.run,
        wanted=task.wanted,
        settings=plan.sent,
        results=movie.results,
        data_directory=state.data_directory,
        processing_directory=state.processing_directory,
        selection=movie.selection,
        stored=movie.fingerprints,
        choices=planned.choices,
        sources=plan.resolved.sources,
        metadata=movie.acquisition.source if movie.acquisition is not None else "",
        optics_group=movie.optics_group,
        hand_picks=state.hand_picks[movie.id].present if movie.hand_picks else None,
        folder=folder,
        references=list(state.readable.references),
        follow_links=state.readable.follow_links,
    )
    state.send(worker, message, lease=task.lease)
    state.publish("task.assigned", tasks.event(movie, task))


def _holds_suspect(state: State, worker: WorkerRecord) -> bool:
    held = (state.tasks[lease] for lease in worker.leases)
    return any(state.movies[task.movie].suspect for task in held)


def _elsewhere_first(state: State, worker: WorkerRecord, avoid: list[str]) -> bool:
    """Whether a movie that went wrong on this worker should wait for another worker."""
    if worker.name not in avoid:
        return False
    return any(other.usable and other.credit > 0 and other.name not in avoid for other in state.workers.values())
