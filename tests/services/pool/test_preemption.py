"""Pre-emption: a batch system sends SIGTERM, or SIGHUP, to a worker with movies in hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.scheduler_site import Site, ask, files, status
from tests.waiting import crowd
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient

ROOT = Path(__file__).resolve().parents[3]
MOVIES = 5


@dataclass(frozen=True, slots=True)
class Preempted:
    """What a test sees of it."""

    site: Site
    client: RequestClient
    process: subprocess.Popen[bytes]


@pytest.fixture
def worker(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[Preempted]:
    """A session, and a worker of a pool whose movies take an hour."""
    site = Site(tmp_path, free_ports(4))
    command = [sys.executable, str(ROOT / "tests/services/pool/sleeping_worker.py"), "worker", "--device", "cpu"]
    command += ["--scheduler", f"127.0.0.1:{site.endpoints.controller_port}", "--pool", "gpu/1", "--name", "gpu-1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SLEEPING_MOVIE_S": "3600", "JAX_PLATFORMS": "cpu"}
    with site.running() as client, (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen([*command, "--processes", "1"], env=environment, stdout=log, stderr=log)
        try:
            yield Preempted(site, client, process)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["TERM", "HUP"])
def test_it_gives_its_movies_back_at_once_and_leaves_no_half_result(
    worker: Preempted, wait_until: Callable[..., None], number: signal.Signals
) -> None:
    site, client = worker.site, worker.client
    ask(client, files(*(f"m{number}.tif" for number in range(MOVIES))))
    wait_until(lambda: len(status(client).running) == 2, 60, "two movies in hand")
    half = site.processing / ".warpcore" / "staging" / str(status(client).running[0]["lease"]) / "average" / "m0.mrc"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half a micrograph")
    worker.process.send_signal(number)
    assert worker.process.wait(30 * crowd()) == 0
    wait_until(lambda: not status(client).running, 5, "an end of all tasks")
    assert status(client).counts["unprocessed"] == MOVIES
    wait_until(lambda: not half.parent.parent.exists(), 10, "an end of what was half written")
    (gone,) = ask(client, wire.GetWorkers()).workers
    assert (gone.state, gone.movies) == ("lost", [])
    assert [path.name for path in site.processing.rglob("*.mrc")] == []
