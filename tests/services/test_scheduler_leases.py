"""A lease holds, is lost or is taken back."""

from __future__ import annotations

from tests.services.scheduler_world import RESULTS, World
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.effects import Send
from warpcore.services.scheduler.core.stimuli import AssignmentUndelivered


def test_only_a_valid_lease_is_placed_and_counts_once() -> None:
    world = World("a.tif", workers=("w", "x"))
    assert world.finish("a", worker="x") == wire.Ok()
    assert world.status("a") == "queued"
    assert world.finish("a", worker="w") == wire.Ok()
    assert world.finish("a", worker="w") == wire.Ok()
    assert world.topics().count("task.finished") == 1
    assert [worker.done for worker in world.ask(wire.GetWorkers()).workers] == [1, 0]


def test_progress_makes_a_movie_processing_and_progress_of_an_old_lease_is_cancelled() -> None:
    world = World("a.tif", workers=("w",))
    assert world.status("a") == "queued"
    world.progress("a")
    assert world.status("a") == "processing"
    assert world.ask(wire.GetProcessing()).running[0]["step"] == "motion"
    world.say("w", wire.TaskProgress("w", 99, "a", "motion", 0.5))
    assert world.cancelled == [99]


def test_a_lost_worker_gives_its_movies_back_and_its_late_results_are_ignored() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    old = world.tasks["a"]
    world.wait(29)
    assert world.status("a") == "queued"
    world.wait(2)
    assert (world.status("a"), world.status("b")) == ("unprocessed", "unprocessed")
    assert world.ask(wire.GetWorkers()).workers[0].state == "lost"
    effects = world.say("w", wire.TaskFinished("w", old.lease, old.run, RESULTS, {}))
    assert world.reply(effects) == wire.Ok()
    assert any(isinstance(effect, Send) and effect.message == wire.UnknownWorker() for effect in effects)
    assert world.status("a") == "unprocessed"


def test_any_traffic_counts_as_life() -> None:
    world = World("a.tif", workers=("w",))
    for _ in range(10):
        world.wait(20)
        world.progress("a")
    assert world.status("a") == "processing"


def test_a_new_instance_means_the_old_one_is_dead() -> None:
    world = World("a.tif", workers=("w",))
    old = world.tasks["a"].lease
    answer = world.worker("w", instance="2", leases=(old,))
    assert answer.leases == []
    assert world.tasks["a"].lease > old


def test_the_same_instance_keeps_what_it_still_holds() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    kept = world.tasks["a"].lease
    assert world.worker("w", leases=(kept, 77)).leases == [kept]
    assert world.tasks["a"].lease == kept
    assert world.tasks["b"].lease > kept + 1, "b was no longer held and is assigned anew"


def test_a_worker_that_nobody_knows_is_told_to_register() -> None:
    world = World()
    effects = world.say("w", wire.Heartbeat("w", "idle"))
    assert effects == [Send(b"w", wire.UnknownWorker())]
    world.worker("w")
    assert world.say("w", wire.PullTasks("w", 1), connection="other") == [Send(b"other", wire.UnknownWorker())]


def test_an_orderly_end_blames_nobody() -> None:
    world = World("a.tif", workers=("w",))
    for number in range(5):
        world.progress("a")
        world.say("w", wire.Goodbye("w"))
        assert world.status("a") == "unprocessed"
        world.worker("w", instance=f"again {number}")


def test_an_assignment_that_did_not_arrive_is_taken_back() -> None:
    world = World("a.tif", workers=("w",))
    world.do(AssignmentUndelivered(world.tasks["a"].lease))
    assert world.status("a") == "unprocessed"
    world.say("w", wire.PullTasks("w", 1))
    assert world.status("a") == "queued"


def test_a_lease_that_its_worker_does_not_name_for_long_is_taken_back() -> None:
    world = World("a.tif", workers=("w",))
    lease = world.tasks["a"].lease
    for _ in range(7):
        world.now += 2
        world.say("w", wire.Heartbeat("w", "idle", []))
    assert world.cancelled == [lease]
    assert world.tasks["a"].lease > lease
