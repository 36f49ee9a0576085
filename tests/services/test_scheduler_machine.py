"""The machine itself: transitions, stories, handlers, the registry."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.services.scheduler_world import World, finished
from warpcore.bus import messages as wire
from warpcore.bus.schema import REGISTRY
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.scheduler.core import registry
from warpcore.services.scheduler.core.effects import Reply
from warpcore.services.scheduler.core.handlers import HANDLERS, Handler, Place, handles
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.lives import IllegalTransition
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.stimuli import FromControl, Started
from warpcore.services.scheduler.shell import requests as _requests  # noqa: F401 - registers the shell's handlers
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore


def test_an_illegal_transition_tells_the_movies_story() -> None:
    world = finished("a.tif")
    movie = world.state.by_name["a"]
    with pytest.raises(IllegalTransition, match=r"a: processed → queued .* Story: found; unprocessed → queued"):
        world.state.move(movie, MovieStatus.QUEUED, "test")
    validate(world.state)


def test_a_start_decides_again_only_where_what_was_restored_was_not_decided_under_the_same(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    world = World("a.tif", "b.tif", "c.tif", workers=("w",))
    with closing(Store(tmp_path / "state.db", **where)) as store:
        world.store_into(store)
        world.finish("a")
        world.fail("b", "input")
        store.commit()
        again = restore(store.load(), now=0.0, wall=0.0, **where)
    assert [movie.name for movie in again.underived] == ["b", "c"]
    handle(again, Started("gain:another"), 1.0)
    assert again.by_name["a"].status == "outdated"
    assert [movie.name for movie in again.underived] == ["a", "b", "c"]


def test_a_story_keeps_its_beginning_and_its_end() -> None:
    world = World("a.tif")
    for number in range(30):
        world.ask(wire.PrioritiseItem("a", number % 2 + 1))
    story = [line["text"] for line in world.ask(wire.GetItem("a")).story]
    assert len(story) == 20
    assert (story[0], story[-1]) == ("found", "priority: 2")


def test_every_message_of_the_wire_is_handled_or_is_an_answer() -> None:
    answers = {answer for message in HANDLERS for answer in message.ANSWERS}
    to_workers = {
        wire.Error,
        wire.UnknownWorker,
        wire.AssignTask,
        wire.CancelTask,
        wire.DrainWorker,
        wire.LookAtFolders,
    }
    assert set(REGISTRY.values()) - answers - to_workers == set(HANDLERS)
    assert all(handler.summary for handler in HANDLERS.values())
    assert [message for message, handler in HANDLERS.items() if handler.reads and not message.ANSWERS] == []


def test_a_message_has_one_handler() -> None:
    with pytest.raises(ValueError, match=r"item\.get is handled twice"):
        handles(wire.GetItem)(lambda state, message: None)


@pytest.mark.parametrize("handler", [one for one in HANDLERS.values() if one.reads and one.place is Place.MACHINE])
def test_what_says_that_it_only_reads_changes_nothing(handler: Handler) -> None:
    world = finished("a.tif")
    arguments = {
        **{wire.GetItem: ("a",), wire.GetItemPicks: ("a",), wire.GetMovies: ([1],), wire.GetWorkerLogs: ("w",)},
        **dict.fromkeys((wire.GetExport, wire.GetTry, wire.GetProfile), ("none",)),
    }
    before = world.state.seq
    effects = world.do(FromControl(handler.message(*arguments.get(handler.message, ()))))
    assert [type(effect) for effect in effects] == [Reply]
    assert isinstance(world.reply(effects), (*handler.message.ANSWERS, wire.Error))
    assert world.state.seq == before


def test_forgotten_workers_leave_the_registry() -> None:
    world = World(workers=("w",))
    world.wait(40)
    assert [worker.state for worker in world.ask(wire.GetWorkers()).workers] == ["lost"]
    world.wait(registry.LOST_SHOWN_S)
    assert world.ask(wire.GetWorkers()).workers == []


def test_what_workers_have_noticed_is_shown_once_while_they_live_and_say_so() -> None:
    world = World(workers=("w", "v"))
    for name in ("w", "v"):
        world.say(name, wire.Heartbeat(name, "idle", warnings=["the gain is upside down"]))
    assert world.ask(wire.GetProcessing()).warnings == ["the gain is upside down"]
    assert [worker.warnings for worker in world.ask(wire.GetWorkers()).workers] == [["the gain is upside down"]] * 2
    world.say("w", wire.Heartbeat("w", "idle"))
    assert world.ask(wire.GetProcessing()).warnings == ["the gain is upside down"]
    world.say("v", wire.Goodbye("v"))
    assert world.ask(wire.GetProcessing()).warnings == []


def test_no_worker_can_fill_the_display() -> None:
    world = World(workers=("w",))
    world.say("w", wire.Heartbeat("w", "idle", warnings=[f"{number} " + "x" * 10_000 for number in range(1000)]))
    warnings = world.ask(wire.GetProcessing()).warnings
    assert len(warnings) == registry.MOST_WARNINGS
    assert max(map(len, warnings)) <= 2000
