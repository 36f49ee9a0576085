"""A worker is its name and its instance: while one instance of a name lives, another one waits."""

from __future__ import annotations

import pytest

from tests.services.scheduler_world import World
from warpcore.bus import limits
from warpcore.bus import messages as wire
from warpcore.bus.envelope import WireError
from warpcore.bus.vocabulary import FailureKind, WorkerState
from warpcore.services.scheduler.core import line_log, registry
from warpcore.services.scheduler.core.names import RIVAL_FORGOTTEN_S, RIVAL_PATIENCE_S
from warpcore.services.scheduler.core.registry import MOST_LOST

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
    assert ("worker-name:w", warning) in [(one.id, one.text) for one in world.ask(wire.GetAlarms()).alarms]
    assert world.state.workers["w"].leases == [lease]
    assert world.finish("a") == wire.Ok()
    world.files("b.tif")
    assert world.status("b") == "queued", "the first is given movies as before"


def test_a_name_is_free_soon_after_its_worker_has_fallen_silent() -> None:
    world = World("a.tif", workers=("w",))
    assert seconds_until_registered(world) <= RIVAL_PATIENCE_S + 3.0
    assert world.status("a") == "unprocessed"
    assert not [alarm for alarm in world.ask(wire.GetAlarms()).alarms if alarm.id.startswith("worker-name")]


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


def test_a_connection_is_that_of_one_worker() -> None:
    world = World("a.tif")
    for number in range(5 * MOST_LOST):
        name = f"w{number}"
        world.say(name, wire.RegisterWorker(name, "1", "host", 1, "gpu", 0, {}), "one connection")
    alive = [worker.name for worker in world.state.workers.values() if worker.alive]
    assert alive == [name]
    world.wait(1.0)
    assert len(world.state.workers) == 1 + MOST_LOST
    assert set(world.state.workers) == {f"w{number}" for number in range(4 * MOST_LOST - 1, 5 * MOST_LOST)}


def test_workers_and_those_set_aside_are_not_without_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_WORKERS", 3)
    world = World(workers=("a", "b", "c"))
    refused = world.reply(world.say("d", wire.RegisterWorker("d", "1", "host", 1, "gpu", 0, {})))
    assert (refused.code, refused.detail) == ("conflict", "3 workers are registered; end some of them")
    assert world.worker("a").leases == []
    for number in range(9):
        world.worker("a", instance=f"again {number}")
        world.say("a", wire.ComputeDied("a", [], None, FailureKind.BAD_GPU, "x"))
        world.say("a", wire.Goodbye("a"))
        world.worker(f"x{number}")
        world.say(f"x{number}", wire.ComputeDied(f"x{number}", [], None, FailureKind.BAD_GPU, "x"))
        world.say(f"x{number}", wire.Goodbye(f"x{number}"))
    assert len(world.state.bans) == 3


@pytest.mark.parametrize("field", ["name", "instance", "host", "device", "replaces"])
def test_a_registration_is_small(field: str) -> None:
    body = wire.RegisterWorker("w", "1", "host", 1, "gpu", 0, {}).to_body()
    wire.RegisterWorker.from_body({**body, field: "x" * limits.LONGEST_NAME})
    with pytest.raises(WireError, match=field):
        wire.RegisterWorker.from_body({**body, field: "x" * (limits.LONGEST_NAME + 1)})
    with pytest.raises(WireError, match="versions"):
        wire.RegisterWorker.from_body({**body, "versions": {str(number): "1" for number in range(65)}})


def test_the_log_of_a_worker_is_bounded_in_bytes_and_all_of_it_is_told() -> None:
    world = World(workers=("w",))
    told = len(world.events)
    for _ in range(20):
        world.say("w", wire.WorkerLog("w", [{"level": "info", "text": "é" * 800_000, "ts": 1.0}] * 20))
    kept = world.ask(wire.GetWorkerLogs("w", 0, limits.LOG_LINES)).lines
    assert [line["number"] for line in kept][-1] == 400
    assert sum(len(line["text"].encode()) for line in kept) <= line_log.MOST_BYTES
    events = [body for topic, body in world.events[told:] if topic == "worker.log"]
    assert [line["number"] for body in events for line in body["lines"]] == [*range(1, 401)]
