"""One reader of live events: where it begins, and what it is sent."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.envelope import WireError
from warpcore.bus.messages import Change, Changes, GetChanges
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.live.feed import Feed
from warpcore.services.api.live.frames import COME_AGAIN, CONNECTION, PING, connection_entry, event_entry, frame
from warpcore.services.api.live.log import Entry

PING_S = 10.0
MOST_BYTES_AT_ONCE = 256 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The last change that a reader has had, as an event's id says it: `EPOCH:SEQ`."""

    epoch: str
    seq: int

    @classmethod
    def parse(cls, text: str) -> LastEvent | None:
        """The id's parts; None for anything that is no id of ours."""
        epoch, colon, seq = text.strip().rpartition(":")
        if not colon or not (seq.isascii() and seq.isdigit() and len(seq) < 19):
            return None
        return cls(epoch, int(seq))


class Reader:
    """The stream of one connection.

    `hello` comes as soon as the state is known. A reader that has the changes up to `last` gets those that follow: from
    the feed, or, where it was away for long, first from the scheduler's change log. One that cannot go on there begins
    anew, and `hello` says so. The stream ends where the reader is too slow, or what it has had is no longer certain: it
    comes again with its last id.
    """

    def __init__(
        self,
        feed: Feed,
        scheduler: Scheduler,
        last: LastEvent | None,
        topics: Sequence[str] = ("",),
        versions: dict[str, str] | None = None,
        holds: Callable[[], bool] = lambda: True,
    ) -> None:
        """`holds` tells whether the reader may still read; `Feed.wake` makes it look."""
        self._feed = feed
        self._log = feed.log
        self._scheduler = scheduler
        self._last = last
        self._topics = (*topics, CONNECTION)
        self._versions = versions or {}
        self._holds = holds

    async def stream(self) -> AsyncIterator[bytes]:
        """What is sent, in pieces, until the server ends or the reader cannot go on."""
        try:
            async for piece in self._pieces():
                yield piece
        except NoAnswerError as error:
            log.info("a reader of events comes again: %s", error)

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield PING  # the head of the answer leaves with the first piece
        async for piece in self._until(lambda: bool(self._log.epoch)):
            yield piece
        epoch, since = self._log.epoch, self._goes_on_after()
        missed: list[Change] | None = []
        if since is not None and self._log.position_after(since) is None:
            async for piece in self._until(lambda: self._feed.connected):
                yield piece
            missed = await self._missed(epoch, since)
        if self._over:
            return
        if since is None or missed is None:
            since, missed = None, []
        seq = self._log.head if since is None else since
        yield self._hello(epoch, seq, resumed=since is not None)
        while missed:
            yield self._frames(_entries(missed, epoch))
            seq = missed[-1].seq
            missed = [] if self._log.position_after(seq) is not None else await self._missed(epoch, seq)
        if missed is not None:
            async for piece in self._live(epoch, seq):
                yield piece

    async def _until(self, ready: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Signs of life, and that the scheduler is away, until something is so."""
        quiet = True
        while not ready() and not self._over:
            if quiet:
                yield PING if self._feed.connected else connection_entry(False).frame
                quiet = False
            else:
                quiet = not await self._feed.news(PING_S)

    def _goes_on_after(self) -> int | None:
        """The change after which this reader wants to go on; None where it must begin anew."""
        return self._last.seq if self._last is not None and self._last.epoch == self._log.epoch else None

    async def _missed(self, epoch: str, since: int) -> list[Change] | None:
        """The next changes from the scheduler's log; none where there are none yet, None where it cannot tell them.

        Raises NoAnswerError.
        """
        try:
            answer = await ask(self._scheduler, GetChanges(since), Changes)
        except RefusedError:
            return None
        gone = answer.trimmed or answer.epoch != epoch or (not answer.changes and answer.head > since)
        return None if gone else answer.changes

    async def _live(self, epoch: str, seq: int) -> AsyncIterator[bytes]:
        """The events after change `seq` as they come."""
        position = self._log.position_after(seq)
        if position is None and seq > self._log.head:  # another process told them, whose follower was faster
            position = self._log.end
        while position is not None and self._log.epoch == epoch and not self._over:
            entries = self._log.after(position, MOST_BYTES_AT_ONCE)
            if entries is None:
                return
            position += len(entries)
            piece = self._frames(entry for entry in entries if not 0 < entry.seq <= seq)
            if piece:
                yield piece
            elif not entries and not await self._feed.news(PING_S):
                yield PING

    @property
    def _over(self) -> bool:
        return self._feed.closed or not self._holds()

    def _hello(self, epoch: str, seq: int, *, resumed: bool) -> bytes:
        """What the reader must know first. Only a new beginning has an id: a resuming reader keeps its own."""
        told = {"epoch": epoch, "seq": seq, "resumed": resumed, "versions": self._versions}
        hello = frame("hello", told, "" if resumed else f"{epoch}:{seq}")
        return COME_AGAIN + hello + connection_entry(self._feed.connected).frame

    def _frames(self, entries: Iterable[Entry]) -> bytes:
        return b"".join(entry.frame for entry in entries if entry.topic.startswith(self._topics))


def _entries(changes: Iterable[Change], epoch: str) -> Iterable[Entry]:
    """Rows of the change log as they are sent; one that this version cannot read is left out."""
    for change in changes:
        try:
            yield event_entry(change.topic, change.body, epoch, change.seq)
        except WireError:
            continue
