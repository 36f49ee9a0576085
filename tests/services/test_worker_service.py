"""A whole worker, nanny and compute process, against a scheduler that a test plays on a real socket."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from tests.bus.server import Server
from warpcore.bus import messages as m
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, decode, encode
from warpcore.bus.limits import LOG_LINES
from warpcore.bus.schema import Message, read_message
from warpcore.bus.vocabulary import ErrorCode, FailureKind, WorkerState
from warpcore.services.process.instances import new_instance
from warpcore.services.session.settings import Settings
from warpcore.services.worker import nanny as nanny_module
from warpcore.services.worker.log_lines import LINES_AT_ONCE, LONGEST_LINE, LogLines, Reader
from warpcore.services.worker.service import Served, run_worker


class Scheduler:
    """Refuses the first request of each type, answers the others, and keeps what it heard.

    The instance `taken_by` has the worker's name until the worker says that it has ended.
    """

    def __init__(self, address: str) -> None:
        self.taken_by = ""
        self.heard: list[Message] = []
        self._refused: set[str] = set()
        self.server = Server(address, self._answer)

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.heard if type(message) is kind]

    def _answer(self, envelope: Envelope, before: int) -> Message | None:
        message = read_message(envelope.type, envelope.body)
        self.heard.append(message)
        if not message.ANSWERS:
            return None
        if envelope.type not in self._refused:
            self._refused.add(envelope.type)
            return m.Error(ErrorCode.INTERNAL, "disk full")
        match message:
            case m.RegisterWorker() if message.replaces != self.taken_by:
                return m.WaitForName(message.name, self.taken_by, "host", 1, 0.5)
            case m.RegisterWorker():
                return m.WorkerRegistered(message.name, 0.1, [])
        return m.Ok()

    def say(self, message: Message) -> bool:
        (*_, registered) = self.of(m.RegisterWorker)
        assert isinstance(registered, m.RegisterWorker)
        return self.server.send(registered.instance.encode(), Envelope(message.TYPE, message.to_body(), "scheduler"))


@pytest.fixture
def scheduler(
    request: pytest.FixtureRequest,
    free_ports: Callable[[int], list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Scheduler]:
    """A scheduler with a running worker; the parameter, if there is one, is after how many seconds it rests."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(nanny_module, "REFUSED_PAUSE_S", 0.1)
    monkeypatch.setenv("WARPCORE_CACHE", str(tmp_path / "cache"))
    endpoints = Endpoints(controller_port=free_ports(1)[0])
    one, stop = Scheduler(endpoints.workers), threading.Event()
    options = {"name": "w", "device": "cpu", "rest_after_s": getattr(request, "param", None), "stop": stop}
    worker = threading.Thread(target=run_worker, args=([Served(endpoints)],), kwargs=options)
    worker.start()
    yield one
    stop.set()
    worker.join(30)
    one.server.close()
    assert not worker.is_alive()


def unreadable(folder: Path) -> m.AssignTask:
    """The task of a movie that cannot be read."""
    (folder / "no.mrc").write_text("not a movie")
    return m.AssignTask(
        lease=7,
        purpose="process",
        name="no",
        path="no.mrc",
        size=11,
        mtime_ns=(folder / "no.mrc").stat().st_mtime_ns,
        run=["motion"],
        wanted={},
        settings=Settings().to_dict(),
        results={},
        data_directory=str(folder),
        processing_directory=str(folder / "processing"),
    )


