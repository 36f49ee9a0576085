"""The event hub on real sockets: what passes, what is dropped, what subscribers get."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgpack
import pytest
import zmq

from tests.bus.running_hub import RunningHub
from tests.waiting import wait_until
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.events import EventHub, Publisher, Subscriber
from warpcore.bus.messages import FileEvent, ProcessingEvent, ServiceEvent
from warpcore.bus.router import BindError


@pytest.fixture
def endpoints(free_ports: Callable[[int], list[int]]) -> Endpoints:
    events_in, events_out = free_ports(2)
    return Endpoints(events_in_port=events_in, events_out_port=events_out)


@pytest.fixture
def hub(endpoints: Endpoints) -> Iterator[RunningHub]:
    running = RunningHub(endpoints)
    yield running
    running.close()


def until_received(publish: Callable[[], None], subscriber: Subscriber, topic: str) -> Envelope:
    """Publish again and again (connections take a moment) until the subscriber gets the topic."""
    arrived: list[Envelope] = []

    def has_arrived() -> bool:
        publish()
        envelope = subscriber.receive(0.05)
        arrived.extend([envelope] if envelope is not None and envelope.type == topic else [])
        return bool(arrived)

    wait_until(has_arrived, what=topic)
    return arrived[0]


def up_to(topic: str, subscriber: Subscriber) -> list[str]:
    """The topics that arrive, up to the first of this one."""
    topics: list[str] = []
    while not topics or topics[-1] != topic:
        envelope = subscriber.receive(30)
        assert envelope is not None, f"{topic} never arrived"
        topics.append(envelope.type)
    return topics


def test_a_services_event_reaches_those_who_asked_for_its_topic(endpoints: Endpoints, hub: RunningHub) -> None:
    with (
        Publisher(endpoints.events_in, "discoverer") as publisher,
        Subscriber(endpoints.events_out, ["file."]) as files,
        Subscriber(endpoints.events_out, ["service.", "file.ready"]) as others,
    ):
        seen = FileEvent("a.tif", "new")
        envelope = until_received(lambda: publisher.publish("file.seen", seen), files, "file.seen")
        assert FileEvent.from_body(envelope.body) == seen
        assert envelope.source == "discoverer"
        ready = until_received(lambda: publisher.publish("file.ready", seen), others, "file.ready")
        assert ready.type == "file.ready"
        assert others.malformed == files.malformed == hub.hub.malformed == 0


def test_a_forwarded_event_has_no_change_number(endpoints: Endpoints, hub: RunningHub) -> None:
    forged = Envelope("file.seen", FileEvent("a.tif").to_body(), "x", seq=99)
    with zmq.Context.instance().socket(zmq.PUB) as raw, Subscriber(endpoints.events_out) as subscriber:
        raw.linger = 0
        raw.connect(endpoints.events_in)
        received = until_received(lambda: raw.send_multipart([b"file.seen", encode(forged)]), subscriber, "file.seen")
        assert received.seq == 0


def test_the_schedulers_own_events_keep_their_change_number_and_order(endpoints: Endpoints, hub: RunningHub) -> None:
    with Subscriber(endpoints.events_out, ["processing."]) as subscriber:
        body = ProcessingEvent(True).to_body()
        until_received(lambda: hub.publish(Envelope("processing.paused", body, "s")), subscriber, "processing.paused")
        for seq in range(1, 301):
            hub.publish(Envelope("processing.paused", body, "scheduler", seq=seq))
        numbers: list[int] = []
        while not numbers or numbers[-1] < 300:
            envelope = subscriber.receive(30)
            assert envelope is not None
            numbers += [envelope.seq] if envelope.seq else []
        assert numbers == [*range(1, 301)]


GOOD = FileEvent("a.tif").to_body()
BAD_EVENTS: dict[str, list[bytes]] = {
    "random bytes": [b"file.seen", b"\x93\x01\xff\x00rubbish"],
    "one frame": [b"file.seen"],
    "three frames": [b"file.seen", encode(Envelope("file.seen", GOOD, "x")), b""],
    "wrong version": [b"file.seen", msgpack.packb({"v": 7})],
    "missing field": [b"file.seen", encode(Envelope("file.seen", {}, "x"))],
    "unknown topic": [b"file.later", encode(Envelope("file.later", GOOD, "x"))],
    "topic differs": [b"file.seen", encode(Envelope("file.ready", GOOD, "x"))],
    "two MiB": [b"file.seen", b"\x00" * (2 * 1024 * 1024)],
    "deep nesting": [b"file.seen", b"\x81\xa1a" * 100_000 + b"\xc0"],
}
FORBIDDEN: dict[str, list[bytes]] = {
    "the scheduler's topic": [b"processing.paused", encode(Envelope("processing.paused", {"paused": True}, "x"))],
    "the scheduler's name": [
        b"service.heartbeat",
        encode(Envelope("service.heartbeat", ServiceEvent("scheduler", "h", 1, head=9).to_body(), "x")),
    ],
}


@pytest.mark.parametrize("frames", [*BAD_EVENTS.values(), *FORBIDDEN.values()], ids=[*BAD_EVENTS, *FORBIDDEN])
def test_the_hub_counts_and_drops_what_may_not_pass(endpoints: Endpoints, hub: RunningHub, frames: list[bytes]) -> None:
    with (
        zmq.Context.instance().socket(zmq.PUB) as raw,
        Subscriber(endpoints.events_out) as subscriber,
    ):
        raw.linger = 0
        raw.connect(endpoints.events_in)
        good = [b"file.seen", encode(Envelope("file.seen", GOOD, "x"))]
        until_received(lambda: raw.send_multipart(good), subscriber, "file.seen")
        raw.send_multipart(frames)
        last = [b"file.ready", encode(Envelope("file.ready", GOOD, "x"))]
        raw.send_multipart(last)
        assert set(up_to("file.ready", subscriber)) <= {"file.seen", "file.ready"}
        assert hub.hub.malformed == 1
        assert subscriber.malformed == 0


@pytest.mark.parametrize("frames", BAD_EVENTS.values(), ids=BAD_EVENTS.keys())
def test_a_subscriber_counts_what_is_malformed_and_goes_on(
    free_ports: Callable[[int], list[int]], frames: list[bytes]
) -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    with zmq.Context.instance().socket(zmq.PUB) as raw, Subscriber(address) as subscriber:
        raw.linger = 0
        raw.bind(address)
        good = [b"file.seen", encode(Envelope("file.seen", GOOD, "x"))]
        until_received(lambda: raw.send_multipart(good), subscriber, "file.seen")
        raw.send_multipart(frames)
        raw.send_multipart([b"file.ready", encode(Envelope("file.ready", GOOD, "x"))])
        up_to("file.ready", subscriber)
        assert subscriber.malformed == 1


def test_a_subscriber_that_sends_rubbish_is_counted(endpoints: Endpoints, hub: RunningHub) -> None:
    with zmq.Context.instance().socket(zmq.XSUB) as raw, Subscriber(endpoints.events_out) as subscriber:
        raw.linger = 0
        raw.connect(endpoints.events_out)
        raw.send(b"\x07rubbish")
        raw.send(b"\x01" + b"x" * 500)
        wait_until(lambda: hub.hub.malformed == 2, what="both counted")
        with Publisher(endpoints.events_in, "x") as publisher:
            until_received(lambda: publisher.publish("file.seen", FileEvent("a")), subscriber, "file.seen")


def test_an_event_that_is_too_large_is_dropped_not_raised(endpoints: Endpoints, hub: RunningHub) -> None:
    with Publisher(endpoints.events_in, "x") as publisher, Subscriber(endpoints.events_out) as subscriber:
        publisher.publish("file.seen", FileEvent("a" * 2_000_000))
        hub.publish(Envelope("file.seen", FileEvent("a" * 2_000_000).to_body(), "x"))
        until_received(lambda: publisher.publish("file.seen", FileEvent("b")), subscriber, "file.seen")


def test_publishing_without_a_hub_never_blocks(endpoints: Endpoints) -> None:
    with Publisher(endpoints.events_in, "x") as publisher:
        for _ in range(20_000):
            publisher.publish("file.seen", FileEvent("a.tif"))


def test_nothing_is_received_in_time(endpoints: Endpoints) -> None:
    with Subscriber(endpoints.events_out) as subscriber:
        assert subscriber.receive(0.01) is None


def test_a_hub_whose_second_port_is_in_use_frees_the_first(
    endpoints: Endpoints, hub: RunningHub, free_ports: Callable[[int], list[int]]
) -> None:
    first = endpoints.bound(free_ports(1)[0])
    with pytest.raises(BindError, match="events out: cannot bind"):
        EventHub(first, endpoints.bound(endpoints.events_out_port))
    EventHub(first, endpoints.bound(free_ports(1)[0])).close()
