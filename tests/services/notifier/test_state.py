"""What the notifier tells, how often, and when it tries again."""

from __future__ import annotations

import msgspec

from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import Severity
from warpcore.services.notifier.state import LONGEST_PAUSE_S, MOST_WAITING, USUAL, Notice, NotifierState, Outbox


def alarm(id: str, severity: Severity = Severity.WARNING, *, acknowledged: bool = False) -> Alarm:
    return Alarm(id, severity, "subject", f"text of {id}", 100.0, id, acknowledged=acknowledged)


def notifier(*channels: str) -> NotifierState:
    state = NotifierState()
    state.use(channels or ("webhook",))
    return state


def waiting(state: NotifierState, channel: str = "webhook") -> list[tuple[str, bool]]:
    return [(notice.alarm.id, notice.ended) for notice in state.outboxes[channel].waiting]


def see(state: NotifierState, *alarms: Alarm, severity: Severity = Severity.WARNING) -> bool:
    return state.see(alarms, severity, now=0.0, wall=200.0)


def test_each_alarm_is_told_once_and_its_end_once() -> None:
    state = notifier("webhook", "email")
    assert see(state, alarm("a"))
    assert not see(state, alarm("a"))
    assert see(state, alarm("a"), alarm("b"))
    assert see(state, alarm("b"))
    assert not see(state, alarm("b"))
    expected = [("a", False), ("b", False), ("a", True)]
    assert waiting(state, "webhook") == waiting(state, "email") == expected
    see(state, alarm("a"), alarm("b"))
    assert waiting(state)[-1] == ("a", False), "it has come again"


def test_what_was_told_is_not_told_again_by_another_process() -> None:
    state = notifier()
    see(state, alarm("a"))
    state.outboxes["webhook"].sent(state.outboxes["webhook"].due(USUAL.gather_s))
    again = msgspec.json.decode(msgspec.json.encode(state), type=NotifierState)
    again.use(["webhook"])
    assert not see(again, alarm("a"))
    assert waiting(again) == []
    see(again)
    assert waiting(again) == [("a", True)]


def test_what_someone_has_seen_already_is_not_told_and_neither_is_its_end() -> None:
    state = notifier()
    see(state, alarm("a", acknowledged=True))
    see(state)
    assert waiting(state) == []


def test_an_alarm_that_was_told_ends_also_where_someone_has_seen_it() -> None:
    state = notifier()
    see(state, alarm("a"))
    see(state, alarm("a", acknowledged=True))
    see(state)
    assert waiting(state) == [("a", False), ("a", True)]


def test_warnings_can_be_left_out() -> None:
    state = notifier()
    see(state, alarm("a"), alarm("b", Severity.CRITICAL), severity=Severity.CRITICAL)
    see(state, severity=Severity.CRITICAL)
    assert waiting(state) == [("b", False), ("b", True)]


def test_alarms_that_come_together_go_together() -> None:
    outbox = Outbox()
    outbox.put([Notice(alarm("a"), 1.0)], now=10.0)
    assert outbox.due(10.0 + USUAL.gather_s - 0.1) == []
    outbox.put([Notice(alarm("b"), 1.0)], now=11.0)
    assert [notice.alarm.id for notice in outbox.due(10.0 + USUAL.gather_s)] == ["a", "b"]


def test_a_channel_that_fails_is_tried_again_less_and_less_often_and_loses_nothing() -> None:
    outbox = Outbox()
    outbox.put([Notice(alarm("a"), 1.0)], now=0.0)
    now, pauses = USUAL.gather_s, []
    for _ in range(9):
        assert outbox.due(now)
        pauses.append(outbox.failed(now))
        assert not outbox.due(now + pauses[-1] - 0.1)
        now += pauses[-1]
    assert pauses == [5, 10, 20, 40, 80, 160, 320, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    notices = outbox.due(now)
    outbox.put([Notice(alarm("b"), 1.0)], now)
    outbox.sent(notices)
    assert [notice.alarm.id for notice in outbox.waiting] == ["b"], "it came while the other was being sent"
    assert outbox.failed(now) == 5


def test_the_oldest_notices_make_room() -> None:
    outbox = Outbox()
    outbox.put([Notice(alarm(str(number)), 1.0) for number in range(MOST_WAITING + 5)], now=0.0)
    assert (len(outbox.waiting), outbox.waiting[0].alarm.id) == (MOST_WAITING, "5")
