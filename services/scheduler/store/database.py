"""The scheduler's durable state: one SQLite database, written in one commit a round, before any answer goes out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from warpcore.bus.limits import MOST_CHANGES
from warpcore.bus.messages import Change
from warpcore.services.scheduler.core.effects import (
    CutLog,
    DropSelection,
    DropTask,
    Effect,
    LiftBan,
    Publish,
    SaveBan,
    SaveChoice,
    SaveExport,
    SaveHandPicks,
    SaveMovie,
    SavePaused,
    SaveSelection,
    SaveSettings,
    SaveTask,
)
from warpcore.services.scheduler.core.rows import (
    ChoiceRow,
    ExportItemRow,
    ExportRow,
    HandPicksRow,
    MovieRow,
    SelectionRow,
    TaskRow,
)
from warpcore.services.scheduler.store import schema
from warpcore.services.scheduler.store.schema import StateError
from warpcore.services.session.migrations import LATEST

LOG_LENGTH = 200_000
"""Rows that the change log keeps; a subscriber that is further behind takes a snapshot."""
_TRIMMED_AT_ONCE = 5000
_CHANGES_BUDGET_BYTES = 900_000


@dataclass(slots=True)
class Stored:
    """All that a run begins with, as rows. `settings` is None in a new database."""

    epoch: str
    seq: int
    last_lease: int
    last_modified: float
    paused: bool
    settings: dict[str, Any] | None = None
    revision: int = 0
    references: str = ""
    migration: str = ""
    set_aside: dict[str, Any] = field(default_factory=dict)
    movies: list[MovieRow] = field(default_factory=list)
    tasks: list[TaskRow] = field(default_factory=list)
    bans: list[tuple[str, str, str]] = field(default_factory=list)
    exports: list[ExportRow] = field(default_factory=list)
    export_items: list[ExportItemRow] = field(default_factory=list)
    choices: list[ChoiceRow] = field(default_factory=list)
    selections: list[SelectionRow] = field(default_factory=list)
    hand_picks: list[HandPicksRow] = field(default_factory=list)


@dataclass(slots=True)
class _Pending:
    """Rows to write, the newest of each; None stands for a row to delete."""

    meta: dict[str, Any] = field(default_factory=dict)
    movies: dict[int, MovieRow] = field(default_factory=dict)
    tasks: dict[int, TaskRow | None] = field(default_factory=dict)
    bans: dict[str, tuple[str, str, str] | None] = field(default_factory=dict)
    exports: dict[str, ExportRow] = field(default_factory=dict)
    export_items: dict[tuple[str, int], ExportItemRow] = field(default_factory=dict)
    choices: dict[str, ChoiceRow] = field(default_factory=dict)
    selections: dict[int, SelectionRow | None] = field(default_factory=dict)
    hand_picks: dict[int, HandPicksRow] = field(default_factory=dict)
    settings: tuple[str, int, str, str, str] | None = None
    changes: list[tuple[int, str, bytes]] = field(default_factory=list)

    def take(self, newer: _Pending) -> None:
        """Add what is newer."""
        # An older task may be saved after a newer one. The last lease must not go down: it would be given twice.
        lease = max(self.meta.get("lease", 0), newer.meta.get("lease", 0))
        self.meta.update(newer.meta)
        if lease:
            self.meta["lease"] = lease
        self.movies.update(newer.movies)
        self.tasks.update(newer.tasks)
        self.bans.update(newer.bans)
        self.exports.update(newer.exports)
        self.export_items.update(newer.export_items)
        self.choices.update(newer.choices)
        self.selections.update(newer.selections)
        self.hand_picks.update(newer.hand_picks)
        self.settings = newer.settings or self.settings
        self.changes += newer.changes


class Store:
    """The open database. `stage` takes effects in; `commit` makes them durable, all or (raising StateError) none.

    A missing database is made, one of an earlier format brought to today's; one that is not ours, newer, damaged or of
    another session is refused.
    """

    def __init__(self, path: Path, *, data_directory: str, processing_directory: str) -> None:
        self.path = path
        self._pending = _Pending()
        with self.errors("opened"):
            if not path.exists():
                schema.create(path, data_directory, processing_directory)
            elif path.stat().st_size == 0:
                raise StateError(f"{path} is empty, so the state is lost: put back a copy, or remove it to begin anew")
            # autocommit: each round's transaction is begun and ended here, not by the driver.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=True)
            try:
                version = schema.check(self._db, path, data_directory, processing_directory)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA foreign_keys = ON")
                schema.climb(self._db, version)
                meta = dict(self._db.execute("SELECT key, value FROM meta"))
            except BaseException:
                self._db.close()
                raise
        self.epoch: str = meta["epoch"]
        self._head: int = meta["seq"]
        self._last_lease: int = meta["lease"]
        self._floor: int = meta["floor"]

    # --- writing -------------------------------------------------------------------------------------------------

    def stage(self, effects: Iterable[Effect]) -> None:
        """Take in what is to be stored: all of it, or (whatever it raises) nothing. Other effects are passed over."""
        pending = _Pending()
        for effect in effects:
            match effect:
                case Publish(topic, body, seq):
                    if seq:
                        pending.meta["seq"] = seq
                        pending.changes.append((seq, topic, msgpack.packb(body)))
                case SaveMovie(movie):
                    pending.movies[movie.id] = movie
                case SaveTask(task):
                    pending.meta["lease"] = max(task.lease, pending.meta.get("lease", 0), self._last_lease)
                    pending.tasks[task.lease] = task
                case DropTask(lease):
                    pending.tasks[lease] = None
                case SaveExport(export, items):
                    pending.exports[export.job] = export
                    pending.export_items.update(((item.job, item.movie), item) for item in items)
                case SaveChoice(row):
                    pending.choices[row.key] = row
                case SaveSelection(row):
                    pending.selections[row.number] = row
                case DropSelection(number):
                    pending.selections[number] = None
                case SaveHandPicks(row):
                    pending.hand_picks[row.movie] = row
                case SaveSettings(settings, revision, references, set_aside):
                    aside = json.dumps(set_aside)
                    pending.settings = (json.dumps(settings), revision, references, LATEST, aside)
                case SavePaused(paused):
                    pending.meta["paused"] = int(paused)
                case SaveBan(ban):
                    pending.bans[ban.worker] = (ban.worker, ban.instance, ban.reason)
                case LiftBan(worker):
                    pending.bans[worker] = None
                case CutLog(seq):
                    pending.meta["seq"] = pending.meta["floor"] = seq
                case _:
                    pass
        self._pending.take(pending)

    def commit(self, wall: float = 0.0) -> None:
        """Make durable what was staged: all or (raising StateError) nothing. `wall` is shown as its time."""
        pending, self._pending = self._pending, _Pending()
        if pending == _Pending():
            return
        if pending.movies:
            pending.meta["last_modified"] = wall
        head = pending.meta.get("seq", self._head)
        floor = pending.meta.get("floor", self._floor)
        if head - floor > LOG_LENGTH + _TRIMMED_AT_ONCE:
            floor = pending.meta["floor"] = head - LOG_LENGTH
        with self.errors("written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._write(pending)
                # Rows before the floor are deleted in portions, so that no round takes long.
                self._db.execute(
                    "DELETE FROM changes WHERE seq IN (SELECT seq FROM changes WHERE seq <= ? ORDER BY seq LIMIT ?)",
                    (floor, _TRIMMED_AT_ONCE),
                )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        self._head, self._floor = head, floor
        self._last_lease = pending.meta.get("lease", self._last_lease)

    def discard(self) -> None:
        """Forget what was staged and not committed."""
        self._pending = _Pending()

    def _write(self, pending: _Pending) -> None:
        many = self._db.executemany
        many(_SAVE_MOVIE, pending.movies.values())
        many("DELETE FROM tasks WHERE lease = ?", [(lease,) for lease, row in pending.tasks.items() if row is None])
        many(_SAVE_TASK, [row for row in pending.tasks.values() if row is not None])
        many("DELETE FROM bans WHERE worker = ?", [(worker,) for worker, row in pending.bans.items() if row is None])
        many("INSERT OR REPLACE INTO bans VALUES (?, ?, ?)", [row for row in pending.bans.values() if row is not None])
        many(_SAVE_EXPORT, pending.exports.values())
        many("INSERT OR REPLACE INTO export_movies VALUES (?, ?, ?, ?)", pending.export_items.values())
        many("INSERT OR REPLACE INTO choices VALUES (?, ?, ?)", pending.choices.values())
        gone = [(number,) for number, row in pending.selections.items() if row is None]
        many("DELETE FROM selections WHERE number = ?", gone)
        many("INSERT OR REPLACE INTO selections VALUES (?, ?)", [row for row in pending.selections.values() if row])
        many("INSERT OR REPLACE INTO hand_picks VALUES (?, ?)", pending.hand_picks.values())
        if pending.settings is not None:
            self._db.execute(_SAVE_SETTINGS, pending.settings)
        many("INSERT INTO changes VALUES (?, ?, ?)", pending.changes)
        many("UPDATE meta SET value = ? WHERE key = ?", [(value, key) for key, value in pending.meta.items()])

    # --- reading -------------------------------------------------------------------------------------------------

    def load(self) -> Stored:
        """Everything, to begin a run with."""
        with self.errors("read"):
            select = self._db.execute
            meta = dict(select("SELECT key, value FROM meta"))
            stored = Stored(
                epoch=meta["epoch"],
                seq=meta["seq"],
                last_lease=meta["lease"],
                last_modified=meta["last_modified"],
                paused=bool(meta["paused"]),
            )
            settings = select("SELECT body, revision, identity, migration, set_aside FROM settings").fetchone()
            if settings is not None:
                body, stored.revision, stored.references, stored.migration, set_aside = settings
                stored.settings, stored.set_aside = json.loads(body), json.loads(set_aside)
            movies = select("SELECT id, path, name, status, body FROM movies ORDER BY id")
            stored.movies = list(map(MovieRow._make, movies))
            stored.tasks = list(map(TaskRow._make, select("SELECT lease, movie, body FROM tasks ORDER BY lease")))
            stored.bans = list(select("SELECT worker, instance, reason FROM bans"))
            stored.exports = list(map(ExportRow._make, select("SELECT job, body FROM exports ORDER BY number")))
            items = select("SELECT job, movie, state, body FROM export_movies ORDER BY job, movie")
            stored.export_items = list(map(ExportItemRow._make, items))
            stored.choices = list(map(ChoiceRow._make, select("SELECT key, step, body FROM choices")))
            selections = select("SELECT number, body FROM selections ORDER BY number")
            stored.selections = list(map(SelectionRow._make, selections))
            hand_picks = select("SELECT movie, body FROM hand_picks ORDER BY movie")
            stored.hand_picks = list(map(HandPicksRow._make, hand_picks))
            return stored

    def changes(self, since: int, limit: int) -> tuple[list[Change], bool]:
        """The committed changes after `since`, as many as fit a frame, and whether the log begins only later."""
        if since < self._floor or since > self._head:
            return [], True
        found: list[Change] = []
        left = _CHANGES_BUDGET_BYTES
        with self.errors("read"):
            query = "SELECT seq, topic, body FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
            for seq, topic, body in self._db.execute(query, (since, min(max(1, limit), MOST_CHANGES))):
                left -= len(body) + 64
                if left < 0 and found:
                    break
                found.append(Change(seq, topic, msgpack.unpackb(body)))
        return found, False

    @property
    def head(self) -> int:
        """The newest committed change."""
        return self._head

    def close(self) -> None:
        """Close the database; what was staged and not committed is gone."""
        self._db.close()

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn what SQLite and damaged rows raise into a StateError with the path."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self.path} cannot be {doing}: {error}") from error
        except OSError as error:
            raise StateError(f"{self.path} cannot be {doing}: {error.strerror or error}") from error
        except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
            raise StateError(f"{self.path} cannot be {doing}, it is damaged: {error!r}") from error


_SAVE_MOVIE = """INSERT INTO movies (id, path, name, status, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
SET path = excluded.path, name = excluded.name, status = excluded.status, body = excluded.body"""
_SAVE_SETTINGS = """INSERT OR REPLACE INTO settings (id, body, revision, identity, migration, set_aside)
VALUES (1, ?, ?, ?, ?, ?)"""
_SAVE_TASK = "INSERT INTO tasks VALUES (?, ?, ?) ON CONFLICT (lease) DO UPDATE SET body = excluded.body"
_SAVE_EXPORT = "INSERT INTO exports (job, body) VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET body = excluded.body"
