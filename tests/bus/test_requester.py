"""When a request is sent, sent again, given up and answered: decided without sockets or a clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpcore.bus.envelope import Envelope
from warpcore.bus.messages import Error, GetHealth, GetItem, Ok, PatchSettings
from warpcore.bus.requester import Patience, Question, Requester, Step, patience_for, read_answer

THREE = Patience(timeout_s=1.0, attempts=3, first_pause_s=0.25, longest_pause_s=4.0)
FOR_EVER = Patience(timeout_s=1.0)


def sent_at(question: Question, until: float, interval: float = 0.125) -> list[float]:
    """When a question was sent, looked at every `interval`, until it was given up or the time was over."""
    times, now = [], 0.0
    while now <= until:
        step = question.step(now)
        if step is Step.GIVE_UP:
            return times
        if step is Step.SEND:
            times.append(now)
        now += interval
    return times


def test_it_is_sent_once_an_attempt_with_growing_pauses_and_then_given_up() -> None:
    question = Requester(jitter=lambda: 1.0).ask(GetHealth(), THREE, 0.0)
    assert sent_at(question, until=100) == [0.0, 1.25, 2.75]
    assert question.step(3.625) is Step.WAIT
    assert question.step(3.75) is Step.GIVE_UP  # after the last attempt there is no pause


def test_without_a_number_of_attempts_it_is_asked_for_ever_with_bounded_pauses() -> None:
    question = Requester(jitter=lambda: 1.0).ask(GetHealth(), FOR_EVER, 0.0)
    times = sent_at(question, until=10_000)
    assert times[-1] > 9_990
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert max(pauses) <= FOR_EVER.timeout_s + FOR_EVER.longest_pause_s


@given(st.integers(1, 200), st.floats(0, 1))
def test_pauses_are_cut_by_half_at_most(attempt: int, jitter: float) -> None:
    whole = THREE.pause_s(attempt, 1.0)
    assert whole / 2 <= THREE.pause_s(attempt, jitter) <= whole <= THREE.longest_pause_s


def test_a_change_of_settings_is_waited_for_a_minute_and_asked_for_again_meanwhile() -> None:
    long = patience_for(PatchSettings({}), THREE)
    assert long.total_s == 60
    assert long.attempts == 4, "one that began again in between is not asked"
    assert patience_for(GetHealth(), THREE) is THREE
    assert patience_for(PatchSettings({}), FOR_EVER) is FOR_EVER


def test_a_question_can_begin_later() -> None:
    requester = Requester()
    question = requester.ask(GetHealth(), THREE, 5.0)
    assert requester.due(4.9) == []
    assert requester.due(5.0) == [question]
    assert requester.due(5.1) == []


def test_answers_find_their_question_once_in_any_order() -> None:
    requester = Requester()
    first, second = requester.ask(GetItem("a"), THREE, 0.0), requester.ask(GetItem("b"), THREE, 0.0)
    assert requester.due(0.0) == [first, second]
    assert requester.answered(second.id) is second
    assert requester.answered(second.id) is None
    assert requester.questions == [first]
    assert requester.answered(first.id) is first
    for nobodys in (None, "", "of-an-earlier-life"):
        assert requester.answered(nobodys) is None


def test_what_is_given_up_is_forgotten_and_its_late_answer_is_nobodys() -> None:
    requester = Requester(jitter=lambda: 0.0)
    question = requester.ask(GetHealth(), Patience(1.0, attempts=1), 0.0)
    assert requester.due(0.0) == [question]
    assert requester.due(1.0) == []
    assert requester.questions == []
    assert requester.answered(question.id) is None


@given(st.lists(st.tuples(st.sampled_from(["ask", "wait", "answer", "stray"]), st.integers(0, 5)), max_size=60))
def test_each_question_ends_in_one_answer_or_is_given_up_and_keeps_its_id(steps: list[tuple[str, int]]) -> None:
    requester, now = Requester(), 0.0
    asked: list[str] = []
    ended: list[str] = []
    sends: dict[str, int] = {}
    for what, number in steps:
        if what == "ask":
            asked.append(requester.ask(GetHealth(), THREE, now).id)
        elif what == "answer" and asked:
            question = requester.answered(asked[number % len(asked)])
            ended += [question.id] if question is not None else []
        elif what == "stray":
            assert requester.answered(f"stray-{number}") is None
        else:
            now += number / 2
            for question in requester.due(now):
                sends[question.id] = sends.get(question.id, 0) + 1
    for _ in range(100):
        now += 10
        for question in requester.due(now):
            sends[question.id] = sends.get(question.id, 0) + 1
    assert requester.questions == []
    assert len(set(ended)) == len(ended)
    assert set(sends) <= set(asked)
    assert all(count <= 3 for count in sends.values())


@pytest.mark.parametrize(
    "answer", [Envelope("later.type", {}, "x"), Envelope("ok", [], "x"), Envelope("error", {}, "x")]
)
def test_an_answer_that_cannot_be_read_counts_as_an_error_and_is_noted(answer: Envelope) -> None:
    noted: list[object] = []
    read = read_answer(answer, "tcp://there:1", noted.append)
    assert isinstance(read, Error)
    assert read.code == "bad_message"
    assert "tcp://there:1" in read.detail
    assert len(noted) == 1


def test_an_answer_that_can_be_read_is_what_it_says() -> None:
    assert read_answer(Envelope("ok", {}, "x"), "there") == Ok()
