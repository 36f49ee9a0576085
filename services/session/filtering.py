"""Which processed movies the filter rejects, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from warpcore.services.session.settings import FilterSettings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column


def filter_reasons(results: Mapping[str, Any], limits: FilterSettings) -> list[str]:
    """Why a processed movie is filtered out, as `Filter` says."""
    return Filter(limits).reasons(results)


class Filter:
    """The limits in force, found once for all movies."""

    def __init__(self, limits: FilterSettings) -> None:
        self._in_force = tuple(in_force(limits))

    def reasons(self, results: Mapping[str, Any]) -> list[str]:
        """Why a processed movie is filtered out, one line a limit; empty where it passes.

        A value that was not measured passes, and so does text. Where a limit is set for it and its step says why it
        found none, that is a reason too. Raises TypeError for text where a number must be.
        """
        reasons = []
        failures = []
        for column, allowed, upper in self._in_force:
            value = column.value(results)
            is_text = isinstance(value, str) and not column.limits  # columns with limits of their own hold numbers
            if value is not None and not is_text and _beyond(value, allowed, upper):
                reasons.append(_told(column, value, allowed, upper))
            if column.failed and (failure := (results.get(column.step) or {}).get("failure")):
                failures.append(f"{column.failed}: {failure}")
        return list(dict.fromkeys([*reasons, *failures]))


def limits_by_column(limits: FilterSettings) -> dict[str, tuple[float | None, float | None]]:
    """The narrowest limits of each column that the filter limits, as (lowest, highest) value allowed; None: any."""
    found: dict[str, tuple[float | None, float | None]] = {}
    for column, allowed, upper in in_force(limits):
        low, high = found.get(column.name, (None, None))
        if upper:
            high = allowed if high is None else min(high, allowed)
        else:
            low = allowed if low is None else max(low, allowed)
        found[column.name] = (low, high)
    return found


def in_force(limits: FilterSettings) -> Iterator[tuple[Column, float, bool]]:
    """Columns with a value that is allowed, and whether it is the highest."""
    for column in _NAMED:
        for limit in column.limits:
            allowed = limits.limit(limit.name)
            if allowed is not None:
                yield column, allowed, limit.upper
    for name, (low, high) in limits.limits.items():
        if low is not None:
            yield CHAIN.column[name], low, False
        if high is not None:
            yield CHAIN.column[name], high, True


def _beyond(value: float, allowed: float, upper: bool) -> bool:
    return value > allowed if upper else value < allowed


def _told(column: Column, value: float, allowed: float, upper: bool) -> str:
    measured = f"{column.noun} {value:.4g} {column.unit}".rstrip()
    return f"{measured} is {'above' if upper else 'below'} {allowed:g}"


_NAMED = tuple(column for column in CHAIN.columns if column.limits)
"""The columns whose limits are settings of their own."""
