"""The last lines of a worker's log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from warpcore.bus.limits import LOG_LINES

LONGEST_LINE = 2000
"""Characters of a line."""
MOST_BYTES = 128 * 1024
_LINE_BYTES = 200
"""What a line takes beside its text."""


class LineLog:
    """The last lines of one worker, each with its number; the oldest go first."""

    def __init__(self) -> None:
        self._lines: deque[dict[str, Any]] = deque()
        self._bytes = 0
        self._number = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._lines)

    def add(self, raw: dict[str, Any]) -> dict[str, Any] | None:
        """Add a line `{number, level, text, ts}`; returns it as it is kept, None where it was told before."""
        number = raw.get("number")
        if not isinstance(number, int) or number < 1:
            number = self._number + 1
        if number <= self._number:
            return None  # to an earlier connection
        self._number = number
        line = {
            "number": self._number,
            "level": str(raw.get("level", ""))[:20],
            "text": str(raw.get("text", ""))[:LONGEST_LINE],
            "ts": _number(raw.get("ts")),
        }
        self._lines.append(line)
        self._bytes += _size(line)
        while len(self._lines) > LOG_LINES or self._bytes > MOST_BYTES:
            self._bytes -= _size(self._lines.popleft())
        return line


def _size(line: dict[str, Any]) -> int:
    return len(line["text"].encode(errors="replace")) + _LINE_BYTES


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
