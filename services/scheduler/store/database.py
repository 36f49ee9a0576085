"""The scheduler's durable state: one SQLite database, written in one commit a round, before any answer goes out."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from warpcore.bus.messages import Change
from warpcore.services.scheduler.core.effects import (
    CutLog,
    DropTask,
    Effect,
    LiftBan,
    Publish,
    SaveBan,
    SaveExport,
    SaveMovie,
    SavePaused,
    SaveSettings,
    SaveTask,
)
from warpcore.services.scheduler.core.export_records import ExportRecord
from warpcore.services.scheduler.core.records import Ban, MovieRecord, TaskRecord
from warpcore.services.scheduler.store import rows
from warpcore.services.session.paths import flush

APPLICATION_ID = 0x57435344
SCHEMA_VERSION = 1
LOG_LENGTH = 200_000
"""Rows that the change log keeps; who is further behind takes a snapshot."""
_TRIMMED_AT_ONCE = 5000
_CHANGES_BUDGET_BYTES = 900_000

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE movies (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, status TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE tasks (lease INTEGER PRIMARY KEY, movie INTEGER NOT NULL UNIQUE REFERENCES movies (id), body BLOB NOT NULL);
CREATE TABLE settings (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL, revision INTEGER NOT NULL, identity TEXT NOT NULL);
CREATE TABLE bans (worker TEXT PRIMARY KEY, instance TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE exports (number INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE export_movies (job TEXT NOT NULL, movie INTEGER NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (job, movie)) WITHOUT ROWID;
CREATE TABLE changes (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL);
"""


class StateError(Exception):
    """The state cannot be read or written; the text is one line with the path and what to do."""


@dataclass(slots=True)
class Stored:
    """All that a run begins with. `settings` is None in a new database."""

    epoch: str
    seq: int
    last_lease: int
    last_modified: float
    paused: bool
    settings: dict[str, Any] | None
    revision: int
    references: str
    movies: list[MovieRecord] = field(default_factory=list)
    tasks: list[TaskRecord] = field(default_factory=list)
    bans: list[Ban] = field(default_factory=list)
    exports: list[ExportRecord] = field(default_factory=list)


@dataclass(slots=True)
class _Pending:
    """Rows to write, the last of each; None is a row to remove."""

    meta: dict[str, Any] = field(default_factory=dict)
    movies: dict[int, rows.MovieRow] = field(default_factory=dict)
    tasks: dict[int, rows.TaskRow | None] = field(default_factory=dict)
    bans: dict[str, tuple[str, str, str] | None] = field(default_factory=dict)
    exports: dict[str, rows.ExportRow] = field(default_factory=dict)
    export_items: dict[tuple[str, int], rows.ExportItemRow] = field(default_factory=dict)
    settings: tuple[str, int, str] | None = None
    changes: list[tuple[int, str, bytes]] = field(default_factory=list)

    def take(self, newer: _Pending) -> None:
        """Add what is newer."""
        # An older task may be saved after a newer one: the lease that was given last never goes down, or it would be given again.
        lease = max(self.meta.get("lease", 0), newer.meta.get("lease", 0))
        self.meta.update(newer.meta)
        if lease:
            self.meta["lease"] = lease
        self.movies.update(newer.movies)
        self.tasks.update(newer.tasks)
        self.bans.update(newer.bans)
        self.exports.update(newer.exports)
        self.export_items.update(newer.export_items)
        self.settings = newer.settings or self.settings
        self.changes += newer.changes


