"""Merges the progress that workers tell: of each lease the newest counts, and it is handled twice a second at most."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from warpcore.bus.messages import TaskProgress
from warpcore.services.scheduler.core.registry import MOST_CREDIT

EVERY_S = 0.5
FORGOTTEN_AFTER_S = 60.0


@dataclass(slots=True)
class _Told:
    """When (monotonic s) the progress of a lease was handled last, of which step, and what has come since."""

    handled_at: float
    step: str
    waiting: TaskProgress | None = None


class ProgressMerger:
    """Holds progress back, by the connection that it came by and its lease. No clock: it is given the time.

    The first word of a lease is never held back, nor is one that begins another step with a text. Before anything else
    of the same connection is handled, what waits of it is taken out, so the order of what a worker says stays.
    """

    def __init__(self) -> None:
        self._told: dict[bytes, dict[int, _Told]] = {}
        self._due: deque[tuple[float, bytes, int]] = deque()

    @property
    def leases(self) -> int:
        """Of how many leases it knows when their progress was handled."""
        return sum(map(len, self._told.values()))

    def note(self, sender: bytes, message: TaskProgress, now: float) -> bool:
        """Whether this progress is to be handled now. Otherwise it waits, in place of what waited before."""
        leases = self._told.setdefault(sender, {})
        told = leases.get(message.lease)
        if told is None:
            if len(leases) < MOST_CREDIT:
                leases[message.lease] = _Told(now, message.step)
            return True
        says_more = bool(message.message) and message.step != told.step
        if says_more or now - told.handled_at >= EVERY_S:
            told.handled_at, told.step, told.waiting = now, message.step, None
            return True
        if told.waiting is None:
            self._due.append((told.handled_at + EVERY_S, sender, message.lease))
        told.waiting = message
        return False

    def taken(self, sender: bytes, now: float) -> list[TaskProgress]:
        """What waits of a connection, taken out."""
        leases = self._told.get(sender, {})
        return [message for told in leases.values() if (message := self._take(told, now)) is not None]

    def due(self, now: float) -> list[tuple[bytes, TaskProgress]]:
        """What has waited for long enough, taken out, each with its connection."""
        found = []
        while self._due and self._due[0][0] <= now:
            _, sender, lease = self._due.popleft()
            told = self._told.get(sender, {}).get(lease)
            message = self._take(told, now) if told is not None else None
            if message is not None:
                found.append((sender, message))
        return found

    def ended(self, sender: bytes, lease: int) -> None:
        """Forget a lease whose worker has reported: room for the next one, of a worker that does several a second."""
        self._told.get(sender, {}).pop(lease, None)

    def forget(self, now: float) -> None:
        """Forget leases of which nothing was heard for long."""
        for sender, leases in list(self._told.items()):
            for lease in [one for one, told in leases.items() if now - told.handled_at > FORGOTTEN_AFTER_S]:
                del leases[lease]
            if not leases:
                del self._told[sender]

    def _take(self, told: _Told, now: float) -> TaskProgress | None:
        message, told.waiting = told.waiting, None
        if message is not None:
            told.handled_at, told.step = now, message.step
        return message
