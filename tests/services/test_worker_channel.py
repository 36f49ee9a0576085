"""The line between nanny and compute process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from warpcore.services.worker.channel import Channel, ChannelClosedError
from warpcore.services.worker.exits import exit_cause, oom_kills


@pytest.fixture
def line() -> Iterator[tuple[Channel, Channel]]:
    """The two ends of a line."""
    ends = [Channel(end) for end in socket.socketpair()]
    yield ends[0], ends[1]
    for end in ends:
        end.close()


def test_maps_of_any_size_arrive_whole_and_in_order(line: tuple[Channel, Channel]) -> None:
    ours, theirs = line
    items = [{"n": n, "data": b"x" * size} for n, size in enumerate((0, 1, 70_000, 3_000_000))]
    sender = threading.Thread(target=lambda: [ours.send(item) for item in items])
    sender.start()
    assert [theirs.receive() for _ in items] == items
    sender.join()


def test_what_was_sent_before_the_end_is_still_heard(line: tuple[Channel, Channel]) -> None:
    ours, theirs = line
    ours.send({"last": "words"})
    ours.close()
    heard = theirs.drain()
    assert next(heard) == {"last": "words"}
    with pytest.raises(ChannelClosedError):
        next(heard)


def test_draining_an_open_line_with_nothing_on_it_gives_nothing(line: tuple[Channel, Channel]) -> None:
    ours, theirs = line
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


def test_oom_kills_are_read_from_the_control_group(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 3\noom 2\noom_kill 4\n")
    assert oom_kills(events) == 4
    assert oom_kills(tmp_path / "absent") == 0
