"""The discoverer's asker on real sockets: it never blocks, asks until it is answered, and leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.bus.server import serving
from warpcore.bus.client import RequestClient
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.messages import Error, GetHealth, GetKnownFiles, Ok
from warpcore.bus.replies import ReplyCache
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.discoverer import asker as asker_module
from warpcore.services.discoverer.asker import Asker


@pytest.fixture
def address(free_ports: Callable[[int], list[int]]) -> str:
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture
def asker(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asker]:
    monkeypatch.setattr(asker_module, "ANSWER_TIMEOUT_S", 0.1)
    monkeypatch.setattr(asker_module, "LONGEST_PAUSE_S", 0.1)
    one = Asker(address, "test")
    yield one
    one.close()


def answer_of(asker: Asker, wait_until: Callable[..., None]) -> tuple[Message, Message]:
    got: list[tuple[Message, Message]] = []

    def came() -> bool:
        answered = asker.answered(time.monotonic())
        got.extend([answered] if answered is not None else [])
        return bool(got)

    wait_until(came, what="answer")
    return got[0]


def test_nothing_blocks_while_nobody_is_there_and_the_answer_comes_when_somebody_is(
    address: str, asker: Asker, wait_until: Callable[..., None]
) -> None:
    begun = time.monotonic()
    asker.ask(GetHealth())
    assert asker.answered(time.monotonic()) is None
    assert time.monotonic() - begun < 30
    assert not asker.is_free(time.monotonic())
    with serving(address, lambda *_: Ok()):
        assert answer_of(asker, wait_until) == (GetHealth(), Ok())
    assert asker.is_free(time.monotonic())


def test_a_lost_answer_is_asked_for_again_under_the_same_id(
    address: str, asker: Asker, wait_until: Callable[..., None]
) -> None:
    with serving(address, lambda _, before: Ok() if before else None) as server:
        asker.ask(GetHealth())
        assert answer_of(asker, wait_until) == (GetHealth(), Ok())
        assert len({envelope.id for envelope in server.received}) == 1
        assert len(server.received) >= 2


def test_an_hour_without_a_scheduler_leaves_no_heap_of_copies(
    address: str, asker: Asker, wait_until: Callable[..., None]
) -> None:
    asker.ask(GetHealth())
    for second in range(3600):
        assert asker.answered(time.monotonic() + second) is None
    with serving(address, lambda *_: Ok(), ReplyCache()) as server:
        assert answer_of(asker, wait_until) == (GetHealth(), Ok())
        assert len(server.received) <= 3


def test_refusals_and_unreadable_answers_are_handed_over_as_errors(
    address: str, asker: Asker, wait_until: Callable[..., None]
) -> None:
    def answer(envelope: Envelope, before: int) -> Message | bytes:
        if before == 0:
            return Error(ErrorCode.INTERNAL, "disk full")
        return encode(Envelope("later.kind", {}, "test", reply_to=envelope.id))

    with serving(address, answer):
        asker.ask(GetKnownFiles())
        assert answer_of(asker, wait_until) == (GetKnownFiles(), Error(ErrorCode.INTERNAL, "disk full"))
        asker.ask(GetKnownFiles())
        _, unreadable = answer_of(asker, wait_until)
        assert isinstance(unreadable, Error)
        assert unreadable.code is ErrorCode.BAD_MESSAGE


def test_after_a_refusal_it_is_free_again_only_after_a_pause_that_grows(asker: Asker) -> None:
    asker.back_off(100.0)
    assert not asker.is_free(100.0)
    assert asker.is_free(100.0 + asker_module.LONGEST_PAUSE_S)


def test_what_was_given_up_at_the_end_is_not_delivered_later(address: str, asker: Asker) -> None:
    asker.ask(GetHealth())
    asker.close()
    with serving(address, lambda *_: Ok()) as server, RequestClient(address, "next") as client:
        client.request(GetKnownFiles())
        assert [envelope.type for envelope in server.received] == ["files.known"]
