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
from warpcore.bus.messages import Audit, Change, GetAudit, SettingsRevision
from warpcore.bus.vocabulary import Order, Pauser
from warpcore.services.scheduler.core.effects import Effect
from warpcore.services.scheduler.core.rows import (
    BanRow,
    ChoiceRow,
    ExportItemRow,
    ExportRow,
    HandPicksRow,
    MovieRow,
    PoolRow,
    ProfileRow,
    SelectionRow,
    TaskRow,
    TryRow,
)
from warpcore.services.scheduler.store import history, schema
from warpcore.services.scheduler.store.backups import copy, damage, is_damage, ways_back
from warpcore.services.scheduler.store.pending import Pending
from warpcore.services.scheduler.store.schema import DamageError, StateError
from warpcore.services.scheduler.store.tables import AUDIT, CHANGES, MOVIES, TABLES, WRITTEN
from warpcore.services.session.paths import close_to_readers

LOG_LENGTH = 200_000
"""Rows that the change log keeps; a subscriber that is further behind takes a snapshot."""
_TRIMMED_AT_ONCE = 5000


@dataclass(slots=True)
class Stored:
    """All that a run begins with, as rows. `settings` is None in a new database.

    `movies` can be gone through once, where they were loaded lazily.
    """

    epoch: str
    seq: int
    last_lease: int
    last_modified: float
    paused_by: Pauser | None
    order: str = Order.NORMAL
    last_movie: int = 0
    last_export: int = 0
    last_optics_group: int = 0
    alarms: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] | None = None
    revision: int = 0
    references: str = ""
    migration: str = ""
    set_aside: dict[str, Any] = field(default_factory=dict)
    movies: Iterable[MovieRow] = field(default_factory=list)
    tasks: list[TaskRow] = field(default_factory=list)
    bans: list[BanRow] = field(default_factory=list)
    exports: list[ExportRow] = field(default_factory=list)
    export_items: list[ExportItemRow] = field(default_factory=list)
    choices: list[ChoiceRow] = field(default_factory=list)
    selections: list[SelectionRow] = field(default_factory=list)
    hand_picks: list[HandPicksRow] = field(default_factory=list)
    tries: list[TryRow] = field(default_factory=list)
    profiles: list[ProfileRow] = field(default_factory=list)
    pools: list[PoolRow] = field(default_factory=list)


