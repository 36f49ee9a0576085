"""Programs of other versions: what an earlier one has said is understood, and another wire version is told apart."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import zmq

from tests.bus.bodies import known_then
from tests.bus.older_wire import Recorded, recorded
from tests.bus.server import serving
from warpcore.bus.client import NoAnswerError, RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.envelope import WIRE_VERSION, Envelope, WireVersionError, decode, encode
from warpcore.bus.messages import EVENT_BODIES, Error, GetHealth, Ok
from warpcore.bus.router import Router
from warpcore.bus.schema import REGISTRY, Message

ALL = recorded()
OTHER = WIRE_VERSION + 1


@pytest.fixture
def address(free_ports: Callable[[int], list[int]]) -> str:
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


def kind_of(one: Recorded) -> type[Message]:
    return (EVENT_BODIES if one.to == "subscriber" else REGISTRY)[one.frame["type"]]


LATER = {"later": [{"x": 1}]}


def with_later_fields(one: Recorded) -> dict[str, Any]:
    """The frame with a field more in it, in its body and in what stands inside that, as a later version may send it."""
    body = one.frame["body"] | LATER
    for name in kind_of(one).NESTED:
        inside = body.get(name)
        if isinstance(inside, list):
            body[name] = [part | LATER for part in inside]
        elif isinstance(inside, dict):
            body[name] = inside | LATER
    return one.frame | LATER | {"body": body}


def test_the_recording_holds_what_each_kind_of_peer_says() -> None:
    said = {one.name for one in ALL}
    worker = {"worker.register", "worker.heartbeat", "worker.pull", "worker.sees", "task.progress", "task.finished"}
    assert {f"worker {name}" for name in worker | {"task.failed", "worker.goodbye"}} <= said
    assert {"control files.register", "control snapshot.get", "peer task.assign", "subscriber movie.done"} <= said
    assert len(said) > 80


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_what_an_earlier_version_has_said_is_read_with_all_its_values(one: Recorded) -> None:
    """Both ways: a field that were gone today would also be missed by that version, when it hears from this one."""
    envelope = decode(msgpack.packb(one.frame))
    assert known_then(kind_of(one).from_body(envelope.body).to_body(), one.frame["body"]) == one.frame["body"]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_fields_of_a_later_version_are_passed_over(one: Recorded) -> None:
    envelope = decode(msgpack.packb(with_later_fields(one)))
    kind = kind_of(one)
    assert kind.from_body(envelope.body) == kind.from_body(one.frame["body"])


def other(message: Message, reply_to: str | None = None) -> bytes:
    """A frame of a later wire version, of which nothing else is known."""
    raw = msgpack.unpackb(encode(Envelope(message.TYPE, message.to_body(), "gpu1", reply_to=reply_to)))
    return msgpack.packb({**raw, "v": OTHER, "body": "laid out otherwise"})


SAYS = f"gpu1 speaks wire version {OTHER}, this is version {WIRE_VERSION}; install the same version of warpcore"


def test_a_frame_of_another_wire_version_names_both_versions_and_what_to_do() -> None:
    with pytest.raises(WireVersionError, match=SAYS):
        decode(other(GetHealth()))
    with pytest.raises(WireVersionError, match="a peer speaks wire version 0"):
        decode(msgpack.packb({"v": 0, "source": 7}))


def test_a_router_logs_a_peer_of_another_wire_version_in_one_line_and_answers_it(
    address: str, caplog: pytest.LogCaptureFixture, wait_until: Callable[..., None]
) -> None:
    with Router(address, "workers") as router, zmq.Context.instance().socket(zmq.DEALER) as peer:
        peer.linger = 0
        peer.connect(address)
        frame = other(GetHealth())
        peer.send(frame)
        wait_until(lambda: [*router.receive()] or router.malformed == 1, what="it came")
        assert peer.poll(5000)
        answer = decode(peer.recv())
    assert answer.reply_to == msgpack.unpackb(frame)["id"]
    assert SAYS in Error.from_body(answer.body).detail
    (line,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert SAYS in line


def test_a_request_to_another_wire_version_ends_at_once_with_the_reason(address: str) -> None:
    """A hundred attempts of a minute: it would wait, were the answer not understood."""

    def answer(envelope: Envelope, before: int) -> bytes:
        return other(Ok(), envelope.id)

    with (
        serving(address, answer),
        RequestClient(address, "cli", timeout_s=60, attempts=100) as client,
        pytest.raises(NoAnswerError, match=re.escape(f"{address}: {SAYS}")),
    ):
        client.request(GetHealth())


def test_what_never_waits_logs_the_other_version_in_one_line(
    address: str, caplog: pytest.LogCaptureFixture, wait_until: Callable[..., None]
) -> None:
    def answer(envelope: Envelope, before: int) -> bytes:
        return other(Ok(), envelope.id)

    with serving(address, answer), Dealer(address, b"worker", "worker") as dealer:
        for _ in range(3):
            dealer.send(GetHealth())
        wait_until(lambda: [*dealer.receive()] or dealer.malformed == 3, what="three answers")
    (line,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert SAYS in line
