"""What must be true of the state after every stimulus. Tests and replays check it; the shell does not."""

from __future__ import annotations

from collections import Counter

from warpcore.bus.limits import KEPT_TRIES
from warpcore.bus.vocabulary import (
    DONE,
    LEASED,
    WAITING,
    ItemState,
    JobState,
    MovieStatus,
    Purpose,
    Selection,
    TryState,
    WorkerState,
)
from warpcore.services.scheduler.core import grouping
from warpcore.services.scheduler.core.export_records import OPEN_ITEMS, ExportRecord
from warpcore.services.scheduler.core.lessons import Lessons
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import MovieRecord, WorkerRecord
from warpcore.services.scheduler.core.registry import MOST_CREDIT
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.facts import facts_of
from warpcore.services.session.hand_picks import edits_id
from warpcore.services.session.optics_groups import OpticsGroups


class InvariantError(AssertionError):
    """The state contradicts itself; the text says where."""


def validate(state: State) -> None:
    """Raises InvariantError for the first contradiction found."""
    _maps(state)
    _groups(state)
    for movie in state.movies.values():
        _waiting(state, movie)
        _status(state, movie)
    _leases(state)
    for worker in state.workers.values():
        _worker(state, worker)
    _exports(state)
    _tries(state)
    _selections(state)
    _hand_picks(state)
    _learning(state)


def _require(holds: object, text: str) -> None:
    if not holds:
        raise InvariantError(text)


def _maps(state: State) -> None:
    ids = list(state.movies)
    _require(ids == sorted(ids) and min(ids, default=1) > 0, "movies are not in the order of their numbers")
    _require(max(ids, default=0) <= state.last_movie, f"a movie has a number above {state.last_movie}")
    _require(len(state.by_name) == len(state.by_path) == len(state.movies), "a movie is missing in a map")
    counts = Counter(movie.status for movie in state.movies.values())
    _require(state.counts == {one: counts[one] for one in MovieStatus}, f"counts {state.counts} are not {counts}")
    told = {id: facts for facts, ids in state.told.items() for id in ids}
    _require(told == {movie.id: movie.facts for movie in state.movies.values()}, "what movies tell is not theirs")
    for movie in state.movies.values():
        found = state.by_name[movie.name] is movie and state.by_path[movie.path] is movie
        _require(found, f"{movie.name} is not in the maps")


def _groups(state: State) -> None:
    """Numbers are those that the founders alone lead to, and no two movies have founded the same.

    They are found in the first round of a run.
    """
    if state.groups is None:
        return
    fresh = OpticsGroups()
    for movie in state.movies.values():
        fresh.put(movie.id, grouping.grouped(state, movie), movie.founded_group)
    fresh.settle()
    for movie in state.movies.values():
        numbers = movie.optics_group, movie.founded_group
        _require(numbers == (fresh.group(movie.id), fresh.founded(movie.id)), f"{movie.name}: optics group {numbers}")
    founded = [movie.founded_group for movie in state.movies.values() if movie.founded_group]
    _require(len(set(founded)) == len(founded), f"optics groups have several founders: {founded}")
    _require(max(founded, default=0) <= state.last_optics_group, "an optics group has a number above the last")


def _waiting(state: State, movie: MovieRecord) -> None:
    where = f"{movie.name} ({movie.status})"
    restoring = bool(movie.restore_to or movie.restoring)
    restorable = movie.restore_to and not movie.restoring and movie.lease is None
    _require((movie.id in state.to_restore) == bool(restorable), f"{where}: to be restored")
    _require((movie.id in state.restoring) == bool(movie.restoring), f"{where}: restoring")
    _require(not restoring or movie.status == MovieStatus.OUTDATED, f"{where} is restored")
    asks = state.learning.of(movie.facts).resolved.waits_for if movie.status in WAITING else ""
    _require(movie.waits_for == asks, f"{where} waits for {movie.waits_for!r}, not {asks!r}")
    _require((movie.id in state.unresolved) == bool(asks), f"{where}: unresolved")
    facts = facts_of(movie.header, movie.acquisition, is_eer=movie.path.lower().endswith(".eer"))
    _require(movie.facts == facts, f"{where}: {movie.facts}")
    waits = movie.status in WAITING and movie.selection != Selection.EXCLUDE and movie.lease is None and not restoring
    waits = waits and not movie.waits_for
    _require((movie.id in state.queue) == (waits and movie.parked_until is None), f"{where}: queue")
    _require((movie.id in state.parked) == (waits and movie.parked_until is not None), f"{where}: parked")


