"""What must hold of the state after every stimulus. Tests check it always, the shell never needs to."""

from __future__ import annotations

from collections import Counter

from warpcore.services.scheduler.core.export_records import DONE, FAILED, HELD, OPEN_ITEMS, PENDING, RUNNING
from warpcore.services.scheduler.core.records import DONE as DONE_STATUSES
from warpcore.services.scheduler.core.records import FAILED as FAILED_STATUS
from warpcore.services.scheduler.core.records import LEASED, OUTDATED, PROCESS, STATUSES, UNPROCESSED, WAITING
from warpcore.services.scheduler.core.registry import MOST_CREDIT
from warpcore.services.scheduler.core.state import State


class InvariantError(AssertionError):
    """The state contradicts itself; the text says where."""


def validate(state: State) -> None:
    """Raises InvariantError for the first contradiction found."""
    _movies(state)
    _leases(state)
    _exports(state)


def _require(holds: object, text: str) -> None:
    if not holds:
        raise InvariantError(text)


def _movies(state: State) -> None:
    _require(list(state.movies) == list(range(1, len(state.movies) + 1)), "movie ids are not 1, 2, 3, …")
    _require(len(state.by_name) == len(state.by_path) == len(state.movies), "a movie is missing in a map")
    counts = Counter(movie.status for movie in state.movies.values())
    _require(state.counts == {status: counts[status] for status in STATUSES}, f"counts {state.counts} are not {counts}")
    for movie in state.movies.values():
        where = f"{movie.name} ({movie.status})"
        _require(
            state.by_name[movie.name] is movie and state.by_path[movie.path] is movie, f"{where} is not in the maps"
        )
        waits = movie.status in WAITING and movie.selection != "exclude" and movie.lease is None
        restoring = bool(movie.restore_to or movie.restoring)
        waits = waits and not restoring
        restorable = movie.restore_to and not movie.restoring and movie.lease is None
        _require((movie.id in state.to_restore) == bool(restorable), f"{where}: to be restored")
        _require((movie.id in state.restoring) == bool(movie.restoring), f"{where}: restoring")
        _require(not restoring or movie.status == OUTDATED, f"{where} is restored")
        parked = movie.id in state.parked
        _require((movie.id in state.queue) == (waits and movie.parked_until is None), f"{where}: queue")
        _require(parked == (waits and movie.parked_until is not None), f"{where}: parked")
        _require((movie.failure is not None) == (movie.status == FAILED_STATUS), f"{where}: failure {movie.failure}")
        task = state.tasks.get(movie.lease) if movie.lease is not None else None
        _require((task is None) == (movie.lease is None), f"{where}: lease {movie.lease} has no task")
        processing = task is not None and task.purpose == PROCESS
        _require((movie.status in LEASED) == processing, f"{where}: lease {movie.lease}")
        if task is not None:
            _require(task.movie == movie.id, f"{where}: its lease is another movie's")
        if movie.status == UNPROCESSED:
            _require(not movie.results, f"{where} has results")
        if movie.status in DONE_STATUSES:
            _require(not state.needed_steps(movie), f"{where} needs {state.needed_steps(movie)}")
            _require(state.judge(movie) == (movie.status, movie.filter_reasons), f"{where}: {movie.filter_reasons}")
        if movie.status == OUTDATED and not movie.restoring:
            needed = state.needed_steps(movie)
            _require(needed and needed == movie.outdated_steps, f"{where}: {movie.outdated_steps} for {needed}")


def _leases(state: State) -> None:
    for task in state.tasks.values():
        _require(task.lease <= state.last_lease, f"lease {task.lease} was never given")
        _require(state.movies[task.movie].lease == task.lease, f"lease {task.lease} is not that of its movie")
        _require(task.worker in state.workers, f"lease {task.lease} is held by nobody")
    held = Counter(lease for worker in state.workers.values() for lease in worker.leases)
    _require(held == Counter(list(state.tasks)), f"workers hold {dict(held)}, tasks are {list(state.tasks)}")
    for worker in state.workers.values():
        _require(all(state.tasks[lease].worker == worker.name for lease in worker.leases), f"{worker.name}: leases")
        _require(len(worker.leases) <= MOST_CREDIT, f"{worker.name} holds {len(worker.leases)} leases")
        _require(0 <= worker.credit <= MOST_CREDIT, f"{worker.name} has credit {worker.credit}")
        idle = not worker.alive or worker.set_aside
        _require(not (idle and worker.leases), f"{worker.name} is gone or set aside and holds leases")
        processing = [state.tasks[lease] for lease in worker.leases if state.tasks[lease].purpose == PROCESS]
        suspects = [task for task in processing if state.movies[task.movie].suspect]
        _require(not suspects or len(worker.leases) == 1, f"{worker.name}: a suspect does not run alone")


def _exports(state: State) -> None:
    running = {(task.purpose, task.movie) for task in state.tasks.values() if task.purpose != PROCESS}
    for job in state.exports.values():
        states = Counter(item.state for item in job.items.values())
        _require(job.open == sum(states[one] for one in OPEN_ITEMS), f"{job.job}: open")
        _require((job.done, job.failed) == (states[DONE], states[FAILED]), f"{job.job}: counts")
        _require((job.state == "running") <= (job.open > 0), f"{job.job} is running with nothing open")
        for movie, item in job.items.items():
            _require((item.state == RUNNING) == ((job.job, movie) in running), f"{job.job}: {movie} is {item.state}")
            _require((item.state == PENDING) == (movie in job.pending), f"{job.job}: {movie} pending")
            waits = job.job in state.held_exports.get(movie, ())
            _require((item.state == HELD) == waits, f"{job.job}: {movie} is {item.state}, held: {waits}")
    jobs = {purpose for purpose, _ in running}
    _require(jobs <= set(state.exports), f"exports of unknown jobs {jobs}")
