"""Records as database rows and back.

A row is taken at the moment of a change and is plain data. Its body is a msgpack map of all stored fields, found from
the dataclass: a new field of a record needs no edit here. Unknown fields of a body are ignored, missing ones get their
default.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgpack
import msgspec

from warpcore.bus.messages import Acquisition, Failure, HandPicks, Header, TaskFinished
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ExportKind, ItemState, JobState, MovieStatus, Selection, TryState
from warpcore.services.scheduler.core.export_records import ExportItem, ExportRecord
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import (
    ChoiceRecord,
    HandPicksRecord,
    MovieRecord,
    PoolRecord,
    ProfileRecord,
    SelectionRecord,
    StoryLine,
    TaskRecord,
)
from warpcore.services.scheduler.core.try_records import TryRecord


class MovieRow(NamedTuple):
    """A movie; its lease is found from the task."""

    id: int
    path: str
    name: str
    status: str
    body: bytes


class TaskRow(NamedTuple):
    """A lease; its progress is not stored."""

    lease: int
    movie: int
    body: bytes


class BanRow(NamedTuple):
    """A worker that is set aside."""

    worker: str
    instance: str
    reason: str


class ExportRow(NamedTuple):
    """A job without its movies."""

    job: str
    body: bytes


class ExportItemRow(NamedTuple):
    """One movie of a job."""

    job: str
    movie: int
    state: str
    body: bytes


class ChoiceRow(NamedTuple):
    """What a step has learnt, or that it could not."""

    key: str
    step: str
    body: bytes


class TryRow(NamedTuple):
    """A try."""

    number: int
    movie: int
    body: bytes


class RevisionRow(NamedTuple):
    """A change of the settings, of which the store alone keeps the history; `changed` is JSON."""

    revision: int
    at: float
    by: str
    changed: str


class AuditRow(NamedTuple):
    """Who changed what, at a time (epoch seconds); the store alone keeps these."""

    id: int
    at: float
    user: str
    by: str
    via: str
    action: str
    detail: str
    outcome: str


class ProfileRow(NamedTuple):
    """A named set of settings."""

    name: str
    body: bytes


class PoolRow(NamedTuple):
    """A pool, and how many workers a person allows it."""

    name: str
    body: bytes


class SelectionRow(NamedTuple):
    """A change of selections that can be taken back."""

    number: int
    body: bytes


class HandPicksRow(NamedTuple):
    """A person's edits of a movie's picks."""

    movie: int
    body: bytes


def _stored(record: type[Any], row: type[Any]) -> tuple[str, ...]:
    """Fields of a record that go into the body of its row."""
    columns = getattr(row, "_fields", ())
    return tuple(one.name for one in fields(record) if one.metadata.get("stored", True) and one.name not in columns)


_MOVIE = _stored(MovieRecord, MovieRow)
_TASK = _stored(TaskRecord, TaskRow)
_EXPORT = _stored(ExportRecord, ExportRow)
_ITEM = _stored(ExportItem, ExportItemRow)
_CHOICE = _stored(ChoiceRecord, ChoiceRow)
_PROFILE = _stored(ProfileRecord, ProfileRow)
_POOL = _stored(PoolRecord, PoolRow)
_TRY = _stored(TryRecord, TryRow)
_SELECTION = _stored(SelectionRecord, SelectionRow)
_HAND_PICKS = _stored(HandPicksRecord, HandPicksRow)

Readers = Mapping[str, Callable[[Any], Any]]
_MOVIE_READERS: Readers = {
    "selection": Selection,
    "failure": Failure.from_body,
    "header": Header.from_body,
    "acquisition": lambda body: Acquisition.from_body(_sharing_texts(body)),
    "story": lambda lines: [_line(*line) for line in lines],
}


def _line(seq: int, at: float, text: str, worker: str = "", lease: int = 0, step: str = "") -> StoryLine:
    """A line of a story. All movies share the words of the few lines that there are."""
    return StoryLine(seq, at, sys.intern(text), sys.intern(worker), lease, sys.intern(step))


def _sharing_texts(body: dict[str, Any]) -> dict[str, Any]:
    """Metadata of which equal texts (squares, holes, the gain's name) are one object in all movies."""
    return {name: sys.intern(value) if isinstance(value, str) else value for name, value in body.items()}


def movie_row(movie: MovieRecord) -> MovieRow:
    """The movie as it is now."""
    return MovieRow(movie.id, movie.path, movie.name, str(movie.status), _body(movie, _MOVIE))


def movie_from_row(row: MovieRow) -> MovieRecord:
    """The movie of a row, without its lease."""
    id, path, name, status, body = row
    values = _values(body, _MOVIE, _MOVIE_READERS)
    return MovieRecord(id=id, path=path, name=name, status=MovieStatus(status), **values)


def task_row(task: TaskRecord) -> TaskRow:
    """The lease as it is now."""
    return TaskRow(task.lease, task.movie, _body(task, _TASK))


def task_from_row(row: TaskRow) -> TaskRecord:
    """The lease of a row."""
    lease, movie, body = row
    readers: Readers = {"state": LeaseState, "report": TaskFinished.from_body}
    return TaskRecord(lease=lease, movie=movie, **_values(body, _TASK, readers))


def export_row(export: ExportRecord) -> ExportRow:
    """The job as it is now, without its movies."""
    return ExportRow(export.job, _body(export, _EXPORT))


def export_from_row(row: ExportRow) -> ExportRecord:
    """The job of a row, still without its movies."""
    job, body = row
    return ExportRecord(job=job, **_values(body, _EXPORT, {"kind": ExportKind, "state": JobState}))


def export_item_row(job: str, movie: int, item: ExportItem) -> ExportItemRow:
    """A movie of a job as it is now."""
    return ExportItemRow(job, movie, str(item.state), _body(item, _ITEM))


def export_item_from_row(row: ExportItemRow) -> ExportItem:
    """The movie of a job of a row."""
    _, _, state, body = row
    return ExportItem(state=ItemState(state), **_values(body, _ITEM, {}))


def profile_row(profile: ProfileRecord) -> ProfileRow:
    """The named set of settings as it is now."""
    return ProfileRow(profile.name, _body(profile, _PROFILE))


def profile_from_row(row: ProfileRow) -> ProfileRecord:
    """The named set of settings of a row."""
    name, body = row
    return ProfileRecord(name=name, **_values(body, _PROFILE, {}))


def pool_row(pool: PoolRecord) -> PoolRow:
    """The pool's limits as they are now."""
    return PoolRow(pool.name, _body(pool, _POOL))


def pool_from_row(row: PoolRow) -> PoolRecord:
    """The pool of a row."""
    name, body = row
    return PoolRecord(name=name, **_values(body, _POOL, {}))


def try_row(attempt: TryRecord) -> TryRow:
    """The try as it is now."""
    return TryRow(attempt.number, attempt.movie, _body(attempt, _TRY))


def try_from_row(row: TryRow) -> TryRecord:
    """The try of a row."""
    number, movie, body = row
    values = _values(body, _TRY, {"state": TryState, "failure": Failure.from_body})
    return TryRecord(number=number, movie=movie, **values)


def selection_row(change: SelectionRecord) -> SelectionRow:
    """The change as it can be taken back now."""
    return SelectionRow(change.number, _body(change, _SELECTION))


def selection_from_row(row: SelectionRow) -> SelectionRecord:
    """The change of a row."""
    number, body = row
    values = _values(body, _SELECTION, {"selection": Selection, "former": _former})
    return SelectionRecord(number=number, **values)


def _former(body: dict[int, Any]) -> dict[int, tuple[Selection, int]]:
    return {movie: (Selection(selection), number) for movie, (selection, number) in body.items()}


def hand_picks_row(record: HandPicksRecord) -> HandPicksRow:
    """The edits as they are now."""
    return HandPicksRow(record.movie, _body(record, _HAND_PICKS))


def hand_picks_from_row(row: HandPicksRow) -> HandPicksRecord:
    """The edits of a row."""
    movie, body = row
    readers: Readers = {
        "present": HandPicks.from_body,
        "former": lambda bodies: [HandPicks.from_body(one) for one in bodies],
    }
    return HandPicksRecord(movie, **_values(body, _HAND_PICKS, readers))


def choice_row(choice: ChoiceRecord) -> ChoiceRow:
    """What was learnt."""
    body = msgspec.msgpack.encode({name: getattr(choice, name) for name in _CHOICE})
    return ChoiceRow(choice.key, choice.step, body)


def choice_from_row(row: ChoiceRow) -> ChoiceRecord:
    """What the row says was learnt."""
    key, step, body = row
    return ChoiceRecord(key=key, step=step, **_values(body, _CHOICE, {}))


def _body(record: Any, names: tuple[str, ...]) -> bytes:
    """The stored fields, packed. What is empty is left out, unless the default is not."""
    needed = _with_default(type(record))  # type: ignore[arg-type]
    stored = zip(names, _values_of(names)(record), strict=True)
    plain = {
        name: value.to_body() if isinstance(value, Message) else value
        for name, value in stored
        if value or name in needed
    }
    return msgspec.msgpack.encode(plain)


@cache
def _values_of(names: tuple[str, ...]) -> attrgetter[tuple[Any, ...]]:
    """Reads all these fields of a record in one call: three rows are made of each movie and of each lease."""
    return attrgetter(*names)


@cache
def _with_default(record: type[Any]) -> frozenset[str]:
    """Fields whose default is not empty: reading must not take it for an empty value."""
    return frozenset(one.name for one in fields(record) if one.default is not MISSING and one.default)


def _values(body: bytes, names: tuple[str, ...], readers: Readers) -> dict[str, Any]:
    """The fields of a body that the record knows."""
    found = msgpack.unpackb(body, strict_map_key=False)
    return {name: readers[name](found[name]) if name in readers else found[name] for name in names if name in found}
