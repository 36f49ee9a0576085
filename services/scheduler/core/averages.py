"""Averages that were registered before their movie: once it comes, they were never movies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from warpcore.bus import messages as wire
from warpcore.services.scheduler.core import forgetting, tasks
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.image_names import asks_for, average_words, averages_of
from warpcore.services.session.paths import movie_root


def make_way(state: State, files: Iterable[wire.FoundFile]) -> str:
    """Take the averages of these movies out of the session, with their results; the discoverer looks at them anew.

    Returns why nothing was done, "" where all is done: files that are being put in place come to their end first.
    """
    found = {average.id: (average, file) for file in files for average in _averages(state, file)}
    for average, _ in found.values():
        task = state.tasks.get(average.lease) if average.lease is not None else None
        if average.restoring or (task is not None and task.state == LeaseState.PLACING):
            return f"outputs of {average.name}, an average of a movie, are being put in place; register again"
    names = {movie_root(file.path) for _, file in found.values()}
    gone = []
    for average, file in found.values():
        task = state.tasks.get(average.lease) if average.lease is not None else None
        is_run = task is not None and task.processes
        if task is not None and is_run:
            tasks.revoke(state, task, f"it is an average of {file.path}", cancel=True)
        if not forgetting.why_held(state, average):
            # A movie of the same name replaces the outputs by its own.
            outputs = () if average.name in names else _outputs(average)
            gone.append((average, f"it is an average of {file.path}", outputs))
        elif is_run:
            tasks.wait_again(state, average, "an export or try of it is kept")
    forgetting.take_out(state, gone, by="warpcore")
    return ""


def _averages(state: State, file: wire.FoundFile) -> Iterator[MovieRecord]:
    """Registered single images of the exposure of a file of several frames; none that a pattern asks for."""
    if file.path in state.by_path or file.header is None or file.header.frames < 2:
        return
    for path in averages_of(file.path):
        image = state.by_path.get(path)
        if image is None or image.header is None or image.header.frames != 1:
            continue
        name = path.rpartition("/")[2]
        if not asks_for(state.settings.import_.patterns, name, (average_words(name),)):
            yield image


def _outputs(movie: MovieRecord) -> tuple[str, ...]:
    return tuple(path for paths in movie.outputs.values() for path in paths)
