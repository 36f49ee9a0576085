"""A session that has nothing to do pauses by itself and goes on with the next movie; a person's pause stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.scheduler_world import World, finished
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import ExportKind, Pauser
from warpcore.services.scheduler.core.stimuli import Started
from warpcore.services.scheduler.store.database import Store
from warpcore.services.session.settings import Settings, patch_settings

AFTER_MIN = 2
LONG_S = AFTER_MIN * 60 + 20
SETTINGS = patch_settings(Settings(), {"session": {"pause_after": AFTER_MIN}})


def pauser(world: World) -> Pauser | None:
    status = world.ask(wire.GetProcessing())
    assert status.is_processing is (status.paused_by is None)
    return status.paused_by


@pytest.fixture
def idle() -> World:
    """A session with one processed movie and a worker that has paused by itself."""
    world = finished("a.tif", settings=SETTINGS)
    world.wait(LONG_S, "w")
    assert pauser(world) is Pauser.IDLE
    world.events.clear()
    return world


def test_it_pauses_once_nothing_was_left_to_do_for_long() -> None:
    world = finished("a.tif", settings=SETTINGS)
    world.wait(AFTER_MIN * 60 - 5, "w")
    assert pauser(world) is None
    world.wait(20, "w")
    assert pauser(world) is Pauser.IDLE
    (told,) = [body for topic, body in world.events if topic == "processing.paused"]
    assert (told["paused"], told["paused_by"]) == (True, "idle")


def test_without_the_setting_it_never_pauses() -> None:
    world = finished("a.tif")
    world.wait(5 * LONG_S, "w")
    assert pauser(world) is None


def test_the_next_movie_starts_it_again_and_is_given_out_at_once(idle: World) -> None:
    idle.files("b.tif")
    assert pauser(idle) is None
    assert idle.owner("b") == "w"
    assert "processing.started" in idle.topics()


def test_what_a_person_wants_done_again_starts_it_too(idle: World) -> None:
    idle.ask(wire.RetryItem("a", force=True))
    assert pauser(idle) is None


def test_an_export_starts_it_too(idle: World) -> None:
    idle.ask(wire.StartExport(ExportKind.MICROGRAPHS, {}, ["a"]))
    assert pauser(idle) is None


def test_the_time_counts_from_when_something_was_done_last(idle: World) -> None:
    idle.files("b.tif")
    idle.wait(LONG_S, "w")
    assert pauser(idle) is None
    idle.finish("b")
    idle.wait(AFTER_MIN * 60 - 5, "w")
    assert pauser(idle) is None
    idle.wait(20, "w")
    assert pauser(idle) is Pauser.IDLE


def test_movies_that_no_worker_takes_are_something_to_do() -> None:
    world = World("a.tif", settings=SETTINGS)
    world.wait(3 * LONG_S)
    assert pauser(world) is None


def test_data_never_end_a_persons_pause() -> None:
    world = finished("a.tif", settings=SETTINGS)
    world.ask(wire.PauseProcessing())
    world.files("b.tif")
    world.wait(LONG_S, "w")
    assert pauser(world) is Pauser.PERSON
    assert world.status("b") == "unprocessed"


def test_a_person_may_make_its_pause_theirs(idle: World) -> None:
    idle.ask(wire.PauseProcessing())
    idle.files("b.tif")
    assert pauser(idle) is Pauser.PERSON


def test_a_person_may_end_its_pause_which_comes_again_as_late_as_before(idle: World) -> None:
    idle.ask(wire.StartProcessing())
    idle.wait(AFTER_MIN * 60 - 5, "w")
    assert pauser(idle) is None
    idle.wait(20, "w")
    assert pauser(idle) is Pauser.IDLE


def test_a_setting_that_is_taken_back_ends_it(idle: World) -> None:
    idle.patch(session={"pause_after": None})
    idle.wait(2, "w")
    assert pauser(idle) is None


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    store = Store(folder / "state.db", data_directory="/data", processing_directory="/processing")
    try:
        yield store
    finally:
        store.close()


def test_who_paused_outlives_a_restart(tmp_path: Path) -> None:
    world = finished("a.tif", settings=SETTINGS)
    with opened(tmp_path) as store:
        world.store_into(store)
        world.wait(LONG_S, "w")
        store.commit(1.0)
    with opened(tmp_path) as store:
        assert store.load().paused_by is Pauser.IDLE
        world.store = store
        world.do(Started("", paused=True))
        store.commit(1.0)
        assert store.load().paused_by is Pauser.PERSON
        world.ask(wire.StartProcessing())
        store.commit(1.0)
        assert store.load().paused_by is None
