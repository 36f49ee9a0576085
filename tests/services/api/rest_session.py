"""A session for tests of REST: gunicorn and the scheduler as processes, and a worker's part of the protocol."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.reports import whole
from warpcore.bus import messages as m
from warpcore.bus.client import RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.schema import read_message
from warpcore.bus.vocabulary import FailureKind, MovieStatus
from warpcore.services.access.places import Access
from warpcore.services.access.token_files import read_token
from warpcore.services.worker.seeing import sees

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
SCHEDULER_START_S = 90.0
"""Three processes import numpy and more, some seconds of CPU time: long on a machine with much else to do."""
ALLOWED_ORIGIN = "https://lab.example:8443"
"""The one other origin whose pages may use the API of the fixture `api`."""


class Api:
    """A scheduler and an API as processes, and clients of both.

    `access` has the token of an operator, which `http` sends; without it REST is open.
    """

    def __init__(self, folder: Path, ports: list[int], *api_options: str, access: Access | None = None) -> None:
        self.endpoints = Endpoints("127.0.0.1", *ports[:4])
        self.rest_port = ports[4]
        self.processing = folder / "results"
        (folder / "movies").mkdir(exist_ok=True)
        names = ("--controller-port", "--control-port", "--events-in-port", "--events-out-port")
        options = [text for name, port in zip(names, ports, strict=False) for text in (name, str(port))]
        self._scheduler_command = [
            *(*WARPCORE, "scheduler", "--data", str(folder / "movies"), "--processing", str(self.processing)),
            *options,
        ]
        self.scheduler = subprocess.Popen(self._scheduler_command)
        self._server_command = [*WARPCORE, "api", "--port", str(self.rest_port)]
        self._server_command += ["--control-port", str(self.endpoints.control_port)]
        self._server_command += ["--events-out-port", str(self.endpoints.events_out_port), *api_options]
        self._server_command += ["--insecure"] if access is None else ["--access", str(access.folder)]
        self.server = subprocess.Popen(self._server_command)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.rest_port}", timeout=30)
        if access is not None:
            self.http.headers["Authorization"] = f"Bearer {read_token(access.operator_token)}"
        self.control = self.another_client(SCHEDULER_START_S)

    def another_client(self, timeout_s: float = 1.0) -> RequestClient:
        """A client of the scheduler that asks once."""
        return RequestClient(self.endpoints.control, "test", timeout_s=timeout_s, attempts=1)

    def restart_scheduler(self) -> None:
        """Start it again after it was killed."""
        self.scheduler = subprocess.Popen(self._scheduler_command)

    def restart_server(self, *options: str) -> None:
        """Start the API again after it was ended, or killed: then gunicorn takes a second to follow."""
        deadline = time.monotonic() + SCHEDULER_START_S
        while not _is_free(self.rest_port):
            assert time.monotonic() < deadline, "the former API does not let go of its port"
            time.sleep(0.02)
        self.server = subprocess.Popen([*self._server_command, *options])

    def wait(self) -> None:
        """Until a request goes all the way."""
        deadline = time.monotonic() + SCHEDULER_START_S
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if self.http.get("/api/health").status_code == 200:
                    return
            time.sleep(0.02)
        pytest.fail("the API did not come up")

    def register(self, *paths: str) -> None:
        """Register movies, as the discoverer does."""
        self.control.request(m.RegisterFiles([m.FoundFile(path, 1000, 1_700_000_000_000_000_000) for path in paths]))

    def close(self) -> None:
        """End both, by id."""
        self.control.close()
        self.http.close()
        for process in (self.server, self.scheduler):
            process.terminate()
        for process in (self.server, self.scheduler):
            process.wait(60)


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


RESULTS = whole(
    {
        "motion": {"skipped": False, "mean_frame_movement_angstrom": 0.4, "accumulated_total_angstrom": 12.5},
        "ctf": {"defocus_um": 1.25, "defocus_delta_um": 0.05, "resolution_angstrom": 3.8, "failure": None},
        "picking": {"count": 7},
        "export": {"average": "average/a.mrc"},
    }
)


class WireWorker:
    """Speaks a worker's part of the protocol: fails movies named `bad…`, reports fixed results for all others."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.name = "host/1"
        self._dealer = Dealer(endpoints.workers, self.name.encode(), self.name)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop working, without a word."""
        self._stop.set()
        self._thread.join()
        self._dealer.close()

    def _run(self) -> None:
        register = m.RegisterWorker(self.name, "i1", "host", os.getpid(), "cpu", 1024, {"jax": "1"})
        self._dealer.send(register)
        self._dealer.send(m.WorkerLog(self.name, [{"level": "info", "text": "hello", "ts": 1.5}]))
        self._dealer.send(m.PullTasks(self.name, 2))
        while not self._stop.is_set():
            if self._dealer.socket.poll(20):
                for envelope in self._dealer.receive():
                    self._heard(read_message(envelope.type, envelope.body))

    def _heard(self, message: object) -> None:
        if isinstance(message, m.LookAtFolders):
            self._dealer.send(sees(self.name, message))
        if not isinstance(message, m.AssignTask):
            return
        if Path(message.path).name.startswith("bad"):
            self._dealer.send(
                m.TaskFailed(self.name, message.lease, FailureKind.INPUT, "load", f"{message.path}: not a movie")
            )
            return
        results, outputs = self.process(message)
        done = m.TaskFinished(self.name, message.lease, message.run, results, outputs)
        self._dealer.send(done)

    def process(self, task: m.AssignTask) -> tuple[dict[str, Any], dict[str, dict[str, int | None]]]:
        """The results of a task and its outputs; a subclass may write some."""
        return {step: RESULTS[step] for step in task.run}, {}


@contextmanager
def with_movies(session: Api) -> Iterator[Api]:
    """The session with four movies, two of them in sub-folders, all but one processed; closed at the end."""
    with closing(session):
        session.wait()
        session.register("a.tif", "grid1/a.tif", "grid 2/µ%.tif", "bad.tif")
        with closing(WireWorker(session.endpoints)):
            deadline = time.monotonic() + 60
            while session.http.get("/api/processing/status").json()["counts"] != COUNTS | {"failed": 1, "processed": 3}:
                assert time.monotonic() < deadline, session.http.get("/api/processing/status").text
            yield session


COUNTS = dict.fromkeys(map(str, MovieStatus), 0)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of an error, which must be well-formed."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert "Traceback" not in response.text
    return document
