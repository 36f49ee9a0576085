"""What of a session's movies is worth a page: which values are drawn, and which movies are the best and the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.api.mirror.catalogue import COLUMNS, Kind, MovieColumn
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.report.charts import Measured
from warpcore.services.session.filtering import in_force
from warpcore.services.session.settings import FilterSettings
from warpcore.services.steps.chain import CHAIN

BEST_AND_WORST = 6
_GOES_BY = ("ctf.resolutionAngstrom", "motion.meanFrameMovementAngstrom")
"""What movies are compared by: the first of these that was measured. Less is better."""
_WITH_RESULTS = (MovieStatus.PROCESSED, MovieStatus.FILTERED_OUT)

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Extremes:
    """Movies at both ends of a column, the best and the worst first; no movie is in both."""

    column: MovieColumn
    best: Rows
    worst: Rows


def drawn_columns(limits: FilterSettings) -> list[MovieColumn]:
    """The numbers that are drawn: the main ones, and all that the filter limits."""
    limited = {column.name for column, _, _ in in_force(limits)}
    numbers = (column for column in COLUMNS.values() if column.kind is Kind.NUMBER)
    return [column for column in numbers if column.main or column.source in limited]


def measured(copied: Copied, columns: Sequence[MovieColumn], limits: FilterSettings) -> Iterator[Measured]:
    """What was measured in each column; those without any value are left out."""
    kept = kept_movies(copied)
    times = copied.numbers["mtime_ns"] * 1e-9
    for column in columns:
        values = copied.numbers[column.source] * column.factor
        known = np.isfinite(values)
        if known.any():
            bounds = [value for one, value, _ in in_force(limits) if one.name == column.source]
            yield Measured(title(column), column.digits, values[known], times[known], kept[known], bounds)


def kept_movies(copied: Copied) -> NDArray[np.bool_]:
    """Which movies go on: those that neither the filter nor a person leaves out."""
    return _is(copied, "status", MovieStatus.PROCESSED) & ~_is(copied, "selection", Selection.EXCLUDE)


def extremes(copied: Copied, count: int = BEST_AND_WORST) -> Extremes | None:
    """The best and the worst movies that have results; None without any."""
    done = _is(copied, "status", *_WITH_RESULTS)
    for column in (COLUMNS[name] for name in _GOES_BY):
        values = copied.numbers[column.source]
        rows = np.flatnonzero(done & np.isfinite(values))
        if len(rows):
            order = rows[np.argsort(values[rows], kind="stable")]
            best = order[: min(count, (len(order) + 1) // 2)]
            return Extremes(column, best, order[len(best) :][::-1][:count])
    return None


def title(column: MovieColumn) -> str:
    """Name and unit."""
    noun = CHAIN.column[column.source].noun
    return f"{noun}, {column.unit}" if column.unit else noun


def _is(copied: Copied, source: str, *words: str) -> NDArray[np.bool_]:
    codes = [code for code, word in enumerate(copied.words[source]) if word in words]
    return np.isin(copied.codes[source], codes)
