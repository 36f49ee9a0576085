"""Records as database rows and back; bodies are msgpack maps, so that fields can be added."""

from __future__ import annotations

from typing import Any

import msgpack

from warpcore.bus.messages import Failure
from warpcore.services.scheduler.core.export_records import PENDING, ExportItem, ExportRecord
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord

MovieRow = tuple[int, str, str, str, bytes]
TaskRow = tuple[int, int, bytes]
ExportRow = tuple[str, bytes]
ExportItemRow = tuple[str, int, str, bytes]

_MOVIE_FIELDS = (
    "selection",
    "priority",
    "failed_wanted",
    "filter_reasons",
    "results",
    "fingerprints",
    "outputs",
    "retries",
    "lost",
    "avoid",
    "suspect",
    "outdated_steps",
    "kept",
    "restoring",
)
_TASK_FIELDS = ("worker", "instance", "purpose", "run", "wanted", "begun", "committed")


def movie_row(movie: MovieRecord) -> MovieRow:
    """id, path, name, status, body. What is empty is left out of the body; a lease is found again from its task."""
    body: dict[str, Any] = {name: value for name in _MOVIE_FIELDS if (value := getattr(movie, name))}
    body["size"], body["mtime_ns"] = movie.size, movie.mtime_ns
    body["story"] = movie.story
    if movie.failure is not None:
        body["failure"] = movie.failure.to_body()
    return (movie.id, movie.path, movie.name, movie.status, msgpack.packb(body))


def movie_from_row(row: MovieRow) -> MovieRecord:
    """The movie of a row, without its lease."""
    id, path, name, status, packed = row
    body = msgpack.unpackb(packed)
    failure = body.pop("failure", None)
    story = [(seq, at, text) for seq, at, text in body.pop("story")]
    return MovieRecord(
        id=id,
        path=path,
        name=name,
        status=status,
        failure=Failure.from_body(failure) if failure is not None else None,
        story=story,
        **body,
    )


def task_row(task: TaskRecord) -> TaskRow:
    """lease, movie, body. How far it is is not kept."""
    return (task.lease, task.movie, msgpack.packb({name: getattr(task, name) for name in _TASK_FIELDS}))


def task_from_row(row: TaskRow) -> TaskRecord:
    """The task of a row."""
    lease, movie, packed = row
    return TaskRecord(lease=lease, movie=movie, **msgpack.unpackb(packed))


def export_row(export: ExportRecord) -> ExportRow:
    """job, body, without the movies."""
    body = {"kind": export.kind, "options": export.options, "state": export.state, "file": export.file}
    return (export.job, msgpack.packb(body))


def export_from_row(row: ExportRow) -> ExportRecord:
    """The job of a row, still without its movies."""
    job, packed = row
    return ExportRecord(job=job, **msgpack.unpackb(packed))


def export_item_row(job: str, movie: int, item: ExportItem) -> ExportItemRow:
    """job, movie, state, body."""
    body = {name: value for name in ("attempts", "avoid", "files", "message") if (value := getattr(item, name))}
    return (job, movie, item.state, msgpack.packb(body))


def export_item_from_row(row: ExportItemRow) -> ExportItem:
    """The movie of a job of a row."""
    _, _, state, packed = row
    return ExportItem(state=state or PENDING, **msgpack.unpackb(packed))
