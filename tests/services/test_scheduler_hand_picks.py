"""A person's edits of picks: what runs for them, that they stay, and that they are taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.services.reports import made
from tests.services.scheduler_world import RESULTS, World
from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_HAND_PICKS
from warpcore.services.scheduler.core.effects import RestoreOutputs
from warpcore.services.scheduler.core.hand_picks import MOST_FORMER
from warpcore.services.scheduler.core.stimuli import FromControl
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.generations import generation_key
from warpcore.services.session.settings import parse_settings

WHERE = {"data_directory": "/data", "processing_directory": "/processing"}
SIZES = {"width": 100, "height": 80}


def finish(world: World, name: str) -> None:
    task = world.tasks[name]
    results = {"input": SIZES, **{step: RESULTS[step] for step in task.run}}
    world.report(world.owner(name), task, results, made(*task.run))


def processed(particles: bool = False, store: Store | None = None) -> World:
    """A session of two movies, both processed."""
    settings = parse_settings({"picking": {"diameter": 130.0}, "export": {"particles": particles}})
    world = World(settings=settings)
    if store is not None:
        world.store_into(store)
    world.files("a.tif", "b.tif")
    world.worker("w", credit=2)
    for name in ("a", "b"):
        finish(world, name)
    assert (world.status("a"), world.status("b")) == ("processed", "processed")
    return world


@pytest.mark.parametrize(("particles", "runs"), [(False, ["picking"]), (True, ["picking", "export"])])
def test_an_edit_makes_the_picks_of_its_movie_anew_and_nothing_else(particles: bool, runs: list[str]) -> None:
    world = processed(particles)
    before = world.tasks["b"].wanted
    answer = world.ask(wire.SetItemPicks("a", [(10.0, 20.0)], [(30.0, 40.0), (50.5, 60.5)]))
    assert answer.hand == wire.HandPicks([(10.0, 20.0)], [(30.0, 40.0), (50.5, 60.5)], 100, 80)
    task = world.tasks["a"]
    assert task.run == runs
    assert task.hand_picks == answer.hand
    assert (world.status("b"), world.tasks["b"].wanted, world.tasks["b"].hand_picks) == ("processed", before, None)
    finish(world, "a")
    assert world.status("a") == "processed"


def test_subscribers_are_told_by_an_event_of_the_movie() -> None:
    world = processed()
    world.events.clear()
    world.ask(wire.SetItemPicks("a", [(10.0, 20.0)]))
    topic, body = world.events[0]
    assert (topic, body["movie"]["name"], body["movie"]["status"]) == ("movie.status", "a", "outdated")
    assert body["movie"]["hand_picks"]
    assert "1 added, 0 removed" in world.ask(wire.GetItem("a")).story[-2]["text"]


def test_edits_stay_through_every_run() -> None:
    world = processed()
    edits = world.ask(wire.SetItemPicks("a", [(10.0, 20.0)])).hand
    finish(world, "a")
    world.patch(picking={"diameter": 150.0})
    assert world.tasks["a"].hand_picks == edits
    finish(world, "a")
    world.ask(wire.RetryItem("a", force=True))
    assert world.tasks["a"].hand_picks == edits
    finish(world, "a")
    world.files("a.tif", size=101)
    assert world.tasks["a"].hand_picks == edits
    assert world.ask(wire.GetItemPicks("a")).hand == edits


def test_an_edit_while_the_movie_runs_counts_once_it_has_ended() -> None:
    world = processed()
    world.ask(wire.SetItemPicks("a", [(10.0, 20.0)]))
    first = world.tasks["a"]
    world.ask(wire.SetItemPicks("a", [(11.0, 21.0)]))
    assert world.tasks["a"] is first
    finish(world, "a")
    second = world.tasks["a"]
    assert second.lease != first.lease
    assert (second.run, second.hand_picks.added if second.hand_picks else None) == (["picking"], [(11.0, 21.0)])


def test_undo_brings_the_edits_before_back_one_after_another() -> None:
    world = processed()
    for x in (1.0, 2.0, 3.0):
        world.ask(wire.SetItemPicks("a", [(x, 0.0)]))
    undone = [world.ask(wire.UndoItemPicks("a")) for _ in range(3)]
    assert [one.hand.added for one in undone] == [[(2.0, 0.0)], [(1.0, 0.0)], []]
    assert [one.former for one in undone] == [2, 1, 0]
    assert world.ask(wire.UndoItemPicks("a")).code == "conflict"


def test_edits_that_held_before_take_back_what_came_since() -> None:
    world = processed()
    for x in (1.0, 2.0, 3.0):
        world.ask(wire.SetItemPicks("a", [(x, 0.0)]))
    again = world.ask(wire.SetItemPicks("a", [(1.0, 0.0)]))
    assert again.former == 1
    assert world.ask(wire.UndoItemPicks("a")).hand.added == []
    assert world.ask(wire.UndoItemPicks("a")).code == "conflict"


def test_undo_puts_the_kept_outputs_back_and_runs_nothing() -> None:
    world = processed()
    key = generation_key(world.state.by_name["a"].fingerprints)
    world.ask(wire.SetItemPicks("a", [(10.0, 20.0)]))
    world.keeps = True
    finish(world, "a")
    effects = world.do(FromControl(wire.UndoItemPicks("a")))
    (restored,) = [effect for effect in effects if isinstance(effect, RestoreOutputs)]
    assert (restored.name, restored.key) == ("a", key)


def test_so_many_edits_before_are_kept() -> None:
    world = processed()
    for x in range(MOST_FORMER + 5):
        last = world.ask(wire.SetItemPicks("a", [(float(x), 0.0)]))
    assert last.former == MOST_FORMER


def test_the_same_edits_again_change_nothing() -> None:
    world = processed()
    world.ask(wire.SetItemPicks("a", [(10.0, 20.0)]))
    finish(world, "a")
    again = world.ask(wire.SetItemPicks("a", [(10.0, 20.0)]))
    assert (again.former, world.status("a")) == (1, "processed")


@pytest.mark.parametrize(
    "edits",
    [
        {"added": [(100.0, 5.0)]},
        {"added": [(5.0, -0.6)]},
        {"removed": [(float("nan"), 5.0)]},
        {"removed": [(5.0, float("inf"))]},
        {"added": [(1.0, 1.0)] * (MOST_HAND_PICKS + 1)},
    ],
)
def test_impossible_edits_are_refused(edits: dict[str, Any]) -> None:
    world = processed()
    assert world.ask(wire.SetItemPicks("a", **edits)).code == "invalid"
    assert world.status("a") == "processed"


def test_what_has_no_picks_cannot_be_edited() -> None:
    world = World("a.tif", settings=parse_settings({"picking": {"diameter": 130.0}}))
    assert world.ask(wire.SetItemPicks("a", [(1.0, 1.0)])).code == "conflict"
    world = World("a.tif")
    assert "picking.diameter" in world.ask(wire.SetItemPicks("a", [(1.0, 1.0)])).detail
    assert world.ask(wire.SetItemPicks("nobody")).code == "not_found"


def test_edits_outlive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", **WHERE)
    world = processed(store=store)
    world.ask(wire.SetItemPicks("a", [(10.0, 20.0)]))
    world.ask(wire.SetItemPicks("a", [(11.0, 21.0)], [(5.0, 6.0)]))
    store.commit()
    again = restore(store.load(), now=0.0, wall=0.0, **WHERE)
    store.close()
    assert again.hand_picks == world.state.hand_picks
    assert again.by_name["a"].hand_picks == world.state.by_name["a"].hand_picks != ""
