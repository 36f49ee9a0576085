"""What readers of live events wait on. For use in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from warpcore.services.api.live.frames import connection_entry
from warpcore.services.api.live.log import Entry, EventLog

WAKE_INTERVAL_S = 0.05
"""Readers wake at most this often, so that many events at once cost each reader one write."""


class Feed:
    """The log of events, and the wake-ups of its readers.

    `connected` says whether the scheduler answers, `closed` that streams shall end. `wanted_seq` is the newest change
    that a request waits for now, 0 for none.
    """

    def __init__(self) -> None:
        self.log = EventLog()
        self.connected = False
        self.closed = False
        self.wanted_seq = 0
        self._news = asyncio.Event()
        self._waiting: set[tuple[int, asyncio.Future[None]]] = set()
        self._woken_at = 0.0
        self._wake_later: asyncio.TimerHandle | None = None

    def restart(self, epoch: str, seq: int) -> None:
        """The state was read anew, as of change `seq`."""
        self.log.restart(epoch, seq)
        self._grown()

    def append(self, entries: Sequence[Entry], head: int) -> None:
        """Events have come; `head` is the newest change that is known with them."""
        self.log.append(entries, head)
        self._grown()

    def set_connected(self, connected: bool) -> None:
        """The scheduler answers, or does not."""
        if connected != self.connected:
            self.connected = connected
            self.append([connection_entry(connected)], 0)

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self.wake()

    async def news(self, timeout_s: float) -> bool:
        """Wait for something new. False: there was nothing for so long."""
        news = self._news
        try:
            async with asyncio.timeout(timeout_s):
                return await news.wait()
        except TimeoutError:
            return False

    async def reached(self, seq: int, timeout_s: float) -> bool:
        """Wait until change `seq` is in. False: it is not yet, or nothing is known at all."""
        if self._has(seq):
            return True
        waiting = (seq, asyncio.get_running_loop().create_future())
        self._waiting.add(waiting)
        self._note_wanted()
        try:
            async with asyncio.timeout(timeout_s):
                await waiting[1]
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiting)
            self._note_wanted()
        return self._has(seq)

    def _note_wanted(self) -> None:
        self.wanted_seq = max((seq for seq, _ in self._waiting), default=0)

    def _has(self, seq: int) -> bool:
        return bool(self.log.epoch) and self.log.head >= seq

    def _grown(self) -> None:
        for seq, future in self._waiting:
            if self._has(seq) and not future.done():
                future.set_result(None)
        loop = asyncio.get_running_loop()
        left_s = self._woken_at + WAKE_INTERVAL_S - loop.time()
        if left_s <= 0:
            self.wake()
        elif self._wake_later is None:
            self._wake_later = loop.call_later(left_s, self.wake)

    def wake(self) -> None:
        """Make all readers look at once whether they may go on, and what is new."""
        if self._wake_later is not None:
            self._wake_later.cancel()
            self._wake_later = None
        self._woken_at = asyncio.get_running_loop().time()
        news, self._news = self._news, asyncio.Event()
        news.set()
