"""The follower over real sockets, through gaps, restarts, silence and refusals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import zmq

from tests.bus.change_log import Log, followed
from warpcore.bus import follower as follower_module
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.events import EventHub, Publisher
from warpcore.bus.follower import Event, Follower, FollowerItem, Reset
from warpcore.bus.messages import (
    Error,
    FileEvent,
)
from warpcore.bus.router import Router
from warpcore.bus.schema import read_message


class Source:
    """A peer with a scheduler's control port and event hub, in a thread; it can lose events and fall silent."""

    def __init__(self, endpoints: Endpoints, log: Log) -> None:
        self.log = log
        self.deaf = False
        self.refuses = 0
        self.asked_at: list[float] = []
        self._work: list[Callable[[], None]] = []
        self._stop = threading.Event()
        self.control = Router(endpoints.bound(endpoints.control_port), "control")
        self.hub = EventHub(endpoints.bound(endpoints.events_in_port), endpoints.bound(endpoints.events_out_port))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def change(self, lose: bool = False) -> None:
        def act() -> None:
            envelope = self.log.change()
            if not lose:
                self.hub.publish(envelope)

        self._work.append(act)

    def beat(self) -> None:
        self._work.append(lambda: self.hub.publish(self.log.beat()))

    def _run(self) -> None:
        poller = zmq.Poller()
        for one in (self.control.socket, *self.hub.sockets):
            poller.register(one, zmq.POLLIN)
        while not self._stop.is_set():
            poller.poll(10)
            while self._work:
                self._work.pop(0)()
            for identity, envelope in self.control.receive():
                self.asked_at.append(time.monotonic())
                if self.deaf:
                    continue
                answer = self.log.answer(read_message(envelope.type, envelope.body))
                if self.refuses:
                    self.refuses -= 1
                    answer = Error("internal", "not now")
                self.control.send(identity, Envelope(answer.TYPE, answer.to_body(), "s", reply_to=envelope.id))
            self.hub.forward()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.control.close()
        self.hub.close()


@pytest.fixture
def endpoints(free_ports: Callable[[int], list[int]]) -> Endpoints:
    control, events_in, events_out = free_ports(3)
    return Endpoints(control_port=control, events_in_port=events_in, events_out_port=events_out)


@pytest.fixture
def source(endpoints: Endpoints) -> Iterator[Source]:
    running = Source(endpoints, Log())
    yield running
    running.close()


class Followed:
    """A follower and all that it has returned."""

    def __init__(self, endpoints: Endpoints, topics: tuple[str, ...] = ("",)) -> None:
        self.follower = Follower(endpoints, "test", topics)
        self.items: list[FollowerItem] = []

    def at(self, seq: int) -> bool:
        """Poll once; whether this change has come, all from the last reset on without gaps or repeats."""
        self.items += self.follower.poll(0.05)
        numbers = followed(self.items)
        assert not numbers or numbers == [*range(numbers[0], numbers[-1] + 1)]
        return bool(numbers) and numbers[-1] == seq

    def __enter__(self) -> Followed:
        return self

    def __exit__(self, *_: object) -> None:
        self.follower.close()


def test_over_sockets_a_real_gap_is_replayed(
    endpoints: Endpoints, source: Source, wait_until: Callable[..., None]
) -> None:
    with Followed(endpoints) as one:
        wait_until(lambda: one.at(0), what="reset")
        assert one.follower.connected
        for number in range(60):
            source.change(lose=number % 3 == 1)
        source.change(lose=True)
        source.beat()
        wait_until(lambda: one.at(61), what="all 61 changes")
        assert len([item for item in one.items if isinstance(item, Reset)]) == 1


def test_over_sockets_topics_filter_what_is_returned_not_what_is_followed(
    endpoints: Endpoints, source: Source, wait_until: Callable[..., None]
) -> None:
    with Followed(endpoints, ("file.",)) as one, Publisher(endpoints.events_in, "d") as publisher:

        def file_seen() -> bool:
            publisher.publish("file.seen", FileEvent("a.tif"))
            one.items += one.follower.poll(0.05)
            return any(isinstance(item, Event) for item in one.items)

        wait_until(file_seen, what="file event")
        source.change()
        wait_until(lambda: file_seen() and one.follower.seq == 1, what="change followed")
        assert {item.envelope.type for item in one.items if isinstance(item, Event)} == {"file.seen"}


def test_over_sockets_a_restarted_scheduler_is_followed_on(
    endpoints: Endpoints, wait_until: Callable[..., None]
) -> None:
    log = Log()
    first = Source(endpoints, log)
    with Followed(endpoints) as one:
        wait_until(lambda: one.at(0), what="reset")
        first.close()
        log.change()
        second = Source(endpoints, log)
        try:
            wait_until(lambda: second.beat() or one.at(1), what="change made while away")
            assert len([item for item in one.items if isinstance(item, Reset)]) == 1
        finally:
            second.close()


def test_over_sockets_silence_is_noticed_and_ends(
    endpoints: Endpoints, source: Source, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "QUIET_S", 0.1)
    monkeypatch.setattr(follower_module, "ANSWER_TIMEOUT_S", 0.1)
    with Followed(endpoints) as one:
        wait_until(lambda: one.at(0), what="reset")
        source.deaf = True
        wait_until(lambda: one.at(0) and not one.follower.connected, what="silence noticed")
        source.change(lose=True)
        source.deaf = False
        wait_until(lambda: one.at(1) and one.follower.connected, what="change lost in the silence")


def test_over_sockets_a_refusal_is_asked_again_but_not_at_once(
    endpoints: Endpoints, source: Source, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "REFUSED_PAUSE_S", 0.2)
    source.refuses = 2
    with Followed(endpoints) as one:
        wait_until(lambda: one.at(0), what="reset")
        assert source.refuses == 0
        first, second, third = source.asked_at[:3]
        assert second - first > 0.1
        assert third - second > 0.1
