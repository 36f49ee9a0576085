"""The follower: its decisions without sockets, then over real ones, through gaps, trimmed logs and restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bus.bodies import messages
from warpcore.bus import follower as follower_module
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.events import EventHub, Publisher
from warpcore.bus.follower import Event, Follower, FollowerItem, FollowerState, Reset
from warpcore.bus.messages import (
    EVENT_BODIES,
    Change,
    Changes,
    Error,
    FileEvent,
    GetChanges,
    GetSnapshot,
    Movie,
    ServiceEvent,
    Snapshot,
)
from warpcore.bus.router import Router
from warpcore.bus.schema import Message, read_message


class Log:
    """What a scheduler's change log is to a follower: numbered changes, an epoch, a beginning that may be trimmed."""

    def __init__(self, epoch: str = "e1") -> None:
        self.epoch = epoch
        self.head = 0
        self.first = 1
        self.movies: list[Movie] = []

    def change(self) -> Envelope:
        self.head += 1
        return self.row(self.head)

    def row(self, seq: int) -> Envelope:
        return Envelope("processing.paused", {"paused": seq % 2 == 0}, "scheduler", seq=seq)

    def beat(self) -> Envelope:
        body = ServiceEvent("scheduler", "host", 1, head=self.head, epoch=self.epoch).to_body()
        return Envelope("service.heartbeat", body, "scheduler")

    def answer(self, request: Message, page: int = 3) -> Message:
        if isinstance(request, GetSnapshot):
            movies = [movie for movie in self.movies if movie.id > request.after][:page]
            more = bool(movies) and movies[-1].id < self.movies[-1].id
            return Snapshot(self.head, self.epoch, movies, movies[-1].id if more else None, {}, 1, False)
        if not isinstance(request, GetChanges):
            return Error("unknown_type", request.TYPE)
        if request.since + 1 < self.first:
            return Changes([], self.head, self.epoch, trimmed=True)
        rows = [self.row(seq) for seq in range(request.since + 1, min(self.head, request.since + page) + 1)]
        return Changes([Change(row.seq, row.type, row.body) for row in rows], self.head, self.epoch)


def movie(number: int) -> Movie:
    return Movie(number, f"m{number}", f"m{number}.tif", 1, 1, "unprocessed")


def settle(state: FollowerState, log: Log) -> list[FollowerItem]:
    """Answer all that the state asks, as a scheduler that nobody interrupts."""
    items: list[FollowerItem] = []
    for _ in range(1000):
        request = state.asking()
        if request is None:
            return items
        items += state.answer(log.answer(request))
    pytest.fail("the follower never stops asking")


def followed(items: list[FollowerItem]) -> list[int]:
    """The durable numbers after the last reset, that of the reset first."""
    numbers: list[int] = []
    for item in items:
        if isinstance(item, Reset):
            numbers = [item.seq]
        elif item.envelope.seq:
            numbers.append(item.envelope.seq)
    return numbers


def test_it_starts_with_a_whole_snapshot_in_pages() -> None:
    log = Log()
    log.movies = [movie(number) for number in range(1, 9)]
    log.head = 40
    items = settle(FollowerState(), log)
    assert len(items) == 1
    assert isinstance(items[0], Reset)
    assert (items[0].seq, items[0].epoch, items[0].movies) == (40, "e1", log.movies)


def test_changes_made_between_two_pages_are_replayed() -> None:
    log, state = Log(), FollowerState()
    log.movies = [movie(number) for number in range(1, 5)]
    items = state.answer(log.answer(GetSnapshot()))
    log.change()
    items += settle(state, log)
    assert followed(items) == [0, 1]


def test_a_new_epoch_between_two_pages_begins_again() -> None:
    log, state = Log(), FollowerState()
    log.movies = [movie(number) for number in range(1, 5)]
    assert not state.answer(log.answer(GetSnapshot()))
    log.epoch, log.movies = "e2", [movie(9)]
    request = state.asking()
    assert request is not None
    items = state.answer(log.answer(request)) + settle(state, log)
    assert [item.movies for item in items if isinstance(item, Reset)] == [[movie(9)]]


