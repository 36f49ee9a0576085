"""Renderings are made once, kept within bounds, and leave the event loop free."""

from __future__ import annotations

import asyncio
import threading

import pytest

from warpcore.services.api.errors import Problem
from warpcore.services.api.pictures.renderings import Kept, Renderings


def test_what_was_used_least_recently_goes_first() -> None:
    kept = Kept(most_bytes=80)
    for key in "abcdefgh":
        kept.put(key, bytes(10))
    assert kept.get("a") is not None
    kept.put("i", bytes(10))
    assert kept.get("b") is None
    assert kept.get("a") is not None
    assert kept.total_bytes == 80


def test_what_is_put_again_counts_once_and_what_is_too_large_is_not_kept() -> None:
    kept = Kept(most_bytes=80)
    kept.put("a", bytes(10))
    kept.put("a", bytes(5))
    kept.put("huge", bytes(11))
    assert kept.total_bytes == 5
    assert kept.get("huge") is None


def test_equal_requests_share_one_rendering_while_the_loop_goes_on() -> None:
    may_end = threading.Event()
    rendered = []

    def render() -> bytes:
        assert may_end.wait(10)
        rendered.append(threading.current_thread().name)
        return b"picture"

    async def ask() -> list[bytes]:
        renderings = Renderings(at_once=1)
        asked = [asyncio.create_task(renderings.get("a", render)) for _ in range(5)]
        await asyncio.sleep(0)  # all of them have asked
        may_end.set()  # from the loop, which is free
        answers = await asyncio.gather(*asked)
        return [*answers, await renderings.get("a", render)]

    assert asyncio.run(ask()) == [b"picture"] * 6
    assert len(rendered) == 1
    assert rendered[0].startswith("render")


def test_a_client_that_goes_away_takes_the_picture_from_nobody() -> None:
    may_end = threading.Event()

    async def ask() -> bytes:
        renderings = Renderings()
        gone = asyncio.create_task(renderings.get("a", lambda: b"a" * may_end.wait(10)))
        stays = asyncio.create_task(renderings.get("a", lambda: b"never called"))
        await asyncio.sleep(0)
        gone.cancel()
        may_end.set()
        return await stays

    assert asyncio.run(ask()) == b"a"


def test_a_rendering_that_failed_is_tried_anew() -> None:
    async def ask() -> bytes:
        renderings = Renderings()
        with pytest.raises(ZeroDivisionError):
            await renderings.get("a", lambda: bytes(1 // 0))
        return await renderings.get("a", lambda: b"a")

    assert asyncio.run(ask()) == b"a"


def test_a_crowd_is_sent_away() -> None:
    may_end = threading.Event()

    async def ask() -> str:
        renderings = Renderings(at_once=1, most_waiting=2)
        waiting = [asyncio.create_task(renderings.get(key, lambda: bytes(may_end.wait(10)))) for key in "ab"]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await renderings.get("c", lambda: b"")
        may_end.set()
        await asyncio.gather(*waiting)
        return refused.value.status

    assert asyncio.run(ask()).startswith("503")
