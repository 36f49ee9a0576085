"""Which processed movies the filter rejects, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warpcore.services.session.settings import FilterSettings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column, Limit


def filter_reasons(results: Mapping[str, Any], limits: FilterSettings) -> list[str]:
    """Why a processed movie is filtered out, one line a limit; empty where it passes.

    A value that was not measured passes. Where a limit is set for it and its step says why it found none, that is a
    reason too.
    """
    reasons = []
    failures = []
    for column in LIMITED:
        value = column.value(results)
        for limit in column.limits:
            allowed = limits.limit(limit.name)
            if allowed is None:
                continue
            if value is not None and _beyond(value, allowed, limit):
                reasons.append(_told(column, value, allowed, limit))
            failure = (results.get(column.step) or {}).get("failure")
            if column.failed and failure:
                failures.append(f"{column.failed}: {failure}")
    return [*reasons, *dict.fromkeys(failures)]


def within(column: Column, value: float, limits: FilterSettings) -> bool:
    """Whether a measured value of this column is within the filter's limits for it."""
    bounds = ((limit, limits.limit(limit.name)) for limit in column.limits)
    return not any(allowed is not None and _beyond(value, allowed, limit) for limit, allowed in bounds)


def bounds_in_words(column: Column, limits: FilterSettings) -> str:
    """The filter's limits for this column: `at least 0.5 and at most 5 µm`; empty where there are none."""
    allowed = [(limit, limits.limit(limit.name)) for limit in column.limits]
    told = [f"{'at most' if one.upper else 'at least'} {value:g}" for one, value in allowed if value is not None]
    return f"{' and '.join(told)} {column.unit}".strip() if told else ""


def _beyond(value: float, allowed: float, limit: Limit) -> bool:
    return value > allowed if limit.upper else value < allowed


def _told(column: Column, value: float, allowed: float, limit: Limit) -> str:
    measured = f"{column.noun} {value:.4g} {column.unit}".rstrip()
    return f"{measured} is {'above' if limit.upper else 'below'} {allowed:g}"


LIMITED = tuple(column for column in CHAIN.columns if column.limits)
"""The columns for which the filter has limits."""
