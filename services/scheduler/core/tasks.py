"""The life of a lease: progress, and its end in success, failure or loss."""

from __future__ import annotations

import math

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind, MovieStatus
from warpcore.services.scheduler.core import aside, exporting, retries
from warpcore.services.scheduler.core.keeping import keep
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord
from warpcore.services.scheduler.core.runs import run_of
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.fingerprints import OFF
from warpcore.services.session.generations import Generation
from warpcore.services.steps import motion
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.step import INPUT
from warpcore.services.storage.faults import STORAGE_KINDS

LONGEST_TEXT = 2000


def held(state: State, worker: str, lease: int) -> TaskRecord | None:
    """The task of a lease, None where this worker does not hold it, or holds it no more."""
    task = state.tasks.get(lease)
    return task if task is not None and task.worker == worker and task.state != LeaseState.PLACING else None


def progress(state: State, task: TaskRecord, message: wire.TaskProgress) -> None:
    """Store the progress of a task; with the first, the lease is begun."""
    task.active_at = state.now
    task.step = message.step[:100]
    task.fraction = min(1.0, max(0.0, message.fraction)) if math.isfinite(message.fraction) else 0.0
    task.message = message.message[:LONGEST_TEXT]
    begin(state, task)
    state.publish("task.progress", event(state.movies[task.movie], task), durable=False)


def begin(state: State, task: TaskRecord) -> None:
    """The worker has begun: the lease is begun, and a movie that runs its own steps is `processing`."""
    if not task.begun:
        state.advance(task, LeaseState.BEGUN, f"progress from {task.worker}")
        if task.processes:
            state.move(state.movies[task.movie], MovieStatus.PROCESSING, f"begun by {task.worker}")


def event(
    movie: MovieRecord, task: TaskRecord, *, text: str = "", seconds: dict[str, float] | None = None
) -> wire.TaskEvent:
    """The body of a `task.*` event."""
    return wire.TaskEvent(
        movie=movie.name,
        lease=task.lease,
        worker=task.worker,
        purpose=task.purpose,
        steps=task.run,
        step=task.step,
        fraction=task.fraction,
        message=text or task.message,
        seconds=seconds or {},
    )


def finish(state: State, task: TaskRecord, outputs: dict[str, list[str]], kept: list[str]) -> None:
    """Take in what a task has done, now that its `outputs` (paths by step) are in place.

    `kept` are the keys of the generations that are kept.
    """
    assert task.report is not None
    results = task.report.results
    movie = state.release(task, LeaseState.FINISHED, f"reported by {task.worker}")
    seconds = {step: value for step, value in task.report.seconds.items() if math.isfinite(value)}
    task.fraction, task.step, task.message = 1.0, "", ""
    state.publish("task.finished", event(movie, task, seconds=seconds))
    if not task.processes:
        aside.finished(state, task, results, outputs)
        return
    keep(movie, kept)
    made = generation_after(movie, task, outputs)
    movie.fingerprints, movie.results, movie.outputs = made.fingerprints, made.results, made.outputs
    movie.forget_failures()
    whole = all(step in task.run for step, made_with in task.wanted.items() if made_with != OFF)
    (state.rate if whole else state.reruns).count(state.now)
    run = run_of(movie, task, seconds, state.wall)
    movie.run = {**movie.run, **run}
    state.latest_runs.count(run)
    state.last_hour.count(movie.id, state.wall)
    reconsider(state, movie, f"done by {task.worker}")


def generation_after(movie: MovieRecord, task: TaskRecord, outputs: dict[str, list[str]]) -> Generation:
    """What a movie has once the `outputs` (paths by step) of a task that was reported are in place."""
    assert task.report is not None
    # It was made with what was wanted at its assignment. If more is wanted by now, only that runs again.
    made_with = {step: task.wanted[step] for step in task.run}
    reported = {step: summary for step, summary in task.report.results.items() if step in (INPUT, *task.run)}
    files = {step: outputs.get(step, []) for step in task.run}
    return Generation(movie.fingerprints | made_with, movie.results | reported, movie.outputs | files)


