"""A person's word after a night's fault: movies are tried again in one request, soon, and selections stay."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.services.scheduler_site import Site, ask
from tests.services.scheduler_world import World
from tests.waiting import crowd
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Pauser, Selection
from warpcore.services.scheduler.core.effects import CutLog, SaveMovie, SavePaused
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.rows import movie_row
from warpcore.services.scheduler.store.database import Store

COUNT = 2000
EXCLUDED = "is excluded, so it does not run; include it or leave it to the filter, then retry it"


def failed(*names: str) -> World:
    """A paused session whose movies have failed."""
    world = World(*(f"{name}.tif" for name in names), workers=("w",))
    for name in names:
        world.fail(name, "input")
    world.ask(wire.PauseProcessing())
    return world


def test_an_excluded_movie_is_refused_until_it_is_included() -> None:
    world = failed("a", "b")
    world.ask(wire.SelectItem("a", "exclude"))
    refused = world.ask(wire.RetryItem("a"))
    assert (refused.code, refused.detail) == ("conflict", f"a {EXCLUDED}")
    assert world.ask(wire.RetryItem("a", force=True)).code == "conflict"
    answer = world.ask(wire.RetryItems(names=["a", "b"]))
    assert (answer.retried, answer.refused) == (1, [{"name": "a", "problem": f"a {EXCLUDED}"}])
    world.ask(wire.SelectItem("a", "include"))
    assert world.ask(wire.RetryItem("a")).movie.status == "unprocessed"


def test_a_retry_of_all_passes_over_excluded_ones() -> None:
    world = failed("a", "b", "c")
    world.ask(wire.SelectItem("b", "exclude"))
    assert world.ask(wire.RetryItems("input")) == wire.ItemsRetried(2)
    assert [world.status(name) for name in "abc"] == ["unprocessed", "failed", "unprocessed"]


def test_no_retry_touches_the_users_selection() -> None:
    world = failed("a", "b", "c", "d")
    for name, selection in (("a", "include"), ("b", "include"), ("c", "exclude")):
        world.ask(wire.SelectItem(name, selection))
    world.ask(wire.RetryItem("a"))
    world.ask(wire.RetryItems(names=["b"], force=True))
    world.ask(wire.RetryItems())
    assert [world.movie(name).selection for name in "abcd"] == ["include", "include", "exclude", "auto"]


def test_two_thousand_are_retried_in_one_request_in_under_a_second(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    site = Site(tmp_path, free_ports(4))
    fill(site)
    with site.running() as client:
        fastest_s = min(retried_s(client) for _ in range(3))
        assert ask(client, wire.GetSummary()).counts["failed"] == 0
    assert fastest_s < 1.0 * crowd()


def fill(site: Site) -> None:
    """A paused session in which so many movies have failed."""
    where = {"data_directory": str(site.data), "processing_directory": str(site.processing)}
    (site.processing / ".warpcore").mkdir()
    store = Store(site.processing / ".warpcore" / "state.db", **where)
    failure = wire.Failure(FailureKind.DISK_FULL, "write", "disk full on /processing: 0.3 GB left, needs 2 GB", "host")
    for id in range(1, COUNT + 1):
        name = f"grid{id % 7}/movie_{id:06d}"
        movie = MovieRecord(id, name, f"{name}.tif", 100, 5, MovieStatus.FAILED, failure=failure)
        movie.selection = Selection.INCLUDE if id % 2 else Selection.AUTO
        store.stage([SaveMovie(movie_row(movie))])
    store.stage([SavePaused(Pauser.PERSON), CutLog(1)])
    store.commit()
    store.close()


def retried_s(client: RequestClient) -> float:
    """How long one request takes that retries all of them, by number and by force after the first time."""
    before = ask(client, wire.GetSummary()).counts["failed"]
    message = wire.RetryItems() if before else wire.RetryItems(ids=list(range(1, COUNT + 1)), force=True)
    begun = time.monotonic()
    answer = ask(client, message)
    took_s = time.monotonic() - begun
    assert answer == wire.ItemsRetried(COUNT)
    return took_s
