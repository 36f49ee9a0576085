"""What goes wrong is tried again, elsewhere first, or fails."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.services.scheduler_world import CHAIN, RESULTS, World, finished
from warpcore.bus import messages as wire


def test_bad_input_is_never_tried_again() -> None:
    world = World("a.tif", workers=("w", "x"))
    world.fail("a", "input")
    movie = world.movie("a")
    assert movie.failure == wire.Failure("input", "ctf", "it went wrong", "host")
    assert (movie.status, movie.selection) == ("failed", "auto")
    assert "movie.failed" in world.topics()


def test_internal_failures_are_tried_twice_more_and_elsewhere_first() -> None:
    world = World("a.tif", workers=("w", "x"))
    tried = [world.owner("a")]
    for _ in range(2):
        world.fail("a", "internal")
        tried.append(world.owner("a"))
    assert tried[:2] == ["w", "x"]
    world.fail("a", "internal")
    assert world.status("a") == "failed"
    assert len(tried) == 3


def test_with_no_other_worker_it_is_tried_on_the_same_one() -> None:
    world = World("a.tif", workers=("w",))
    world.fail("a", "internal")
    assert world.owner("a") == "w"


def test_short_of_memory_it_rests_before_it_is_tried_again() -> None:
    world = World("a.tif", workers=("w",))
    for _ in range(2):
        world.fail("a", "resource")
        assert world.status("a") == "unprocessed"
        world.wait(29, "w")
        assert world.status("a") == "unprocessed"
        world.wait(2, "w")
        assert world.status("a") == "queued"
    world.fail("a", "resource")
    assert world.status("a") == "failed"


def test_parked_movies_return_in_the_order_of_their_times() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    world.fail("b", "resource")
    world.wait(5, "w")
    world.fail("a", "resource")
    world.say("w", wire.PullTasks("w", 1))
    world.wait(26, "w")
    assert (world.status("a"), world.status("b")) == ("unprocessed", "queued")
    assert world.ask(wire.RetryItem("a")).movie.status == "unprocessed"
    world.finish("b")
    assert world.status("a") == "queued", "retried by hand it need not rest"


def test_a_movie_that_cost_two_workers_is_poisoned() -> None:
    world = World("a.tif", workers=("w",))
    for number in range(2):
        world.progress("a")
        lease = world.tasks["a"].lease
        world.say("w", wire.ComputeDied("w", [lease], lease, "lost_worker", "signal 11"))
        assert world.state.workers["w"].alive
        assert world.status("a") == ("queued", "failed")[number]
    failure = world.movie("a").failure
    assert failure is not None
    assert failure.kind == "poisoned"
    assert "signal 11" in failure.message
    assert world.ask(wire.RetryItem("a")).movie.status == "unprocessed"
    assert world.status("a") == "queued"


def test_beside_the_culprit_nobody_is_blamed() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    for _ in range(2):
        world.progress("a")
        world.progress("b")
        leases = [world.tasks[name].lease for name in ("a", "b")]
        world.say("w", wire.ComputeDied("w", leases, leases[0], "lost_worker", "signal 11"))
    assert world.status("a") == "failed"
    assert world.status("b") == "queued"
    assert world.state.by_name["b"].lost == 0


def test_of_two_movies_in_lost_workers_the_guilty_one_is_found_by_running_each_alone() -> None:
    world = World("good.tif", "bad.tif", workers=("w",))
    world.progress("good")
    world.progress("bad")
    for number in range(6):
        world.worker("w", instance=f"again {number}")
        if world.status("bad") == "failed":
            break
        running = [world.state.movies[task.movie].name for task in world.state.tasks.values()]
        assert len(running) == 1, "a suspect runs alone"
        world.progress(running[0])
        if running == ["good"]:
            world.finish("good")
            world.progress("bad")
    assert world.movie("bad").failure is not None
    assert world.status("good") == "processed"


def test_a_bad_gpu_sets_the_worker_aside_until_it_is_started_anew() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    world.fail("a", "bad_gpu")
    assert world.ask(wire.GetWorkers()).workers[0].state == "set_aside"
    assert (world.status("a"), world.status("b")) == ("unprocessed", "unprocessed")
    assert world.cancelled == [world.tasks["b"].lease]
    world.worker("w")
    assert world.status("a") == "unprocessed"
    world.worker("w", instance="2")
    assert world.status("a") == "queued"


def test_no_progress_for_long_is_cancelled_and_only_what_had_begun_is_blamed() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    leases = [world.tasks[name].lease for name in ("a", "b")]
    world.progress("a")
    world.wait(1790, "w")
    assert not world.cancelled
    world.wait(20, "w")
    assert world.cancelled == leases
    assert (world.state.by_name["a"].lost, world.state.by_name["b"].lost) == (1, 0)


def test_what_waits_in_a_worker_that_makes_progress_is_not_stale() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    for _ in range(5):
        world.wait(1000, "w")
        world.progress("a")
    assert world.status("b") == "queued"
    assert not world.cancelled


@pytest.mark.parametrize(
    ("ran", "results", "problem"),
    [
        (["motion"], RESULTS, "ctf, export was to run"),
        (CHAIN, {}, "no results of motion"),
        (CHAIN, {step: {} for step in CHAIN}, "missing required field"),
        (CHAIN, {**RESULTS, "motion": {"skipped": False}}, "results of motion: .*mean_frame_movement_angstrom"),
        (CHAIN, {**RESULTS, "ctf": {**RESULTS["ctf"], "defocus_um": "deep"}}, r"results of ctf: .*\$\.defocus_um"),
        (CHAIN, {**RESULTS, "input": {"width": 64}}, "results of input: .*frames"),
        (CHAIN, {**RESULTS, "export": [1]}, "results of export: Expected"),
        (CHAIN, {**RESULTS, "run": "fast"}, "results of run are no map"),
    ],
    ids=lambda value: "",
)
def test_a_report_that_cannot_be_right_is_the_workers_failure(
    ran: list[str], results: dict[str, Any], problem: str
) -> None:
    world = World("a.tif", workers=("w",))
    for _ in range(3):
        world.say("w", wire.TaskFinished("w", world.tasks["a"].lease, ran, results, {}))
    failure = world.movie("a").failure
    assert failure is not None
    assert failure.kind == "internal"
    assert re.search(f"cannot be right: .*{problem}", failure.message), failure.message
    assert not world.movie("a").results


@pytest.mark.parametrize(
    ("step", "measured"),
    [
        ("picking", {"certainty": "high"}),
        ("motion", {"accumulated_total_angstrom": "far"}),
        ("motion", {"accumulated_total_angstrom": [12.5]}),
    ],
)
def test_a_value_that_no_list_can_hold_is_the_workers_failure(step: str, measured: dict[str, Any]) -> None:
    world = World("a.tif", workers=("w",))
    results = {**RESULTS, step: {**RESULTS[step], **measured}}
    world.say("w", wire.TaskFinished("w", world.tasks["a"].lease, CHAIN, results, {}))
    assert world.state.by_name["a"].retries == {"internal": 1}


@pytest.mark.parametrize("step", ["ctf", "etc", ".warpcore"])
@pytest.mark.parametrize("path", ["../../etc/passwd", ".warpcore/state.db", "average/{movie}.mrc", "{movie}"])
def test_outputs_that_the_step_does_not_declare_are_refused(step: str, path: str) -> None:
    world = World("a.tif", workers=("w",))
    world.say("w", wire.TaskFinished("w", world.tasks["a"].lease, CHAIN, RESULTS, {step: {path: 1}}))
    assert world.state.by_name["a"].retries == {"internal": 1}
    assert not world.state.placing


def test_what_is_not_a_number_becomes_null() -> None:
    world = World("a.tif", workers=("w",))
    world.finish("a", ctf={"defocus_um": float("nan")})
    assert world.movie("a").results["ctf"]["defocus_um"] is None


def test_a_rerun_that_fails_keeps_the_former_results_which_hold_again_with_the_former_settings() -> None:
    world = finished("a.tif")
    (record,) = world.state.movies.values()
    results, outputs = dict(record.results), dict(record.outputs)
    world.patch(picking={"diameter": 800.0})
    world.say("w", wire.TaskFailed("w", world.tasks["a"].lease, "input", "picking", "it cannot work"))
    assert world.status("a") == "failed"
    assert (record.results, record.outputs) == (results, outputs)
    leases = world.state.last_lease
    world.patch(picking={"diameter": None})
    assert world.status("a") == "processed"
    assert (record.results, record.outputs, world.state.last_lease) == (results, outputs, leases)
