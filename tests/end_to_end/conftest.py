"""`warpcore up` as a user runs it: real processes, real files, watched over REST and by what it wrote."""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.own_token import OwnToken
from tests.waiting import crowd

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
HANGS_S = 400.0
"""What takes longer will not end, however busy the machine is."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure, what each session that the test knows has printed last."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        sessions = [value for value in item.funcargs.values() if isinstance(value, Up)]
        report.sections += [(f"printed by warpcore up for {one.processing}", one.tail()) for one in sessions]
    return report


class Patient(httpx.HTTPTransport):
    """Asks a few times more, as a user does, where the scheduler has not answered the API in time.

    Only what may be done twice: one that has not answered in time may have done it.
    """

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx asks for it."""
        answer = super().handle_request(request)
        for _ in range(3 if request.method in ("GET", "PUT", "PATCH") or "/processing/" in request.url.path else 0):
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            answer.close()
            time.sleep(1)
            answer = super().handle_request(request)
        return answer


class Up:
    """A running `warpcore up`, its REST address and its processes.

    With a `certificate`, which the arguments name too, its client trusts that alone.
    """

    def __init__(
        self, data: Path, processing: Path, ports: list[int], *arguments: str, certificate: Path | None = None
    ) -> None:
        self.data, self.processing = data, processing
        rest, controller, control, events_in, events_out = (str(port) for port in ports)
        self.ports = ["--controller-port", controller, "--control-port", control]
        self.ports += ["--events-in-port", events_in, "--events-out-port", events_out]
        self.log = processing.parent / f"{processing.name}.up.log"
        command = [*WARPCORE, "up", "--data", str(data), "--processing", str(processing), "--port", rest]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *self.ports, *arguments], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        base = f"http://127.0.0.1:{rest}" if certificate is None else f"https://localhost:{rest}"
        trusted = True if certificate is None else ssl.create_default_context(cafile=certificate)
        own = OwnToken(processing)
        self.http = httpx.Client(base_url=base, timeout=HANGS_S, auth=own, transport=Patient(verify=trusted))

    def get(self, path: str) -> Any:
        """The JSON of a REST resource."""
        return self.http.get(path).raise_for_status().json()

    def answers(self) -> bool:
        """Whether the whole way to the scheduler and back works."""
        assert self.process.poll() is None, f"warpcore up ended:\n{self.tail()}"
        try:
            return self.http.get("/api/health").status_code == 200
        except httpx.HTTPError:
            return False

    def items(self) -> dict[str, dict[str, Any]]:
        """All movies by name."""
        return {item["name"]: item for item in self.get("/api/items?pageSize=500")["items"]}

    def statuses(self) -> dict[str, str]:
        """Each movie's status by name; empty while nothing answers."""
        try:
            return {name: item["status"] for name, item in self.items().items()}
        except httpx.HTTPError:
            return {}

    def settled(self, count: int) -> bool:
        """Whether `count` movies are there and none has anything left to do."""
        assert self.process.poll() is None, f"warpcore up ended:\n{self.tail()}"
        try:
            summary = self.get("/api/items/summary")
        except httpx.HTTPError:
            return False
        ended = sum(summary["counts"].get(status, 0) for status in ("processed", "filtered_out", "failed"))
        return bool(ended == summary["totalItems"] >= count)

    def pids(self, *words: str) -> list[int]:
        """Processes below `up` whose command line has all these words."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                line = child.cmdline()
            except psutil.Error:
                continue
            if all(any(word in part for part in line) for word in words):
                found.append(child.pid)
        return found

    def tail(self, lines: int = 60) -> str:
        """The end of what `up` printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, within_s: float = 10.0) -> int:
        """TERM; the exit status. Fails when it takes longer, on a machine of its own, or leaves a process behind."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        status = self.process.wait(timeout=within_s + HANGS_S)
        took = time.monotonic() - begun
        assert took < within_s * crowd(), f"took {took:.1f} s to end"
        left = [child for child in children if _lives(child)]
        assert not left, f"left behind: {left}"
        return status

    def close(self) -> None:
        """End whatever is left, by id."""
        self.http.close()
        if self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
            self.process.kill()
            self.process.wait()


def _lives(process: psutil.Process) -> bool:
    """Whether a process still runs; one that has ended and waits for init to take note does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _sessions(free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]) -> Iterator[Callable[..., Up]]:
    """Starts sessions, and ends them at its own end."""
    started: list[Up] = []

    def start(data: Path, processing: Path, *arguments: str, certificate: Path | None = None) -> Up:
        session = Up(data, processing, free_ports(5), *arguments, certificate=certificate)
        started.append(session)
        wait_until(session.answers, 60, "the REST interface")
        return session

    try:
        yield start
    finally:
        for session in started:
            session.close()


@pytest.fixture
def up(free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]) -> Iterator[Callable[..., Up]]:
    """`up(data, processing, *arguments, certificate=None)` starts a session and returns it once it answers."""
    with _sessions(free_ports, wait_until) as start:
        yield start


@pytest.fixture(scope="module")
def module_up(free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]) -> Iterator[Callable[..., Up]]:
    """As `up`, for a session that the tests of a module share."""
    with _sessions(free_ports, wait_until) as start:
        yield start


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """`install(package)`: where processes started by this test find it, and only these."""

    def package_installed(package: Path) -> None:
        folder = tmp_path / "site"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, "--target", str(folder), str(package)], check=True, timeout=HANGS_S)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return package_installed


@pytest.fixture
def warpcore() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`warpcore(*arguments)` runs the command to its end."""

    def run(*arguments: str, timeout: float = HANGS_S) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*WARPCORE, *arguments], capture_output=True, text=True, timeout=timeout, check=False)

    return run
