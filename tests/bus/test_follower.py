"""The follower's decisions, without sockets: gaps, trimmed logs, new epochs, and whatever else may arrive."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bus.bodies import messages
from tests.bus.change_log import Log, followed
from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import Event, FollowerItem, FollowerState, Reset
from warpcore.bus.messages import (
    EVENT_BODIES,
    Change,
    Changes,
    Error,
    GetChanges,
    GetSnapshot,
    Movie,
    Snapshot,
)


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


def test_pages_can_be_taken_one_by_one_and_those_of_an_epoch_that_ended_are_void() -> None:
    taken: list[Movie] = []

    def take(movies: list[Movie], first: bool) -> None:
        if first:
            taken.clear()
        taken.extend(movies)

    log, state = Log(), FollowerState(take)
    log.movies = [movie(number) for number in range(1, 9)]
    assert not state.answer(log.answer(GetSnapshot()))
    assert taken == log.movies[:3]
    log.epoch, log.movies = "e2", [movie(number) for number in range(21, 26)]
    (reset,) = settle(state, log)
    assert isinstance(reset, Reset)
    assert (reset.epoch, reset.movies) == ("e2", [])
    assert taken == log.movies


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
