"""The user's own word on when a movie runs: again, or first."""

from __future__ import annotations

import itertools

from warpcore.bus import messages as wire
from warpcore.bus.limits import HIGHEST_PRIORITY, MOST_RETRIED
from warpcore.bus.vocabulary import DONE, LEASED, WAITING, ErrorCode, FailureKind, MovieStatus, Selection
from warpcore.services.scheduler.core import ordering, tasks, views
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.keeping import keep
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.requests import named, named_many, reply_item
from warpcore.services.scheduler.core.state import State


@handles(wire.RetryItem)
def retry(state: State, message: wire.RetryItem) -> None:
    """Forgets a movie's failures and lets it run again; `force` also a processed one, with all steps."""
    movie = named(state, message.name)
    if movie is None:
        return
    problem = _why_no_retry(state, movie, message.force)
    if problem:
        state.reply(wire.Error(ErrorCode.CONFLICT, problem))
        return
    _run_again(state, movie, message.force)
    reply_item(state, movie)


@handles(wire.RetryItems)
def retry_many(state: State, message: wire.RetryItems) -> None:
    """Forgets the failures of many movies and lets them run again; without names those that have failed."""
    next_after = None
    if message.ids or message.names:
        movies = named_many(state, message.ids, message.names, MOST_RETRIED)
        if movies is None:
            return
    else:
        movies, next_after = _failed_after(state, message)
    if message.kind is not None:
        movies = [movie for movie in movies if movie.failure is not None and movie.failure.kind == message.kind]
    problems = {movie.name: _why_no_retry(state, movie, message.force) for movie in movies}
    able = [movie for movie in movies if not problems[movie.name]]
    for movie in able:
        _run_again(state, movie, message.force)
    refused = [{"name": name, "problem": problem} for name, problem in problems.items() if problem]
    state.reply(wire.ItemsRetried(len(able), views.fitting(refused), next_after))


@handles(wire.PrioritiseItem)
def prioritise(state: State, message: wire.PrioritiseItem) -> None:
    """Sets a waiting movie's priority; `first` puts it ahead of all others."""
    movie = named(state, message.name)
    if movie is None:
        return
    problem = _why_not_first(movie)
    if problem:
        state.reply(wire.Error(ErrorCode.CONFLICT, problem))
        return
    priority = _ahead_of_all(state, movie) if message.first else message.priority
    if abs(priority) > HIGHEST_PRIORITY:
        problem = f"priority {priority} is not between -{HIGHEST_PRIORITY} and {HIGHEST_PRIORITY}"
        state.reply(wire.Error(ErrorCode.INVALID, problem))
        return
    if movie.priority != priority:
        movie.priority = priority
        movie.tell(state.seq, state.wall, f"priority: {priority}")
        state.changed(movie)
    reply_item(state, movie)


def _run_again(state: State, movie: MovieRecord, force: bool) -> None:
    movie.forget_failures()
    if force:
        movie.fingerprints = {}
        keep(movie, ())
    if movie.results:
        tasks.reconsider(state, movie, "retried by the user")
    else:
        state.move(movie, movie.waiting_status, "retried by the user")


def _failed_after(state: State, message: wire.RetryItems) -> tuple[list[MovieRecord], int | None]:
    """The next failed movies that a retry of all is to look at, and the id after which it goes on.

    Excluded ones are passed over: a person wants nothing of them.
    """
    failed = (movie for movie in state.movies_after(message.after) if movie.status == MovieStatus.FAILED)
    wanted = (movie for movie in failed if movie.selection != Selection.EXCLUDE)
    page = list(itertools.islice(wanted, MOST_RETRIED))
    return page, page[-1].id if len(page) == MOST_RETRIED else None


def _why_no_retry(state: State, movie: MovieRecord, force: bool) -> str:
    """Why a movie cannot be run again now, "" where it can."""
    if movie.failure is not None and movie.failure.kind == FailureKind.CONFLICT:
        return f"{movie.name}: {movie.failure.message}"
    if movie.selection == Selection.EXCLUDE:
        return f"{movie.name} is excluded, so it does not run; include it or leave it to the filter, then retry it"
    if movie.restoring:
        return f"earlier outputs of {movie.name} are being put back; try again in a moment"
    if movie.status in LEASED:
        return f"{movie.name} is running; wait until it has ended"
    task = state.tasks.get(movie.lease) if movie.lease is not None else None
    if force and task is not None:
        return f"{movie.name} is in use by {task.purpose}; wait until it has ended"
    again = movie.status == MovieStatus.FAILED or (movie.status in WAITING and movie.parked_until is not None)
    if not again and not force:
        return f"{movie.name} is {movie.status}, not failed; use force to run it again"
    return ""


def _why_not_first(movie: MovieRecord) -> str:
    """Why a movie has no place in the queue, "" where it has one."""
    if movie.status in LEASED:
        return f"{movie.name} is running already"
    if movie.selection == Selection.EXCLUDE:
        return f"{movie.name} is excluded, so it does not run; include it or leave it to the filter, then put it first"
    if movie.status in DONE:
        return f"{movie.name} is done ({movie.status}); retry it with force to run it again"
    if movie.status == MovieStatus.FAILED:
        return f"{movie.name} has failed; retry it, then put it first"
    return ""


def _ahead_of_all(state: State, movie: MovieRecord) -> int:
    """The priority that puts a movie ahead of all others that wait, as far as the limit allows.

    It is its own where it is first already, else the lowest one from 0.
    """
    others = [other for other in state.movies.values() if other.status in WAITING and other is not movie]
    mine, theirs = ordering.keys(state.order, movie), [ordering.keys(state.order, other) for other in others]
    if not others or all(key < min(keys[turn] for keys in theirs) for turn, key in enumerate(mine)):
        return movie.priority
    return min(HIGHEST_PRIORITY, max(0, *(other.priority + 1 for other in others)))
