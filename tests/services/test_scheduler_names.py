"""A worker is its name and its instance: while one instance of a name lives, another one waits."""

from __future__ import annotations

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.scheduler.core.registry import RIVAL_FORGOTTEN_S, RIVAL_PATIENCE_S

HEARTBEAT_TIMEOUT_S = 30.0


def ask_for_name(world: World, instance: str, replaces: str = "") -> wire.WorkerRegistered | wire.WaitForName:
    message = wire.RegisterWorker("w", instance, "other host", 2, "gpu", 0, {}, replaces=replaces)
    answer: wire.WorkerRegistered | wire.WaitForName = world.reply(world.say("w", message, f"connection of {instance}"))
    return answer


def seconds_until_registered(world: World, *beating: str) -> float:
    """A second instance asks every 3 s, as a nanny does, until the name is its own."""
    began = world.now
    while not isinstance(ask_for_name(world, "2"), wire.WorkerRegistered):
        world.wait(3.0, *beating)
        assert world.now - began < 100, "the second instance waits for ever"
    return world.now - began


def test_a_second_instance_waits_while_the_first_lives_and_costs_it_nothing() -> None:
    world = World("a.tif", workers=("w",))
    lease = world.tasks["a"].lease
    world.now += 1.5
    assert ask_for_name(world, "2") == wire.WaitForName("w", "1", "host", 1, 1.5)
    for _ in range(30):
        world.wait(3.0, "w")
        assert isinstance(ask_for_name(world, "2"), wire.WaitForName)
    (warning,) = world.ask(wire.GetProcessing()).warnings
    assert warning.startswith("another worker called w waits until that one has ended")
    assert world.state.workers["w"].leases == [lease]
    assert world.finish("a") == wire.Ok()
    world.files("b.tif")
    assert world.status("b") == "queued", "the first is given movies as before"


def test_a_name_is_free_soon_after_its_worker_has_fallen_silent() -> None:
    world = World("a.tif", workers=("w",))
    assert seconds_until_registered(world) <= RIVAL_PATIENCE_S + 3.0
    assert world.status("a") == "unprocessed"


def test_nobody_loses_a_name_early_once_the_other_instance_has_given_up() -> None:
    world = World("a.tif", workers=("w",))
    ask_for_name(world, "2")
    world.say("w", wire.Heartbeat("w", WorkerState.BUSY, [world.tasks["a"].lease]))
    world.now += max(RIVAL_PATIENCE_S, RIVAL_FORGOTTEN_S) + 5.0
    world.wait(5.0)
    assert world.state.workers["w"].alive
    world.wait(HEARTBEAT_TIMEOUT_S)
    assert not world.state.workers["w"].alive


def test_a_name_is_free_at_once_for_one_that_has_seen_its_worker_end() -> None:
    world = World("a.tif", workers=("w",))
    assert isinstance(ask_for_name(world, "2", replaces="another one"), wire.WaitForName)
    assert isinstance(ask_for_name(world, "2", replaces="1"), wire.WorkerRegistered)
    assert world.status("a") == "unprocessed"
    assert world.state.workers["w"].instance == "2"


def test_a_name_is_free_at_once_after_an_orderly_end() -> None:
    world = World("a.tif", workers=("w",))
    world.say("w", wire.Goodbye("w"))
    assert isinstance(ask_for_name(world, "2"), wire.WorkerRegistered)


def test_an_idle_worker_that_registers_again_is_no_news() -> None:
    world = World(workers=("w",))
    told = len(world.events)
    world.worker("w")
    assert "worker.registered" not in world.topics()[told:]
    message = wire.RegisterWorker("w", "1", "host", 1, "gpu", 16000, {})
    world.say("w", message)
    assert "worker.registered" in world.topics()[told:]


def test_a_pull_that_was_lost_is_made_good_by_the_next_heartbeat() -> None:
    world = World("a.tif")
    world.worker("w", credit=0)
    world.say("w", wire.Heartbeat("w", WorkerState.IDLE))
    assert world.status("a") == "unprocessed"
    world.say("w", wire.Heartbeat("w", WorkerState.IDLE, credit=2))
    assert world.status("a") == "queued"
