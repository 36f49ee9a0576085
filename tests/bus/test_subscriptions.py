"""Subscribers cost bounded memory: who asks for too much loses the connection, and all others go on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import zmq

from tests.bus.key_ring import KeyRing
from tests.bus.running_hub import RunningHub
from warpcore.bus import connecting
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.events import Publisher, Subscriber
from warpcore.bus.keys import Holder
from warpcore.bus.messages import ServiceEvent
from warpcore.bus.subscriptions import MOST_BYTES, Subscriptions
from warpcore.bus.vocabulary import Role, ServiceName

TRACKER = Holder("tracker", Role.SERVICE, ServiceName.TRACKER)


def test_topics_count_while_they_are_held() -> None:
    held = Subscriptions()
    for number in range(MOST_BYTES // 132):
        assert held.take(b"\x01%100d" % number, "ada" if number < 10 else "eve")
    assert held.take(b"\x01%100d" % 5, "eve")
    assert held.greedy is None
    assert held.take(b"\x01more and more, until it is too much" + b" " * 50, "ada")
    assert held.greedy == "eve"
    assert held.take(b"\x00%100d" % 7, "ada")
    assert held.greedy is None


def test_topics_that_nobody_publishes_are_not_passed_on_and_count() -> None:
    held = Subscriptions()
    for number in range(MOST_BYTES // 1000):
        assert not held.take(b"\x01%1000d" % number, "eve")
    assert held.greedy == "eve"


def test_a_topic_is_wanted_once_somebody_asked_for_a_beginning_of_it() -> None:
    held = Subscriptions(["movie.done", "movie.failed", "task.lost"])
    assert not held.wanted
    held.take(b"\x01movie.f", "ada")
    assert held.wanted == {"movie.failed"}
    held.take(b"\x01movie.", "eve")
    held.take(b"\x00movie.", "eve")  # perhaps of a third one, who never held it
    assert held.wanted == {"movie.failed", "movie.done"}
    held.take(b"\x01", "ada")
    assert "task.lost" in held.wanted


@pytest.mark.parametrize("request_", [b"", b"\x02a", b"a"])
def test_what_is_no_subscription_is_told_apart(request_: bytes) -> None:
    assert not Subscriptions().take(request_, "eve")


@pytest.mark.parametrize("with_keys", [True, False], ids=["keys", "no keys"])
def test_a_flood_of_topics_ends_their_connection_and_all_others_listen_on(
    with_keys: bool,
    free_ports: Callable[[int], list[int]],
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(connecting, "TRY_AGAIN_S", 0.1)
    ring, (in_port, out_port) = KeyRing(), free_ports(2)
    endpoints = Endpoints(events_in_port=in_port, events_out_port=out_port)
    ada, eve = (ring.add(Holder(name, Role.OBSERVER)) if with_keys else None for name in ("ada", "eve"))
    tracker = ring.add(TRACKER) if with_keys else None
    with ExitStack() as stack:
        guard = stack.enter_context(ring.guard()) if with_keys else None
        hub = RunningHub(endpoints, guard)
        stack.callback(hub.close)
        honest = stack.enter_context(Subscriber(endpoints.events_out, key=ada))
        publisher = stack.enter_context(Publisher(endpoints.events_in, "tracker", key=tracker))
        greedy = stack.enter_context(zmq.Context.instance().socket(zmq.SUB))
        greedy.setsockopt(zmq.SNDHWM, 0)
        greedy.setsockopt(zmq.LINGER, 0)
        if eve is not None:
            eve.put_on(greedy)
        greedy.connect(endpoints.events_out)
        upstream = stack.enter_context(zmq.Context.instance().socket(zmq.XPUB))
        upstream.setsockopt(zmq.LINGER, 0)
        if tracker is not None:
            tracker.put_on(upstream)
        upstream.connect(endpoints.events_in)

        def is_heard() -> bool:
            publisher.publish("service.heartbeat", ServiceEvent("tracker", "host", 1))
            return honest.receive(0.1) is not None

        wait_until(is_heard, what="an event for the honest subscriber")
        topics = iter(range(50_000))

        def is_cut_off() -> bool:
            for number in itertools.islice(topics, 200):
                greedy.setsockopt(zmq.SUBSCRIBE, b"%d" % number + b"x" * 50)
            return "bytes of topics" in caplog.text

        wait_until(is_cut_off, 30, "an end of the flood")
        assert ("the key eve asks" in caplog.text) == with_keys
        if not with_keys:
            greedy.close()  # nobody can be told apart: it would come back each time
        wait_until(is_heard, 20, "an event for the honest subscriber after the flood")
        while upstream.poll(100):
            assert upstream.recv() == b"\x01", "publishers hear of no topic"
