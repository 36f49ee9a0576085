"""Files found by the discoverer: new movies, known ones, ones replaced in place."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_AT_ONCE
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import LEASED, WAITING, ErrorCode, FailureKind, MovieStatus
from warpcore.services.scheduler.core import averages, registry, requests, tasks, views
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.allowed import is_output
from warpcore.services.session.paths import movie_root

LONGEST_PATH = 4096


@handles(wire.RegisterFiles)
def register(state: State, message: wire.RegisterFiles) -> None:
    """Registers whole files, all or none: one impossible entry refuses the message."""
    state.discoverer_heard_at = state.now
    fault = _fault(message)
    if fault:
        state.reply(wire.Error(ErrorCode.INVALID, fault))
        return
    if busy := averages.make_way(state, message.files):
        state.reply(wire.Error(ErrorCode.INTERNAL, busy))
        return
    state.file_warnings = [text[: tasks.LONGEST_TEXT] for text in message.warnings[: registry.MOST_WARNINGS]]
    state.file_notes = [text[: tasks.LONGEST_TEXT] for text in message.notes[: registry.MOST_WARNINGS]]
    added = known = replaced = 0
    for file, seen_s in zip(message.files, message.seen_s or [0.0] * len(message.files), strict=True):
        movie = state.by_path.get(file.path)
        if movie is None:
            _add(state, file, seen_s)
            added += 1
        elif (movie.size, movie.mtime_ns) == (file.size, file.mtime_ns):
            _learn(state, movie, file)
            known += 1
        else:
            _replace(state, movie, file, seen_s)
            replaced += 1
    state.reply(wire.FilesRegistered(added, known, replaced))


@handles(wire.GetKnownFiles, reads=True)
def known(state: State, message: wire.GetKnownFiles) -> None:
    """A page of the registered files."""
    state.discoverer_heard_at = state.now
    movies = list(itertools.islice(state.movies_after(message.after), min(max(1, message.limit), MOST_AT_ONCE)))
    shown = views.fitting(map(_known_file, movies))
    reached = movies[len(shown) - 1].id if shown else None
    state.reply(
        wire.KnownFiles(
            files=shown,
            next_after=requests.next_page(state, reached),
            settings=state.settings.to_dict(),
            settings_revision=state.revision,
            forgotten=state.forgotten,
        )
    )


def _known_file(movie: MovieRecord) -> wire.FoundFile:
    """Of the metadata only which file it was: whether it must be read again is all that the discoverer asks."""
    told = movie.acquisition
    source = None if told is None else wire.Acquisition(source=told.source, source_mtime_ns=told.source_mtime_ns)
    return wire.FoundFile(movie.path, movie.size, movie.mtime_ns, acquisition=source)


def _fault(message: wire.RegisterFiles) -> str:
    if len(message.files) > MOST_AT_ONCE:
        return f"{len(message.files)} files in one message; send at most {MOST_AT_ONCE}"
    if message.seen_s and len(message.seen_s) != len(message.files):
        return f"seen_s has {len(message.seen_s)} values for {len(message.files)} files"
    if not all(0 <= seen_s < math.inf for seen_s in message.seen_s):
        return "seen_s holds a number of seconds that is negative or not finite"
    for file in message.files:
        if not is_output(file.path):  # its outputs get its name
            return f"{file.path!r} is not a path inside the data directory"
        if len(file.path) > LONGEST_PATH or file.path != str(Path(file.path)):
            return f"{file.path[:200]!r} is not a plain relative path"
        if not (0 <= file.size < 2**63 and abs(file.mtime_ns) < 2**63):
            return f"{file.path}: size {file.size} or mtime {file.mtime_ns} is impossible"
        for told in (file.header, file.acquisition):
            if told is not None and not _is_finite(told):
                return f"{file.path}: what its {told.TYPE.lower()} says is not finite"
    return ""


def _is_finite(told: Message) -> bool:
    return all(math.isfinite(value) for value in told.to_body().values() if isinstance(value, float))


def _add(state: State, file: wire.FoundFile, seen_s: float) -> None:
    root = movie_root(file.path)
    first = state.by_name.get(root)
    status = MovieStatus.UNPROCESSED if first is None else MovieStatus.FAILED
    movie = MovieRecord(state.last_movie + 1, root, file.path, file.size, file.mtime_ns, status)
    movie.found_at, movie.ready_at = state.wall - seen_s, state.wall
    movie.learn(file.header, file.acquisition)
    movie.tell(state.seq, state.wall, "found")
    if first is not None:
        movie.name = file.path if file.path not in state.by_name else f"{file.path}#{movie.id}"
        text = f"its outputs would have the names of those of {first.path}; rename one of the two movies"
        movie.failure = wire.Failure(FailureKind.CONFLICT, "load", text, "")
        movie.tell(state.seq, state.wall, f"failed: conflicts with {first.path}")
    state.arrivals.note(state.now)
    state.add(movie)


def _learn(state: State, movie: MovieRecord, file: wire.FoundFile) -> None:
    """Take in what is told of a known file that was not told before: as after a change of settings.

    A movie in work ends first; what it then still needs runs again. Nothing told is no news: nobody has looked. Where
    an earlier version has processed a movie without looking, its header stays unknown, so that its results stay.
    """
    header = movie.header if movie.header is None and movie.results else file.header or movie.header
    acquisition = file.acquisition or movie.acquisition
    if (header, acquisition) == (movie.header, movie.acquisition):
        return
    facts = movie.facts
    state.learn(movie, header, acquisition)
    if movie.facts == facts or movie.restoring or movie.status in LEASED | {MovieStatus.UNPROCESSED}:
        state.changed(movie)
    elif movie.status != MovieStatus.FAILED:
        tasks.reconsider(state, movie, "its metadata tell other values")
    elif tasks.void(state, movie):
        movie.forget_failures()
        tasks.wait_again(state, movie, "its metadata tell other values")
    else:
        state.changed(movie)


def _replace(state: State, movie: MovieRecord, file: wire.FoundFile, seen_s: float) -> None:
    movie.size, movie.mtime_ns = file.size, file.mtime_ns
    state.learn(movie, file.header, file.acquisition)
    movie.found_at, movie.ready_at = state.wall - seen_s, state.wall
    if movie.failure is not None and movie.failure.kind == FailureKind.CONFLICT:
        state.changed(movie)
        return
    movie.forget_failures()
    task = state.tasks.get(movie.lease) if movie.lease is not None else None
    if task is not None and task.state == LeaseState.PLACING:
        # Its results are those of the former file; once they are in place, its steps run again.
        if task.processes:
            state.changed(movie)
            return
    elif task is not None:
        tasks.revoke(state, task, "the file was replaced", cancel=True)
        tasks.set_back(state, task, "the file was replaced")
    state.need(movie, state.needed_steps(movie) if movie.results else [])
    if movie.outdated_steps or not movie.results or movie.restoring:
        # An unprocessed movie keeps its status; if it was parked, it waits in the queue again.
        state.move(movie, movie.waiting_status, "the file was replaced")
    elif movie.status in WAITING | LEASED | {MovieStatus.FAILED}:
        tasks.settle(state, movie, "the file is as it was")
    else:
        state.changed(movie)
