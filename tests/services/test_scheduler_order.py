"""Which waiting movie is processed next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.scheduler_world import World, finished
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import Order, WorkerState
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore

MTIMES_NS = {"a": 40, "b": 10, "c": 50, "d": 20, "e": 30}


def world_of_five(order: Order) -> World:
    world = World()
    world.ask(wire.RegisterFiles([wire.FoundFile(f"{name}.tif", 100, at) for name, at in MTIMES_NS.items()]))
    world.ask(wire.OrderProcessing(order))
    return world


def run_all(world: World) -> str:
    """The movies in the order in which one worker gets them."""
    world.worker("w", credit=1)
    names = ""
    while world.state.tasks:
        (task,) = world.state.tasks.values()
        name = world.state.movies[task.movie].name
        names += name
        world.finish(name)
    return names


@pytest.mark.parametrize(
    ("order", "names"),
    [(Order.NORMAL, "abcde"), (Order.OLDEST, "bdeac"), (Order.LATEST, "caedb"), (Order.ALTERNATE, "cbade")],
)
def test_movies_run_in_the_order_chosen(order: Order, names: str) -> None:
    assert run_all(world_of_five(order)) == names


@pytest.mark.parametrize("order", Order)
def test_priorities_and_this_one_now_stand_above_the_order(order: Order) -> None:
    world = world_of_five(order)
    world.ask(wire.PrioritiseItem("e", 1))
    world.ask(wire.PrioritiseItem("d", first=True))
    assert world.ask(wire.PrioritiseItem("d", first=True)).movie.priority == 2, "it is first already"
    assert run_all(world)[:2] == "de"


def test_outdated_movies_run_before_new_ones_in_normal_order_alone() -> None:
    world = finished("done.tif")
    world.ask(wire.PauseProcessing())
    world.files("new.tif")
    world.patch(ctf={"range_max": 5.0})
    for order, first in ((Order.LATEST, "new"), (Order.NORMAL, "done")):
        world.ask(wire.OrderProcessing(order))
        assert world.state.movies[next(iter(world.state.queue.in_turn(0)))].name == first


def test_an_order_holds_after_a_restart_and_is_told(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    with_store = World()
    store = Store(tmp_path / "state.db", **where)
    with_store.store_into(store)
    with_store.files("a.tif", "b.tif")
    with_store.ask(wire.OrderProcessing(Order.ALTERNATE))
    with_store.ask(wire.OrderProcessing(Order.ALTERNATE))
    told = [body for topic, body in with_store.events if topic == "processing.ordered"]
    assert [(body["paused"], body["order"]) for body in told] == [(False, "alternate")]
    store.commit()
    store.close()
    store = Store(tmp_path / "state.db", **where)
    with_store.state = restore(store.load(), now=with_store.now, wall=with_store.now, **where)
    store.close()
    assert with_store.ask(wire.GetProcessing()).order == Order.ALTERNATE
    assert run_all(with_store) == "ba"


def test_a_movie_goes_to_a_worker_that_is_not_busy_for_another_session() -> None:
    world = World("a", workers=())
    for name in ("w1", "w2"):
        world.say(name, wire.RegisterWorker(name, name, "host", 1, "cpu", 0, {}))
    world.say("w1", wire.Heartbeat("w1", WorkerState.BUSY, credit=1))
    world.say("w2", wire.Heartbeat("w2", WorkerState.IDLE, credit=0))
    assert world.owner("a") == "w1", "rather than to none"
    world.files("b", "c")
    world.say("w1", wire.Heartbeat("w1", WorkerState.BUSY, credit=2, leases=[1]))
    world.say("w2", wire.Heartbeat("w2", WorkerState.IDLE, credit=1))
    assert world.owner("c") == "w2"
