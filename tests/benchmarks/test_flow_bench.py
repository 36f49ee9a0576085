"""How many tasks pass through the scheduler, and how soon they are assigned; beside two schedulers of empty tasks.

The scheduler has one core and a database on disk; workers are sockets in another process. `make bench` prints it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.services.scheduler_site import Site, ask
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.bus.keys import Holder
from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.services.access.keys import add, read_key
from warpcore.services.access.places import Access

MOVIES = 60_000
SECONDS = 12.0
EMPTY_TASKS = 5000
TURNS = 3

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


@dataclass(frozen=True)
class Keys:
    """Of a site whose sockets use CURVE: its access directory, and the files of a worker's and a discoverer's key."""

    access: Path
    worker: Path
    discoverer: Path

    @classmethod
    def of(cls, site: Site) -> Keys:
        access = Access(site.data.parent / "access")
        discoverer = Holder("d", Role.SERVICE, ServiceName.DISCOVERER)
        return cls(access.folder, add(access, Holder("w", Role.WORKER)), add(access, discoverer))


@contextmanager
def scheduler(site: Site, keys: Keys | None = None) -> Iterator[psutil.Process]:
    """A scheduler process on one core, with movies that wait."""
    process = subprocess.Popen([*site.command, *([] if keys is None else [str(keys.access)])])
    os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
    key = None if keys is None else read_key(keys.discoverer)
    try:
        with RequestClient(site.endpoints.control, "bench", timeout_s=30.0, key=key) as client:
            for first in range(0, MOVIES, 2000):
                found = [wire.FoundFile(f"m{number:06d}.tif", 100 + number, 5) for number in range(first, first + 2000)]
                ask(client, wire.RegisterFiles(found))
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def worked(
    site: Site, workers: int, progress_hz: float, task_s: float = 1.0, keys: Keys | None = None
) -> dict[str, Any]:
    """What so many workers saw of a scheduler, with its CPU time and the growth of its memory in the second half."""
    with scheduler(site, keys) as process:
        peers = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.flow_peers", f"127.0.0.1:{site.endpoints.controller_port}"),
                *(str(workers), str(SECONDS), str(progress_hz), str(task_s)),
                *([] if keys is None else [str(keys.worker)]),
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
def test_durable_tasks_with_curve_beside_those_without(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    """In turn, so that both meet the same machine; the medians of the turns are compared."""
    seen: dict[str, list[dict[str, Any]]] = {"plain": [], "CURVE": []}
    print(f"\n{'turn':>6}{'plain':>10}{'CURVE':>10}  tasks/s of 16 workers; ms of the scheduler's core a task")
    for turn in range(TURNS):
        for name, found in seen.items():
            site = Site(tmp_path / f"{turn}{name}", free_ports(4))
            found.append(worked(site, 16, 0, keys=Keys.of(site) if name == "CURVE" else None))
        last = [found[-1] for found in seen.values()]
        print(
            f"{turn:6}" + "".join(f"{one['cycles_per_s']:10.0f}" for one in last),
            *(f"{core_ms(one):7.2f}" for one in last),
        )
    plain, curve = (statistics.median(one["cycles_per_s"] for one in found) for found in seen.values())
    plain_ms, curve_ms = (statistics.median(map(core_ms, found)) for found in seen.values())
    print(f"median{plain:10.0f}{curve:10.0f} {plain_ms:7.2f} {curve_ms:7.2f}: {100 * curve / plain:.0f} % of the tasks")
    assert curve > 0.8 * plain


def core_ms(seen: dict[str, Any]) -> float:
    """The time of the scheduler's core that a task took, ms."""
    return float(10 * seen["cpu_percent"] / seen["cycles_per_s"])


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
