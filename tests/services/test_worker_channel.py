"""The line between nanny and compute process."""

from __future__ import annotations

import socket
import threading

import pytest
from warpcore.services.worker.channel import Channel, ChannelClosedError
from warpcore.services.worker.exits import exit_cause, oom_kills


def test_maps_of_any_size_arrive_whole_and_in_order() -> None:
    ours, theirs = (Channel(end) for end in socket.socketpair())
    items = [{"n": n, "data": b"x" * size} for n, size in enumerate((0, 1, 70_000, 3_000_000))]
    sender = threading.Thread(target=lambda: [ours.send(item) for item in items])
    sender.start()
    assert [theirs.receive() for _ in items] == items
    sender.join()


def test_what_was_sent_before_the_end_is_still_heard() -> None:
    ours, theirs = (Channel(end) for end in socket.socketpair())
    ours.send({"last": "words"})
    ours.close()
    heard = []
    with pytest.raises(ChannelClosedError):
        for item in theirs.drain():
            heard.append(item)
    assert heard == [{"last": "words"}]


def test_draining_an_open_line_with_nothing_on_it_gives_nothing() -> None:
    ours, theirs = (Channel(end) for end in socket.socketpair())
    assert list(theirs.drain()) == []
    ours.send({"a": 1})
    assert list(theirs.drain()) == [{"a": 1}]


@pytest.mark.parametrize(
    ("returncode", "kills", "kind", "words"),
    [
        (-9, 0, "lost_worker", "SIGKILL"),
        (-9, 1, "resource", "out of memory"),
        (-11, 0, "lost_worker", "SIGSEGV"),
        (3, 0, "bad_gpu", "status 3: no device"),
        (1, 0, "lost_worker", "status 1: no device"),
    ],
)
def test_the_cause_of_a_death_is_named(returncode: int, kills: int, kind: str, words: str) -> None:
    found, cause = exit_cause(returncode, kills, "no device")
    assert found == kind
    assert words in cause


def test_oom_kills_are_read_from_the_control_group(tmp_path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 3\noom 2\noom_kill 4\n")
    assert oom_kills(events) == 4
    assert oom_kills(tmp_path / "absent") == 0
