"""How many tasks pass through the scheduler, and how soon they are assigned; beside two schedulers of empty tasks.

The scheduler has one core and a database on disk; workers are sockets in another process. `make bench` prints it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.services.scheduler_site import Site, ask
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient

MOVIES = 60_000
SECONDS = 12.0
RUN = """
import sys, threading
from pathlib import Path
from warpcore.bus.endpoints import Endpoints
from warpcore.services.scheduler.shell.service import run_scheduler
endpoints = Endpoints("127.0.0.1", *map(int, sys.argv[3:]))
run_scheduler(endpoints, Path(sys.argv[1]), Path(sys.argv[2]), stop=threading.Event())
"""
EMPTY_TASKS = 5000

DASK = """
import sys, time
from distributed import Client, LocalCluster
workers, tasks = map(int, sys.argv[1:])
if __name__ == "__main__":
    with LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            client.gather(client.map(lambda number: None, range(workers), pure=False))
            began = time.monotonic()
            client.gather(client.map(lambda number: None, range(tasks), pure=False))
            print(tasks / (time.monotonic() - began))
"""
IPYPARALLEL = """
import sys, time
import ipyparallel
workers, tasks = map(int, sys.argv[1:])
if __name__ == "__main__":
    with ipyparallel.Cluster(n=workers, log_level=40) as clients:
        view = clients.load_balanced_view()
        view.map_sync(lambda number: None, range(workers))
        began = time.monotonic()
        view.map_sync(lambda number: None, range(tasks), chunksize=1)
        print(tasks / (time.monotonic() - began))
"""


@contextmanager
def scheduler(site: Site) -> Iterator[psutil.Process]:
    """A scheduler process on one core, with movies that wait."""
    one = site.endpoints
    ports = map(str, (one.controller_port, one.control_port, one.events_in_port, one.events_out_port))
    process = subprocess.Popen([sys.executable, "-c", RUN, str(site.data), str(site.processing), *ports])
    os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
    try:
        with RequestClient(one.control, "bench", timeout_s=30.0) as client:
            for first in range(0, MOVIES, 2000):
                found = [wire.FoundFile(f"m{number:06d}.tif", 100, 5) for number in range(first, first + 2000)]
                ask(client, wire.RegisterFiles(found))
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def worked(site: Site, workers: int, progress_hz: float, task_s: float = 1.0) -> dict[str, Any]:
    """What so many workers saw of a scheduler, with its CPU time and the growth of its memory in the second half."""
    with scheduler(site) as process:
        peers = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.flow_peers", f"127.0.0.1:{site.endpoints.controller_port}"),
                *(str(workers), str(SECONDS), str(progress_hz), str(task_s)),
            ],
            stdout=subprocess.PIPE,
        )
        assert peers.stdout is not None
        assert peers.stdout.readline().strip() == b"half"
        cpu_s, memory = sum(process.cpu_times()[:2]), process.memory_info().rss
        output, _ = peers.communicate(timeout=SECONDS + 60)
        assert peers.returncode == 0
        seen: dict[str, Any] = json.loads(output)
        seen["cpu_percent"] = 100 * (sum(process.cpu_times()[:2]) - cpu_s) / (SECONDS / 2)
        seen["grown_mib"] = (process.memory_info().rss - memory) / 2**20
        return seen


def empty_tasks_per_s(program: str, workers: int) -> float:
    """Empty tasks a second of another scheduler, in a process of its own."""
    command = [sys.executable, "-c", program, str(workers), str(EMPTY_TASKS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


@pytest.mark.bench
def test_durable_tasks_beside_empty_tasks_of_others(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    print(f"\n{'workers':>8}{'tasks/s':>10}  scheduler")
    others = 0.0
    for name, program in (("dask.distributed, empty tasks", DASK), ("ipyparallel, empty tasks", IPYPARALLEL)):
        rate = empty_tasks_per_s(program, 16)
        others = max(others, rate)
        print(f"{16:8}{rate:10.0f}  {name}")
    for workers in (16, 300):
        (tmp_path / str(workers)).mkdir()
        seen = worked(Site(tmp_path / str(workers), free_ports(4)), workers, 0)
        rate = seen["cycles_per_s"]
        print(f"{workers:8}{rate:10.0f}  warpcore, stored and synced; {seen['cpu_percent']:.0f} % of its core")
        assert rate > max(1000, others)


@pytest.mark.bench
def test_a_thousand_workers_that_say_ten_words_a_second(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    seen = worked(Site(tmp_path, free_ports(4)), 1000, 10.0, task_s=10.0)
    print(
        f"\n1000 workers, {seen['progress_per_s']:.0f} words of progress/s, {seen['cycles_per_s']:.0f} tasks/s: "
        f"assigned after {seen['median_ms']:.1f} ms (median), {seen['p99_ms']:.1f} ms (p99), "
        f"{seen['longest_ms']:.1f} ms (longest of {seen['assignments']}); "
        f"{seen['cpu_percent']:.0f} % of its core, memory {seen['grown_mib']:+.0f} MiB"
    )
    assert seen["progress_per_s"] > 9000
    assert seen["p99_ms"] < 50
    assert seen["grown_mib"] < 30
