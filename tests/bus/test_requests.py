"""ROUTER, DEALER, the waiting client and remembered answers, on real sockets."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from tests.bus.server import ok_after, serving
from tests.waiting import wait_for_end
from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.messages import Error, GetHealth, GetItem, Goodbye, Ok, PatchSettings, RetryItem
from warpcore.bus.replies import ReplyCache
from warpcore.bus.requester import LONG
from warpcore.bus.router import BindError, Router
from warpcore.bus.schema import Message


@pytest.fixture
def address(free_ports: Callable[[int], list[int]]) -> str:
    return f"tcp://127.0.0.1:{free_ports(1)[0]}"


def always_ok(envelope: Envelope, before: int) -> Message:
    return Ok()


MALFORMED: dict[str, list[bytes]] = {
    "random bytes": [b"\x93\x01\xff\x00rubbish"],
    "empty": [b""],
    "wrong version": [msgpack.packb({"v": 99, "type": "ok"})],
    "missing field": [msgpack.packb({"v": 1, "type": "ok", "id": "1"})],
    "two MiB": [b"\x00" * (2 * 1024 * 1024)],
    "deep nesting": [b"\x81\xa1a" * 100_000 + b"\xc0"],
    "two frames": [b"", encode(Envelope("ok", {}, "test"))],
}


@pytest.mark.parametrize("frames", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_router_counts_what_is_malformed_and_goes_on(
    address: str, frames: list[bytes], wait_until: Callable[..., None]
) -> None:
    with serving(address, always_ok) as server, zmq.Context.instance().socket(zmq.DEALER) as raw:
        raw.linger = 0
        raw.connect(address)
        raw.send_multipart(frames)
        wait_until(lambda: server.router.malformed == 1, what="malformed count")
        with RequestClient(address, "test") as client:
            assert client.request(GetHealth()) == Ok()
        assert server.router.malformed == 1


@pytest.mark.parametrize("frames", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_dealer_counts_what_is_malformed_and_goes_on(
    address: str, frames: list[bytes], wait_until: Callable[..., None]
) -> None:
    with Router(address, "test") as router, Dealer(address, b"worker", "worker") as dealer:
        dealer.send(Goodbye("worker"))
        arrived: list[Envelope] = []
        wait_until(lambda: [*router.receive()] or not arrived, what="hello")
        wait_until(lambda: router.send(b"worker", Envelope("ok", {}, "test")), what="connection")
        router.socket.send_multipart([b"worker", *frames])
        router.send(b"worker", Envelope("ok", {}, "test", reply_to="after"))
        wait_until(lambda: arrived.extend(dealer.receive()) or len(arrived) == 2, what="both good ones")
        assert [envelope.reply_to for envelope in arrived] == [None, "after"]
        assert dealer.malformed == 1


def test_peers_that_do_not_speak_the_protocol_do_no_harm(address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    with (
        serving(address, always_ok),
        RequestClient(address, "test") as client,
        socket.create_connection(("127.0.0.1", port)) as stranger,
    ):
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes(range(256)) * 100)
        assert client.request(GetHealth()) == Ok()


def test_a_malformed_answer_is_dropped_and_the_request_repeated_under_its_id(address: str) -> None:
    def answer(envelope: Envelope, before: int) -> Message | bytes:
        return b"rubbish" if before == 0 else Ok()

    with serving(address, answer) as server, RequestClient(address, "test", timeout_s=0.1, attempts=100) as client:
        assert client.request(GetHealth()) == Ok()
        assert client.malformed == 1
        assert len({envelope.id for envelope in server.received}) == 1
        assert len(server.received) >= 2


def test_an_answer_of_an_unknown_type_says_so(address: str) -> None:
    def answer(envelope: Envelope, before: int) -> bytes:
        return encode(Envelope("later.kind", {}, "test", reply_to=envelope.id))

    said = r"cannot be read.*later\.kind.*same version"
    with (
        serving(address, answer),
        RequestClient(address, "test") as client,
        pytest.raises(RefusedError, match=said),
    ):
        client.request(GetHealth())


def test_an_error_answer_raises_with_its_code_and_text(address: str) -> None:
    with serving(address, lambda *_: Error("not_found", "no movie named a")), RequestClient(address, "test") as client:
        with pytest.raises(RefusedError, match="no movie named a") as raised:
            client.request(GetItem("a"))
        assert raised.value.error.code == "not_found"


def test_a_repeated_request_is_carried_out_once_and_gets_the_first_answer(address: str) -> None:
    """The first answer comes too late for the first attempt: the second attempt gets the same one."""

    def answer(envelope: Envelope, before: int) -> Message:
        if before == 0:
            assert server.router.socket.poll(60_000), "the second attempt"
        return Error("conflict", f"answer {before}")

    with (
        serving(address, answer, ReplyCache()) as server,
        RequestClient(address, "test", timeout_s=0.1, attempts=100) as client,
    ):
        with pytest.raises(RefusedError, match="answer 0"):
            client.request(RetryItem("a"))
        with pytest.raises(RefusedError, match="answer"):
            client.request(RetryItem("b"))
        assert len(server.received) > len(server.carried_out) == 2


def test_a_late_answer_of_an_earlier_request_is_not_taken_for_the_next(address: str) -> None:
    """Without remembered answers each repeat is answered: the surplus ones arrive while the next request waits."""

    def answer(envelope: Envelope, before: int) -> Message:
        if before == 0:
            assert server.router.socket.poll(60_000), "the second attempt"
        return Ok() if envelope.type == "health.get" else Error("not_found", "mine")

    with serving(address, answer) as server, RequestClient(address, "test", timeout_s=0.15, attempts=100) as client:
        assert client.request(GetHealth()) == Ok()
        with pytest.raises(RefusedError, match="mine"):
            client.request(GetItem("a"), timeout_s=5)
        assert [envelope.type for envelope in server.received].count("health.get") > 1


def test_no_answer_names_the_endpoint_and_what_to_check(address: str) -> None:
    said = f"{address}.*2 attempt.*is the scheduler running"
    with (
        RequestClient(address, "test", timeout_s=0.05, attempts=2) as client,
        pytest.raises(NoAnswerError, match=said),
    ):
        client.request(GetHealth())


def test_a_request_that_was_given_up_is_not_delivered_when_the_server_comes(address: str) -> None:
    with RequestClient(address, "test", timeout_s=0.05, attempts=2) as client:
        with pytest.raises(NoAnswerError):
            client.request(RetryItem("given up"))
        with serving(address, always_ok) as server:
            assert client.request(GetItem("next"), timeout_s=30) == Ok()
            assert {envelope.type for envelope in server.received} == {"item.get"}


def test_a_change_of_settings_is_waited_for_longer_than_other_answers(address: str) -> None:
    with serving(address, ok_after(1), ReplyCache()) as server:
        with RequestClient(address, "test", timeout_s=0.2, attempts=1) as client:
            assert client.request(PatchSettings({})) == Ok()
        assert len(server.carried_out) == 1


def test_a_change_of_settings_is_given_up_soon_where_nobody_is(address: str) -> None:
    begun = time.monotonic()
    with (
        RequestClient(address, "test", timeout_s=0.2, attempts=1) as client,
        pytest.raises(NoAnswerError, match="is the scheduler running there"),
    ):
        client.request(PatchSettings({}))
    assert time.monotonic() - begun < LONG.timeout_s


def test_a_request_waits_for_a_server_that_comes_late(address: str) -> None:
    results: list[Any] = []
    with RequestClient(address, "test", timeout_s=5) as client:
        thread = threading.Thread(target=lambda: results.append(client.request(GetHealth())))
        thread.start()
        with serving(address, always_ok):
            wait_for_end(thread)
        assert results == [Ok()]


def test_ctrl_c_passes_through_a_waiting_request(address: str) -> None:
    def interrupt(envelope: Envelope, before: int) -> None:
        """Once it has come here, its sender waits for an answer."""
        os.kill(os.getpid(), signal.SIGINT)

    # Where tests run in the background of a shell, Ctrl-C is ignored from the start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with serving(address, interrupt), RequestClient(address, "test", timeout_s=60, attempts=1) as client:
            started = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                client.request(GetHealth())
            assert time.monotonic() - started < 50
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_port_in_use_is_named_with_what_to_do(address: str) -> None:
    with (
        Router(address, "control port"),
        pytest.raises(BindError, match=f"control port: cannot bind {address}.*in use"),
    ):
        Router(address, "control port")


def test_an_address_of_another_host_is_refused_by_name() -> None:
    with pytest.raises(BindError, match=r"203\.0\.113\.9.*no such address"):
        Router("tcp://203.0.113.9:5555", "control port")


def test_sending_to_nobody_returns_false_and_to_one_who_does_not_read_never_blocks(
    address: str, wait_until: Callable[..., None]
) -> None:
    with Router(address, "test") as router:
        assert not router.send(b"nobody", Envelope("ok", {}, "test"))
        with Dealer(address, b"deaf", "deaf") as dealer:
            dealer.send(Goodbye("deaf"))
            wait_until(lambda: router.send(b"deaf", Envelope("ok", {}, "test")), what="connection")
            large = Envelope("error", {"code": "x", "detail": "y" * 5_000}, "test")
            assert not all(router.send(b"deaf", large) for _ in range(6_000))


def test_what_is_too_large_is_not_sent_and_does_not_raise(address: str) -> None:
    with Router(address, "test") as router:
        assert not router.send(b"anyone", Envelope("ok", {"a": "x" * 2_000_000}, "test"))


def test_a_peer_that_reconnects_under_its_identity_is_heard_and_reached(
    address: str, wait_until: Callable[..., None]
) -> None:
    """Without ROUTER_HANDOVER the second connection would be ignored while the first lives."""
    with Router(address, "test") as router, Dealer(address, b"w1", "old") as old:
        heard: list[tuple[bytes, Envelope]] = []
        old.send(Goodbye("old"))
        wait_until(lambda: heard.extend(router.receive()) or len(heard) == 1, what="old connection")
        with Dealer(address, b"w1", "new") as new:
            new.send(Goodbye("new"))
            wait_until(lambda: heard.extend(router.receive()) or len(heard) == 2, what="new connection")
            assert [envelope.source for _, envelope in heard] == ["old", "new"]
            assert router.send(b"w1", Envelope("ok", {}, "test"))
            arrived: list[Envelope] = []
            wait_until(lambda: arrived.extend(new.receive()) or arrived, what="answer at the new one")
            assert not [*old.receive()]


def test_a_dealer_reconnects_to_a_restarted_router(address: str, wait_until: Callable[..., None]) -> None:
    with Dealer(address, b"w1", "worker") as dealer:
        for _ in range(2):
            with Router(address, "test") as router:
                heard: list[tuple[bytes, Envelope]] = []
                request = dealer.send(Goodbye("w1"))
                wait_until(lambda r=router, h=heard: h.extend(r.receive()) or h, what="message after restart")
                assert heard[-1][1].id == request


def test_a_dealer_whose_queue_is_full_drops_and_counts_but_never_blocks(address: str) -> None:
    with Dealer(address, b"w1", "worker") as dealer:
        for _ in range(120):
            dealer.send(Goodbye("w1"))
        assert dealer.dropped == 20


def test_a_dealer_repeats_a_request_under_its_id(address: str, wait_until: Callable[..., None]) -> None:
    with serving(address, always_ok, ReplyCache()) as server, Dealer(address, b"w1", "worker") as dealer:
        first = dealer.send(Goodbye("w1"))
        assert dealer.send(Goodbye("w1"), id=first) == first
        answers: list[Envelope] = []
        wait_until(lambda: answers.extend(dealer.receive()) or len(answers) == 2, what="two answers")
        assert [answer.reply_to for answer in answers] == [first, first]
        assert server.carried_out == [first]


PEERS = (b"a", b"b")
STEPS = st.lists(
    st.tuples(st.sampled_from("pg"), st.sampled_from(PEERS), st.integers(0, 9), st.integers(0, 3000)), max_size=60
)


@given(STEPS, st.integers(1, 9000), st.integers(1, 9000))
def test_remembered_answers_are_bounded_in_bytes_and_the_first_one_stays(
    steps: list[tuple[str, bytes, int, int]], most: int, most_of_peer: int
) -> None:
    cache = ReplyCache(most, most_of_peer)
    first: dict[tuple[bytes, str], bytes] = {}
    for number, (step, peer, key, size) in enumerate(steps):
        request = str(key)
        if step == "p":
            known = cache.get(peer, request)
            frame = f"{number}".encode().ljust(size)
            cache.put(peer, request, frame)
            first[peer, request] = known or frame
            assert cache.get(peer, request) == (known or frame), "the newest answer is there"
        else:
            assert cache.get(peer, request) in (None, first.get((peer, request)))
        held = {one: [len(frame) for one_key in range(10) if (frame := cache.get(one, str(one_key)))] for one in PEERS}
        assert sum(map(len, held.values())) == len(cache)
        for one in PEERS:
            assert sum(held[one]) <= most_of_peer or len(held[one]) == 1
        assert cache.bytes <= most or len(cache) == 1


def test_a_peer_with_large_answers_costs_no_other_peer_its_own() -> None:
    cache = ReplyCache(most_bytes=100_000, most_bytes_of_peer=50_000)
    cache.put(b"modest", "1", b"small")
    for number in range(1000):
        cache.put(b"greedy", str(number), bytes(10_000))
    assert cache.get(b"modest", "1") == b"small"
    assert cache.get(b"greedy", "999") is not None
    assert cache.bytes < 51_000


def test_for_a_peer_that_reads_nothing_little_waits_and_others_are_served(
    address: str, wait_until: Callable[..., None]
) -> None:
    frame = encode(Envelope("ok", {"text": "x" * 500_000}, "test"))
    with (
        Router(address, "test") as router,
        zmq.Context.instance().socket(zmq.DEALER) as greedy,
        Dealer(address, b"modest", "test") as modest,
    ):
        greedy.setsockopt(zmq.LINGER, 0)
        greedy.setsockopt(zmq.IDENTITY, b"greedy")
        greedy.setsockopt(zmq.RCVHWM, 1)
        greedy.connect(address)
        greedy.send(encode(Envelope("ok", {}, "test")))
        modest.send(Goodbye("modest"))
        peers: set[bytes] = set()
        wait_until(lambda: peers.update(peer for peer, _ in router.receive()) or len(peers) == 2, what="both")
        sent = 0
        while router.send_frame(b"greedy", frame):
            sent += 1
            assert sent < 400, "200 MB wait for a peer that reads nothing"
        assert router.has_waiting
        assert router.send_frame(b"modest", frame)
        heard: list[Envelope] = []
        wait_until(lambda: heard.extend(modest.receive()) or heard, what="what was sent to the other one")
        read = []

        def reads() -> bool:
            router.send_waiting()
            while greedy.poll(0):
                read.append(greedy.recv())
            return len(read) == sent

        wait_until(reads, what="all that was taken for the peer, once it reads")
        assert not router.has_waiting
        assert router.send_frame(b"greedy", frame)
