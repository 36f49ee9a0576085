"""Long lists in portions that one message may hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from warpcore.bus.envelope import MAX_FRAME_BYTES
from warpcore.bus.limits import MOST_CHOSEN

T = TypeVar("T", int, str)

_NUMBER_BYTES = 9
_BUDGET_BYTES = MAX_FRAME_BYTES * 3 // 4


def portions(values: Iterable[T], most: int = MOST_CHOSEN) -> Iterator[list[T]]:
    """The values in their order, at most `most` at a time and as many as fit a frame."""
    page: list[T] = []
    left = _BUDGET_BYTES
    for value in values:
        size = 5 + len(value.encode()) if isinstance(value, str) else _NUMBER_BYTES
        if page and (size > left or len(page) == most):
            yield page
            page, left = [], _BUDGET_BYTES
        page.append(value)
        left -= size
    if page:
        yield page
