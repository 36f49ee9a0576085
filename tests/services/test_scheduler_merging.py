"""Progress is merged: little of it is handled, the newest always is, and the order of what a worker says stays."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from warpcore.bus.messages import TaskProgress
from warpcore.services.scheduler.core.merging import EVERY_S, FORGOTTEN_AFTER_S, ProgressMerger

SENDERS = (b"a", b"b")
STEPS = st.lists(
    st.tuples(st.sampled_from(("progress", "other", "time")), st.sampled_from(SENDERS), st.integers(1, 3)), max_size=80
)


def progress(lease: int, number: int) -> TaskProgress:
    return TaskProgress("w", lease, "a", "motion", 0.5, str(number))


@given(STEPS, st.floats(0.01, 1.0))
def test_the_newest_is_handled_soon_and_before_anything_else_of_its_worker(
    steps: list[tuple[str, bytes, int]], pause_s: float
) -> None:
    merger, now = ProgressMerger(), 100.0
    newest: dict[tuple[bytes, int], str] = {}
    came_at: dict[tuple[bytes, int], float] = {}
    handled: defaultdict[tuple[bytes, int], list[tuple[float, str]]] = defaultdict(list)

    def handle(sender: bytes, message: TaskProgress) -> None:
        handled[sender, message.lease].append((now, message.message))

    for number, (what, sender, lease) in enumerate(steps):
        if what == "progress":
            newest[sender, lease] = str(number)
            came_at.setdefault((sender, lease), now)
            if merger.note(sender, progress(lease, number), now):
                handle(sender, progress(lease, number))
        elif what == "other":
            for message in merger.taken(sender, now):
                handle(sender, message)
            for key in newest.keys() & {(sender, lease) for lease in (1, 2, 3)}:
                assert handled[key][-1][1] == newest[key], "before what comes next"
        else:
            now += pause_s
        for sender_due, message in merger.due(now):
            handle(sender_due, message)
    now += EVERY_S
    for sender_due, message in merger.due(now):
        handle(sender_due, message)
    for key, text in newest.items():
        assert handled[key][-1][1] == text
        assert handled[key][0][0] == came_at[key], "the first word is not held back"
        numbers = [int(message) for _, message in handled[key]]
        assert numbers == sorted(set(numbers))


def test_of_a_flood_two_a_second_are_handled() -> None:
    merger, handled = ProgressMerger(), 0
    for number in range(1000):
        now = number / 100
        handled += merger.note(b"a", progress(1, number), now)
        handled += len(merger.due(now))
    assert handled <= 10 / EVERY_S + 1


def test_ended_leases_and_lost_connections_are_forgotten() -> None:
    merger = ProgressMerger()
    for number in range(1000):
        merger.note(str(number).encode(), progress(number, number), 0.0)
    for lease in range(1000):
        merger.note(b"liar", progress(lease, lease), 0.0)
    merger.forget(FORGOTTEN_AFTER_S)
    assert merger.note(b"0", progress(0, 0), FORGOTTEN_AFTER_S)
    assert merger.leases <= 1000 + 9
    merger.forget(FORGOTTEN_AFTER_S + 1)
    assert merger.leases == 1


def test_a_worker_that_does_many_leases_a_second_is_merged_too() -> None:
    merger, handled = ProgressMerger(), 0
    for lease in range(1, 201):
        now = lease / 100
        handled += sum(merger.note(b"a", progress(lease, word), now) for word in range(4))
        merger.ended(b"a", lease)
        handled += len(merger.taken(b"a", now))
    assert handled == 200, "the first word of each: its results say more than what waits"
    assert merger.leases == 0


def test_a_text_of_another_step_is_not_lost_to_what_comes_next() -> None:
    merger = ProgressMerger()
    steps = ("load", "picking", "picking", "write")
    said = [TaskProgress("w", 1, "a", step, 0.5, "scores kept" if step == "picking" else "") for step in steps]
    handled = [merger.note(b"a", message, 100.0 + number / 100) for number, message in enumerate(said)]
    assert handled == [True, True, False, False]
    assert merger.taken(b"a", 100.1) == [said[-1]]
