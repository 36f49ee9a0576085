"""The window on the stream of events: each reader gets every event after its place once and in order, or is told no."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from warpcore.services.api.live.log import Entry, EventLog


def change(seq: int, size: int = 10) -> Entry:
    return Entry("movie.done", seq, b"x" * size)


NOTICE = Entry("worker.heartbeat", 0, b"beat")


def filled(*seqs: int, **limits: int) -> EventLog:
    log = EventLog(**limits)
    log.restart("e", seqs[0] - 1 if seqs else 0)
    log.append([change(seq) for seq in seqs], 0)
    return log


def seqs_after(log: EventLog, seq: int) -> list[int] | None:
    position = log.position_after(seq)
    entries = None if position is None else log.after(position)
    return None if entries is None else [entry.seq for entry in entries]


def test_a_reader_goes_on_after_the_change_that_it_had() -> None:
    log = filled(5, 6, 7)
    assert seqs_after(log, 5) == [6, 7]
    assert seqs_after(log, 7) == []
    assert seqs_after(log, 4) == [5, 6, 7]


def test_changes_that_are_gone_or_not_yet_here_are_told_apart_from_none() -> None:
    log = filled(5, 6, 7)
    assert seqs_after(log, 3) is None
    assert seqs_after(log, 8) is None


def test_notices_between_changes_are_not_repeated() -> None:
    log = filled(1)
    log.append([NOTICE, change(2), NOTICE], 2)
    assert seqs_after(log, 1) == [2, 0]
    assert seqs_after(log, 2) == []


def test_a_change_that_could_not_be_read_leaves_no_hole() -> None:
    log = filled(1)
    log.append([], 2)
    assert log.head == 2
    assert seqs_after(log, 2) == []


def test_a_reader_who_is_too_far_behind_is_told_so() -> None:
    log = filled(1, 2, 3, most_events=2)
    first = log.position_after(1)
    assert first is not None
    log.append([change(4)], 0)
    assert log.after(first) is None
    assert seqs_after(log, 1) is None
    assert seqs_after(log, 2) == [3, 4]


def test_bytes_are_bounded_too_and_the_newest_event_always_stays() -> None:
    log = filled(most_bytes=100)
    log.append([change(1, 60), change(2, 60)], 0)
    assert seqs_after(log, 0) is None
    assert seqs_after(log, 1) == [2]
    log.append([change(3, 500)], 0)
    assert seqs_after(log, 2) == [3]


def test_nobody_goes_on_over_a_new_beginning() -> None:
    log = filled(1, 2)
    end = log.end
    log.restart("f", 7)
    assert log.after(end) is None
    assert seqs_after(log, 2) is None
    assert seqs_after(log, 7) == []


def test_a_piece_holds_at_least_one_event() -> None:
    log = filled(1, 2, 3)
    position = log.position_after(0)
    assert position is not None
    assert [entry.seq for entry in log.after(position, 20) or []] == [1, 2]
    assert [entry.seq for entry in log.after(position, 1) or []] == [1]


@settings(deadline=None)
@given(st.data())
def test_each_reader_gets_each_change_once_and_in_order_or_is_cut_off(data: st.DataObject) -> None:
    log = EventLog(most_events=data.draw(st.integers(1, 8)), most_bytes=data.draw(st.integers(10, 100)))
    log.restart("e", 0)
    readers: list[tuple[int, int, list[int]]] = []
    head = 0
    for act in data.draw(st.lists(st.sampled_from(["change", "notice", "join", "read"]), max_size=60)):
        if act == "change":
            head += 1
            log.append([change(head, data.draw(st.integers(1, 60)))], head)
        elif act == "notice":
            log.append([NOTICE], head)
        elif act == "join":
            since = data.draw(st.integers(0, head))
            position = log.position_after(since)
            if position is not None:
                readers.append((since, position, []))
        elif readers:
            place = data.draw(st.integers(0, len(readers) - 1))
            since, position, got = readers.pop(place)
            entries = log.after(position, 30)
            if entries is not None:
                got += [entry.seq for entry in entries if entry.seq]
                assert got == list(range(since + 1, since + 1 + len(got)))
                readers.append((since, position + len(entries), got))
    for since, position, got in readers:
        rest = log.after(position)
        if rest is not None:
            assert [*got, *(entry.seq for entry in rest if entry.seq)] == list(range(since + 1, head + 1))