class Store:
    """The open database. `stage` takes effects in, `commit` makes them durable together or (raising StateError) not at all.

    A missing database is made; one that is not ours, newer, damaged or of another session is refused.
    """

    def __init__(self, path: Path, *, data_directory: str, processing_directory: str) -> None:
        self.path = path
        self._pending = _Pending()
        with self._errors("opened"):
            if not path.exists():
                self._create(data_directory, processing_directory)
            elif path.stat().st_size == 0:
                raise StateError(f"{path} is empty, so the state is lost: put back a copy, or remove it to begin anew")
            # autocommit: each round's transaction is begun and ended here, not by the driver.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=True)
            try:
                self._check(data_directory, processing_directory)
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA foreign_keys = ON")
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
        """Take in what is to be stored, as it is now: all of it, or (whatever it raises) nothing. Others are passed over."""
        pending = _Pending()
        for effect in effects:
            match effect:
                case Publish(topic, body, seq):
                    if seq:
                        pending.meta["seq"] = seq
                        pending.changes.append((seq, topic, msgpack.packb(body)))
                case SaveMovie(movie):
                    pending.movies[movie.id] = rows.movie_row(movie)
                case SaveTask(task):
                    pending.meta["lease"] = max(task.lease, pending.meta.get("lease", 0), self._last_lease)
                    pending.tasks[task.lease] = rows.task_row(task)
                case DropTask(lease):
                    pending.tasks[lease] = None
                case SaveExport(export, items):
                    pending.exports[export.job] = rows.export_row(export)
                    for movie_id, item in items:
                        pending.export_items[export.job, movie_id] = rows.export_item_row(export.job, movie_id, item)
                case SaveSettings(settings, revision, references):
                    pending.settings = (json.dumps(settings.to_dict()), revision, references)
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
        """Make durable what was staged: all of it, or (raising StateError) nothing. `wall` is the time shown for the last change."""
        pending, self._pending = self._pending, _Pending()
        if pending == _Pending():
            return
        if pending.movies:
            pending.meta["last_modified"] = wall
        head = pending.meta.get("seq", self._head)
        floor = pending.meta.get("floor", self._floor)
        if head - floor > LOG_LENGTH + _TRIMMED_AT_ONCE:
            floor = pending.meta["floor"] = head - LOG_LENGTH
        with self._errors("written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._write(pending)
                # What the log no longer reaches back to goes bit by bit, so that no round is long.
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
        if pending.settings is not None:
            self._db.execute("INSERT OR REPLACE INTO settings VALUES (1, ?, ?, ?)", pending.settings)
        many("INSERT INTO changes VALUES (?, ?, ?)", pending.changes)
        many("UPDATE meta SET value = ? WHERE key = ?", [(value, key) for key, value in pending.meta.items()])

    # --- reading -------------------------------------------------------------------------------------------------

    def load(self) -> Stored:
        """Everything, to begin a run with."""
        with self._errors("read"):
            select = self._db.execute
            meta = dict(select("SELECT key, value FROM meta"))
            settings = select("SELECT body, revision, identity FROM settings").fetchone()
            stored = Stored(
                epoch=meta["epoch"],
                seq=meta["seq"],
                last_lease=meta["lease"],
                last_modified=meta["last_modified"],
                paused=bool(meta["paused"]),
                settings=json.loads(settings[0]) if settings is not None else None,
                revision=settings[1] if settings is not None else 0,
                references=settings[2] if settings is not None else "",
            )
            movies = select("SELECT id, path, name, status, body FROM movies ORDER BY id")
            stored.movies = [rows.movie_from_row(row) for row in movies]
            tasks = select("SELECT lease, movie, body FROM tasks ORDER BY lease")
            stored.tasks = [rows.task_from_row(row) for row in tasks]
            stored.bans = [Ban(*row) for row in select("SELECT worker, instance, reason FROM bans")]
            exports = select("SELECT job, body FROM exports ORDER BY number")
            stored.exports = [rows.export_from_row(row) for row in exports]
            for export in stored.exports:
                items = select("SELECT job, movie, state, body FROM export_movies WHERE job = ?", (export.job,))
                export.items = {row[1]: rows.export_item_from_row(row) for row in items}
                export.count()
            return stored

    def changes(self, since: int, limit: int) -> tuple[list[Change], bool]:
        """The committed changes after `since`, as many as fit a frame, and whether the log no longer reaches back to it."""
        if since < self._floor or since > self._head:
            return [], True
        found: list[Change] = []
        left = _CHANGES_BUDGET_BYTES
        with self._errors("read"):
            query = "SELECT seq, topic, body FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
            for seq, topic, body in self._db.execute(query, (since, min(max(1, limit), 5000))):
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

    # --- beginning -----------------------------------------------------------------------------------------------

    def _create(self, data_directory: str, processing_directory: str) -> None:
        """Make the database under another name first: it is either whole or absent."""
        if self.path.with_name(f"{self.path.name}-wal").exists():
            raise StateError(f"{self.path} is gone but its -wal file is not: put both back, or remove it to begin anew")
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        temporary.unlink(missing_ok=True)
        made = sqlite3.connect(temporary, isolation_level=None)
        try:
            made.execute("PRAGMA synchronous = FULL")
            made.execute("BEGIN")
            for statement in _SCHEMA.split(";\n"):
                made.execute(statement)
            meta = {
                "epoch": uuid.uuid4().hex,
                "seq": 0,
                "floor": 0,
                "lease": 0,
                "last_modified": 0.0,
                "paused": 0,
                "data_directory": data_directory,
                "processing_directory": processing_directory,
            }
            made.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
            made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            made.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            made.execute("COMMIT")
        finally:
            made.close()
        flush(temporary)
        temporary.replace(self.path)

    def _check(self, data_directory: str, processing_directory: str) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StateError(f"{self.path} is a database of another program; move it away or give another --state")
        if version > SCHEMA_VERSION:
            raise StateError(f"{self.path} was written by a newer warpcore (format {version}); use that version")
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        for name, given in (("data", data_directory), ("processing", processing_directory)):
            begun_with = meta[f"{name}_directory"]
            if name == "processing" and self.path.is_relative_to(given):
                continue  # a processing directory may be moved with the state in it
            if begun_with != given:
                raise StateError(
                    f"{self.path} belongs to {name} directory {begun_with}, not {given}: "
                    f"give --{name} {begun_with}, or another --processing directory"
                )

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turns what SQLite and damaged rows raise into one line with the path."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self.path} cannot be {doing}: {error}") from error
        except OSError as error:
            raise StateError(f"{self.path} cannot be {doing}: {error.strerror or error}") from error
        except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
            raise StateError(f"{self.path} cannot be {doing}, it is damaged: {error!r}") from error


_SAVE_MOVIE = """INSERT INTO movies VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET path = excluded.path, name = excluded.name, status = excluded.status, body = excluded.body"""
_SAVE_TASK = "INSERT INTO tasks VALUES (?, ?, ?) ON CONFLICT (lease) DO UPDATE SET body = excluded.body"
_SAVE_EXPORT = "INSERT INTO exports (job, body) VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET body = excluded.body"
