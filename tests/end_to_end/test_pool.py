"""A pool on a real Slurm of one node: it grows and shrinks, and survives what happens to clusters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Up
from movies_for_tests import write_movie
from pool_day import live
from pool_site import POOL, PoolWorld, check_that_three_jobs_are_taken_up, install_psij, slurm_world
from slurm_site import SlurmSite, missing

from tests.services.scheduler_site import ask
from warpcore.bus import messages as wire
from warpcore.services.access.keys import known_keys
from warpcore.services.access.places import Access
from warpcore.services.pool.service import LOGS

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="session")
def psij(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with psij."""
    folder = tmp_path_factory.mktemp("psij")
    if fault := install_psij(folder):
        pytest.skip(fault)
    return folder


@pytest.fixture
def world(
    tmp_path: Path, psij: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]
) -> Iterator[PoolWorld[SlurmSite]]:
    with slurm_world(tmp_path, free_ports(6), psij, wait_until) as found:
        yield found


slow = pytest.mark.slow

PLAYED_QSUB = """#!/bin/sh
for word in "$@"; do script=$word; echo "$word"; done > {folder}/asked
echo 7.pbs1
"""
PLAYED_QDEL = """#!/bin/sh
case $1 in 7.pbs1) echo "qdel: Unknown Job Id $1" >&2; exit 153;; esac
echo "qdel: Unauthorized Request  $1" >&2; exit 159
"""
ASK_PBS = """
import sys
from pathlib import Path
from warpcore.services.pool.batch import BatchFault, Request
from warpcore.services.pool.configuration import Configuration, Executor
from warpcore.services.pool.service import batch_of
folder = Path(sys.argv[1])
batch = batch_of(Configuration(Executor.PBS, queue="gpu", cpus=8, attributes={"P": "cryo"}), folder / "batch")
print(batch.submit(Request("warpcore-gpu-1", ["true"], folder / "job.log")))
batch.cancel("7.pbs1")
try:
    batch.cancel("8.pbs1")
except BatchFault as fault:
    print(fault)
"""