def test_refusals_and_a_name_that_is_taken_delay_a_worker_and_never_stall_it(
    scheduler: Scheduler, tmp_path: Path, wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as before:
        scheduler.taken_by = new_instance(before.pid)
        wait_until(lambda: len(scheduler.of(m.RegisterWorker)) >= 4, 60, what="a worker that asks again and again")
        assert not scheduler.of(m.PullTasks)
        assert caplog.text.count("the name w is taken by process 1 on host") == 1
        before.kill()
    wait_until(lambda: m.PullTasks("w", 2) in scheduler.heard, 60, what="a registered worker")
    registered = scheduler.of(m.RegisterWorker)[-1]
    assert isinstance(registered, m.RegisterWorker)
    assert registered.replaces == scheduler.taken_by
    assert scheduler.say(unreadable(tmp_path))
    wait_until(lambda: len(scheduler.of(m.TaskFailed)) == 2, 60, what="a failure that was told twice")
    first, second = scheduler.of(m.TaskFailed)
    assert first == second
    assert isinstance(first, m.TaskFailed)
    assert (first.lease, first.kind) == (7, FailureKind.INPUT)

    def idle() -> bool:
        (*_, beat) = scheduler.of(m.Heartbeat)
        assert isinstance(beat, m.Heartbeat)
        return beat.state is WorkerState.IDLE and not beat.leases and (beat.load.host_memory_mb or 0) > 0

    wait_until(idle, what="a worker that is free again and tells its memory")


@pytest.mark.parametrize("scheduler", [1.0], indirect=True)
def test_a_worker_without_movies_ends_its_computation_and_wakes_for_the_next_one(
    scheduler: Scheduler, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    def processes() -> int:
        found = 0
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):  # it ends meanwhile
                found += "warpcore.services.worker.compute" in child.cmdline()
        return found

    wait_until(lambda: m.PullTasks("w", 2) in scheduler.heard, 60, what="a registered worker")
    wait_until(lambda: processes() == 0, 20, what="a computation that has ended")
    assert scheduler.say(unreadable(tmp_path))
    wait_until(lambda: scheduler.of(m.TaskFailed), 60, what="a movie that was tried")
    assert not scheduler.of(m.ComputeDied)


def test_a_worker_serves_two_schedulers_and_goes_on_with_one_when_the_other_dies(
    tmp_path: Path,
    wait_until: Callable[..., None],
    free_ports: Callable[[int], list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both give their tasks the same lease."""
    monkeypatch.setenv("WARPCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(nanny_module, "REFUSED_PAUSE_S", 0.1)
    endpoints, stop = [Endpoints(controller_port=port) for port in free_ports(2)], threading.Event()
    one, other = (Scheduler(where.workers) for where in endpoints)
    options = {"name": "both", "device": "cpu", "stop": stop}
    worker = threading.Thread(target=run_worker, args=([Served(where) for where in endpoints],), kwargs=options)
    worker.start()
    try:
        for each in (one, other):
            wait_until(lambda each=each: m.PullTasks("both", 1) in each.heard, 60, what="an offer of a task to each")
        for each, folder in ((one, tmp_path / "one"), (other, tmp_path / "other")):
            folder.mkdir()
            assert each.say(unreadable(folder))
        for each in (one, other):
            wait_until(lambda each=each: each.of(m.TaskFailed), 60, what="the task of each, told to its scheduler")
            assert {message.lease for message in each.of(m.TaskFailed)} == {7}  # type: ignore[attr-defined]
        assert "/other" not in str(one.of(m.TaskFailed))
        other.server.close()
        assert one.say(replace(unreadable(tmp_path / "one"), lease=8))
        wait_until(lambda: 8 in {told.lease for told in one.of(m.TaskFailed)}, 60, what="another task")  # type: ignore[attr-defined]
    finally:
        stop.set()
        worker.join(30)
        one.server.close()
        other.server.close()
    assert not worker.is_alive()


WRONG_TRANSFORMS = """
import jax.numpy as jnp
right = jnp.fft.rfft2
jnp.fft.rfft2 = lambda *arguments, **options: right(*arguments, **options) * 1.001
"""


@pytest.fixture
def wrong_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In processes started from now on, JAX's Fourier transforms are off by a thousandth."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WRONG_TRANSFORMS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))


def test_a_worker_on_a_device_that_computes_wrongly_says_so_and_takes_no_movie(
    wrong_device: None, scheduler: Scheduler, wait_until: Callable[..., None]
) -> None:
    wait_until(lambda: len(scheduler.of(m.ComputeDied)) == 2, 60, what="a bad device that was told twice")
    first, second = scheduler.of(m.ComputeDied)
    assert first == second
    assert isinstance(first, m.ComputeDied)
    assert (first.kind, first.leases, first.culprit) == (FailureKind.BAD_GPU, [], None)
    assert first.cause.startswith("the Fourier transforms of a known computation are off by 0.001 ")

    def aside() -> bool:
        beats = scheduler.of(m.Heartbeat)
        return bool(beats) and isinstance(beats[-1], m.Heartbeat) and beats[-1].state is WorkerState.SET_ASIDE

    wait_until(aside, what="a heartbeat of a worker that is set aside")
    assert {one.credit for one in scheduler.of(m.PullTasks) if isinstance(one, m.PullTasks)} <= {0}


def test_a_worker_tells_its_whole_log_and_again_once_it_is_forgotten(
    scheduler: Scheduler, wait_until: Callable[..., None]
) -> None:
    """Its first lines come from before it was registered."""

    def told(text: str) -> list[int]:
        lines = [line for one in scheduler.of(m.WorkerLog) if isinstance(one, m.WorkerLog) for line in one.lines]
        return [line["number"] for line in lines if text in line["text"]]

    first, of_compute = "worker w serves the scheduler", "no GPU in use"
    wait_until(lambda: told(first) and told(of_compute), 60, what="the worker's log")
    assert len(told(first)) == len(told(of_compute)) == 1
    assert scheduler.say(m.UnknownWorker())
    wait_until(lambda: len(told(of_compute)) == 2, 20, what="the same lines again")
    assert len(set(told(first))) == len(set(told(of_compute))) == 1, "under the same numbers"


def test_a_log_keeps_its_last_lines_and_numbers_each() -> None:
    lines = LogLines()
    for number in range(LOG_LINES):
        lines.emit(logging.makeLogRecord({"msg": "a\nb %d", "args": (number,), "levelname": "INFO"}))
    first, second, *_ = Reader(lines).take()
    assert (first["number"], first["text"]) == (LOG_LINES + 1, "a")
    assert (second["number"], second["text"]) == (LOG_LINES + 2, f"b {LOG_LINES // 2}")


def test_a_scheduler_is_not_told_of_another_sessions_movies() -> None:
    lines = LogLines()
    for text, session in (("a's", "/a"), ("b's", "/b"), ("all's", None)):
        lines.emit(logging.makeLogRecord({"msg": text, "levelname": "INFO", "session": session}))
    of_a, of_b = Reader(lines), Reader(lines)
    of_a.sessions.add("/a")
    of_b.sessions.add("/b")
    assert [line["text"] for line in of_a.take()] == ["a's", "all's"]
    assert [line["text"] for line in of_b.take()] == ["b's", "all's"]
    assert of_a.take() == []


def test_log_lines_of_any_content_fit_a_frame() -> None:
    lines = [{"level": "warning", "text": "\U0001f52c" * LONGEST_LINE, "ts": 1.5} for _ in range(LINES_AT_ONCE)]
    log = m.WorkerLog("w" * 128, lines)
    assert decode(encode(Envelope(log.TYPE, log.to_body(), "w"))).body == log.to_body()
