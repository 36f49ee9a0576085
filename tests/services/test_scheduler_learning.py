"""What a step learns from the session's first movies, in order of registration, holds for all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.reports import whole
from tests.services.scheduler_learner import COUNT, LEARNING, PICKS, describe, do, learners
from tests.services.scheduler_world import RESULTS, World
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.effects import RestoreOutputs, SaveChoice
from warpcore.services.scheduler.core.evidence import LARGEST_EVIDENCE_BYTES
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.learning import LARGEST_CHOICE_BYTES
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.stimuli import ChangeSettings, OutputsRestored, Started
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.generations import Generation
from warpcore.services.session.settings import patch_settings

FIVE = ("a.tif", "b.tif", "c.tif", "d.tif", "e.tif")
STEPS = ["motion", "ctf", "picking", "export"]


@pytest.fixture(autouse=True)
def learning() -> Iterator[None]:
    with learners():
        yield


def world_of(*paths: str, credit: int = 2) -> World:
    world = World(*paths, settings=PICKS)
    for name in ("v", "w"):
        world.worker(name, credit=credit)
    return world


def shown(world: World) -> wire.Learnt:
    (one,) = world.ask(wire.GetProcessing()).learnt
    assert isinstance(one, wire.Learnt)
    return one


def test_once_the_first_movies_have_told_they_run_that_step_again_and_later_ones_have_the_choice() -> None:
    world = world_of(*FIVE, "f.tif", credit=1)
    do(world, "a", value=1.0)
    do(world, "b", value=2.0)
    do(world, "c", value=6.0)
    choice = {"movies": ["a", "b", "c"], "values": [1.0, 2.0, 6.0]}
    assert [world.movie(name).outdated_steps for name in "abc"] == [["picking"]] * 3
    assert not world.tasks["d"].choices
    assert not world.tasks["e"].choices, "it was given to the worker that reported c"
    do(world, "d", "e", value=None)
    assert world.tasks["a"].run == ["picking"]
    assert world.tasks["a"].choices == {"picking": choice}
    do(world, "a", "b", "c", value=None)
    assert world.tasks["d"].run == ["picking"], "it ran when the choice came"
    do(world, "d", "e", value=None)
    assert (world.tasks["f"].run, world.tasks["f"].choices) == (STEPS, {"picking": choice})
    do(world, "f", value=None)
    assert {world.status(name) for name in "abcdef"} == {"processed"}
    assert {world.movie(name).results["picking"]["choice"] for name in "abcdef"} == {shown(world).id}


def test_the_order_of_registration_decides_not_that_of_the_work() -> None:
    world = world_of(*FIVE)
    do(world, "d", "c", value=4.0)
    do(world, "b", value=2.0)
    world.wait(1.0)
    assert shown(world).movies == []
    do(world, "e", value=5.0)
    assert shown(world) == wire.Learnt("picking", COUNT), "the first movie is in work"
    do(world, "a", value=1.0)
    assert shown(world).movies == ["a", "b", "c"]
    assert shown(world).text == "mean 2.33333"


def test_failed_and_excluded_movies_and_those_without_evidence_are_passed_over() -> None:
    world = world_of(*FIVE, "f.tif")
    world.ask(wire.SelectItem("e", "exclude"))
    world.fail("a", "input")
    do(world, "b", value=None)
    do(world, "c", "d", value=3.0)
    assert shown(world).movies == ["c", "d"]
    do(world, "f", value=6.0)
    assert shown(world).movies == ["c", "d", "f"]


def test_a_movie_that_waits_makes_the_choice_wait() -> None:
    world = world_of(*FIVE)
    world.fail("a", "resource")
    do(world, "b", "c", "d", "e")
    assert shown(world).movies == []
    world.wait(31.0, "v", "w")
    do(world, "a", value=7.0)
    assert shown(world).movies == ["a", "b", "c"]


def test_fewer_movies_than_asked_for_go_each_by_itself() -> None:
    world = world_of("a.tif", "b.tif")
    do(world, "a", "b")
    assert (shown(world).id, shown(world).movies) == ("", ["a", "b"])
    assert {world.status(name) for name in "ab"} == {"processed"}
    assert world.ask(wire.GetItem("a")).learnt == {"picking": "this movie alone"}


def test_settings_without_learning_have_no_choice() -> None:
    world = world_of(*FIVE)
    world.patch(picking={"contrast": "bright"})
    for _ in range(2):
        do(world, *(name for name in "abcde" if world.status(name) == "queued"))
    assert world.ask(wire.GetProcessing()).learnt == []
    assert not world.state.choices


def learnt_world() -> World:
    """Five movies, all with the choice of the first three."""
    world = world_of(*FIVE)
    while busy := [name for name in "abcde" if world.status(name) == "queued"]:
        do(world, *busy)
    assert shown(world).id
    return world


def test_another_value_that_matters_is_learnt_anew_and_the_former_one_comes_back() -> None:
    world = learnt_world()
    first, before = shown(world), {name: world.movie(name) for name in "abcde"}
    world.patch(picking={"diameter": 150.0})
    assert shown(world) == wire.Learnt("picking", COUNT)
    assert world.tasks["a"].choices == {}
    while busy := [name for name in "abcde" if world.status(name) == "queued"]:
        do(world, *busy, value=9.0)
    assert shown(world).text == "mean 9"
    assert shown(world).id != first.id
    world.patch(picking={"diameter": 120.0})
    assert shown(world) == first
    assert world.tasks["a"].wanted == before["a"].fingerprints
    assert [topic for topic in world.topics() if topic.startswith("learning.")] == ["learning.done"] * 2


def test_set_back_kept_results_fit_and_nothing_runs() -> None:
    world = learnt_world()
    before = {name: world.movie(name) for name in "abcde"}
    outputs = {name: world.state.by_name[name].outputs for name in before}
    kept = {name: Generation(one.fingerprints, one.results, outputs[name]) for name, one in before.items()}
    world.keeps = True
    world.patch(picking={"diameter": 150.0})
    while busy := [name for name in "abcde" if world.status(name) == "queued"]:
        for name in busy:
            task, worker = world.tasks[name], world.owner(name)
            summary = {"count": 3, "evidence": None if task.choices else {"value": 9.0}}
            world.report(worker, task, {"picking": summary}, {})
    leases = world.state.last_lease
    settings = patch_settings(world.state.settings, {"picking": {"diameter": 120.0}})
    put_back = [one for one in world.do(ChangeSettings(settings, "")) if isinstance(one, RestoreOutputs)]
    assert [one.name for one in put_back] == ["a", "b", "c", "d", "e"]
    for one in put_back:
        world.do(OutputsRestored(one.movie, kept[one.name], [one.key]))
    assert {name: world.movie(name) for name in "abcde"} == before
    assert world.state.last_lease == leases


def test_a_threshold_is_no_matter_of_learning() -> None:
    world = world_of(*FIVE, credit=1)
    do(world, "a", "b", value=2.0)
    world.patch(picking={"threshold": 0.3})
    assert world.tasks["c"].run == STEPS
    do(world, "c", "d", value=5.0)
    assert shown(world).id == "", "a and b have yet to take the new threshold"
    assert world.tasks["a"].run == ["picking"]
    do(world, "a", "b", value=2.0)
    do(world, "c", value=5.0)
    first = shown(world)
    assert first.text == "mean 3"
    world.patch(picking={"threshold": 0.4})
    assert shown(world) == first


def test_a_movie_that_failed_for_good_gets_another_chance_with_the_choice() -> None:
    world = world_of(*FIVE)
    lease = world.tasks["a"].lease
    world.say("v", wire.TaskFailed(world.owner("a"), lease, "input", "picking", "nothing to pick from"))
    assert world.status("a") == "failed"
    do(world, "b", "c", "d")
    assert shown(world).movies == ["b", "c", "d"]
    assert world.status("a") in ("unprocessed", "queued")
    while busy := [name for name in "abcde" if world.status(name) == "queued"]:
        do(world, *busy)
    assert world.tasks["a"].choices
    assert world.status("a") == "processed"


def raising(*_: Any) -> Any:
    raise ZeroDivisionError("no evidence at all")


@pytest.mark.parametrize(
    ("learning", "text"),
    [
        (dataclasses.replace(LEARNING, pool=raising), "ZeroDivisionError: no evidence at all"),
        (dataclasses.replace(LEARNING, describe=raising), "ZeroDivisionError: no evidence at all"),
        (dataclasses.replace(LEARNING, pool=lambda *_: [1]), "TypeError: a choice is a map, not list"),
        (dataclasses.replace(LEARNING, pool=lambda *_: {"a": {1}}), "Object of type set"),
        (dataclasses.replace(LEARNING, pool=lambda *_: {"a": float("nan")}), "ValueError"),
        (dataclasses.replace(LEARNING, pool=lambda *_: {"a": "x" * LARGEST_CHOICE_BYTES}), "at most 131072"),
    ],
)
def test_a_step_that_cannot_pool_is_told_once_and_stops_nothing(learning: Any, text: str) -> None:
    with learners(learning):
        world = world_of(*FIVE)
        do(world, "a", "b")
        task = world.tasks["c"]
        effects = world.say(
            world.owner("c"),
            wire.TaskFinished(
                world.owner("c"),
                task.lease,
                task.run,
                whole({step: {"evidence": {"value": 1}} if step == "picking" else {} for step in task.run}),
                {},
            ),
        )
        (saved,) = [effect for effect in effects if isinstance(effect, SaveChoice)]
        assert saved.failed
        assert text in saved.told
        assert "picking could not learn from 3 movies, so each movie goes by itself" in saved.told
        do(world, "d", "e")
        assert shown(world).failed
        assert text in shown(world).text
        assert {world.status(name) for name in "abcde"} == {"processed"}
        assert world.state.last_lease == 5, "nothing ran twice"
        assert world.topics().count("learning.failed") == 1
        world.patch(picking={"diameter": 150.0})
        world.patch(picking={"diameter": 120.0})
        assert world.topics().count("learning.failed") == 1


def test_a_pool_that_changes_its_lessons_changes_no_record() -> None:
    def greedy(section: Any, lessons: Any) -> dict[str, Any]:
        for lesson in lessons:
            lesson.evidence.clear()
        return {"values": [1]}

    with learners(dataclasses.replace(LEARNING, pool=greedy)):
        world = world_of(*FIVE, credit=1)
        do(world, "a", "b", "c")
        assert shown(world).id
        assert world.state.movies[2].results["picking"]["evidence"] == {"value": 1.0}


@pytest.mark.parametrize(
    ("evidence", "problem"),
    [
        (7, "results of picking: Expected `object | null`, got `int`"),
        ({"x": b"bytes"}, "not JSON serializable"),
        ({"x": "y" * LARGEST_EVIDENCE_BYTES}, "evidence of "),
    ],
)
def test_evidence_that_cannot_be_stored_is_a_failure_of_its_step(evidence: Any, problem: str) -> None:
    world = world_of("a.tif")
    world.finish("a", picking={"evidence": evidence})
    assert any(problem in text for text in world.state.movies[1].told())
    assert not world.movie("a").results


def test_evidence_stays_in_the_scheduler() -> None:
    world = world_of(*FIVE)
    do(world, "a", value=1.0)
    shown_of = {name: value for name, value in RESULTS["picking"].items() if name != "evidence"}
    assert world.movie("a").results["picking"] == {**shown_of, "choice": None}
    bodies = [body["movie"] for topic, body in world.events if topic.startswith("movie.")]
    assert not [body for body in bodies if "evidence" in body["results"].get("picking", {})]
    world.patch(picking={"threshold": 0.3})
    do(world, "b")
    assert world.tasks["a"].run == ["picking"]
    assert world.tasks["a"].results["picking"]["evidence"] == {"value": 1.0}, "its step takes it over"


def test_a_movie_says_which_choice_it_goes_by() -> None:
    world = learnt_world()
    first = shown(world)
    item = world.ask(wire.GetItem("e"))
    assert item.learnt == {"picking": f"mean 1 (choice {first.id} from 3 movies)"}
    world.ask(wire.PauseProcessing())
    world.patch(picking={"diameter": 150.0})
    assert world.ask(wire.GetItem("e")).learnt == item.learnt, "its stored result is still that"
    assert item.movie.results["picking"]["choice"] == first.id


def test_a_preview_counts_with_the_choice_that_is_known_for_those_settings() -> None:
    world = learnt_world()
    world.ask(wire.PauseProcessing())
    before = shown(world)
    settings = patch_settings(world.state.settings, {"picking": {"diameter": 150.0}})
    effect = world.reply(world.do(ChangeSettings(settings, "", dry=True))).effect
    assert (effect.movies, effect.runs) == (5, {"picking": 5})
    assert shown(world) == before
    world.patch(picking={"diameter": 150.0})
    back = patch_settings(world.state.settings, {"picking": {"diameter": 120.0}})
    effect = world.reply(world.do(ChangeSettings(back, "", dry=True))).effect
    assert (effect.movies, effect.kept) == (0, 5)


def test_an_export_job_is_given_the_choice() -> None:
    world = learnt_world()
    world.ask(wire.StartExport("particles"))
    task = world.tasks["a"]
    assert task.run == ["export"]
    assert task.choices == world.state.learning.choices
    assert task.wanted["picking"] == world.movie("a").fingerprints["picking"]


def test_a_step_learns_only_once_those_that_it_builds_on_have() -> None:
    with learners(ctf=LEARNING):
        world = world_of(*FIVE, credit=1)
        do(world, "a", "b", value=1.0)
        do(world, "c", value=1.0)
        ctf, picking = world.ask(wire.GetProcessing()).learnt
        assert (ctf.step, bool(ctf.id)) == ("ctf", True)
        assert (picking.step, picking.id) == ("picking", ""), "its evidence came from CTFs that run again"
        do(world, "d", "e", value=1.0)
        assert world.tasks["a"].run == ["ctf", "picking", "export"]
        assert list(world.tasks["a"].choices) == ["ctf"]
        while busy := [name for name in "abcde" if world.status(name) == "queued"]:
            do(world, *busy, value=2.0)
        ctf, picking = world.ask(wire.GetProcessing()).learnt
        assert (ctf.text, picking.text) == ("mean 1", "mean 2")


def test_a_restart_keeps_the_choice_and_what_it_was_not_told_of(tmp_path: Path) -> None:
    """Killed at any commit: from each state that was stored the same follows."""
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    path = tmp_path / "state.db"
    with closing(Store(path, **where)) as store:
        world = world_of()
        world.store_into(store)
        world.files(*FIVE)
        while busy := [name for name in "abcde" if world.status(name) == "queued"]:
            do(world, busy[0])
            store.commit()
            again = restore(store.load(), now=world.now, wall=world.now, **where)
            handle(again, Started(None), world.now)
            validate(again)
            assert again.choices == world.state.choices
            assert again.learning.keys == world.state.learning.keys
            assert again.plan == world.state.plan
    assert describe(next(iter(again.choices.values())).choice or {}) == "mean 1"


def test_a_bulk_of_movies_that_run_again_is_decided_again_at_a_restart(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    with closing(Store(tmp_path / "state.db", **where)) as store:
        world = world_of()
        world.state.bulk_changes = 1
        world.store_into(store)
        world.files(*FIVE)
        do(world, "a", "b", "c")
        assert not [body for topic, body in world.events if topic == "movie.status" and body["previous"] == "processed"]
        store.commit()
        again = restore(store.load(), now=world.now, wall=world.now, **where)
    assert {name: movie.status for name, movie in again.by_name.items()} == {
        name: movie.status for name, movie in world.state.by_name.items()
    }
    handle(again, Started(None), world.now)
    validate(again)


def test_what_was_learnt_is_told_as_an_event() -> None:
    world = learnt_world()
    (body,) = [body for topic, body in world.events if topic == "learning.done"]
    assert wire.LearningEvent.from_body(body).learnt == shown(world)
