"""The end of tasks that leave the movie as it is: exports and tries."""

from __future__ import annotations

from typing import Any

from warpcore.bus.messages import Failure
from warpcore.bus.vocabulary import Purpose
from warpcore.services.scheduler.core import exporting, trying
from warpcore.services.scheduler.core.records import TaskRecord
from warpcore.services.scheduler.core.state import State


def finished(state: State, task: TaskRecord, results: dict[str, Any], outputs: dict[str, list[str]]) -> None:
    """The task is done; its movie is free again."""
    if task.kind is Purpose.EXPORT:
        exporting.finished(state, task, results, outputs)
    else:
        trying.finished(state, task, results, outputs)
    set_free(state, task)


def failed(state: State, task: TaskRecord, failure: Failure, *, again: bool, counted: bool = True) -> None:
    """The task went wrong, or its lease was taken back: it is done again, elsewhere first, or given up."""
    if task.kind is Purpose.EXPORT:
        exporting.failed(state, task, failure.message, again=again, counted=counted)
    else:
        trying.failed(state, task, failure, again=again, counted=counted)
    set_free(state, task)


def set_free(state: State, task: TaskRecord) -> None:
    """The movie of a task that has ended may run, and be exported, again."""
    movie = state.movies[task.movie]
    exporting.release_held(state, movie)
    state.place(movie)