def reconsider(state: State, movie: MovieRecord, why: str) -> None:
    """Give a movie with results the status that follows from them and the settings in force."""
    needed = state.needed_steps(movie)
    state.need(movie, needed)
    if needed:
        state.move(movie, movie.waiting_status, f"{why}; to run: {', '.join(needed)}")
    else:
        settle(state, movie, why)


def settle(state: State, movie: MovieRecord, why: str) -> None:
    """A movie with nothing left to run is processed or filtered out."""
    status, reasons = state.judge(movie)
    state.need(movie, [])
    movie.filter_reasons = reasons
    state.move(movie, status, f"{why}{': ' if reasons else ''}{'; '.join(reasons)}")
    exporting.release_held(state, movie)


def fail(state: State, task: TaskRecord, kind: str, step: str, text: str) -> None:
    """A task failed on a living worker: its movie is tried again, elsewhere first, or is failed."""
    kind = kind if kind in retries.MOST_RETRIES else FailureKind.INTERNAL
    text = text[:LONGEST_TEXT]
    if kind in STORAGE_KINDS and not state.storage.speaks_against(state.movies[task.movie]):
        if task.processes:
            state.movies[task.movie].parked_until = state.now + retries.STORAGE_PAUSE_S
        requeue(state, task, f"{kind} on {task.worker}: {text}", cancel=False)
        return
    movie = _released(state, task, text)
    if not task.processes:
        lost(state, movie, task, text)
        failure = _failure(state, task, FailureKind(kind), step, text)
        aside.failed(state, task, failure, again=retries.MOST_RETRIES[kind] > 0)
        return
    earlier = movie.retries.get(kind, 0)
    movie.retries = {**movie.retries, kind: earlier + 1}
    if task.worker not in movie.avoid:
        movie.avoid = [*movie.avoid, task.worker]
    outcome = retries.after_failure(kind, earlier)
    if outcome is retries.Outcome.FAIL:
        give_up(state, movie, task, kind, step, text)
        return
    if outcome is retries.Outcome.AFTER_A_PAUSE:
        movie.parked_until = state.now + retries.RESOURCE_PAUSE_S
    lost(state, movie, task, text)
    wait_again(state, movie, f"{kind} failure on {task.worker}, tried again: {text}")


def give_up(state: State, movie: MovieRecord, task: TaskRecord, kind: str, step: str, text: str) -> None:
    """Fail a movie, until the user, another file or other settings give it another chance."""
    step = _note_failure(state, movie, task, FailureKind(kind), step, text)
    movie.parked_until = None
    lost(state, movie, task, text)
    if void(state, movie):
        movie.forget_failures()
        wait_again(state, movie, f"{kind} in {step} under former settings on {task.worker}: {text}")
        return
    _end_failed(state, movie, task, f"{kind} in {step} on {task.worker}: {text}")


def _end_failed(state: State, movie: MovieRecord, task: TaskRecord, why: str) -> None:
    """A movie has failed for good; only now it counts as one that failed on this worker."""
    if (worker := state.workers.get(task.worker)) is not None:
        worker.failed += 1
    state.move(movie, MovieStatus.FAILED, why)
    exporting.release_held(state, movie)


def _note_failure(state: State, movie: MovieRecord, task: TaskRecord, kind: FailureKind, step: str, text: str) -> str:
    """Say of the movie what failed, where, and under which settings; returns the step."""
    movie.failure = _failure(state, task, kind, step, text)
    movie.failed_wanted = task.wanted.get(_judged(movie.failure.step), "")
    return movie.failure.step


def _failure(state: State, task: TaskRecord, kind: FailureKind, step: str, text: str) -> wire.Failure:
    """What failed, where and why, with a step that there is."""
    worker = state.workers.get(task.worker)
    step = step if step in ("load", "write", *CHAIN.names) else "load"
    return wire.Failure(kind, step, text, worker.host if worker is not None else "")


