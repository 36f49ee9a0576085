"""Failed movies are forgotten: gone from lists, pages and the database; a file that comes back is a new movie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.services.scheduler_site import Site, WaitUntil, ask, files
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.follower import Follower, Reset
from warpcore.services.scheduler.core import journal
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.stimuli import FromControl
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.movie_record import record_path

WHERE = {"data_directory": "/data", "processing_directory": "/processing"}


def failed(*names: str) -> World:
    """A paused session in which these movies have failed, and `good` is done."""
    world = World("good.tif", *(f"{name}.tif" for name in names), workers=("w",))
    world.finish("good")
    for name in names:
        world.fail(name, "input")
    world.ask(wire.PauseProcessing())
    return world


def forgotten(world: World, *names: str) -> wire.ItemsForgotten:
    answer = world.ask(wire.ForgetItems(names=list(names), by="ada"))
    assert isinstance(answer, wire.ItemsForgotten)
    return answer


def test_a_forgotten_movie_is_found_anew_under_another_number() -> None:
    world = failed("a", "b")
    assert forgotten(world, "a") == wire.ItemsForgotten(1)
    assert world.ask(wire.GetItem("a")).code == "not_found"
    assert world.ask(wire.GetSummary()).counts["failed"] == 1
    assert world.files("a.tif").added == 1
    movie = world.movie("a")
    assert (movie.id, movie.status, movie.failure) == (4, "unprocessed", None)


def test_the_number_of_the_newest_is_not_given_again_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", **WHERE)
    world = World(workers=("w",))
    world.store_into(store)
    world.files("a.tif", "b.tif")
    world.fail("b", "input")
    forgotten(world, "b")
    store.commit()
    with closing(store):
        again = restore(store.load(), now=0.0, wall=0.0, **WHERE)
    validate(again)
    assert (list(again.by_name), again.last_movie) == (["a"], 2)


def test_a_movie_may_be_forgotten_in_the_round_in_which_its_lease_ends(tmp_path: Path) -> None:
    """Its lease refers to it in the database."""
    store = Store(tmp_path / "state.db", **WHERE)
    world = World(workers=("w",))
    world.store_into(store)
    world.files("a.tif")
    store.commit()
    world.fail("a", "input")
    forgotten(world, "a")
    store.commit()
    with closing(store):
        stored = store.load()
    assert (stored.movies, stored.tasks) == ([], [])


def test_only_failed_movies_that_nothing_needs_are_forgotten() -> None:
    world = failed("a", "b")
    assert forgotten(world, "good").refused == [
        {"name": "good", "problem": "good is processed, not failed; only failed movies can be forgotten"}
    ]
    assert world.ask(wire.ForgetItems(names=["nobody"])).code == "not_found"
    assert list(world.state.by_name) == ["good", "a", "b"]


def test_pages_leave_no_movie_out_and_end() -> None:
    world = failed("a", "b", "c", "d")
    forgotten(world, "b", "d")
    pages: list[list[int]] = []
    after: int | None = 0
    while after is not None:
        page = world.ask(wire.GetSnapshot(after, 1))
        pages.append([movie.id for movie in page.movies])
        after = page.next_after
    assert pages == [[1], [2], [4]]
    assert world.ask(wire.GetSnapshot(after=4)).movies == []
    first = world.ask(wire.GetKnownFiles(limit=2))
    assert ([file.path for file in first.files], first.next_after) == (["good.tif", "a.tif"], 2)
    rest = world.ask(wire.GetKnownFiles(after=2))
    assert ([file.path for file in rest.files], rest.next_after, rest.forgotten) == (["c.tif"], None, 2)


def test_an_undo_of_selections_passes_over_a_forgotten_movie() -> None:
    world = failed("a", "b")
    done = world.ask(wire.SelectItems("include", names=["a", "b"]))
    forgotten(world, "a")
    assert world.ask(wire.UndoSelection(done.undo)).changed == 1
    assert world.movie("b").selection == "auto"


def test_a_movie_whose_name_was_taken_is_free_of_it_once_both_are_forgotten() -> None:
    world = failed("a")
    world.files("a.mrc")
    assert world.movie("a.mrc").failure.kind == "conflict"  # type: ignore[union-attr]
    assert forgotten(world, "a", "a.mrc").forgotten == 2
    world.files("a.mrc")
    assert world.status("a") == "unprocessed"


def test_the_log_keeps_what_is_forgotten() -> None:
    world = failed("a")
    effects = world.do(FromControl(wire.ForgetItems(names=["a"], by="ada")))
    (entry,) = journal.entries(effects)
    assert entry.text == "movie a (a.tif) is forgotten, by ada; it had failed: input in ctf: it went wrong"


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def followed(endpoints: Endpoints, wait_until: WaitUntil, change: Callable[[], None]) -> list[list[str]]:
    """The names of the movies of each reset that a follower gets, before and after the change."""
    resets: list[list[str]] = []
    with closing(Follower(endpoints, "test")) as follower:

        def seen(count: int) -> bool:
            for item in follower.poll(0.1):
                if isinstance(item, Reset):
                    resets.append([movie.name for movie in item.movies])
            return len(resets) >= count

        wait_until(lambda: seen(1), 10, "the state")
        change()
        wait_until(lambda: seen(2), 10, "the state without the forgotten movie")
    return resets


def test_whoever_follows_the_state_soon_has_it_without_the_movie(site: Site, wait_until: WaitUntil) -> None:
    with site.running() as client:
        ask(client, files("a.tif", "a.mrc"))
        resets = followed(site.endpoints, wait_until, lambda: ask(client, wire.ForgetItems(names=["a.mrc"])))
        assert resets == [["a", "a.mrc"], ["a"]]
    with site.running() as client:
        assert ask(client, wire.GetSummary()).total == 1


def test_no_rebuilt_state_has_a_forgotten_movie(site: Site, wait_until: WaitUntil) -> None:
    record = site.processing / record_path("a.mrc")
    with site.running() as client:
        ask(client, files("a.tif", "a.mrc"))
        record.parent.mkdir()
        record.write_text("what it was before it failed")
        ask(client, wire.ForgetItems(names=["a.mrc"]))
        wait_until(lambda: not record.exists(), what="the end of its record")
