"""What the scheduler's log tells: what an operator looks for, each once, after it is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files, opened
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import Order
from warpcore.services.scheduler.core import journal
from warpcore.services.scheduler.core.effects import Effect
from warpcore.services.scheduler.core.stimuli import ChangeSettings, FromControl, Tick
from warpcore.services.scheduler.shell import service
from warpcore.services.session.settings import patch_settings


def told(effects: list[Effect]) -> list[str]:
    return [entry.text for entry in journal.entries(effects)]


def asked(world: World, message: Message) -> list[str]:
    return told(world.do(FromControl(message)))


def test_a_change_of_settings_tells_who_and_from_what_to_what() -> None:
    world = World()
    settings = patch_settings(world.state.settings, {"ctf": {"cs": 2.0, "voltage": 200}})
    effects = world.do(ChangeSettings(settings, "", by="ada"))
    assert told(effects) == ["settings 1, by ada: ctf.voltage null → 200.0, ctf.cs null → 2.0"]


def test_workers_are_told_of_as_they_come_and_go() -> None:
    world = World()
    versions = {"warpcore": "1"}
    came = world.say("w", wire.RegisterWorker("w", "1", "host", 7, "gpu", 1, versions))
    assert told(came) == ["worker w is there: gpu, process 7 on host, warpcore 1"]
    assert told(world.say("w", wire.Goodbye("w"))) == ["worker w has ended"]
    world.worker("v")
    world.now += 31
    (lost,) = [entry for entry in journal.entries(world.do(Tick())) if entry.text.startswith("worker v")]
    assert (lost.level, lost.text, lost.about) == (
        *(logging.WARNING, "worker v is lost: v was silent for 31 s", {"worker": "v"}),
    )


def test_a_failed_movie_is_told_with_its_reason_in_one_line_whatever_it_holds() -> None:
    world = World("a.tif", workers=("w",))
    failed = wire.TaskFailed("w", world.tasks["a"].lease, "input", "load", "no\nmovie \x1b[31m")
    (entry,) = journal.entries(world.say("w", failed))
    assert entry.text == r"movie a has failed in load on host (input): no\nmovie \x1b[31m"
    assert entry.about == {"movie": "a", "step": "load"}


def test_what_each_movie_does_on_its_way_is_not_told() -> None:
    world = World(workers=("w",))
    effects = world.do(FromControl(wire.RegisterFiles([wire.FoundFile("a.tif", 1, 1)])))
    task = world.tasks["a"]
    effects += world.say("w", wire.TaskProgress("w", task.lease, "a", "motion", 0.5))
    effects += world.say("w", wire.TaskFailed("w", task.lease, "internal", "ctf", "tried again"))
    assert told(effects) == []


def test_pauses_and_the_order_are_told() -> None:
    world = World()
    assert asked(world, wire.PauseProcessing()) == ["processing is paused"]
    assert asked(world, wire.PauseProcessing()) == []
    assert asked(world, wire.StartProcessing()) == ["processing goes on"]
    assert asked(world, wire.OrderProcessing(Order.LATEST)) == ["movies are handed out in the order latest"]


def test_of_very_many_entries_the_number_is_told() -> None:
    found = [journal.Entry(logging.WARNING, f"movie {number}") for number in range(journal.MOST_ENTRIES + 5)]
    shown = journal.shown(found)
    assert len(shown) == journal.MOST_ENTRIES + 1
    assert shown[-1].text == "… and 5 more of the same moment"
    assert journal.shown(found[:3]) == found[:3]


def test_the_running_scheduler_logs_its_decisions(
    tmp_path: Path,
    free_ports: Callable[[int], list[int]],
    wait_until: WaitUntil,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "warpcore")
    site = Site(tmp_path, free_ports(4))
    with opened(site) as (_, client):
        worker = WorkerSide(site, "w")
        worker.register()
        wait_until(lambda: worker.got(wire.WorkerRegistered))
        ask(client, files("a.tif"))
        ask(client, wire.PatchSettings({"ctf": {"cs": 2.0}}, by="ada"))
        worker.dealer.close()
    texts = [record.getMessage() for record in caplog.records]
    assert f"scheduler of {site.data}, results in {site.processing}: no movies yet" in texts
    assert "worker w is there: cpu, process 1 on host, warpcore ?" in texts
    (change,) = [text for text in texts if text.startswith("settings") and "ada" in text]
    assert change.endswith("by ada: ctf.cs null → 2.0")
    (record,) = [one for one in caplog.records if "worker w is there" in one.getMessage()]
    assert vars(record)["worker"] == "w"
    own = [record.getMessage() for record in caplog.records if record.name == service.__name__]
    assert own[-1] == "the scheduler ends; workers keep what they have"