class Store:
    """The open database. `stage` takes effects in; `commit` makes them durable, all or (raising StateError) none.

    A missing database is made, one of an earlier format brought to today's; one that is not ours, newer, damaged or of
    another session is refused.
    """

    def __init__(self, path: Path, *, data_directory: str, processing_directory: str) -> None:
        self.path = path
        self._pending = Pending()
        with self.errors("opened"):
            self._open(data_directory, processing_directory)
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
        self.epoch: str = meta["epoch"]
        self._head: int = meta["seq"]
        self._last_lease: int = meta["lease"]
        self._floor: int = meta["floor"]

    def _open(self, data_directory: str, processing_directory: str) -> None:
        path = self.path
        if not path.exists():
            schema.create(path, data_directory, processing_directory)
        elif path.stat().st_size == 0:
            raise StateError(f"{path} is empty, so the state is lost: {ways_back(path)}")
        self._db = self._connected()
        try:
            version = schema.check(self._db, path, data_directory, processing_directory)
            self._prepare()
            if found := damage(path):
                raise DamageError(f"{path} is damaged ({found}): {ways_back(path)}")
            schema.climb(self._db, path, version)
        except BaseException:
            self._db.close()
            raise

    def _connected(self) -> sqlite3.Connection:
        for suffix in ("", "-wal", "-shm"):  # new ones of these two get the modes of the first
            close_to_readers(self.path.with_name(self.path.name + suffix))
        # autocommit: each round's transaction is begun and ended here, not by the driver.
        return sqlite3.connect(self.path, isolation_level=None, check_same_thread=True)

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")

    def reopen(self) -> None:
        """Open the database anew: a handle of before may stay stale when its storage is back. Raises StateError."""
        with self.errors("opened"):
            if not self.path.exists():
                raise StateError(f"{self.path} is not there; is its file system mounted?")
            self._db.close()
            self._db = self._connected()
            self._prepare()
            (epoch,) = self._db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
        if epoch != self.epoch:
            raise StateError(f"{self.path} is another state than the one in use; start the session again to use it")

    def save_again(self) -> None:
        """Write the whole database to its place again, where somebody has deleted it. Raises StateError."""
        whole = self.path.with_name(f".{self.path.name}.again")
        with self.errors("written again"):
            copy(self._db, whole)
            self._db.close()
            # What is left of the deleted one would be taken for changes of the new one.
            for rest in ("-wal", "-shm"):
                self.path.with_name(f"{self.path.name}{rest}").unlink(missing_ok=True)
            whole.replace(self.path)
            self._db = self._connected()
            self._prepare()

    # --- writing -------------------------------------------------------------------------------------------------

    def stage(self, effects: Iterable[Effect]) -> None:
        """Take in what is to be stored: all of it, or (whatever it raises) nothing. Other effects are passed over."""
        pending = Pending()
        for effect in effects:
            pending.note(effect, self._last_lease)
        self._pending.take(pending)

    def commit(self, wall: float = 0.0) -> bool:
        """Make durable what was staged: all or (raising StateError) nothing. `wall` is shown as its time.

        False: there was nothing.
        """
        pending, self._pending = self._pending, Pending()
        if pending == Pending():
            return False
        if MOVIES in pending.rows:
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
        return True

    def begin_leases(self, after: int) -> None:
        """Stage that the next lease is above this one."""
        self._pending.meta["lease"] = after

    def discard(self) -> None:
        """Forget what was staged and not committed."""
        self._pending = Pending()

    def _write(self, pending: Pending) -> None:
        many = self._db.executemany
        changed = [(table, pending.rows[table]) for table in WRITTEN if table in pending.rows]
        for table, rows in reversed(changed):  # what refers to a row goes before it
            if gone := [key for key, row in rows.items() if row is None]:
                many(table.delete, gone)
        for table, rows in changed:
            table.save.run(self._db, [row for row in rows.values() if row is not None])
        if pending.settings is not None:
            self._db.execute(_SAVE_SETTINGS, pending.settings)
            history.trim_settings(self._db, newest=pending.settings[1])
        if AUDIT in pending.rows:
            history.trim_audit(self._db, [row.outcome for row in pending.rows[AUDIT].values()])
        CHANGES.run(self._db, pending.changes)
        many("UPDATE meta SET value = ? WHERE key = ?", [(value, key) for key, value in pending.meta.items()])

    # --- reading -------------------------------------------------------------------------------------------------

    def load(self, *, lazily: bool = False) -> Stored:
        """Everything, to begin a run with.

        `lazily`: movies are read while they are gone through: of 100 000 the rows take 140 MB.
        """
        with self.errors("read"):
            select = self._db.execute
            meta = dict(select("SELECT key, value FROM meta"))
            stored = Stored(
                epoch=meta["epoch"],
                seq=meta["seq"],
                last_lease=meta["lease"],
                last_modified=meta["last_modified"],
                paused_by=Pauser(meta["paused"]) if meta["paused"] else None,
                order=meta["order"],
                last_movie=meta["last_movie"],
                last_export=meta["last_export"],
                last_optics_group=meta["last_optics_group"],
                alarms=json.loads(meta["alarms"]),
            )
            settings = select("SELECT body, revision, identity, migration, set_aside FROM settings").fetchone()
            if settings is not None:
                body, stored.revision, stored.references, stored.migration, set_aside = settings
                stored.settings, stored.set_aside = json.loads(body), json.loads(set_aside)
            for table in TABLES:
                found = map(table.row._make, select(table.select))
                setattr(stored, table.stored, found if lazily and table is MOVIES else list(found))
            return stored

    def changes(self, since: int, limit: int) -> tuple[list[Change], bool]:
        """The committed changes after `since`, as many as fit a frame, and whether the log begins only later."""
        if since < self._floor or since > self._head:
            return [], True
        found: list[Change] = []
        left = history.PAGE_BYTES
        with self.errors("read"):
            query = "SELECT seq, topic, body FROM changes WHERE seq > ? ORDER BY seq LIMIT ?"
            for seq, topic, body in self._db.execute(query, (since, min(max(1, limit), MOST_CHANGES))):
                left -= len(body) + 64
                if left < 0 and found:
                    break
                found.append(Change(seq, topic, msgpack.unpackb(body)))
        return found, False

    def settings_history(self, before: int | None, limit: int) -> list[SettingsRevision]:
        """The committed changes of the settings with a revision < `before`, newest first, as many as fit a frame."""
        with self.errors("read"):
            return history.settings_history(self._db, before, limit)

    def audit(self, wanted: GetAudit) -> Audit:
        """A page of the committed entries of the audit log, newest first, as many as fit a frame."""
        with self.errors("read"):
            return history.audit(self._db, wanted)

    def has_audit_entry(self, at: float, action: str) -> bool:
        """Whether the audit log has a committed entry of this moment (epoch seconds) and action."""
        with self.errors("read"):
            return history.has_entry(self._db, at, action)

    def newest_audit_entry(self) -> int:
        """The highest id of a committed entry of the audit log, 0 where there is none."""
        with self.errors("read"):
            return history.newest_entry(self._db)

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
            if is_damage(error):
                raise DamageError(f"{self.path} cannot be {doing}: {error}; {ways_back(self.path)}") from error
            raise StateError(f"{self.path} cannot be {doing}: {error}") from error
        except OSError as error:
            raise StateError(f"{self.path} cannot be {doing}: {error.strerror or error}") from error
        except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
            way = ways_back(self.path)
            raise DamageError(f"{self.path} cannot be {doing}, it is damaged ({error!r}): {way}") from error


_SAVE_SETTINGS = """INSERT OR REPLACE INTO settings (id, body, revision, identity, migration, set_aside)
VALUES (1, ?, ?, ?, ?, ?)"""
