"""'This one now', over real REST and the real command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


@pytest.fixture
def client(site: Site) -> Iterator[RequestClient]:
    """A scheduler that knows five movies; the first of them runs."""
    with site.running() as client:
        ask(client, files("running.tif", "b.tif", "c.tif", "grid/d.tif", "excluded.tif"))
        ask(client, wire.SelectItem("excluded", "exclude"))
        yield client


def next_movie(worker: WorkerSide, wait_until: WaitUntil, credit: int) -> str:
    seen = len(worker.got(wire.AssignTask))
    worker.dealer.send(wire.PullTasks("w", credit))
    wait_until(lambda: len(worker.got(wire.AssignTask)) > seen, what="assignment")
    name: str = worker.got(wire.AssignTask)[-1].name
    return name


@pytest.fixture
def worker(site: Site, client: RequestClient, wait_until: WaitUntil) -> Iterator[WorkerSide]:
    worker = WorkerSide(site, "w")
    worker.register()
    assert next_movie(worker, wait_until, 1) == "running"
    yield worker
    worker.dealer.close()


def test_rest_puts_a_movie_first(
    site: Site,
    client: RequestClient,
    worker: WorkerSide,
    wait_until: WaitUntil,
    free_ports: Callable[[int], list[int]],
) -> None:
    (port,) = free_ports(1)
    arguments = ["api", "--insecure", "--control-port", str(site.endpoints.control_port), "--port", str(port)]
    server = subprocess.Popen([*WARPCORE, *arguments])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=30) as http:

            def answers() -> bool:
                try:
                    return http.get("/health").status_code == 200
                except httpx.TransportError:
                    return False

            wait_until(answers, 60, what="the API")

            def post(name: str, **body: Any) -> httpx.Response:
                return http.post(f"/items/{name}/priority", json=body)

            assert post("c", priority=4).json()["priority"] == 4
            assert post("grid/d", first=True).json()["priority"] == 5
            for name, problem in (("running", "is running already"), ("excluded", "is excluded")):
                refused = post(name, first=True)
                assert (refused.status_code, problem in refused.json()["detail"]) == (409, True)
            assert post("nobody", first=True).status_code == 404
            for body in ({}, {"priority": True}, {"priority": 1, "first": True}, {"first": False}, {"priority": 10**7}):
                assert post("b", **body).status_code == 422
    finally:
        server.terminate()
        server.wait(120)
    assert next_movie(worker, wait_until, 2) == "grid/d"


def test_the_command_puts_movies_first_in_the_order_given(
    site: Site, client: RequestClient, worker: WorkerSide, wait_until: WaitUntil
) -> None:
    command = [*WARPCORE, "first", "--control-port", str(site.endpoints.control_port)]
    done = subprocess.run([*command, "grid/d", "c"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == ["c: goes first", "grid/d: goes first"]
    done = subprocess.run([*command, "running", "b"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "running is running already" in done.stderr
    assert "1 of 2 movies refused" in done.stderr
    assert ask(client, wire.GetItem("b")).movie.priority > ask(client, wire.GetItem("grid/d")).movie.priority
    assert next_movie(worker, wait_until, 2) == "b"
