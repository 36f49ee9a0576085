"""A pool on a real Flux of one broker: it grows and shrinks, and survives what happens to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Up
from flux_site import GPUS, LONGEST_MIN, FluxSite, missing
from movies_for_tests import write_movie
from pool_day import live
from pool_site import PoolWorld, check_that_three_jobs_are_taken_up, running

from tests.services.scheduler_site import ask
from warpcore.bus import messages as wire
from warpcore.services.pool.service import LOGS

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
slow = pytest.mark.slow

World = PoolWorld[FluxSite]


@pytest.fixture
def world(tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]) -> Iterator[World]:
    flux = FluxSite(tmp_path / "flux")
    with running(PoolWorld(tmp_path, free_ports(4), flux, "flux", [], wait_until, factor=20.0, movie_s=0.5)) as found:
        yield found


def configure(world: World, **further: Any) -> None:
    """The pool's file; this host has not the cores that Flux was told of."""
    world.configure(**{"attributes": {"setopt": "cpu-affinity=off"}, **further})


def test_the_pool_grows_with_the_backlog_and_shrinks(world: World) -> None:
    configure(world, maximum=2)
    world.start_pool()
    day = live(world, speed=3600.0, per_hour=8.0, hours=(3.0, 0.0), faults=[])  # 24 movies in 3 s
    assert world.is_all_done_once()
    assert day.most_workers == 2
    world.until(lambda: not world.workers() and not world.cluster.jobs(), "an empty pool")
    assert world.submitted == 2
    assert world.problems == ""


@slow
def test_a_cancelled_job_gives_its_movies_back_and_is_replaced(world: World) -> None:
    configure(world, maximum=3)
    world.start_pool()
    world.add_movies(60)
    world.until(lambda: len(world.workers()) == 3, "three workers")
    world.cluster.run("cancel", *list(world.cluster.jobs())[:2])
    world.until(world.is_all_done_once, "all movies done once", 120)
    assert 3 <= world.submitted <= 5


@slow
def test_each_job_has_a_gpu_of_its_own_and_more_jobs_wait(world: World, tmp_path: Path) -> None:
    script = tmp_path / "site.sh"
    script.write_text(f"echo $CUDA_VISIBLE_DEVICES >> {tmp_path}/seen\n")
    configure(world, maximum=3, gpus=1, environment=str(script))
    world.start_pool()
    world.add_movies(40)
    world.until(lambda: len(world.workers()) == GPUS, "as many workers as there are GPUs")
    assert sorted((tmp_path / "seen").read_text().split()) == [str(number) for number in range(GPUS)]
    world.until(world.is_all_done_once, "all movies done once")
    world.until(lambda: not world.cluster.jobs(), "an end of all jobs")
    assert world.submitted == 3


@slow
def test_without_a_broker_nothing_is_submitted_and_its_jobs_go_on(world: World, tmp_path: Path) -> None:
    configure(world, maximum=4)
    world.start_pool()
    world.add_movies(2)
    world.until(lambda: len(world.workers()) == 2, "two workers")
    world.cluster.kill()
    world.add_movies(40)
    world.until(lambda: "the pool is frozen, no job is submitted: flux jobs" in world.problems, "a frozen pool")
    world.until(lambda: sum(world.times_done().values()) >= 30, "30 movies by the workers that are there")
    world.cluster.start()  # it knows nothing of the jobs that there were
    world.until(lambda: world.problems == "", "a pool that goes on")
    world.until(world.is_all_done_once, "all movies done once")
    world.until(lambda: not world.workers(), "an end of idle workers")
    assert 2 <= (tmp_path / "pool.log").read_text().count("is submitted as") <= 4


@slow
def test_jobs_wait_where_the_node_is_drained(world: World) -> None:
    configure(world, maximum=3)
    world.cluster.run("resource", "drain", "0", "test")
    world.start_pool()
    world.add_movies(20)
    world.until(lambda: list(world.cluster.jobs().values()) == ["SCHED"] * 3, "three jobs that wait")
    world.cluster.run("resource", "undrain", "0")
    world.until(world.is_all_done_once, "all movies done once")
    assert world.submitted == 3


