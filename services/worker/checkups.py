"""When the device of a compute process is checked again."""

from __future__ import annotations

CHECK_EVERY_S = 3600.0
CHECK_AGAIN_S = 60.0
"""After a check that could not be done."""


class Checkups:
    """Due `every_s` after the one before; the first one was at the start. Times in seconds of a monotonic clock."""

    def __init__(self, now: float, every_s: float = CHECK_EVERY_S) -> None:
        self._every_s = every_s
        self._due_at = now + every_s

    def wait_s(self, now: float) -> float:
        """Seconds until one is due, 0 where it is."""
        return max(0.0, self._due_at - now)

    def due(self, now: float) -> bool:
        """Whether one is due."""
        return now >= self._due_at

    def done(self, now: float) -> None:
        """One has been done."""
        self._due_at = now + self._every_s

    def postponed(self, now: float) -> None:
        """One could not be done: it is tried again soon."""
        self._due_at = now + min(CHECK_AGAIN_S, self._every_s)
