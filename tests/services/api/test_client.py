"""The API's client of the scheduler on real sockets: many questions at once, silence, refusals, the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgpack
import pytest

from tests.bus.server import ok_after, serving
from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.envelope import Envelope, WireError, encode
from warpcore.bus.messages import Error, GetHealth, GetItem, Ok, PatchSettings, RetryItem, Summary
from warpcore.bus.replies import ReplyCache
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.api.client import SchedulerClient, ask


@pytest.fixture
def address(free_ports: Callable[[int], list[int]]) -> str:
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


@asynccontextmanager
async def connected(address: str, timeout_s: float = 5.0, attempts: int = 2) -> AsyncIterator[SchedulerClient]:
    client = SchedulerClient(address, timeout_s=timeout_s, attempts=attempts)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


def test_each_of_many_questions_gets_its_own_answer(address: str) -> None:
    def answer(envelope: Envelope, before: int) -> Message:
        return Error(ErrorCode.NOT_FOUND, envelope.body["name"])

    async def detail(client: SchedulerClient, name: str) -> str:
        with pytest.raises(RefusedError) as refused:
            await client.request(GetItem(name))
        return refused.value.error.detail

    async def run() -> list[str]:
        async with connected(address) as client:
            return await asyncio.gather(*(detail(client, f"m{number}") for number in range(50)))

    with serving(address, answer):
        assert asyncio.run(run()) == [f"m{number}" for number in range(50)]


def test_a_scheduler_of_another_wire_version_is_told_at_once(address: str) -> None:
    def answer(envelope: Envelope, before: int) -> bytes:
        later = msgpack.unpackb(encode(Envelope("ok", {}, "scheduler", reply_to=envelope.id)))
        return msgpack.packb({**later, "v": 2})

    async def run() -> None:
        async with connected(address, timeout_s=60.0, attempts=100) as client:
            with pytest.raises(NoAnswerError, match="scheduler speaks wire version 2, this is version 1"):
                await client.request(GetHealth())

    with serving(address, answer):
        asyncio.run(run())


def test_a_lost_answer_is_asked_for_again_under_the_same_id(address: str) -> None:
    async def run() -> Message:
        async with connected(address, timeout_s=0.1, attempts=100) as client:
            return await client.request(GetHealth())

    with serving(address, lambda _, before: Ok() if before else None) as server:
        assert asyncio.run(run()) == Ok()
        assert len(server.received) >= 2
        assert len({envelope.id for envelope in server.received}) == 1


def test_a_first_answer_that_comes_late_is_still_taken(address: str) -> None:
    async def run() -> Message:
        async with connected(address, timeout_s=0.3, attempts=100) as client:
            return await client.request(GetHealth())

    with serving(address, ok_after(0.4), ReplyCache()) as server:
        assert asyncio.run(run()) == Ok()
        assert len(server.carried_out) == 1


def test_silence_ends_in_an_error_that_names_the_endpoint_and_nothing_is_delivered_later(address: str) -> None:
    async def run() -> list[str]:
        async with connected(address, timeout_s=0.05) as client:
            with pytest.raises(NoAnswerError, match=f"{address} to item.retry; is it running"):
                await client.request(RetryItem("given up"))
            with serving(address, lambda *_: Ok()) as server:
                while True:
                    try:
                        await client.request(GetHealth())
                    except NoAnswerError:
                        continue
                    return [envelope.type for envelope in server.received]

    assert set(asyncio.run(asyncio.wait_for(run(), 120))) == {"health.get"}


def test_a_change_of_settings_is_waited_for_longer_than_other_answers(address: str) -> None:
    async def run() -> Message:
        async with connected(address, timeout_s=0.1, attempts=1) as client:
            return await client.request(PatchSettings({}))

    with serving(address, ok_after(0.5), ReplyCache()) as server:
        assert asyncio.run(run()) == Ok()
        assert len(server.carried_out) == 1


def test_a_change_of_settings_is_refused_soon_where_there_is_no_scheduler(address: str) -> None:
    async def run() -> None:
        async with connected(address) as client:
            with pytest.raises(NoAnswerError, match=f"{address} to settings.patch; is it running"):
                await client.request(PatchSettings({}))

    asyncio.run(asyncio.wait_for(run(), 40))


def test_an_answer_that_cannot_be_read_says_so(address: str) -> None:
    async def run() -> None:
        async with connected(address) as client:
            with pytest.raises(RefusedError, match=r"later\.kind.*same version"):
                await client.request(GetHealth())

    with serving(address, lambda one, _: encode(Envelope("later.kind", {}, "test", reply_to=one.id))):
        asyncio.run(run())


def test_an_answer_of_another_type_than_expected_says_so(address: str) -> None:
    async def run() -> None:
        async with connected(address) as client:
            with pytest.raises(WireError, match=r"health\.get was answered with ok, not summary"):
                await ask(client, GetHealth(), Summary)

    with serving(address, lambda *_: Ok()):
        asyncio.run(run())


def test_questions_in_flight_at_the_end_are_told_that_there_is_no_answer(address: str) -> None:
    async def run() -> None:
        client = SchedulerClient(address, timeout_s=30)
        await client.open()
        question = asyncio.create_task(client.request(GetHealth()))
        while not server.received:
            await asyncio.sleep(0.01)
        await client.close()
        with pytest.raises(NoAnswerError, match="closed"):
            await question

    with serving(address, lambda *_: None) as server:
        asyncio.run(asyncio.wait_for(run(), 120))
