"""Movies as columns of numpy arrays, one row a movie. Pure: no locks, no sockets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.session.movie_generation import generation_of
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column

NO_WORD = -1
"""Code of a movie without a word."""

NUMBERS = tuple(column for column in CHAIN.columns if not column.is_text)
TEXTS = tuple(column for column in CHAIN.columns if column.is_text)
_FIRST_CAPACITY = 1024


class Words:
    """Words of a column by code, in the order in which they came."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.words: list[str] = [str(word) for word in known]
        self._codes = {word: code for code, word in enumerate(self.words)}

    def code(self, word: str | None) -> int:
        """The word's code, a new one where it is new."""
        if word is None:
            return NO_WORD
        code = self._codes.get(word)
        if code is None:
            code = self._codes[word] = len(self.words)
            self.words.append(str(word))
        return code


class Rows:
    """All movies in order of their ids as long as these come in order; each movie keeps its row.

    `plain` holds int64 arrays by name, `measured` one row of float64 for each of `NUMBERS` (NaN: not measured),
    `codes` int32 arrays for worker, status, selection and each of `TEXTS`. Only the first `count` entries are movies.
    """

    def __init__(self, capacity: int = _FIRST_CAPACITY) -> None:
        self.count = 0
        self.names: list[str] = []
        self.row_by_id: dict[int, int] = {}
        self.words = {"status": Words(MovieStatus), "selection": Words(Selection), "worker": Words()}
        self.words |= {column.name: Words() for column in TEXTS}
        self.plain: dict[str, NDArray[np.int64]] = {name: np.zeros(capacity, np.int64) for name in _PLAIN}
        self.codes: dict[str, NDArray[np.int32]] = {name: np.full(capacity, NO_WORD, np.int32) for name in self.words}
        self.measured: NDArray[np.float64] = np.full((len(NUMBERS), capacity), np.nan)

    def put(self, movie: Movie, seq: int) -> None:
        """Take in a movie's whole state as of change `seq`."""
        row = self._row(movie)
        values = (movie.id, movie.mtime_ns, movie.priority, generation_of(movie), seq)
        for name, value in zip(_PLAIN, values, strict=True):
            self.plain[name][row] = value
        words = (movie.status, movie.selection, movie.worker, *(_word(column, movie.results) for column in TEXTS))
        for (name, known), word in zip(self.words.items(), words, strict=True):
            self.codes[name][row] = known.code(word)
        self.measured[:, row] = _numbers(movie.results)

    def _row(self, movie: Movie) -> int:
        row = self.row_by_id.get(movie.id)
        if row is None:
            row = self.count
            if row == self.measured.shape[1]:
                self._grow()
            self.count += 1
            self.row_by_id[movie.id] = row
            self.names.append(movie.name)
        return row

    def _grow(self) -> None:
        capacity = self.measured.shape[1]
        for arrays in (self.plain, self.codes):
            for name, values in arrays.items():
                arrays[name] = np.concatenate([values, np.zeros(capacity, values.dtype)])
        self.measured = np.concatenate([self.measured, np.full_like(self.measured, np.nan)], axis=1)


_PLAIN = ("id", "mtime_ns", "priority", "generation", "changed_seq")


def _read_plan() -> list[tuple[str, list[tuple[int, str]], list[tuple[int, Callable[[Mapping[str, Any]], Any]]]]]:
    """By step: the places in `NUMBERS` of its fields, and of what is computed from it."""
    steps: dict[str, tuple[list[tuple[int, str]], list[tuple[int, Callable[[Mapping[str, Any]], Any]]]]] = {}
    for place, column in enumerate(NUMBERS):
        fields, computed = steps.setdefault(column.step, ([], []))
        if column.compute is None:
            fields.append((place, column.field))
        else:
            computed.append((place, column.compute))
    return [(step, fields, computed) for step, (fields, computed) in steps.items()]


_READ_PLAN = _read_plan()


def _numbers(results: Mapping[str, Any]) -> Sequence[float]:
    """All of `NUMBERS` of one movie. It is `Column.value` for all columns at once, at a third of the time."""
    values = [math.nan] * len(NUMBERS)
    for step, fields, computed in _READ_PLAN:
        measured = results.get(step)
        if measured:
            for place, field in fields:
                values[place] = _number(measured.get(field))
            for place, compute in computed:
                values[place] = _number(compute(measured))
    return values


def _number(value: Any) -> float:
    """A finite number, NaN for anything else."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else math.nan


def _word(column: Column, results: Mapping[str, Any]) -> str | None:
    value = column.value(results)
    return None if value is None else str(value)
