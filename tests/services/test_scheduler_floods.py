"""A greedy peer costs itself: the scheduler's memory stays small, and others are answered as before."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from tests.services.scheduler_site import Site, ask
from tests.waiting import crowd
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.bus.envelope import Envelope, encode, new_id
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import WorkerState

MIB = 1024 * 1024


class Scheduler:
    """A scheduler in a process of its own, with a movie's worth of everything so that its memory has settled."""

    def __init__(self, site: Site) -> None:
        self.endpoints = site.endpoints
        self._process = subprocess.Popen(site.command)
        self.client = RequestClient(self.endpoints.control, "modest", timeout_s=5.0, attempts=60)
        try:
            ask(self.client, wire.GetSummary())
        except BaseException:
            self.close()
            raise
        self._before = self._peak_bytes()

    @property
    def grown_mib(self) -> float:
        """How much memory it has had at most, beyond what it had at the start, MiB."""
        return (self._peak_bytes() - self._before) / MIB

    def close(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait()

    def _peak_bytes(self) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [one for one in status.splitlines() if one.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


@pytest.fixture
def scheduler(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[Scheduler]:
    one = Scheduler(Site(tmp_path, free_ports(4)))
    yield one
    one.close()


@contextmanager
def greedy(kind: int, address: str, *, receives: int = 1) -> Iterator[zmq.Socket[bytes]]:
    """A plain socket of a peer that takes up few messages by itself, so that all else waits at the scheduler."""
    with zmq.Context.instance().socket(kind) as one:
        one.setsockopt(zmq.LINGER, 0)
        one.setsockopt(zmq.RCVHWM, receives)
        one.setsockopt(zmq.SNDHWM, 0)
        one.setsockopt(zmq.RCVBUF, 65536)
        one.connect(address)
        yield one


def frame_of(message: Message) -> bytes:
    return encode(Envelope(message.TYPE, message.to_body(), "greedy", id=new_id()))


def longest_answer_s(client: RequestClient, until: Callable[[], object]) -> float:
    """The longest time that a small request takes until something has come true."""
    longest_s, deadline = 0.0, time.monotonic() + 60 * crowd()
    while not until():
        assert time.monotonic() < deadline, "the flood is not over after a minute"
        began = time.monotonic()
        ask(client, wire.GetSummary())
        longest_s = max(longest_s, time.monotonic() - began)
    return longest_s


def answers(socket: zmq.Socket[bytes], count: int) -> Callable[[], bool]:
    """Whether so many answers have come."""
    came: list[int] = []

    def all_came() -> bool:
        while socket.poll(0):
            came.append(len(socket.recv()))
        return len(came) >= count

    return all_came


def test_refused_settings_are_not_kept_whole(scheduler: Scheduler) -> None:
    settings = {"import": {"gain_path": ["x" * 900_000]}}
    with greedy(zmq.DEALER, scheduler.endpoints.control, receives=1000) as socket:
        for _ in range(120):
            socket.send(frame_of(wire.PatchSettings(settings)))
        assert longest_answer_s(scheduler.client, answers(socket, 120)) < 2.0 * crowd()
    assert scheduler.grown_mib < 85  # 61 measured; kept whole, they would take 108 more


def test_settings_that_would_fill_history_and_log_are_refused(scheduler: Scheduler) -> None:
    with pytest.raises(RefusedError, match="settings: together they take"):
        scheduler.client.request(wire.PatchSettings({"import": {"patterns": ["x" * 70_000]}}))


def test_answers_that_nobody_reads_do_not_fill_the_memory(scheduler: Scheduler) -> None:
    paths = [f"{number:04d}/{'x' * 190}/{'y' * 190}.tif" for number in range(1500)]
    for first in range(0, len(paths), 500):
        ask(scheduler.client, wire.RegisterFiles([wire.FoundFile(path, 1, 1) for path in paths[first : first + 500]]))
    page = len(frame_of(ask(scheduler.client, wire.GetSnapshot(0, 2000))))
    assert page > 800_000
    began_mib = scheduler.grown_mib
    with greedy(zmq.DEALER, scheduler.endpoints.control) as socket:
        for _ in range(200):
            socket.send(frame_of(wire.GetSnapshot(0, 2000)))
        deadline = time.monotonic() + 4
        assert longest_answer_s(scheduler.client, lambda: time.monotonic() > deadline) < 2.0 * crowd()
    assert scheduler.grown_mib - began_mib < 90


def test_what_comes_faster_than_it_is_handled_waits_at_its_sender(scheduler: Scheduler) -> None:
    with greedy(zmq.DEALER, scheduler.endpoints.workers) as socket:
        frame = frame_of(wire.Heartbeat("w", WorkerState.IDLE, [70_000] * 200_000))
        assert len(frame) > 900_000
        for _ in range(120):
            socket.send(frame)
        last = wire.RegisterWorker("w", "1", "host", 1, "cpu", 0, {})
        socket.send(frame_of(last))

        def is_over() -> bool:
            return bool(ask(scheduler.client, wire.GetWorkers()).workers)

        assert longest_answer_s(scheduler.client, is_over) < 2.0 * crowd()
    assert scheduler.grown_mib < 80


def test_a_subscriber_that_stops_does_not_fill_the_memory(scheduler: Scheduler) -> None:
    with (
        greedy(zmq.SUB, scheduler.endpoints.events_out) as stopped,
        greedy(zmq.DEALER, scheduler.endpoints.workers) as socket,
    ):
        stopped.setsockopt(zmq.SUBSCRIBE, b"")
        assert stopped.poll(60_000), "it is connected once it has a heartbeat"
        socket.send(frame_of(wire.RegisterWorker("w", "1", "host", 1, "cpu", 0, {})))
        assert socket.poll(60_000)
        lines = [{"level": "info", "text": "x" * 1900, "ts": 1.0} for _ in range(400)]
        for _ in range(200):
            socket.send(frame_of(wire.WorkerLog("w", lines)))

        def all_came() -> Any:
            kept = ask(scheduler.client, wire.GetWorkerLogs("w")).lines
            return kept and kept[-1]["number"] == 200 * 400

        assert longest_answer_s(scheduler.client, all_came) < 2.0 * crowd()
    assert scheduler.grown_mib < 90


def test_names_without_end_leave_the_registry_small(scheduler: Scheduler) -> None:
    with greedy(zmq.DEALER, scheduler.endpoints.workers, receives=1000) as socket:
        for number in range(3000):
            socket.send(frame_of(wire.RegisterWorker(f"w{number}", "1", "host", 1, "cpu", 0, {})))
        assert longest_answer_s(scheduler.client, answers(socket, 3000)) < 2.0 * crowd()
        registry = ask(scheduler.client, wire.GetWorkers()).workers
        assert sum(worker.state != "lost" for worker in registry) == 1
    assert scheduler.grown_mib < 60
