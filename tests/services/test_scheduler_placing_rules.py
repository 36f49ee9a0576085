"""What the scheduler decides while outputs are put in place; `test_scheduler_placing.py` does it on a disk."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.reports import made
from tests.services.scheduler_world import RESULTS, World, finished
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core import placing_outputs
from warpcore.services.scheduler.core.effects import DropStaging, Effect, PlaceOutputs
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.stimuli import OutputsPlaced, PlacingFailed, Started, StartTry
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.settings import parse_settings


def orders(effects: list[Effect]) -> list[PlaceOutputs]:
    return [effect for effect in effects if isinstance(effect, PlaceOutputs)]


def placing(*paths: str, **settings: Any) -> tuple[World, PlaceOutputs]:
    """A session whose first movie was reported by `w`, and waits for the disk."""
    world = World(*paths, settings=parse_settings(settings))
    world.worker("w", credit=1)
    world.stands = True
    task = world.tasks["a"]
    (order,) = orders(world.report("w", task, {step: RESULTS[step] for step in task.run}, made(*task.run)))
    return world, order


def test_a_worker_that_has_reported_is_free_while_its_files_are_placed() -> None:
    world, order = placing("a.tif", "b.tif")
    assert (world.status("a"), world.status("b")) == ("processing", "queued")
    assert world.state.workers["w"].leases == [world.tasks["b"].lease]
    world.say("w", wire.Goodbye("w"))
    world.wait(4000)
    assert world.status("a") == "processing", "no time-out and no end of its worker touches it"
    world.place(order)
    assert world.status("a") == "processed"


@pytest.mark.parametrize("how", ["twice", "late"])
def test_what_the_disk_says_once_more_changes_nothing(how: str) -> None:
    world, order = placing("a.tif")
    if how == "late":
        world.do(PlacingFailed(order.lease, "a folder is in the way", again=False))
        world.do(PlacingFailed(order.lease, "a folder is in the way", again=True))
        assert world.state.movies[1].retries == {"resource": 1}
    else:
        world.place(order)
        before = world.movie("a")
        world.do(OutputsPlaced(order.lease, []))
        world.do(PlacingFailed(order.lease, "x", again=False))
        assert world.movie("a") == before


def test_outputs_that_storage_refuses_are_placed_later_and_no_movie_fails() -> None:
    world, order = placing("a.tif")
    world.do(PlacingFailed(order.lease, "/p/average/a.mrc: No space", again=True, fault=FailureKind.DISK_FULL))
    status = world.ask(wire.GetProcessing())
    assert "/p/average/a.mrc: No space; tasks that wait for it: 1" in status.warnings
    assert status.holds == ["/p/average/a.mrc: No space"]
    world.now += placing_outputs.REPEAT_AFTER_S - 1
    assert orders(world.say("w", wire.Heartbeat("w", "idle"))) == []
    world.stands = False
    world.wait(2)
    assert world.status("a") == "processed"
    assert world.ask(wire.GetProcessing()).warnings == []
    assert world.state.movies[1].retries == {}


def test_after_a_restart_the_same_is_placed(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    with closing(Store(tmp_path / "state.db", **where)) as store:
        world = World()
        world.store_into(store)
        world.files("a.tif")
        world.worker("w", credit=1)
        world.stands = True
        task = world.tasks["a"]
        (order,) = orders(world.report("w", task, {step: RESULTS[step] for step in task.run}, made(*task.run)))
        store.commit()
        state = restore(store.load(), now=world.now, wall=world.now, **where)
    assert orders(handle(state, Started(None), world.now)) == [order]


def test_a_file_that_is_replaced_while_its_outputs_are_placed_runs_again_afterwards() -> None:
    world, order = placing("a.tif")
    world.files("a.tif", size=7)
    assert world.cancelled == []
    assert world.status("a") == "processing"
    world.place(order)
    assert world.tasks["a"].size == 7
    assert world.tasks["a"].lease > order.lease


def test_files_have_the_names_of_the_settings_that_they_were_made_with() -> None:
    world, order = placing("a.tif", picking={"diameter": 120.0, "suffix": "good"})
    world.patch(picking={"suffix": "better"})
    world.place(order)
    assert world.state.movies[1].outputs["picking"] == ["matching/a_good.star"]
    assert "matching/a_good.star" in world.disk.outputs()


def test_users_wait_for_files_that_are_being_placed() -> None:
    world, _ = placing("a.tif")
    assert "is running" in world.ask(wire.RetryItem("a", force=True)).detail


def test_a_try_cannot_be_deleted_while_its_files_are_placed() -> None:
    world = finished("a.tif")
    settings = parse_settings({"ctf": {"range_max": 5.0}})
    asked = world.reply(world.do(StartTry("a", settings, "", {"ctf": {"range_max": 5.0}})))
    world.stands = True
    task = world.tasks["a"]
    (order,) = orders(world.report("w", task, {step: RESULTS[step] for step in task.run}, made(*task.run)))
    refused = world.ask(wire.DeleteTry(asked.id))
    assert (refused.code, "being put in place" in refused.detail) == ("conflict", True)
    world.place(order)
    assert world.ask(wire.DeleteTry(asked.id)).id == asked.id


def test_so_many_outputs_wait_for_a_slow_disk_and_then_nothing_more_is_assigned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(placing_outputs, "MOST_PLACING", 2)
    world = World(*(f"{name}.tif" for name in "abcd"))
    world.worker("w", credit=1)
    world.stands = True
    waiting = []
    for name in "ab":
        task = world.tasks[name]
        waiting += orders(world.report("w", task, {step: RESULTS[step] for step in task.run}, made(*task.run)))
    assert world.status("c") == "unprocessed"
    world.place(waiting[0])
    assert world.status("c") == "queued"


def test_the_folder_of_a_lease_that_has_ended_goes_and_that_of_one_that_holds_stays() -> None:
    world = World("a.tif", workers=("w", "x"))
    lease = world.tasks["a"].lease
    for name, number in (("x", lease), ("w", lease + 1), ("w", 0), ("w", -1)):
        told = world.say(name, wire.TaskFinished(name, number, [], {}, {}))
        assert not any(isinstance(effect, DropStaging) for effect in told), f"{name} speaks of {number}"
    gone = world.say("w", wire.Goodbye("w"))
    assert DropStaging(1, lease) in gone
    late = world.say("w", wire.TaskFinished("w", lease, [], {}, {}))
    assert DropStaging(0, lease) in late
