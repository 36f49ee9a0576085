"""A simulated day of a microscope on a real Slurm: a pool that follows the movies, beside one of fixed size.

Movies come at 600 an hour for 3 h, then none for 3 h; all times, those of the guards too, are 60 times as fast. A movie
takes a sleeping worker 24 s of the day. `make bench` prints the table of docs/pool.md.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from pool_day import Day, Fault, live
from pool_site import PoolWorld, install_psij, slurm_world
from slurm_site import SlurmSite, missing

pytestmark = [
    pytest.mark.bench,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]
SPEED = 60.0
MOVIE_S = 24.0
MAXIMUM = 8


def cancel_one(world: PoolWorld[SlurmSite]) -> None:
    """Somebody cancels the oldest job."""
    if jobs := world.cluster.jobs():
        world.cluster.run("scancel", next(iter(jobs)))


def drain(world: PoolWorld[SlurmSite]) -> None:
    """An administrator drains the node."""
    world.cluster.run("scontrol", "update", f"nodename={world.cluster.node}", "state=drain", "reason=test")


def undrain(world: PoolWorld[SlurmSite]) -> None:
    """And lets it go on."""
    world.cluster.run("scontrol", "update", f"nodename={world.cluster.node}", "state=resume")


FAULTS = [
    Fault("scancel of a job", 0.5, cancel_one),
    Fault("slurmctld killed", 1.0, lambda w: w.cluster.kill("slurmctld"), 5.0, lambda w: w.cluster.start("slurmctld")),
    Fault("slurmd killed", 1.5, lambda w: w.cluster.kill("slurmd"), 5.0, lambda w: w.cluster.start("slurmd")),
    Fault("node drained", 2.0, drain, 10.0, undrain),
    Fault("the pool's process killed", 2.5, lambda w: w.end_pool(signal.SIGKILL), 2.0, lambda w: w.start_pool()),
]


@pytest.mark.parametrize("minimum", [0, MAXIMUM], ids=["pool", "fixed"])
def test_a_simulated_day(
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
    wait_until: Callable[..., None],
    minimum: int,
) -> None:
    psij = tmp_path / "psij"
    if fault := install_psij(psij):
        pytest.skip(fault)
    with slurm_world(tmp_path, free_ports(6), psij, wait_until, factor=SPEED, movie_s=MOVIE_S / SPEED) as world:
        world.configure(minimum=minimum, maximum=MAXIMUM, idle_min=15.0 / SPEED)
        world.start_pool()
        day = live(world, speed=SPEED, per_hour=600.0, hours=(3.0, 3.0), faults=FAULTS)
        print(f"\n{row('fixed' if minimum else 'pool', day)}")
        assert world.is_all_done_once()
        assert day.most_workers <= MAXIMUM


def row(name: str, day: Day) -> str:
    """A row of the table."""
    latency = f"{day.latency_median_min:.1f} | {day.latency_p95_min:.1f}"
    return f"| {name} | {day.movies} | {latency} | {day.worker_hours:.1f} | {day.submissions} | {day.faults} |"
