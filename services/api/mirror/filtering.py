"""Filters of movies by any column, as requests write them: `ctf.defocusUm:0.5..2`, `status:failed`, `name:*grid1*`."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warpcore.bus.vocabulary import MovieStatus, Selection, Word
from warpcore.services.api.mirror.catalogue import COLUMNS, Kind, MovieColumn
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.mirror.rows import NO_WORD

NONE = "none"
"""Stands for movies without a value."""

_LONGEST_TOLD = 80
"""Characters of a wrong word in an error's text."""

_VOCABULARIES: dict[str, type[Word]] = {"status": MovieStatus, "selection": Selection}


class QueryError(ValueError):
    """A filter, a sort key or a cursor that cannot be; the text says what can."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What one column must be: absent, one of `words`, a text like `pattern`, or a number from `low` to `high`."""

    column: MovieColumn
    absent: bool = False
    words: tuple[str, ...] = ()
    pattern: str = ""
    low: float = -math.inf
    high: float = math.inf

    def matching(self, copied: Copied) -> NDArray[np.bool_]:
        """Which of the movies fit. The copy must hold the column."""
        source = self.column.source
        if self.column.kind is Kind.TEXT:
            like = re.compile(fnmatch.translate(self.pattern)).match
            return np.fromiter((like(name) is not None for name in copied.names), np.bool_, len(copied.names))
        if self.column.kind is Kind.WORD:
            codes = copied.codes[source]
            known = [code for code, word in enumerate(copied.words[source]) if word in self.words]
            return codes == NO_WORD if self.absent else np.isin(codes, known)
        values = copied.numbers[source] * self.column.factor
        return np.isnan(values) if self.absent else (values >= self.low) & (values <= self.high)


def parse_filter(text: str) -> Filter:
    """A filter from `COLUMN:WHAT`. Raises QueryError."""
    name, colon, what = text.partition(":")
    column = COLUMNS.get(name)
    if column is None or not colon:
        raise QueryError(f"give COLUMN:WHAT with a column of {', '.join(COLUMNS)}")
    if column.kind is Kind.TEXT:
        return Filter(column, pattern=what)
    if what == NONE:
        return Filter(column, absent=True)
    if column.kind is Kind.WORD:
        return Filter(column, words=_words(column, what))
    low, dots, high = what.partition("..")
    if not dots:
        raise QueryError(f"give a range of numbers, {name}:LOW..HIGH, where either end may be missing, or {name}:none")
    return Filter(column, low=_number(name, low, -math.inf), high=_number(name, high, math.inf))


def matching(copied: Copied, filters: Iterable[Filter]) -> NDArray[np.bool_]:
    """Which movies fit all filters."""
    fits = np.ones(len(copied.ids), np.bool_)
    for one in filters:
        fits &= one.matching(copied)
    return fits


def _words(column: MovieColumn, what: str) -> tuple[str, ...]:
    words = tuple(what.split(","))
    vocabulary = _VOCABULARIES.get(column.name)
    for word in words:
        if vocabulary is not None and word not in set(vocabulary):
            raise QueryError(f"{word[:_LONGEST_TOLD]!r} is no {column.name}; use words of {', '.join(vocabulary)}")
    return words


def _number(name: str, text: str, missing: float) -> float:
    try:
        number = float(text) if text else missing
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise QueryError(
            f"{text[:_LONGEST_TOLD]!r} is no number; give {name}:LOW..HIGH, where either end may be missing"
        )
    return number
