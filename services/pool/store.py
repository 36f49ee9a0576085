"""The pool's jobs in SQLite, so that a pool that is started again takes them up."""

from __future__ import annotations

import math
import secrets
import sqlite3
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from warpcore.services.pool.jobs import Job, Limits, Pool
from warpcore.services.session.paths import close_to_readers, create_empty

_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, native_id TEXT, kept INTEGER NOT NULL, registered INTEGER NOT NULL, drained INTEGER NOT NULL,
    submitted_at REAL NOT NULL, queued_at REAL NOT NULL, running_at REAL, cancelled_at REAL, ended_at REAL
);
CREATE TABLE IF NOT EXISTS refused (job TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS submissions (at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS resumed (at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS pool (
    prefix TEXT NOT NULL, next_number INTEGER NOT NULL, deaths INTEGER NOT NULL, stopped TEXT NOT NULL,
    died TEXT NOT NULL, minimum INTEGER NOT NULL, maximum INTEGER NOT NULL, revision INTEGER NOT NULL
);
"""
_TIMES = ("submitted_at", "queued_at", "running_at", "cancelled_at", "ended_at")
_COLUMNS = ("id", "native_id", "kept", "registered", "drained", *_TIMES)
assert set(_COLUMNS) < {field.name for field in fields(Job)}


class StoreError(Exception):
    """The pool's database cannot be used; one line with its path."""


class PoolStore:
    """The database at `path`. Times are stored as seconds since the epoch. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with suppress(FileExistsError):
                create_empty(path)
            close_to_readers(path)
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path} cannot be used: {error}; is it another program's, or the disk full?") from None

    def save(self, pool: Pool, now: float, wall: float) -> None:
        """Store all, in one transaction. `now` is monotonic, `wall` the same moment since the epoch. Raises StoreError.

        A pool has at most a few hundred jobs, so all are written each time.
        """
        marks = ", ".join("?" * len(_COLUMNS))
        rows = [tuple(_epoch(job, name, wall - now) for name in _COLUMNS) for job in pool.jobs.values()]
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                for table in ("jobs", "refused", "submissions", "resumed", "pool"):
                    self._database.execute(f"DELETE FROM {table}")
                self._database.executemany(f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({marks})", rows)
                refused = [(job.id,) for job in pool.jobs.values() if job.refused]
                self._database.executemany("INSERT INTO refused VALUES (?)", refused)
                times = [(at + wall - now,) for at in pool.submissions]
                self._database.executemany("INSERT INTO submissions VALUES (?)", times)
                if math.isfinite(pool.resumed_at):
                    self._database.execute("INSERT INTO resumed VALUES (?)", (pool.resumed_at + wall - now,))
                limits = (pool.limits.minimum, pool.limits.maximum, pool.revision)
                whole = (pool.prefix, pool.next_number, pool.deaths, pool.stopped, pool.died, *limits)
                self._database.execute("INSERT INTO pool VALUES (?, ?, ?, ?, ?, ?, ?, ?)", whole)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be written: {error}") from None

    def load(self, limits: Limits, idle_s: float, now: float, wall: float) -> Pool:
        """What was stored. Each job counts as seen now: its absence is measured anew. Raises StoreError.

        `limits` are those of the file; they hold where no person has set others.
        """
        pool = Pool(limits, idle_s, prefix=f"{secrets.token_hex(2)}-")
        try:
            for row in self._database.execute(f"SELECT {', '.join(_COLUMNS)} FROM jobs ORDER BY rowid"):
                stored = dict(zip(_COLUMNS, row, strict=True))
                stored |= {name: _monotonic(stored[name], now, wall) for name in _TIMES}
                stored |= {name: bool(stored[name]) for name in ("kept", "registered", "drained")}
                worker_at = now if stored["registered"] else None
                pool.jobs[stored["id"]] = Job(**stored, seen_at=now, worker_at=worker_at)
            for (job,) in self._database.execute("SELECT job FROM refused JOIN jobs ON job = id"):
                pool.jobs[job].refused = True
            submissions = self._database.execute("SELECT at FROM submissions")
            pool.submissions = sorted(_monotonic(at, now, wall) or now for (at,) in submissions)
            for (at,) in self._database.execute("SELECT at FROM resumed"):
                pool.resumed_at = min(now, now + at - wall)
            for row in self._database.execute("SELECT * FROM pool"):
                pool.prefix, pool.next_number, pool.deaths, pool.stopped, pool.died, *set_last = row
                *least_and_most, pool.revision = set_last
                if pool.revision:
                    pool.limits = Limits(*least_and_most)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read: {error}") from None
        return pool

    def close(self) -> None:
        """Let the file go."""
        self._database.close()


def _epoch(job: Job, name: str, offset: float) -> object:
    value = getattr(job, name)
    return value + offset if name in _TIMES and value is not None else value


def _monotonic(at: float | None, now: float, wall: float) -> float | None:
    """A stored time on this process's clock; never later than now, also where the host's clock was set back."""
    return None if at is None else min(now, now + at - wall)
