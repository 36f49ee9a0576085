"""How movies are sorted: by name, status, order of discovery or any measured value.

Used by the scheduler and the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from warpcore.services.steps.chain import CHAIN

PLAIN_KEYS = ("added", "name", "status")


class Sortable(Protocol):
    """What is needed of a movie."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def results(self) -> Mapping[str, Any]: ...


M = TypeVar("M", bound=Sortable)


def sortable(key: str) -> bool:
    """Whether movies can be sorted by `key`: added, name, status or a column."""
    return key in PLAIN_KEYS or key in CHAIN.column


def in_order(
    movies: Iterable[M],
    key: str,
    *,
    descending: bool = False,
    results_of: Callable[[M], Mapping[str, Any]] = attrgetter("results"),
) -> list[M]:
    """Movies sorted by `key`; those without a value come last in both directions. `results_of` gives what is shown."""
    if key == "added":
        return sorted(movies, key=lambda movie: movie.id, reverse=descending)
    value_of = _value_of(key, results_of)
    keyed = [(_comparable(value_of(movie)), movie) for movie in movies]
    valued = [pair for pair in keyed if pair[0] is not None]
    valued.sort(key=lambda pair: pair[0], reverse=descending)  # type: ignore[arg-type, return-value]
    return [movie for _, movie in valued] + [movie for value, movie in keyed if value is None]


def _value_of(key: str, results_of: Callable[[M], Mapping[str, Any]]) -> Callable[[M], Any]:
    if key in PLAIN_KEYS:
        return lambda movie: getattr(movie, key)
    column = CHAIN.column[key]
    return lambda movie: column.value(results_of(movie))


def _comparable(value: Any) -> tuple[int, Any] | None:
    """Numbers before texts, so that both can stand in one column."""
    if isinstance(value, (bool, int, float)):
        return (0, value)
    return (1, value) if isinstance(value, str) else None