@slow
def test_jobs_that_a_limit_refuses_are_told_and_tried_again(world: World) -> None:
    configure(world, maximum=3, wall_time_min=LONGEST_MIN + 1.0)
    world.start_pool()
    world.add_movies(10)
    world.until(lambda: f"exceeds policy limit of {LONGEST_MIN // 60}h" in world.problems, "an alarm")
    world.until(lambda: world.submitted >= 2, "another try")
    assert len(world.cluster.jobs("-a")) == 0
    world.end_pool()
    configure(world, maximum=3)
    world.start_pool()
    world.until(world.is_all_done_once, "all movies done once")


@slow
def test_jobs_that_can_never_begin_stop_the_pool_and_flux_says_why(world: World) -> None:
    configure(world, maximum=3, gpus=GPUS + 1)
    world.start_pool()
    world.add_movies(5)
    world.until(lambda: "3 jobs in a row died within a minute" in world.problems, "a stopped pool")
    assert (pool := world.pool) is not None
    assert "Flux: unsatisfiable request" in "".join(pool.log)
    assert world.submitted <= 5
    world.end_pool()
    configure(world, maximum=3)
    world.start_pool()
    world.until(lambda: "3 jobs in a row" in world.problems, "a pool that is still stopped")
    ask(world.client, wire.SetPool(resume=True))
    world.until(world.is_all_done_once, "all movies done once")


@slow
def test_a_pool_that_was_killed_takes_its_jobs_up(world: World) -> None:
    configure(world, maximum=3)
    check_that_three_jobs_are_taken_up(world)


@slow
def test_a_submission_whose_answer_was_lost_is_found_by_its_name(world: World, tmp_path: Path) -> None:
    world.lose_answers("flux", "flux-submit: ERROR: Unable to connect to Flux: Connection reset by peer", "submit")
    configure(world, maximum=2)
    world.start_pool()
    world.add_movies(60)
    world.until(world.is_all_done_once, "all movies done once", 120)
    world.until(lambda: not world.cluster.jobs(), "an end of all jobs")
    assert world.submitted == len(world.cluster.jobs("-a"))
    log = (tmp_path / "pool.log").read_text()
    assert log.count("whose submission was not heard of") == log.count("the outcome of a submission is not known") > 0


@slow
def test_a_job_whose_time_runs_out_gives_its_movies_back(world: World) -> None:
    """The clock of a worker keeps 6 s of so short a time for its start, and is late."""
    configure(world, minimum=1, maximum=1, wall_time_min=2.0)
    world.start_pool()
    world.add_movies(400)
    world.until(lambda: world.submitted == 2, "a second job, after the first one's end", 200)
    log = next((world.site.processing / LOGS).glob("*-1.log"))
    assert "ending compute process" in log.read_text().splitlines()[-1]
    ended = world.cluster.run("jobs", "-a", "--no-header", "--filter=inactive", "--format={result}").split()
    assert ended[0] != "TIMEOUT"
    assert set(world.times_done().values()) == {1}


@slow
def test_a_session_ends_its_jobs(
    world: World, tmp_path: Path, up: Callable[..., Up], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(world, minimum=1, maximum=3)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    data, processing = tmp_path / "movies", tmp_path / "results"
    data.mkdir()
    for number in range(12):
        write_movie(data / f"m{number}.tif", np.full((2, 64, 64), number, np.uint8))
    session = up(data, processing, "--workers", "0", "--pool", str(world.file), "--set", "import.pixel_size=1.0")
    world.until(lambda: session.settled(12), "all movies", 120)
    assert session.stop(within_s=75) == 0  # for as long its jobs may take to end
    world.until(lambda: not world.cluster.jobs(), "an end of all jobs")
