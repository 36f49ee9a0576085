"""Failed movies that nobody wants any more are forgotten: as if their files had never been found."""

from __future__ import annotations

from collections.abc import Iterable

from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_RETRIED
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.effects import DropMovie
from warpcore.services.scheduler.core.export_records import OPEN_ITEMS
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.requests import named_many
from warpcore.services.scheduler.core.state import State


@handles(wire.ForgetItems)
def forget(state: State, message: wire.ForgetItems) -> None:
    """Takes failed movies out of the session; a file that is still there, or comes back, is found anew."""
    movies = named_many(state, message.ids, message.names, MOST_RETRIED)
    if movies is None:
        return
    problems = {movie.name: _why_not(state, movie) for movie in movies}
    gone = [movie for movie in movies if not problems[movie.name]]
    take_out(state, [(movie, _told(movie), ()) for movie in gone], by=message.by)
    refused = [{"name": name, "problem": problem} for name, problem in problems.items() if problem]
    state.reply(wire.ItemsForgotten(len(gone), views.fitting(refused)))


def take_out(state: State, movies: Iterable[tuple[MovieRecord, str, tuple[str, ...]]], *, by: str) -> None:
    """Take movies out that nothing holds: each with why, and the outputs that are deleted."""
    gone = 0
    for movie, told, outputs in movies:
        state.remove(movie)
        state.effects.append(DropMovie(movie.id, movie.name, movie.path, told, by, state.last_movie, outputs))
        gone += 1
    if gone:
        state.forgotten += gone
        # Nobody has to know how to take a movie out: who follows the state reads it anew.
        state.cut_log()
        state.last_modified = state.wall


def _why_not(state: State, movie: MovieRecord) -> str:
    """Why a movie cannot be forgotten, "" where it can."""
    if movie.status != MovieStatus.FAILED:
        return f"{movie.name} is {movie.status}, not failed; only failed movies can be forgotten"
    return why_held(state, movie)


def why_held(state: State, movie: MovieRecord) -> str:
    """What a movie is needed for beside its own results, "" where nothing needs it."""
    if movie.lease is not None:
        return f"{movie.name} is in use by {state.tasks[movie.lease].purpose}; wait until it has ended"
    for attempt in state.tries.values():
        if attempt.movie == movie.id:
            return f"{attempt.id} of {movie.name} is kept; delete the try first"
    for job in state.exports.values():
        item = job.items.get(movie.id)
        if item is not None and item.state in OPEN_ITEMS:
            return f"{movie.name} is part of {job.job}; wait until that has ended, or cancel it"
    return ""


def _told(movie: MovieRecord) -> str:
    failure = movie.failure
    return f"it had failed: {failure.kind} in {failure.step}: {failure.message}" if failure is not None else ""
