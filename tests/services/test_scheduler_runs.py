"""How movies were processed: times of the first results, stages of the last run, and medians of the latest movies."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_world import CHAIN, RESULTS, World
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.runs import LATEST, stage_times
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.steps.chain import CHAIN as STEPS
from warpcore.services.steps.step import RUN

SECONDS = {"load": 0.5, "motion": 2.0, "ctf": 1.25, "export": 0.0, "write": 0.25, "compute": 4.0, "telephone": 9.0}


def register(world: World, path: str, seen_s: float, size: int = 100) -> None:
    answer = world.ask(wire.RegisterFiles([wire.FoundFile(path, size, 900 * 10**9)], seen_s=[seen_s]))
    assert isinstance(answer, wire.FilesRegistered)


def finish(world: World, name: str, seconds: dict[str, float]) -> None:
    task = world.tasks[name]
    results = {step: RESULTS[step] for step in task.run}
    world.say("w", wire.TaskFinished("w", task.lease, task.run, results, {}, seconds))


def run(world: World, name: str) -> dict[str, Any]:
    """The values of all columns of `run` that there are."""
    results = world.movie(name).results
    shown = {column.field: column.value(results) for column in STEPS.columns if column.step == RUN}
    return {field: value for field, value in shown.items() if value is not None}


@pytest.fixture
def world() -> World:
    """At 1000 s a movie that was seen 3 s before; at 1005 s a worker takes it, at 1012 s it is done."""
    world = World()
    register(world, "a.tif", 3.0)
    world.now = 1005.0
    world.worker("w", credit=1)
    world.now = 1012.0
    finish(world, "a", SECONDS)
    return world


def test_a_movie_tells_its_worker_the_times_of_its_way_and_the_seconds_of_each_stage(world: World) -> None:
    times = {"found_at": 997.0, "ready_at": 1000.0, "assigned_at": 1005.0, "done_at": 1012.0}
    spans = {"incubation_s": 3.0, "wait_s": 5.0, "at_worker_s": 7.0, "latency_s": 15.0, "age_s": 112.0}
    stages = {"load_s": 0.5, "motion_s": 2.0, "ctf_s": 1.25, "write_s": 0.25}
    assert run(world, "a") == {"worker": "w", **times, **spans, **stages}


def test_other_settings_change_the_stages_that_run_and_not_how_late_the_movie_was(world: World) -> None:
    before = run(world, "a")
    world.now = 5000.0
    world.patch(ctf={"range_max": 5.0})
    assert world.tasks["a"].run == ["ctf", "export"]
    assert RUN not in world.tasks["a"].results, "a worker's outputs know nothing of it"
    finish(world, "a", {"load": 0.125, "ctf": 9.0})
    assert run(world, "a") == {**before, "load_s": 0.125, "ctf_s": 9.0}


def test_another_file_of_that_name_is_late_by_itself(world: World) -> None:
    world.now = 2000.0
    register(world, "a.tif", 1.0, size=7)
    world.now = 2010.0
    finish(world, "a", SECONDS)
    found = run(world, "a")
    assert (found["found_at"], found["latency_s"], found["wait_s"]) == (1999.0, 11.0, 0.0)


def test_a_restart_keeps_it_and_the_beginning_of_what_runs(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    world = World()
    with closing(Store(tmp_path / "state.db", **where)) as store:
        world.store_into(store)
        register(world, "a.tif", 3.0)
        register(world, "b.tif", 0.0)
        world.now = 1005.0
        world.worker("w", credit=1)
        world.now = 1012.0
        finish(world, "a", SECONDS)
        store.commit(world.now)
        before = run(world, "a")
        world.state = restore(store.load(), now=world.now, wall=world.now, **where)
    assert run(world, "a") == before
    world.now = 1020.0
    world.worker("w", credit=1, leases=(world.tasks["b"].lease,))
    finish(world, "b", {})
    found = run(world, "b")
    assert (found["assigned_at"], found["latency_s"]) == (1012.0, 20.0)


def test_movies_of_before_have_no_times_and_a_rerun_invents_none(world: World) -> None:
    movie = world.state.by_name["a"]
    movie.run, movie.found_at, movie.ready_at = {}, 0.0, 0.0
    assert run(world, "a") == {}
    world.patch(ctf={"range_max": 5.0})
    finish(world, "a", {"ctf": 1.0})
    assert run(world, "a") == {"worker": "w", "ctf_s": 1.0}


def test_movies_are_sorted_by_how_late_they_were(world: World) -> None:
    register(world, "b.tif", 60.0)
    finish(world, "b", {})
    register(world, "waits.tif", 0.0)
    items = world.ask(wire.GetItems(sort="-run.latency_s"))
    assert [movie.name for movie in items.movies] == ["b", "a", "waits"]


def test_results_of_a_worker_do_not_say_how_the_movie_was_processed(world: World) -> None:
    register(world, "b.tif", 0.0)
    task = world.tasks["b"]
    results = {**{step: RESULTS[step] for step in CHAIN}, RUN: {"worker": "somebody", "latency_s": -1}}
    world.say("w", wire.TaskFinished("w", task.lease, task.run, results, {}, {}))
    assert run(world, "b")["worker"] == "w"


@pytest.mark.parametrize("seen_s", [[1.0], [1.0, -1.0], [1.0, float("nan")], [1.0, 2.0, 3.0]], ids=str)
def test_impossible_times_refuse_the_files(seen_s: list[float]) -> None:
    world = World()
    files = [wire.FoundFile("a.tif", 1, 1), wire.FoundFile("b.tif", 1, 1)]
    answer = world.ask(wire.RegisterFiles(files, seen_s=seen_s))
    assert answer.code == "invalid"
    assert "seen_s" in answer.detail


def test_stages_have_the_median_and_what_nine_of_ten_movies_stay_within() -> None:
    runs: list[dict[str, Any]] = [{"ctf_s": float(number)} for number in range(1, 11)]
    runs[0] |= {"found_at": 10.0, "ready_at": 12.0, "done_at": 30.0}
    runs[1] |= {"found_at": 20.0, "ready_at": 21.0, "done_at": 70.0}
    assert stage_times(runs) == [
        wire.StageTime("incubation", 1.5, 2.0, 2),
        wire.StageTime("ctf", 5.5, 9.0, 10),
        wire.StageTime("latency", 35.0, 50.0, 2),
    ]
    assert stage_times([]) == []


def test_the_status_tells_the_stages_of_the_movies_done_last(world: World) -> None:
    assert {one.stage for one in world.ask(wire.GetProcessing()).latency} == {
        *("incubation", "wait", "load", "motion", "ctf", "write", "at_worker", "latency")
    }
    for number in range(LATEST):
        register(world, f"m{number}.tif", 0.0)
        finish(world, f"m{number}", {"load": 4.0})
    (load,) = [one for one in world.ask(wire.GetProcessing()).latency if one.stage == "load"]
    assert load == wire.StageTime("load", 4.0, 4.0, LATEST)
