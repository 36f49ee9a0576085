"""The measured processing rate."""

from __future__ import annotations

from collections import deque


class Rate:
    """Movies per hour over the last `window_s` seconds, or since the first assignment where that is shorter ago."""

    def __init__(self, window_s: float = 600.0) -> None:
        self.window_s = window_s
        self._began: float | None = None
        self._done: deque[float] = deque()
        self._any = False

    def begin(self, now: float) -> None:
        """A task was assigned: measuring begins with the first."""
        if self._began is None:
            self._began = now

    def count(self, now: float) -> None:
        """A movie is done."""
        self.begin(now)
        self._any = True
        self._done.append(now)
        self._forget(now)

    def per_hour(self, now: float) -> float | None:
        """Movies per hour, None before the first is done."""
        if not self._any or self._began is None:
            return None
        self._forget(now)
        elapsed_s = max(1.0, min(self.window_s, now - self._began))
        return len(self._done) * 3600.0 / elapsed_s

    def _forget(self, now: float) -> None:
        while self._done and self._done[0] < now - self.window_s:
            self._done.popleft()