def test_an_event_in_order_is_applied_without_asking() -> None:
    log, state = Log(), FollowerState()
    settle(state, log)
    assert followed(state.event(log.change()) + state.event(log.change())) == [1, 2]
    assert state.asking() is None


def test_a_gap_is_filled_from_the_log_and_nothing_comes_twice() -> None:
    log, state = Log(), FollowerState()
    settle(state, log)
    log.change()
    log.change()
    third = log.change()
    assert state.event(third) == []
    assert state.asking() == GetChanges(since=0)
    assert followed(settle(state, log)) == [1, 2, 3]
    assert state.event(third) == []


def test_a_beat_with_a_newer_head_reveals_lost_events() -> None:
    log, state = Log(), FollowerState()
    settle(state, log)
    log.change()
    beat = log.beat()
    assert state.event(beat) == [Event(beat)]
    assert state.asking() == GetChanges(since=0)
    assert followed(settle(state, log)) == [1]


@pytest.mark.parametrize("cause", ["trimmed", "epoch", "older"])
def test_a_log_that_does_not_continue_causes_a_reset(cause: str) -> None:
    log, state = Log(), FollowerState()
    log.head = 5
    settle(state, log)
    log.head = {"trimmed": 50, "epoch": 7, "older": 2}[cause]
    if cause == "trimmed":
        log.first = 20
    if cause == "epoch":
        log.epoch = "e2"
    state.event(log.beat())
    items = settle(state, log)
    assert [(item.seq, item.epoch) for item in items if isinstance(item, Reset)] == [(log.head, log.epoch)]


def test_a_row_that_the_log_cannot_give_causes_a_reset_not_a_loop() -> None:
    log, state = Log(), FollowerState()
    settle(state, log)
    log.change()
    state.event(log.beat())
    state.answer(Changes([], head=1, epoch="e1"))
    assert followed(settle(state, log)) == [1]


def test_a_row_of_an_unknown_topic_is_passed_over() -> None:
    log, state = Log(), FollowerState()
    settle(state, log)
    log.head = 2
    state.event(log.beat())
    rows = [Change(1, "later.topic", {}), Change(2, "processing.paused", {"paused": True})]
    assert followed(state.answer(Changes(rows, 2, "e1"))) == [2]
    assert (state.malformed, state.seq, state.asking()) == (1, 2, None)


@given(st.lists(st.sampled_from(["change", "lose", "beat", "file", "trim", "epoch", "answer", "repeat"]), max_size=60))
@settings(max_examples=300)
def test_whatever_is_lost_each_change_comes_once_and_in_order(steps: list[str]) -> None:
    log, state, items, sent = Log(), FollowerState(), [], []
    for step in steps:
        if step == "change":
            sent.append(log.change())
            items += state.event(sent[-1])
        elif step == "lose":
            log.change()
        elif step == "beat":
            items += state.event(log.beat())
        elif step == "file":
            items += state.event(Envelope("file.seen", {"path": "a"}, "discoverer"))
        elif step == "trim":
            log.first = log.head + 1
        elif step == "epoch":
            log, sent = Log(log.epoch + "x"), []
        elif step == "repeat" and sent:
            items += state.event(sent[-1])
        elif step == "answer" and (request := state.asking()) is not None:
            items += state.answer(log.answer(request))
    items += settle(state, log) + state.event(log.beat()) + settle(state, log)
    numbers = followed(items)
    assert numbers == [*range(numbers[0], log.head + 1)]
    assert state.epoch == log.epoch


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_whatever_the_scheduler_says_it_goes_on_to_the_true_state(data: st.DataObject) -> None:
    log, state = Log(), FollowerState()
    log.change()
    for _ in range(data.draw(st.integers(0, 6))):
        if data.draw(st.booleans()):
            topic, body = data.draw(st.sampled_from(sorted(EVENT_BODIES.items())))
            seq = data.draw(st.integers(0, 3))
            state.event(Envelope(topic, data.draw(messages(body)).to_body(), "x", seq=seq))
        else:
            state.answer(data.draw(st.one_of([messages(cls) for cls in (Snapshot, Changes, Error)])))
    state.ask()
    settle(state, log)
    state.event(log.beat())
    settle(state, log)
    assert (state.epoch, state.seq) == (log.epoch, log.head)


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
