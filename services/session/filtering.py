"""Which processed movies the filter rejects, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warpcore.services.session.settings import FilterSettings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column, Limit


def filter_reasons(results: Mapping[str, Any], limits: FilterSettings) -> list[str]:
    """Why a processed movie is filtered out, one line a limit; empty where it passes.

    What was not measured cannot fail. Where a value is limited and its step says why it found none, that is a reason.
    """
    reasons = []
    failures = []
    for column in _LIMITED:
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


def _beyond(value: float, allowed: float, limit: Limit) -> bool:
    return value > allowed if limit.upper else value < allowed


def _told(column: Column, value: float, allowed: float, limit: Limit) -> str:
    measured = f"{column.noun} {value:.4g} {column.unit}".rstrip()
    return f"{measured} is {'above' if limit.upper else 'below'} {allowed:g}"


_LIMITED = tuple(column for column in CHAIN.columns if column.limits)
