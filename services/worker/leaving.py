"""When a worker ends by itself: before its job's time is over, after long idleness, or because it is asked to.

It takes no new movie then, finishes those in hand, and says goodbye.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KEPT_MOVIES = 20
MARGIN_S = 20.0
"""What a job needs to end in order, beside its last movie."""
UNKNOWN_MOVIE_S = 60.0
"""How long a movie may take, as long as none was done."""


@dataclass
class Leaving:
    """The decision. Times are in seconds on the nanny's clock; `ends_at` is when the batch system ends the job."""

    ends_at: float | None = None
    idle_end_s: float | None = None
    why: str = ""
    """Why no movie is taken any more; empty while some are."""
    _recent_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_MOVIES))
    _idle_since: float | None = None
    _was_registered: bool = False

    def done(self, seconds: float) -> None:
        """A movie has taken so long, from assignment to report."""
        self._recent_s.append(seconds)

    def drain(self, why: str) -> None:
        """The scheduler asks this worker to leave."""
        self.why = self.why or why

    def look(self, now: float, registered: bool, busy: bool) -> None:
        """Time has passed. A worker that the scheduler has forgotten, or that is gone, is idle too."""
        self._was_registered |= registered
        if busy or not self._was_registered:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        if self.why:
            return
        slowest_s = max(self._recent_s, default=UNKNOWN_MOVIE_S)
        if self.ends_at is not None and self.ends_at - now < slowest_s + MARGIN_S:
            left = max(0.0, self.ends_at - now)
            self.why = f"its job ends in {left:.0f} s, and a movie took up to {slowest_s:.0f} s"
        elif self.idle_end_s is not None and self._idle_since is not None and now - self._idle_since >= self.idle_end_s:
            self.why = f"it has had no movie for {self.idle_end_s / 60:g} min"
