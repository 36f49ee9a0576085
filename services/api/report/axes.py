"""Axes of charts: from values to places in a picture, with round numbers or times beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TIME_STEPS = (
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 30, 90, 365)),
)
_MARGIN = 0.05
_USUAL_PERCENT = (0.5, 99.5)


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` at `start` to `high` at `end`, which are places in the picture. `high` is above `low`."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a value stands, also beyond the ends."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def places(self, values: Values) -> Values:
        """Where values stand; those beyond the ends stand at the ends."""
        inside = np.clip(values, self.low, self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


def value_range(values: Values) -> tuple[float, float]:
    """The range in which nearly all of these finite values lie, with a margin; never empty. A few may be far out."""
    low, high = (float(one) for one in np.percentile(values, _USUAL_PERCENT))
    margin = (high - low) * _MARGIN or max(abs(high) * _MARGIN, 0.5)
    # What cannot be negative, such as a count, needs no room below zero.
    return (max(low - margin, 0.0) if values.min() >= 0 else low - margin), high + margin


def time_range(seconds: Values) -> tuple[float, float]:
    """From the first to the last time, at least a minute long."""
    low, high = float(seconds.min()), float(seconds.max())
    return low, max(high, low + _MINUTE)


def number_ticks(axis: Axis, most: int = 5) -> list[tuple[float, str]]:
    """Round numbers on the axis, at most `most`, as they are written."""
    rough = (axis.high - axis.low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(value, f"{value:.{digits}f}") for value in _multiples(axis, step)]


def time_ticks(axis: Axis, most: int = 6) -> list[tuple[float, str]]:
    """Round times (UTC) on an axis of seconds since 1970, at most `most`, as they are written."""
    rough = (axis.high - axis.low) / most
    step = next((one for one in _TIME_STEPS if one >= rough), _TIME_STEPS[-1] * math.ceil(rough / _TIME_STEPS[-1]))
    form = "%H:%M" if step < _DAY and axis.high - axis.low <= _DAY else "%d %b %H:%M" if step < _DAY else "%d %b"
    return [(value, datetime.fromtimestamp(value, UTC).strftime(form)) for value in _multiples(axis, step)]


def _multiples(axis: Axis, step: float) -> Sequence[float]:
    first, last = math.ceil(axis.low / step), math.floor(axis.high / step)
    return [number * step for number in range(first, last + 1)]
