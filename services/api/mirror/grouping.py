"""Movies in groups of equal values, and medians of each group. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warpcore.services.api.mirror.catalogue import Kind, MovieColumn
from warpcore.services.api.mirror.cells import cells
from warpcore.services.api.mirror.mirror import Copied

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Group:
    """Movies whose values are equal, by the columns that they are grouped by; None stands for no value."""

    values: tuple[Any, ...]
    rows: Rows


def grouped(copied: Copied, by: Sequence[MovieColumn], rows: Rows) -> list[Group]:
    """The groups of these rows, in order of the values, those without a value last. The copy must hold the columns.

    Numbers are equal where they are so with their column's digits.
    """
    if not len(rows) or not by:
        return [Group((), rows)] if len(rows) else []
    keys = list(zip(*(cells(copied, column, rows) for column in by), strict=True))
    numbers: dict[tuple[Any, ...], int] = {}
    places = np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), np.intp, len(keys))
    order = np.argsort(places, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(places))[:-1])
    groups = (Group(key, part) for key, part in zip(numbers, parts, strict=True))
    return sorted(groups, key=lambda group: [_sort_key(value) for value in group.values])


def medians(copied: Copied, columns: Sequence[MovieColumn], rows: Rows) -> dict[str, float | None]:
    """The median of each column of numbers over the movies that have a value, with its digits; None where none has."""
    return dict(_medians(copied, columns, rows))


def _medians(copied: Copied, columns: Sequence[MovieColumn], rows: Rows) -> Iterator[tuple[str, float | None]]:
    for column in columns:
        if column.kind is Kind.NUMBER:
            values = copied.numbers[column.source][rows] * column.factor
            known = values[np.isfinite(values)]
            yield column.name, round(float(np.median(known)), column.digits) + 0.0 if len(known) else None


def _sort_key(value: Any) -> tuple[bool, bool, Any]:
    """Numbers before words, and ids of digits by their number."""
    if value is None:
        return True, True, 0
    if isinstance(value, str):
        return (False, False, int(value)) if value.isascii() and value.isdigit() else (False, True, value)
    return False, False, value
