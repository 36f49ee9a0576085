"""One reader of events: where it begins, what it gets, when it is sent away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import wraps

import pytest

from tests.bus.change_log import Log
from tests.services.api.event_reader import Sent, parsed
from warpcore.bus.client import NoAnswerError
from warpcore.bus.schema import Message
from warpcore.services.api.live import Feed, LastEvent, Reader
from warpcore.services.api.live.frames import event_entry
from warpcore.services.api.live.log import EventLog


class Site:
    """A feed, and the change log that it follows."""

    def __init__(self, kept: int = 1000) -> None:
        self.changes = Log()
        self.feed = Feed()
        self.feed.log = EventLog(most_events=kept)
        self.answers = True

    async def request(self, message: Message, user: str = "") -> Message:
        """The change log's answer."""
        if not self.answers:
            raise NoAnswerError("nobody answers")
        return self.changes.answer(message)

    def known(self, seq: int = 0) -> None:
        """The follower has read the state as of change `seq`."""
        self.feed.restart(self.changes.epoch, seq)
        self.feed.set_connected(True)

    def happens(self, count: int = 1, *, followed: bool = True) -> None:
        """So many changes, each heard of by the follower at once or not yet."""
        for _ in range(count):
            row = self.changes.change()
            if followed:
                self.feed.append([event_entry(row.type, row.body, self.changes.epoch, row.seq)], row.seq)

    def reader(self, last: str = "", topics: Sequence[str] = ("",)) -> Connection:
        return Connection(Reader(self.feed, self, LastEvent.parse(last), topics).stream())


