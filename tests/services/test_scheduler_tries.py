"""Tries: a movie is processed aside with other settings, and nothing of the session changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.services.scheduler_alarms import alarms
from tests.services.scheduler_world import RESULTS, World, finished
from warpcore.bus import messages as wire
from warpcore.bus.limits import KEPT_TRIES
from warpcore.bus.vocabulary import TryState
from warpcore.services.scheduler.core.alarm_rules import NO_WORKER_S
from warpcore.services.scheduler.core.effects import DropTry
from warpcore.services.scheduler.core.stimuli import FromControl, StartTry
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.movie_record import record_path
from warpcore.services.session.settings import patch_settings


def attempt(world: World, name: str, **patch: dict[str, Any]) -> Any:
    """Ask for a try, as the shell does with settings that it has checked."""
    settings = patch_settings(world.state.settings, patch)
    return world.reply(world.do(StartTry(name, settings, world.state.references, patch, "ada")))


def told(world: World, id: str) -> Any:
    return world.ask(wire.GetTry(id))


def session(world: World) -> list[dict[str, Any]]:
    return [{**movie.to_body(), "worker": None} for movie in world.ask(wire.GetSnapshot()).movies]


def test_a_try_runs_the_steps_that_its_settings_touch_into_a_folder_of_its_own() -> None:
    world = finished("a.tif")
    before = session(world)
    asked = attempt(world, "a", ctf={"range_max": 5.0})
    assert (asked.name, asked.by, asked.settings) == ("a", "ada", {"ctf": {"range_max": 5.0}})
    task = world.tasks["a"]
    assert (task.purpose, task.run) == (asked.id, ["ctf", "export"])
    assert task.settings["ctf"]["range_max"] == 5.0
    assert task.processing_directory == "/processing"
    assert task.results["motion"] == RESULTS["motion"]
    outputs = world.disk.outputs()
    record = outputs.pop(record_path("a"))
    world.progress("a", "ctf")
    running = told(world, asked.id)
    assert (running.state, running.step, running.fraction) == ("running", "ctf", 0.5)
    world.finish("a", ctf={"resolution_angstrom": 9.0})
    done = told(world, asked.id)
    assert done.state == TryState.DONE
    assert done.results["ctf"]["resolution_angstrom"] == 9.0
    assert done.results["motion"] == RESULTS["motion"]
    assert (done.outputs["motion"], done.outputs["ctf"]) == (["motion/a.json"], ["powerspectrum/a.mrc"])
    assert session(world) == before
    assert world.disk.outputs() == {**outputs, record_path("a"): record}
    of_try = {path: world.disk.content[f"{asked.folder}/{path}"] for path in outputs}
    assert {path for path in outputs if of_try[path] != outputs[path]} == {"powerspectrum/a.mrc", "a.xml"}


def test_the_filter_is_asked_about_a_try_too() -> None:
    world = finished("a.tif")
    asked = attempt(world, "a", filter={"resolution_max": 6.0}, ctf={"range_max": 5.0})
    world.finish("a", ctf={"resolution_angstrom": 9.0})
    assert told(world, asked.id).filter_reasons == ["resolution 9 Å is above 6"]
    assert world.status("a") == "processed"


def test_a_try_goes_before_waiting_movies_and_one_runs_at_a_time() -> None:
    world = World("a.tif", "b.tif", "c.tif")
    first, second = attempt(world, "c"), attempt(world, "b")
    world.worker("w", credit=2)
    assert {name: task.purpose for name, task in world.tasks.items()} == {"c": first.id, "a": "process"}
    world.finish("c")
    assert world.tasks["b"].purpose == second.id
    assert world.state.by_name["c"].status == "unprocessed", "it waits as before"


def waiting(world: World) -> int | None:
    status: wire.ProcessingStatus = world.ask(wire.GetProcessing())
    return status.waiting


def test_a_try_and_movies_of_exports_wait_for_a_worker_as_movies_do() -> None:
    """Pools and KEDA start workers for what waits, so that a try of a session without workers is done, too."""
    world = finished("a.tif", "b.tif")
    world.say("w", wire.Goodbye("w"))
    assert waiting(world) == 0
    world.ask(wire.StartExport("micrographs"))
    assert waiting(world) == 2
    attempt(world, "a", ctf={"range_max": 5.0})
    attempt(world, "b", ctf={"range_max": 5.0})
    assert waiting(world) == 3, "one try runs at a time"
    world.ask(wire.PauseProcessing())
    assert waiting(world) == 1, "a try runs while the session is paused"
    world.worker("x")
    assert waiting(world) == 0


def without_workers(world: World) -> list[str]:
    """What is told of it after a while."""
    world.wait(1.0)
    world.wait(NO_WORKER_S)
    return [one.text for one in alarms(world) if one.id.startswith("no-worker:")]


def test_a_try_that_waits_without_a_worker_is_an_alarm_also_while_the_session_is_paused() -> None:
    world = finished("a.tif", "b.tif")
    world.say("w", wire.Goodbye("w"))
    world.ask(wire.PauseProcessing())
    assert without_workers(world) == []
    attempt(world, "a", ctf={"range_max": 5.0})
    assert without_workers(world) == ["1 movie waits and no worker runs; start one"]
    world.worker("x")
    assert without_workers(world) == []


def test_movies_of_an_export_that_wait_without_a_worker_are_an_alarm() -> None:
    world = finished("a.tif", "b.tif")
    world.say("w", wire.Goodbye("w"))
    world.ask(wire.StartExport("micrographs"))
    assert without_workers(world) == ["2 movies wait and no worker runs; start one"]


def test_a_try_runs_while_the_session_is_paused_and_of_movies_that_failed_or_are_excluded() -> None:
    world = World("failed.tif", "excluded.tif", workers=("w",))
    world.fail("failed", "input")
    world.ask(wire.PauseProcessing())
    world.finish("excluded")
    world.ask(wire.SelectItem("excluded", "exclude"))
    for name in ("failed", "excluded"):
        asked = attempt(world, name, motion={"b_factor": -100.0})
        world.finish(name)
        assert told(world, asked.id).state == TryState.DONE
    assert [world.status(name) for name in ("failed", "excluded")] == ["failed", "processed"]


def test_a_try_waits_until_its_movie_is_free() -> None:
    world = World("a.tif")
    world.worker("w", credit=2)
    asked = attempt(world, "a")
    assert told(world, asked.id).state == TryState.WAITING
    world.finish("a")
    assert told(world, asked.id).state == TryState.RUNNING


def test_a_failure_is_told_with_its_reason() -> None:
    world = finished("a.tif")
    asked = attempt(world, "a", ctf={"range_max": 5.0})
    world.fail("a", "input")
    failed = told(world, asked.id)
    assert (failed.state, failed.failure) == ("failed", wire.Failure("input", "ctf", "it went wrong", "host"))
    assert world.status("a") == "processed"
    assert world.movie("a").failure is None


def test_a_try_whose_worker_dies_is_done_once_more_and_then_fails() -> None:
    world = finished("a.tif")
    asked = attempt(world, "a", ctf={"range_max": 5.0})
    for _ in range(2):
        world.progress("a")
        lease = world.tasks["a"].lease
        world.say("w", wire.ComputeDied("w", [lease], lease, "lost_worker", "signal 9"))
    failed = told(world, asked.id)
    assert (failed.state, failed.failure.kind) == ("failed", "lost_worker")
    assert world.status("a") == "processed"
    world.say("w", wire.TaskFinished("w", lease, [], {}, {}))
    assert told(world, asked.id) == failed, "an old lease changes nothing"


def test_a_replaced_file_is_tried_as_it_is_now() -> None:
    world = finished("a.tif")
    world.ask(wire.PauseProcessing())
    asked = attempt(world, "a")
    lease = world.tasks["a"].lease
    world.files("a.tif", size=7)
    assert world.cancelled == [lease]
    task = world.tasks["a"]
    assert (task.purpose, task.size, task.run[0]) == (asked.id, 7, "motion")


def test_a_deleted_try_is_cancelled_and_its_folder_goes() -> None:
    world = finished("a.tif")
    asked = attempt(world, "a")
    lease = world.tasks["a"].lease
    effects = world.do(FromControl(wire.DeleteTry(asked.id)))
    assert [effect.id for effect in effects if isinstance(effect, DropTry)] == [asked.id]
    assert world.cancelled == [lease]
    assert told(world, asked.id).code == "not_found"
    assert [topic for topic in world.topics() if topic.startswith("try.")] == ["try.started", "try.deleted"]
    assert world.ask(wire.DeleteTry(asked.id)).code == "not_found"


def test_only_so_many_are_kept_and_none_that_waits_is_lost() -> None:
    world = finished("a.tif")
    asked = []
    for _ in range(KEPT_TRIES + 1):
        asked.append(attempt(world, "a").id)
        world.finish("a")
    assert [one.id for one in world.ask(wire.GetTries()).tries] == asked[:0:-1]
    world.say("w", wire.Goodbye("w"))
    for _ in range(KEPT_TRIES):
        asked.append(attempt(world, "a").id)
    refused = attempt(world, "a")
    assert (refused.code, "wait already" in refused.detail) == ("conflict", True)
    assert attempt(world, "nobody").code == "not_found"
    assert len(set(asked)) == len(asked), "no id comes twice"


def test_a_try_outlives_a_restart_of_the_scheduler(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    world = World()
    store = Store(tmp_path / "state.db", **where)
    world.store_into(store)
    world.files("a.tif")
    asked = attempt(world, "a", ctf={"range_max": 5.0})
    store.commit()
    store.close()
    store = Store(tmp_path / "state.db", **where)
    world.state = restore(store.load(), now=world.now, wall=world.now, **where)
    store.close()
    world.worker("w", credit=1)
    assert world.tasks["a"].settings["ctf"]["range_max"] == 5.0
    world.finish("a")
    assert told(world, asked.id).state == TryState.DONE


def test_stored_settings_that_cannot_be_used_fail_the_try_alone() -> None:
    world = World("a.tif")
    asked = attempt(world, "a")
    next(iter(world.state.tries.values())).settings["ctf"]["volts"] = 300
    world.worker("w", credit=1)
    assert "ctf.volts" in told(world, asked.id).failure.message
    assert world.tasks["a"].purpose == "process"
