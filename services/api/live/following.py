"""Follows the scheduler in a thread: what it tells goes into the mirror, then to the readers of live events."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import WireError
from warpcore.bus.follower import Follower, FollowerItem, Reset
from warpcore.bus.keys import ClientKey
from warpcore.services.api.live.feed import Feed
from warpcore.services.api.live.frames import event_entry
from warpcore.services.api.live.log import Entry
from warpcore.services.api.mirror import Mirror

POLL_S = 0.2
BEGIN_AGAIN_S = 1.0

log = logging.getLogger(__name__)


class Following:
    """A follower that feeds `mirror` and `feed`. A change is in the mirror before any reader hears of it."""

    def __init__(self, endpoints: Endpoints, mirror: Mirror, feed: Feed, key: ClientKey | None = None) -> None:
        self._endpoints = endpoints
        self._key = key
        self._mirror = mirror
        self._feed = feed
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begin; call inside the event loop that serves the readers."""
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="following", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End the streams and the thread."""
        self._feed.close()
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stop.is_set():
            try:
                with Follower(self._endpoints, "api", take_page=self._mirror.take_page, key=self._key) as follower:
                    self._follow(follower, loop)
            except Exception:  # whatever it is: were the thread to end, REST would show an old state for ever
                log.exception("following the scheduler failed; the state is read anew")
                _call(loop, partial(self._feed.set_connected, False))
                self._stop.wait(BEGIN_AGAIN_S)

    def _follow(self, follower: Follower, loop: asyncio.AbstractEventLoop) -> None:
        connected = None
        while not self._stop.is_set():
            items = follower.poll(POLL_S)
            for item in items:
                self._mirror.take(item)
            if items or follower.connected != connected:
                connected = follower.connected
                reset, entries = _sorted_out(items, self._mirror.epoch)
                _call(loop, partial(self._tell, reset, entries, follower.seq, connected))
            if not items and self._feed.wanted_seq > follower.seq:
                follower.ask()

    def _tell(self, reset: Reset | None, entries: list[Entry], head: int, connected: bool) -> None:
        """Tell the feed, inside its event loop."""
        if reset is not None:
            self._feed.restart(reset.epoch, reset.seq)
        self._feed.set_connected(connected)
        self._feed.append(entries, head)


def _sorted_out(items: Sequence[FollowerItem], epoch: str) -> tuple[Reset | None, list[Entry]]:
    """The last reset, and the events after it as they are sent."""
    last: Reset | None = None
    entries: list[Entry] = []
    for item in items:
        if isinstance(item, Reset):
            last, entries = item, []
            continue
        envelope = item.envelope
        try:
            entries.append(event_entry(envelope.type, envelope.body, epoch, envelope.seq))
        except WireError as error:
            log.warning("event %s cannot be passed on: %s", envelope.type, error)
    return last, entries


def _call(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(act)
    except RuntimeError:
        log.debug("the event loop has ended")
