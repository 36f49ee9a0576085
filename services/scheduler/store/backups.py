"""Copies of the database that a person can go back to: some of the last hours, and one of before each upgrade."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from warpcore.services.session.paths import create_empty, flush

KEPT = 3
"""Backups of the last hours; those of upgrades stay beside them."""


def folder_of(state: Path) -> Path:
    """Where the backups of a database lie."""
    return state.parent / "backups"


def hourly_backups(state: Path) -> list[Path]:
    """Backups of the last hours, oldest first."""
    return sorted(folder_of(state).glob(f"{state.stem}.*Z.db"))


def upgrade_backup(state: Path, version: int) -> Path:
    """The backup that is made before a database of this format is brought to a newer one."""
    return folder_of(state) / f"{state.stem}.format{version}.db"


def back_up(state: Path, at: float) -> Path:
    """Copy a database that is in use; the oldest copies beyond `KEPT` go. `at` (epoch seconds) names the copy.

    Raises OSError and sqlite3.Error; then nothing is left.
    """
    name = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    target = folder_of(state) / f"{state.stem}.{name}.db"
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=rw", uri=True)) as source:
        copy(source, target)
    for old in hourly_backups(state)[:-KEPT]:
        old.unlink(missing_ok=True)
    return target


def copy(source: sqlite3.Connection, target: Path) -> None:
    """Copy a database as it is now to `target`, whole or not at all. Raises OSError and sqlite3.Error."""
    target.parent.mkdir(exist_ok=True)  # whatever lies at the place of a file system that has gone stays as it is
    temporary = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        temporary.unlink(missing_ok=True)
        create_empty(temporary)
        with closing(sqlite3.connect(temporary)) as made:
            source.backup(made)
        flush(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def damage(state: Path) -> str:
    """What SQLite's quick check says against a database, "" where nothing.

    Raises OSError and sqlite3.Error where it cannot be checked: the disk may be away.
    """
    state.stat()
    try:
        with closing(sqlite3.connect(f"{state.as_uri()}?mode=rw", uri=True)) as db:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise
    return "" if found == "ok" else str(found).replace("\n", " ")


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether SQLite says that the database is damaged, and not that it cannot be read or written now."""
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def ways_back(state: Path) -> str:
    """What a person can do about a damaged or lost database."""
    last = hourly_backups(state)
    found = f"put back {last[-1]}, or " if last else ""
    return f"{found}make it anew from the results: warpcore scheduler --rebuild"