def _judged(step: str) -> str:
    """The step whose settings a failure in `step` belongs to: to the first one where a file is read or written."""
    return step if step in CHAIN else motion.STEP.name


def void(state: State, movie: MovieRecord) -> bool:
    """Whether the step in which a movie failed would now run with other settings."""
    failure = movie.failure
    if failure is None or failure.kind not in retries.FORGIVABLE or not movie.failed_wanted:
        return False
    step = _judged(failure.step)
    return state.wanted(movie)[step] != state.stored(movie, {step: movie.failed_wanted})[step]


def revoke(state: State, task: TaskRecord, why: str, *, cancel: bool) -> MovieRecord:
    """End a lease from our side; `cancel` tells the worker to stop. The caller moves the movie on."""
    worker = state.workers.get(task.worker)
    if cancel and worker is not None and worker.alive:
        state.send(worker, wire.CancelTask(task.lease, why))
    movie = _released(state, task, why)
    lost(state, movie, task, why)
    return movie


def _released(state: State, task: TaskRecord, why: str) -> MovieRecord:
    """End a lease without a result. Where placing had begun its steps must run: nobody knows which files are there."""
    placing = task.state == LeaseState.PLACING
    movie = state.release(task, LeaseState.LOST, why)
    if placing and task.processes:
        movie.fingerprints = {step: made for step, made in movie.fingerprints.items() if step not in task.run}
    return movie


def requeue(
    state: State, task: TaskRecord, why: str, *, cancel: bool, strike: bool = False, suspect: bool = False
) -> None:
    """Take a lease back and let its movie wait again.

    `strike`: the movie has cost a worker. `suspect`: it has, or another movie of the same worker.
    """
    movie = revoke(state, task, why, cancel=cancel)
    if not task.processes:
        set_back(state, task, why, counted=strike or suspect)
        return
    movie.suspect = movie.suspect or suspect
    if strike:
        movie.lost += 1
        if task.worker not in movie.avoid:
            movie.avoid = [*movie.avoid, task.worker]
        if retries.after_loss(movie.lost) is retries.Outcome.FAIL:
            give_up_poisoned(state, movie, task, why)
            return
    wait_again(state, movie, why)


def set_back(state: State, task: TaskRecord, why: str, *, counted: bool = False) -> None:
    """The lease of an export or try was taken back; a movie's own task needs nothing here. `counted`: as a failure."""
    if not task.processes:
        failure = _failure(state, task, FailureKind.LOST_WORKER, task.step, why)
        aside.failed(state, task, failure, again=True, counted=counted)


def give_up_poisoned(state: State, movie: MovieRecord, task: TaskRecord, why: str) -> None:
    """Fail a movie that has cost several workers."""
    text = f"it has cost {movie.lost} workers, the last: {why}; look at the file, then retry it"
    _note_failure(state, movie, task, FailureKind.POISONED, task.step, text[:LONGEST_TEXT])
    _end_failed(state, movie, task, f"poisoned on {task.worker}: {why}")


def wait_again(state: State, movie: MovieRecord, why: str) -> None:
    """Put a movie back into the queue; where settings by now leave nothing to run, it is done."""
    if movie.results:
        reconsider(state, movie, why)
    else:
        state.move(movie, movie.waiting_status, why)


def lost(state: State, movie: MovieRecord, task: TaskRecord, why: str) -> None:
    """Say that a lease ended without a result; its movie goes back to the queue, or has failed."""
    state.publish("task.lost", event(movie, task, text=why))


def lose(state: State, leased: list[TaskRecord], why: str) -> None:
    """Take back the leases that a process held when it died.

    Where it held one movie, that movie has cost it; of several each is suspect.
    """
    for task in leased:
        begun = task.begun
        strike = begun and len(leased) == 1
        requeue(state, task, why, cancel=False, strike=strike, suspect=begun and not strike)
