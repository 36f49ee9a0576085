"""What can still be read of a lost state: of the database itself, however damaged, and of its backups."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgpack

from warpcore.bus.messages import AuditEntry
from warpcore.bus.vocabulary import Selection
from warpcore.services.scheduler.core import rows
from warpcore.services.scheduler.core.records import HandPicksRecord, PoolRecord, ProfileRecord
from warpcore.services.session.migrations import Adopted, adopt

T = TypeVar("T")
_UNREADABLE = (sqlite3.Error, ValueError, TypeError, KeyError, msgpack.UnpackException)


@dataclass(slots=True)
class Salvaged:
    """What a person has entered, by the path of the movie where it is of one, and who changed what, by id.

    `source` is where settings are from.
    """

    settings: Adopted | None = None
    source: Path | None = None
    selections: dict[str, Selection] = field(default_factory=dict)
    hand_picks: dict[str, HandPicksRecord] = field(default_factory=dict)
    profiles: dict[str, ProfileRecord] = field(default_factory=dict)
    audit: dict[int, rows.AuditRow] = field(default_factory=dict)
    pools: dict[str, PoolRecord] = field(default_factory=dict)


def salvage(databases: Iterable[Path]) -> Salvaged:
    """All that can be read of these, of the first one that has it."""
    found = Salvaged()
    for path in databases:
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            _add(found, db, path)
    return found


def _add(found: Salvaged, db: sqlite3.Connection, path: Path) -> None:
    if found.settings is None and (settings := next(_read(db, _SETTINGS, _settings), None)) is not None:
        found.settings, found.source = settings, path
    for profile in _read(db, _PROFILES, lambda row: rows.profile_from_row(rows.ProfileRow(*row))):
        found.profiles.setdefault(profile.name, profile)
    for entry in _read(db, _AUDIT, _audit_row):
        found.audit.setdefault(entry.id, entry)
    for pool in _read(db, _POOLS, lambda row: rows.pool_from_row(rows.PoolRow(*row))):
        found.pools.setdefault(pool.name, pool)
    paths: dict[int, str] = {}
    for id, where, selection in _read(db, _MOVIES, _selection):
        paths[id] = where
        found.selections.setdefault(where, selection)
    for edits in _read(db, _HAND_PICKS, lambda row: rows.hand_picks_from_row(rows.HandPicksRow(*row))):
        if edits.movie in paths:
            found.hand_picks.setdefault(paths[edits.movie], edits)


def _read(db: sqlite3.Connection, query: str, read: Callable[[tuple[Any, ...]], T]) -> Iterator[T]:
    """The rows that can be read: of a damaged table those before the damage."""
    with suppress(sqlite3.Error):
        for row in db.execute(query):
            with suppress(*_UNREADABLE):
                yield read(row)


def _settings(row: tuple[Any, ...]) -> Adopted:
    body, migration, set_aside = row
    return adopt(json.loads(body), migration, json.loads(set_aside))


def _audit_row(row: tuple[Any, ...]) -> rows.AuditRow:
    found = rows.AuditRow(*row)
    AuditEntry.from_body(found._asdict())  # raises for one that could not be told
    return found


def _selection(row: tuple[Any, ...]) -> tuple[int, str, Selection]:
    id, path, body = row
    return id, path, Selection(msgpack.unpackb(body, strict_map_key=False).get("selection", Selection.AUTO))


_SETTINGS = "SELECT body, migration, set_aside FROM settings"
_PROFILES = "SELECT name, body FROM profiles"
_POOLS = "SELECT name, body FROM pools"
_MOVIES = "SELECT id, path, body FROM movies"
_AUDIT = "SELECT id, at, user, by, via, action, detail, outcome FROM audit"
_HAND_PICKS = "SELECT movie, body FROM hand_picks"
