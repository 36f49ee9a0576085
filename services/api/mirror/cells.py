"""Columns of chosen movies as plain values, for JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warpcore.services.api.mirror.catalogue import Kind, MovieColumn
from warpcore.services.api.mirror.mirror import Copied


def cells(copied: Copied, column: MovieColumn, rows: NDArray[np.intp]) -> list[Any]:
    """The column's values in these rows, numbers with the column's digits; None for what is not there."""
    if column.kind is Kind.TEXT:
        return [copied.names[row] for row in rows]
    if column.kind is Kind.WORD:
        words = [*copied.words[column.source], None]  # a movie without a word has the code -1
        return [words[code] for code in copied.codes[column.source][rows]]
    values = np.round(copied.numbers[column.source][rows] * column.factor, column.digits) + 0.0
    known = values[~np.isnan(values)]
    plain: list[Any] = known.tolist() if column.digits else known.astype(np.int64).tolist()
    found = iter(plain)
    return [None if missing else next(found) for missing in np.isnan(values)]


def records(copied: Copied, columns: Sequence[MovieColumn], rows: NDArray[np.intp]) -> list[dict[str, Any]]:
    """One map a movie, by column."""
    table = zip(*(cells(copied, column, rows) for column in columns), strict=True)
    names = [column.name for column in columns]
    return [dict(zip(names, values, strict=True)) for values in table]


def csv_lines(copied: Copied, columns: Sequence[MovieColumn], rows: NDArray[np.intp]) -> bytes:
    """One line a movie; what is not there is empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(*(cells(copied, one, rows) for one in columns), strict=True))
    return text.getvalue().encode()