def _status(state: State, movie: MovieRecord) -> None:
    where = f"{movie.name} ({movie.status})"
    _require(movie.kept_results.keys() <= movie.kept.keys(), f"{where}: {list(movie.kept_results)} are not kept")
    _require(isinstance(movie.status, MovieStatus) and isinstance(movie.selection, Selection), f"{where}: words")
    failed = movie.status == MovieStatus.FAILED
    _require((movie.failure is not None) == failed, f"{where}: failure {movie.failure}")
    task = state.tasks.get(movie.lease) if movie.lease is not None else None
    _require((task is None) == (movie.lease is None), f"{where}: lease {movie.lease} has no task")
    processing = task is not None and task.processes
    _require((movie.status in LEASED) == processing, f"{where}: lease {movie.lease}")
    if task is not None:
        _require(task.movie == movie.id, f"{where}: its lease is another movie's")
    if task is not None and processing:
        _require((movie.status == MovieStatus.PROCESSING) == task.begun, f"{where}: its lease is {task.state}")
    if movie.status == MovieStatus.UNPROCESSED:
        _require(not movie.results, f"{where} has results")
    if movie.status in DONE:
        _require(not state.needed_steps(movie), f"{where} needs {state.needed_steps(movie)}")
        _require(state.judge(movie) == (movie.status, movie.filter_reasons), f"{where}: {movie.filter_reasons}")
    if movie.status == MovieStatus.OUTDATED and not movie.restoring:
        needed = state.needed_steps(movie)
        _require(needed and needed == movie.outdated_steps, f"{where}: {movie.outdated_steps} for {needed}")


def _leases(state: State) -> None:
    live = (LeaseState.ASSIGNED, LeaseState.BEGUN, LeaseState.PLACING)
    for task in state.tasks.values():
        _require(task.lease <= state.last_lease, f"lease {task.lease} was never given")
        _require(state.movies[task.movie].lease == task.lease, f"lease {task.lease} is not that of its movie")
        placing = task.state == LeaseState.PLACING
        _require(placing == (task.lease in state.placing), f"lease {task.lease} is {task.state}: placing")
        _require(placing == (task.report is not None), f"lease {task.lease} is {task.state}: report")
        _require(placing or task.worker in state.workers, f"lease {task.lease} is held by nobody")
        _require(task.state in live, f"lease {task.lease} is {task.state} and still held")
    held = Counter(lease for worker in state.workers.values() for lease in worker.leases)
    wanted = Counter(state.tasks.keys() - state.placing)
    _require(held == wanted, f"workers hold {dict(held)}, tasks are {list(state.tasks)}")
    _require(state.placing <= state.tasks.keys(), f"outputs of {state.placing} are placed")


def _worker(state: State, worker: WorkerRecord) -> None:
    where = f"{worker.name} ({worker.state})"
    held = [state.tasks[lease] for lease in worker.leases]
    _require(all(task.worker == worker.name for task in held), f"{where}: leases")
    _require(len(held) <= MOST_CREDIT, f"{where} holds {len(held)} leases")
    _require(0 <= worker.credit <= MOST_CREDIT, f"{where} has credit {worker.credit}")
    _require(worker.room <= 0 or worker.name in state.hungry, f"{where} has room that nobody would find")
    _require((worker.state == WorkerState.BUSY) == bool(held), f"{where} holds {worker.leases}")
    _require((worker.state == WorkerState.SET_ASIDE) <= (worker.name in state.bans), f"{where} has no ban")
    suspects = [task for task in held if state.movies[task.movie].suspect]
    _require(not suspects or len(held) == 1, f"{where}: a suspect does not run alone")


