"""The line between nanny and compute process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bus.bodies import PLAIN
from warpcore.bus import messages as m
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.channel import Channel, ChannelBrokenError, ChannelClosedError
from warpcore.services.worker.exits import exit_cause, oom_kills
from warpcore.services.worker.line import (
    Begin,
    Cancel,
    Command,
    Dropped,
    Failed,
    Faulty,
    Finished,
    Noticed,
    Progress,
    Ready,
    Report,
    Stage,
    Unusable,
)

Line = tuple[Channel[Command, Report], Channel[Report, Command]]

TASK = m.AssignTask(7, "process", "a", "a.tif", 1, 2, ["motion"], {}, {"ctf": {"voltage": 300.0}}, {}, "/d", "/p")
COMMANDS: list[Command] = [Begin(TASK), Cancel(7)]
REPORTS: list[Report] = [
    Ready("cpu", 8, {"jax": "1"}),
    Faulty(Ready("cpu", 8, {}), "the sums are off"),
    Unusable("no CUDA"),
    Noticed(m.Load(gpu_memory_mb=5), ["the gain is upside down"]),
    Progress(7, Stage.COMPUTE, "motion", 0.5),
    Finished(
        7,
        ["motion"],
        {"motion": {"skipped": False}},
        {"motion": {"motion/{movie}.json": 9, "motion/{movie}.png": None}},
        {"load": 0.5},
    ),
    Failed(7, FailureKind.INPUT, "load", "no movie"),
    Dropped(7),
]


@pytest.fixture
def line() -> Iterator[Line]:
    """The two ends of a line: the nanny's and the compute process's."""
    ours, theirs = socket.socketpair()
    nanny: Channel[Command, Report] = Channel(ours, Report)
    compute: Channel[Report, Command] = Channel(theirs, Command)
    yield nanny, compute
    nanny.close()
    compute.close()


def test_commands_and_reports_arrive_as_they_were_sent(line: Line) -> None:
    nanny, compute = line
    for command in COMMANDS:
        nanny.send(command)
    assert [compute.receive() for _ in COMMANDS] == COMMANDS
    for report in REPORTS:
        compute.send(report)
    assert list(nanny.drain()) == REPORTS


def test_items_of_any_size_arrive_whole_and_in_order(line: Line) -> None:
    nanny, compute = line
    items = [Failed(n, FailureKind.INTERNAL, "load", "x" * size) for n, size in enumerate((0, 1, 70_000, 3_000_000))]
    sender = threading.Thread(target=lambda: [compute.send(item) for item in items])
    sender.start()
    assert [nanny.receive() for _ in items] == items
    sender.join()


def test_what_was_sent_before_the_end_is_still_heard(line: Line) -> None:
    nanny, compute = line
    compute.send(Dropped(7))
    compute.close()
    heard = nanny.drain()
    assert next(heard) == Dropped(7)
    with pytest.raises(ChannelClosedError):
        next(heard)


def test_draining_an_open_line_with_nothing_on_it_gives_nothing(line: Line) -> None:
    nanny, compute = line
    assert list(nanny.drain()) == []
    compute.send(Dropped(1))
    assert list(nanny.drain()) == [Dropped(1)]


def test_numbers_of_numpy_arrive_as_plain_ones_and_what_is_no_value_is_refused(line: Line) -> None:
    nanny, compute = line
    compute.send(Finished(7, [], {"ctf": {"defocus_um": np.float64(1.5)}}, {}, {Stage.LOAD: 0.5}))
    (report,) = nanny.drain()
    assert isinstance(report, Finished)
    assert type(report.results["ctf"]["defocus_um"]) is float
    assert [type(name) for name in report.seconds] == [str]
    with pytest.raises(TypeError, match="object cannot be sent over the line"):
        compute.send(Finished(7, [], {"ctf": {"fit": object()}}, {}))


@given(st.binary(max_size=60) | st.builds(msgpack.packb, PLAIN | st.dictionaries(st.just("type"), PLAIN)))
@settings(max_examples=200)
def test_what_cannot_be_read_breaks_the_line_and_nothing_else(frame: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        nanny: Channel[Command, Report] = Channel(ours, Report)
        theirs.sendall(len(frame).to_bytes(4, "little") + frame)
        with suppress(ChannelBrokenError):
            assert all(isinstance(report, Report) for report in nanny.drain())


def test_a_word_that_does_not_exist_breaks_the_line(line: Line) -> None:
    nanny, compute = line
    compute.send(Progress(7, "lunch", "motion", 0.5))  # type: ignore[arg-type]
    with pytest.raises(ChannelBrokenError, match="lunch"):
        nanny.receive()


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
