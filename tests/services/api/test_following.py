"""The thread that follows the scheduler goes on after what nobody foresaw, and readers hear of it meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from tests.bus.server import serving
from warpcore.bus import messages as m
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import Event, FollowerItem
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.api.live import Feed, Following
from warpcore.services.api.mirror import Mirror

DEADLINE_S = 20.0
UNTAKEN = 6
"""The time of a movie that the mirror of the test cannot take."""


class DefectiveMirror(Mirror):
    """Has a defect that nobody foresaw."""

    def take_page(self, movies: list[m.Movie], first: bool) -> None:
        """As ever, but for one movie."""
        self._fail_at(movies)
        super().take_page(movies, first)

    def take(self, item: FollowerItem) -> None:
        """As ever, but for one movie."""
        if isinstance(item, Event) and item.envelope.type == "movie.done":
            self._fail_at([m.MovieEvent.from_body(item.envelope.body).movie])
        super().take(item)

    def _fail_at(self, movies: list[m.Movie]) -> None:
        if any(movie.mtime_ns == UNTAKEN for movie in movies):
            raise ZeroDivisionError("a defect")


def movie(mtime_ns: int) -> m.Movie:
    return m.Movie(1, "a", "a.tif", 1, mtime_ns, MovieStatus.PROCESSED)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_what_the_mirror_cannot_take_is_told_as_a_lost_connection_until_it_can(
    free_ports: Callable[[int], list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    endpoints = Endpoints("127.0.0.1", *free_ports(4))
    changed, mended = threading.Event(), threading.Event()

    def answer(envelope: Envelope, before: int) -> Message:
        seq, mtime_ns = (2, 5 if mended.is_set() else UNTAKEN) if changed.is_set() else (1, 4)
        if envelope.type == m.GetSnapshot.TYPE:
            return m.Snapshot(seq, "e", [movie(mtime_ns)], None, {}, 1, paused=False)
        row = m.Change(2, "movie.done", m.MovieEvent(movie(mtime_ns)).to_body())
        return m.Changes([row] if changed.is_set() else [], seq, "e")

    async def story() -> None:
        mirror, feed = DefectiveMirror(), Feed()
        following = Following(endpoints, mirror, feed)
        await following.start()
        try:
            await until(lambda: feed.connected)
            changed.set()
            waiting = asyncio.create_task(feed.reached(2, DEADLINE_S))
            await until(lambda: not feed.connected)
            assert mirror.copied(["mtime_ns"]).numbers["mtime_ns"].tolist() == [4], "the last state stays"
            mended.set()
            assert await waiting
            await until(lambda: feed.connected)
            assert mirror.copied(["mtime_ns"]).numbers["mtime_ns"].tolist() == [5]
        finally:
            await following.stop()

    with serving(endpoints.control, answer):
        asyncio.run(story())
    assert "following the scheduler failed" in caplog.text
