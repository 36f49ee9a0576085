"""Movies in an order of several columns, and the place in that order where a reader of pages stands."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warpcore.services.api.mirror.catalogue import COLUMNS, Kind, MovieColumn
from warpcore.services.api.mirror.filtering import QueryError
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.mirror.rows import NO_WORD

_FIRST_NAMED = ("added", "name", "status")
_NO_CURSOR = "this is no cursor; take `nextCursor` of the page before"


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column to sort by. Movies without a value come last in both directions."""

    column: MovieColumn
    descending: bool = False

    def __str__(self) -> str:
        return "-" * self.descending + self.column.name


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each movie stands by one key: a number that grows along the order, NaN for none."""

    values: NDArray[np.float64]
    of_cursor: float


def parse_sort(text: str) -> tuple[SortKey, ...]:
    """Keys from `-ctf.resolutionAngstrom,name`. Raises QueryError, which lists what there is."""
    keys = []
    for one in text.split(","):
        column = COLUMNS.get(one.removeprefix("-"))
        if column is None:
            known = ", ".join(dict.fromkeys((*_FIRST_NAMED, *COLUMNS)))
            raise QueryError(f"use one of {known}; put - in front for descending")
        keys.append(SortKey(column, one.startswith("-")))
    return tuple(keys)


def in_order(copied: Copied, keys: Sequence[SortKey], rows: NDArray[np.intp], after: str = "") -> NDArray[np.intp]:
    """These rows sorted by the keys, then by number; with a cursor only those after it. Raises QueryError."""
    told = _read_cursor(after, keys) if after else None
    ids = copied.ids[rows]
    places = [_places(copied, key, rows, told[place] if told else None) for place, key in enumerate(keys)]
    # lexsort sorts by its last key first, and NaN last.
    order = np.lexsort([ids, *(one.values for one in reversed(places))])
    if told is not None:
        beyond = _beyond(places, ids, told[-1])
        order = order[beyond[order]]
    return rows[order]


def cursor_at(copied: Copied, keys: Sequence[SortKey], row: int) -> str:
    """The cursor of a page that ends with this row."""
    values = [_value(copied, key.column, row) for key in keys]
    text = json.dumps([[str(key) for key in keys], *values, int(copied.ids[row])], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str, keys: Sequence[SortKey]) -> list[Any]:
    """The values and the number in a cursor. Raises QueryError for what is none, or one of another order."""
    told: list[Any]
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        sort, *told = json.loads(text, parse_int=float)
        told[-1] = int(told[-1])
    except (ValueError, TypeError, IndexError, OverflowError, RecursionError):
        raise QueryError(_NO_CURSOR) from None
    if sort != [str(key) for key in keys] or len(told) != len(keys) + 1:
        raise QueryError("the cursor belongs to another order; begin again without it, or give the same `sort`")
    for key, value in zip(keys, told, strict=False):
        kind = str if key.column.kind in (Kind.TEXT, Kind.WORD) else float
        if value is not None and not isinstance(value, kind):
            raise QueryError(_NO_CURSOR)
    return told


def _beyond(places: Sequence[_Places], ids: NDArray[np.int64], id: int) -> NDArray[np.bool_]:
    """Which movies come after the cursor."""
    beyond = np.zeros(len(ids), np.bool_)
    equal = np.ones(len(ids), np.bool_)
    for one in places:
        missing, cursor_missing = np.isnan(one.values), bool(np.isnan(one.of_cursor))
        beyond |= equal & (~np.bool_(cursor_missing) & (missing | (one.values > one.of_cursor)))
        equal &= missing if cursor_missing else one.values == one.of_cursor
    return beyond | (equal & (ids > id))


def _places(copied: Copied, key: SortKey, rows: NDArray[np.intp], cursor: Any) -> _Places:
    source = key.column.source
    if key.column.kind is Kind.TEXT:
        values, of_cursor = _ranks([copied.names[row] for row in rows], cursor)
    elif key.column.kind is Kind.WORD:
        codes = copied.codes[source][rows]
        ranks, of_cursor = _ranks(copied.words[source], cursor)
        values = np.append(ranks, np.nan)[codes]  # NO_WORD is the last place
    else:
        values = copied.numbers[source][rows]
        of_cursor = np.nan if cursor is None else float(cursor)
    return _Places(-values, -of_cursor) if key.descending else _Places(values, of_cursor)


def _ranks(texts: Sequence[str], cursor: str | None) -> tuple[NDArray[np.float64], float]:
    """The rank of each text, and that of the cursor's, which may stand between two of them."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    ranks = np.empty(len(texts))
    ranks[order] = np.arange(len(texts))
    if cursor is None:
        return ranks, np.nan
    below = sum(text < cursor for text in texts)
    return ranks, float(below) if cursor in texts else below - 0.5


def _value(copied: Copied, column: MovieColumn, row: int) -> str | float | None:
    """A movie's value as a cursor holds it."""
    if column.kind is Kind.TEXT:
        return copied.names[row]
    if column.kind is Kind.WORD:
        code = int(copied.codes[column.source][row])
        return None if code == NO_WORD else copied.words[column.source][code]
    value = float(copied.numbers[column.source][row])
    return None if np.isnan(value) else value