def _exports(state: State) -> None:
    running = {(task.purpose, task.movie) for task in state.tasks.values() if task.kind is Purpose.EXPORT}
    for job in state.exports.values():
        _job(job)
        for movie, item in job.items.items():
            where = f"{job.job}: {movie} is {item.state}"
            _require((item.state == ItemState.RUNNING) == ((job.job, movie) in running), f"{where}: running")
            _require((item.state == ItemState.PENDING) == (movie in job.pending), f"{where}: pending")
            waits = job.job in state.held_exports.get(movie, ())
            _require((item.state == ItemState.HELD) == waits, f"{where}, held: {waits}")
    jobs = {purpose for purpose, _ in running}
    _require(jobs <= set(state.exports), f"exports of unknown jobs {jobs}")


def _job(job: ExportRecord) -> None:
    states = Counter(item.state for item in job.items.values())
    _require(job.open == sum(states[one] for one in OPEN_ITEMS), f"{job.job}: open")
    _require((job.done, job.failed) == (states[ItemState.DONE], states[ItemState.FAILED]), f"{job.job}: counts")
    _require((job.state == JobState.RUNNING) <= (job.open > 0), f"{job.job} is running with nothing open")
    ended = job.state in (JobState.DONE, JobState.FAILED, JobState.COLLECTING)
    _require(ended <= (job.open == 0), f"{job.job} is {job.state} with {job.open} open")


def _tries(state: State) -> None:
    running = {task.purpose: task.movie for task in state.tasks.values() if task.kind is Purpose.TRY}
    at_worker = [task.purpose for task in state.tasks.values() if task.purpose in running and task.report is None]
    _require(len(at_worker) <= 1, f"{at_worker} run at the same time")
    for number, record in state.tries.items():
        _require(number == record.number and record.movie in state.movies, f"{record.id} of movie {record.movie}")
        leased = running.pop(record.id, None) == record.movie
        _require((record.state == TryState.RUNNING) == leased, f"{record.id} is {record.state}")
        _require((record.failure is not None) == (record.state == TryState.FAILED), f"{record.id}: {record.failure}")
    _require(not running, f"unknown tries run: {list(running)}")
    _require(len(state.tries) <= KEPT_TRIES, f"{len(state.tries)} tries")


def _selections(state: State) -> None:
    for number, record in state.selections.items():
        _require(number == record.number >= record.undo, f"change {number} of selections: {record.undo}")
        _require(record.former, f"change {number} of selections holds no movie")
    for movie in state.movies.values():
        made = state.selections.get(movie.chosen_in)
        if made is not None:
            _require(movie.id in made.former, f"{movie.name} was not chosen in {made.number}")
            _require(movie.selection == made.selection, f"{movie.name} is {movie.selection}, not {made.selection}")


def _hand_picks(state: State) -> None:
    named = {id: name for id, record in state.hand_picks.items() if (name := edits_id(record.present))}
    held = {movie.id: movie.hand_picks for movie in state.movies.values() if movie.hand_picks}
    _require(named == held, f"edits of picks are {named}, movies name {held}")


def _learning(state: State) -> None:
    """What was learnt is in force, what can be learnt is, and the lessons are those of the movies."""
    for step, key in state.learning.keys.items():
        made = state.choices.get(key)
        _require((made is None) == (step in state.learning.undecided), f"{step}: {key} is decided or not")
        in_force = state.learning.choices.get(step)
        _require(in_force == (made.choice if made is not None else None), f"{step}: the choice in force")
    fresh = Lessons(state.learning.undecided, state.movies.values())
    for step in state.learning.undecided:
        count = state.learning.count(step)
        so_far = state.lessons.so_far(step, count)
        _require(so_far == fresh.so_far(step, count), f"{step} learns from {so_far}")
        _require(len(so_far) < count or step not in state.learning.ready, f"{step} could have learnt")
