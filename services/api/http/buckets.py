"""How often each client may ask: token buckets. No clocks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second over time, and so many at once after a pause."""

    per_s: float
    burst: float


class Buckets:
    """A bucket for each client. Times are those of any one monotonic clock, in seconds.

    At most `most` buckets are kept: of clients beyond, the one that has asked longest ago begins anew.
    """

    def __init__(self, rate: Rate, most: int = 4096) -> None:
        self._rate = rate
        self._most = most
        self._left: dict[str, tuple[float, float]] = {}  # what is left, as of a time; the last to ask stands last

    def __len__(self) -> int:
        return len(self._left)

    def take(self, client: str, now: float) -> float:
        """Take one; 0 where there was one, else the seconds until there is."""
        left, at = self._left.pop(client, (self._rate.burst, now))
        left = min(self._rate.burst, left + (now - at) * self._rate.per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._rate.per_s
        self._left[client] = (left if wait_s else left - 1, now)
        if len(self._left) > self._most:
            del self._left[next(iter(self._left))]
        return wait_s