def test_pbs_gets_a_job_as_it_takes_it(tmp_path: Path, psij: Path) -> None:
    """psij itself, and commands that answer as those of OpenPBS 23.06.06 have answered."""
    for name, text in (("qsub", PLAYED_QSUB), ("qdel", PLAYED_QDEL)):
        (tmp_path / name).write_text(text.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    own = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path / "home"), "PYTHONPATH": str(psij)}
    command = [sys.executable, "-c", ASK_PBS, str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.splitlines() == [
        "7.pbs1",
        "a job could not be cancelled: Failed job cancel job: qdel: Unauthorized Request 8.pbs1",
    ], done.stderr
    *options, script = (tmp_path / "asked").read_text().splitlines()
    chunk = "select=1:ncpus=8:ngpus=1:mem=32768mb"
    assert options == ["-N", "warpcore-gpu-1", "-r", "n", "-P", "cryo", "-l", chunk]
    assert {"#PBS -q gpu", "#PBS -l walltime=24:0:0"} <= set(Path(script).read_text().splitlines())
    assert not (tmp_path / "home").exists()


def test_the_pool_grows_with_the_backlog_and_shrinks(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=2)
    world.start_pool()
    day = live(world, speed=3600.0, per_hour=8.0, hours=(3.0, 0.0), faults=[])  # 24 movies in 3 s
    assert world.is_all_done_once()
    assert day.most_workers == 2
    world.until(lambda: not world.workers() and not world.cluster.jobs(), "an empty pool")
    assert world.submitted == 2
    assert world.problems == ""


@slow
def test_cancelled_jobs_give_their_movies_back_and_are_replaced(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=3)
    world.start_pool()
    world.add_movies(60)
    world.until(lambda: len(world.workers()) == 3, "three workers")
    world.cluster.run("scancel", *list(world.cluster.jobs())[:2])
    world.until(world.is_all_done_once, "all movies done once", 120)
    assert 3 <= world.submitted <= 5


@slow
def test_jobs_go_on_where_slurmd_was_killed(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=3)
    world.start_pool()
    world.add_movies(90)
    world.until(lambda: len(world.workers()) == 3, "three workers")
    world.cluster.kill("slurmd")
    world.until(lambda: sum(world.times_done().values()) >= 60, "60 movies")
    world.cluster.start("slurmd")
    world.until(world.is_all_done_once, "all movies done once")
    assert world.submitted == 3


@slow
def test_without_slurmctld_nothing_is_submitted(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=4)
    world.start_pool()
    world.add_movies(2)
    world.until(lambda: len(world.workers()) == 2, "two workers")
    world.cluster.kill("slurmctld")
    world.add_movies(40)
    world.until(lambda: "the pool is frozen, no job is submitted: squeue" in world.problems, "a frozen pool")
    world.until(lambda: sum(world.times_done().values()) >= 30, "30 movies by the workers that are there")
    world.cluster.start("slurmctld")
    world.until(lambda: world.problems == "", "a pool that goes on")
    world.until(world.is_all_done_once, "all movies done once")
    assert 2 <= world.submitted <= 4


@slow
def test_jobs_wait_where_the_node_is_drained(world: PoolWorld[SlurmSite]) -> None:
    node = world.cluster.node
    world.configure(maximum=3)
    world.cluster.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    world.start_pool()
    world.add_movies(20)
    world.until(lambda: list(world.cluster.jobs().values()) == ["PENDING"] * 3, "three jobs that wait")
    looks = world.cluster.looks()
    world.until(lambda: world.cluster.looks() >= looks + 20, "twenty looks")  # 10 s, with the guards of 200 s
    assert world.submitted == 3
    world.cluster.run("scontrol", "update", f"nodename={node}", "state=resume")
    world.until(world.is_all_done_once, "all movies done once")
    assert world.submitted == 3


@slow
def test_jobs_that_a_limit_refuses_are_told_and_tried_again_ever_less_often(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=3, wall_time_min=120.0)  # the partition allows 60
    world.start_pool()
    world.add_movies(10)
    world.until(lambda: "the batch system refuses jobs" in world.problems, "an alarm")
    assert "time limit" in world.problems.lower()
    looks = world.cluster.looks()
    world.until(lambda: world.cluster.looks() >= looks + 20, "twenty looks")
    assert len(world.cluster.jobs()) == 0
    assert world.submitted <= 6
    world.end_pool()
    world.configure(maximum=3)
    world.start_pool()
    world.until(world.is_all_done_once, "all movies done once")


@slow
def test_a_pool_that_was_killed_takes_its_jobs_up(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=3)
    check_that_three_jobs_are_taken_up(world)


@slow
def test_a_submission_whose_answer_was_lost_is_found_in_the_queue(world: PoolWorld[SlurmSite]) -> None:
    told = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    world.lose_answers("sbatch", told)
    world.configure(maximum=3)
    world.start_pool()
    world.add_movies(40)
    world.until(lambda: len(world.workers()) == 3, "three workers")
    world.until(world.is_all_done_once, "all movies done once")
    world.until(lambda: not world.cluster.jobs(), "an end of all jobs")
    assert world.submitted == 3


@slow
def test_jobs_that_die_at_once_stop_the_pool_and_their_log_is_told(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=3, arguments=["--device", "cuda:99x"])
    world.start_pool()
    world.add_movies(5)
    world.until(lambda: "3 jobs in a row died within a minute" in world.problems, "a stopped pool")
    assert (pool := world.pool) is not None
    assert "cuda:99x" in "".join(pool.log)
    submitted = world.submitted
    assert submitted <= 5
    world.end_pool()
    world.configure(maximum=3)
    world.start_pool()
    world.until(lambda: "3 jobs in a row" in world.problems, "a pool that is still stopped")
    assert world.submitted == submitted
    ask(world.client, wire.SetPool(resume=True))
    world.until(world.is_all_done_once, "all movies done once")


@slow
def test_workers_leave_before_their_time_is_over(world: PoolWorld[SlurmSite]) -> None:
    world.configure(minimum=1, maximum=1, wall_time_min=2.0)
    world.start_pool()
    world.add_movies(400)
    world.until(lambda: world.submitted == 2, "a second job, after the first one's end", 200)
    log = next((world.site.processing / LOGS).glob("*-1.log")).read_text()
    assert "its job ends in" in log
    assert set(world.times_done().values()) == {1}


@slow
def test_limits_are_set_while_the_session_runs(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=1)
    world.start_pool()
    world.add_movies(100)
    world.until(lambda: len(world.workers()) == 1, "a worker")
    ask(world.client, wire.SetPool(maximum=4))
    world.until(lambda: len(world.workers()) == 4, "four workers")
    ask(world.client, wire.SetPool(maximum=1))
    world.until(lambda: len(world.workers()) == 1, "one worker that is left")
    world.end_pool(signal.SIGKILL)
    world.start_pool()
    world.until(world.is_all_done_once, "all movies done once")
    assert world.submitted == 4


@slow
def test_a_pool_of_this_host_needs_no_batch_system(world: PoolWorld[SlurmSite]) -> None:
    world.configure(maximum=2, executor="local")
    world.start_pool()
    world.add_movies(60)
    world.until(lambda: len(world.workers()) == 2, "two workers")
    world.end_pool(signal.SIGKILL)
    world.start_pool()
    world.until(world.is_all_done_once, "all movies done once")
    world.until(lambda: not world.workers(), "an end of idle workers")
    assert len(list((world.site.processing / LOGS).glob("*.log"))) == 2
    assert world.submitted == 0


@slow
def test_a_session_with_a_pool_gives_each_job_a_key_and_ends_its_jobs(
    world: PoolWorld[SlurmSite], tmp_path: Path, up: Callable[..., Up], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.configure(minimum=1, maximum=3)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    data, processing = tmp_path / "movies", tmp_path / "results"
    data.mkdir()
    for number in range(12):
        write_movie(data / f"m{number}.tif", np.full((2, 64, 64), number, np.uint8))
    session = up(data, processing, "--workers", "0", "--pool", str(world.file), "--set", "import.pixel_size=1.0")
    world.until(lambda: session.settled(12), "all movies", 120)
    access = Access.of(None, processing)
    assert [key.name for key in known_keys(access) if key.name.startswith(f"{POOL}-")] != []
    assert session.pids("pool", "run") != []
    assert session.stop(within_s=75) == 0  # for as long its jobs may take to end
    world.until(lambda: not world.cluster.jobs(), "an end of all jobs")
