"""The tables that are written row by row."""

from __future__ import annotations

from typing import Any, NamedTuple

from warpcore.services.scheduler.core import rows


class Table(NamedTuple):
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

    @property
    def select(self) -> str:
        """SQL for all rows."""
        key = ", ".join(self.columns[: self.keys])
        return f"SELECT {', '.join(self.columns)} FROM {self.name} ORDER BY {self.order or key}"

    @property
    def save(self) -> str:
        """SQL that writes a row, over one of the same key."""
        key, rest = self.columns[: self.keys], self.columns[self.keys :]
        changes = ", ".join(f"{column} = excluded.{column}" for column in rest)
        values = f"({', '.join(self.columns)}) VALUES ({', '.join('?' * len(self.columns))})"
        return f"INSERT INTO {self.name} {values} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"

    @property
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
HISTORY = Table("settings_history", "", rows.RevisionRow)

TABLES = (MOVIES, LEASES, BANS, EXPORTS, EXPORT_MOVIES, CHOICES, SELECTIONS, HAND_PICKS, TRIES, PROFILES)
"""Those that a run begins with."""

WRITTEN = (*TABLES, HISTORY)
"""All, in the order in which they are written: a lease refers to its movie."""
