"""The tables that are written row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from warpcore.services.scheduler.core import rows

AT_ONCE = (64, 8, 1)
"""Rows that one statement writes. So a round takes few statements, of few forms: each gives up the interpreter to other
threads, and each form is compiled once."""


@dataclass(frozen=True)
class Insert:
    """Writes rows of `columns` values `into` a table with its columns; `rest` is SQL that follows the values."""

    into: str
    columns: int
    rest: str = ""

    def run(self, db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write the rows, in order. Raises sqlite3.Error."""
        first = 0
        for count in AT_ONCE:
            while len(rows) - first >= count:
                values = [*chain.from_iterable(rows[first : first + count])]
                db.execute(self._sql[count], values)
                first += count

    @cached_property
    def _sql(self) -> dict[int, str]:
        row = f"({', '.join('?' * self.columns)})"
        return {count: f"INSERT INTO {self.into} VALUES {', '.join([row] * count)} {self.rest}" for count in AT_ONCE}


@dataclass(frozen=True, eq=False)
class Table:
    """A table. `stored` is its place in `Stored`, if a run begins with all of it.

    The first `keys` columns are its key, `order` sorts it otherwise.
    """

    name: str
    stored: str
    row: type[Any]
    keys: int = 1
    order: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, which are the fields of its rows."""
        columns: tuple[str, ...] = self.row._fields
        return columns

    @cached_property
    def select(self) -> str:
        """SQL for all rows."""
        key = ", ".join(self.columns[: self.keys])
        return f"SELECT {', '.join(self.columns)} FROM {self.name} ORDER BY {self.order or key}"

    @cached_property
    def save(self) -> Insert:
        """Writes rows, over those of the same keys."""
        key, rest = self.columns[: self.keys], self.columns[self.keys :]
        changes = ", ".join(f"{column} = excluded.{column}" for column in rest)
        into = f"{self.name} ({', '.join(self.columns)})"
        return Insert(into, len(self.columns), f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}")

    @cached_property
    def delete(self) -> str:
        """SQL that deletes the row of a key."""
        return f"DELETE FROM {self.name} WHERE {' AND '.join(f'{column} = ?' for column in self.columns[: self.keys])}"

    def key(self, row: Any) -> tuple[Any, ...]:
        """The key of a row."""
        key: tuple[Any, ...] = tuple(row[: self.keys])
        return key


MOVIES = Table("movies", "movies", rows.MovieRow)
LEASES = Table("tasks", "tasks", rows.TaskRow)
BANS = Table("bans", "bans", rows.BanRow)
EXPORTS = Table("exports", "exports", rows.ExportRow, order="number")
EXPORT_MOVIES = Table("export_movies", "export_items", rows.ExportItemRow, keys=2)
CHOICES = Table("choices", "choices", rows.ChoiceRow)
SELECTIONS = Table("selections", "selections", rows.SelectionRow)
HAND_PICKS = Table("hand_picks", "hand_picks", rows.HandPicksRow)
TRIES = Table("tries", "tries", rows.TryRow)
PROFILES = Table("profiles", "profiles", rows.ProfileRow)
POOLS = Table("pools", "pools", rows.PoolRow)
HISTORY = Table("settings_history", "", rows.RevisionRow)
AUDIT = Table("audit", "", rows.AuditRow)

TABLES = (MOVIES, LEASES, BANS, EXPORTS, EXPORT_MOVIES, CHOICES, SELECTIONS, HAND_PICKS, TRIES, PROFILES, POOLS)
"""Those that a run begins with."""

WRITTEN = (*TABLES, HISTORY, AUDIT)
"""All, in the order in which they are written: a lease refers to its movie."""

CHANGES = Insert("changes", 3)
"""Adds to the change log."""