class Connection:
    """What one reader is sent."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self.ended = False

    async def next(self) -> list[Sent]:
        """The events of the next piece that has any; none at the end."""
        async with asyncio.timeout(5):
            async for piece in self._stream:
                if events := list(parsed(piece.decode().split("\n"))):
                    return events
        self.ended = True
        return []

    async def seqs(self, last: int) -> list[int]:
        """The numbers of the changes up to `last`, or to the end of the stream."""
        seqs: list[int] = []
        while not self.ended and (not seqs or seqs[-1] < last):
            seqs += [one.seq for one in await self.next() if one.topic != "hello" and one.seq]
        return seqs


async def hello(connection: Connection) -> tuple[bool, int]:
    (first, *_) = await connection.next()
    assert first.topic == "hello"
    return first.data["resumed"], first.data["seq"]


def in_event_loop(test: Callable[[], Coroutine[None, None, None]]) -> Callable[[], None]:
    """A test that awaits."""

    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


@in_event_loop
async def test_a_new_reader_is_told_where_the_state_stands_and_then_what_changes() -> None:
    site = Site()
    site.known(7)
    reader = site.reader()
    assert await hello(reader) == (False, 7)
    site.changes.head = 7
    site.happens(3)
    assert await reader.seqs(10) == [8, 9, 10]


@in_event_loop
async def test_before_the_state_is_known_it_waits_and_is_told_that_nobody_answers() -> None:
    site = Site()
    reader = site.reader()
    (notice,) = await reader.next()
    assert (notice.topic, notice.data) == ("connection", {"scheduler": False})
    site.known(3)
    assert await hello(reader) == (False, 3)


@in_event_loop
async def test_one_that_comes_again_misses_nothing_and_gets_nothing_twice() -> None:
    site = Site()
    site.known()
    site.happens(5)
    reader = site.reader("e1:2")
    assert await hello(reader) == (True, 2)
    assert await reader.seqs(5) == [3, 4, 5]


@in_event_loop
async def test_one_that_was_away_for_long_gets_what_the_feed_no_longer_has_from_the_change_log() -> None:
    site = Site(kept=4)
    site.known()
    site.happens(20)
    reader = site.reader("e1:2")
    assert await hello(reader) == (True, 2)
    got = await reader.seqs(5)
    site.happens(2)
    assert got + await reader.seqs(22) == list(range(3, 23))


@in_event_loop
async def test_while_the_scheduler_is_away_only_what_the_feed_has_can_be_resumed() -> None:
    site = Site(kept=4)
    site.known()
    site.happens(20)
    site.answers = False
    site.feed.set_connected(False)
    reader = site.reader("e1:17")
    assert await hello(reader) == (True, 17)
    assert await reader.seqs(20) == [18, 19, 20]
    waiting = site.reader("e1:2")
    (notice,) = await waiting.next()
    assert (notice.topic, notice.data) == ("connection", {"scheduler": False})
    site.answers = True
    site.feed.set_connected(True)
    assert await hello(waiting) == (True, 2)
    site.answers = False
    cut = site.reader("e1:2")
    assert await cut.next() == []
    assert cut.ended, "it comes again, instead of beginning anew without need"


@pytest.mark.parametrize("last", ["e0:3", "e1:1", "e1:99", "nonsense", "e1:", ":4", "e1:-1"])
def test_one_whose_last_change_cannot_be_gone_on_from_begins_anew(last: str) -> None:
    async def story() -> None:
        site = Site(kept=4)
        site.known()
        site.happens(20)
        site.changes.first = 10
        reader = site.reader(last)
        assert await hello(reader) == (False, 20)
        site.happens()
        assert await reader.seqs(21) == [21]

    asyncio.run(story())


@in_event_loop
async def test_one_that_comes_from_a_process_which_was_faster_gets_nothing_twice() -> None:
    site = Site()
    site.known()
    site.happens(3)
    site.happens(2, followed=False)
    reader = site.reader("e1:5")
    assert await hello(reader) == (True, 5)
    rows = [site.changes.row(seq) for seq in (4, 5)]
    site.feed.append([event_entry(row.type, row.body, "e1", row.seq) for row in rows], 5)
    site.happens(2)
    assert await reader.seqs(7) == [6, 7]


@in_event_loop
async def test_a_slow_reader_is_sent_away_and_can_come_again() -> None:
    site = Site(kept=4)
    site.known()
    slow = site.reader()
    await hello(slow)
    site.happens(3)
    got = await slow.seqs(3)
    site.happens(10)
    assert await slow.seqs(13) == []
    assert slow.ended
    again = site.reader(f"e1:{got[-1]}")
    assert await hello(again) == (True, 3)
    assert await again.seqs(13) == list(range(4, 14))


@in_event_loop
async def test_a_change_log_that_is_begun_anew_ends_the_stream() -> None:
    site = Site()
    site.known()
    reader = site.reader()
    await hello(reader)
    site.changes = Log("e2")
    site.known()
    assert await reader.next() == []
    assert await hello(site.reader("e1:0")) == (False, 0)


@in_event_loop
async def test_topics_are_chosen_by_their_beginnings_and_the_connection_is_always_told() -> None:
    site = Site()
    site.known()
    reader = site.reader(topics=["movie.", "task"])
    await hello(reader)
    site.happens(2)
    body = {"movie": "a", "lease": 1, "worker": "w"}
    site.feed.append([event_entry("task.progress", body, "e1", 0)], 0)
    site.feed.set_connected(False)
    told = await reader.next()
    told += await reader.next() if len(told) < 2 else []
    assert [one.topic for one in told] == ["task.progress", "connection"]


@in_event_loop
async def test_all_streams_end_when_the_server_ends() -> None:
    site = Site()
    waiting, reading = site.reader(), site.reader()
    await waiting.next()
    site.known()
    await hello(reading)
    site.feed.close()
    assert await waiting.next() == await reading.next() == []


@in_event_loop
async def test_a_request_waits_for_the_change_that_it_needs() -> None:
    site = Site()
    assert not await site.feed.reached(0, 0.01)
    site.known(3)
    assert await site.feed.reached(3, 0.01)
    waiting = asyncio.create_task(site.feed.reached(5, 5))
    await asyncio.sleep(0)
    assert site.feed.wanted_seq == 5
    site.changes.head = 3
    site.happens(2)
    assert await waiting
    assert not await site.feed.reached(99, 0.01)
    assert site.feed.wanted_seq == 0, "what nobody waits for any more is not asked for"
