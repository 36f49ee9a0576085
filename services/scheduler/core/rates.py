"""The measured rates: of processing, and of new movies."""

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


class Arrivals:
    """When the last movies were registered, in monotonic seconds."""

    FEWEST = 12
    """So many movies must have come before anything is said of their rate."""

    def __init__(self, size: int = 25) -> None:
        self._at: deque[float] = deque(maxlen=size)

    def note(self, now: float) -> None:
        """A new movie was registered."""
        self._at.append(now)

    @property
    def mean_gap_s(self) -> float | None:
        """Mean seconds from one movie to the next, None where too few have come."""
        if len(self._at) < self.FEWEST:
            return None
        return (self._at[-1] - self._at[0]) / (len(self._at) - 1)

    def silent_s(self, now: float) -> float:
        """Seconds since the last movie; 0 where none has come."""
        return now - self._at[-1] if self._at else 0.0
