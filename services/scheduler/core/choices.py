"""The user's own word on a movie: run it again, keep or leave it, let it go first."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.limits import HIGHEST_PRIORITY
from warpcore.bus.vocabulary import DONE, LEASED, WAITING, ErrorCode, FailureKind, MovieStatus, Selection
from warpcore.services.scheduler.core import exporting, tasks
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.requests import named, reply_item
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
    movie.forget_failures()
    if message.force:
        movie.fingerprints, movie.kept = {}, {}
    if movie.results:
        tasks.reconsider(state, movie, "retried by the user")
    else:
        state.move(movie, movie.waiting_status, "retried by the user")
    reply_item(state, movie)


@handles(wire.SelectItem)
def select(state: State, message: wire.SelectItem) -> None:
    """Sets the user's own choice: auto, include or exclude."""
    movie = named(state, message.name)
    if movie is None:
        return
    if movie.selection != message.selection:
        movie.selection = message.selection
        movie.tell(state.seq, state.wall, f"selection: {message.selection}")
        if movie.status in DONE:
            tasks.settle(state, movie, f"selection {message.selection}")
        else:
            state.changed(movie)
            exporting.release_held(state, movie)
    reply_item(state, movie)


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


def _why_no_retry(state: State, movie: MovieRecord, force: bool) -> str:
    """Why a movie cannot be run again now, "" where it can."""
    if movie.failure is not None and movie.failure.kind == FailureKind.CONFLICT:
        return f"{movie.name}: {movie.failure.message}"
    if movie.restoring:
        return f"earlier outputs of {movie.name} are being put back; try again in a moment"
    if movie.status in LEASED:
        return f"{movie.name} is running; wait until it has ended"
    task = state.tasks.get(movie.lease) if movie.lease is not None else None
    if force and task is not None:
        return f"{movie.name} is being exported by {task.purpose}; wait until it has ended"
    again = movie.status == MovieStatus.FAILED or (movie.status in WAITING and movie.parked_until is not None)
    if not again and not force:
        return f"{movie.name} is {movie.status}, not failed; use force to run it again"
    return ""


def _why_not_first(movie: MovieRecord) -> str:
    """Why a movie has no place in the queue, "" where it has one."""
    if movie.status in LEASED:
        return f"{movie.name} is running already"
    if movie.status in DONE:
        return f"{movie.name} is done ({movie.status}); retry it with force to run it again"
    if movie.status == MovieStatus.FAILED:
        return f"{movie.name} has failed; retry it, then put it first"
    if movie.selection == Selection.EXCLUDE:
        return f"{movie.name} is excluded and not processed; select it as auto or include, then put it first"
    return ""


def _ahead_of_all(state: State, movie: MovieRecord) -> int:
    """The priority that puts a movie ahead of all others that wait, as far as the limit allows.

    It is its own where it is first already, else the lowest one from 0.
    """
    others = [other for other in state.movies.values() if other.status in WAITING and other is not movie]
    if not others or state.order(movie) < min(map(state.order, others)):
        return movie.priority
    return min(HIGHEST_PRIORITY, max(0, *(other.priority + 1 for other in others)))
