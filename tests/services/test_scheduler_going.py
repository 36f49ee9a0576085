"""The one sentence that says how a session goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import Severity
from warpcore.services.scheduler.core.going import Going, sentence
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore

ICE = Alarm("limits:ctf.ice_ring", Severity.WARNING, "ctf.ice_ring", "ice ring: 2 of the last 25 …", 1.0, "ice ring")
GONE = Alarm("no-worker:workers", Severity.CRITICAL, "workers", "7 movies wait and …", 2.0, "no worker runs")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Going(), "waiting: no movie was found yet"),
        (Going(found=9, left=9, workers=1), "well: 9 movies left, none done in the last hour"),
        (Going(found=9, left=9), "waiting: 9 movies left, no worker runs"),
        (Going(found=300, left=3, ended=297, last_hour=1), "well: 1 movie in the last hour"),
        (
            Going(found=300, left=3, ended=297, last_hour=212, resolution_angstrom=3.44, alarms=[ICE]),
            "well: 212 movies in the last hour, median 3.4 Å; one alarm: ice ring",
        ),
        (Going(found=3, ended=1, workers=1), "idle: 1 of 3 movies are done, none in the last hour"),
        (Going(found=300, ended=300), "idle: all 300 movies are done, none in the last hour"),
        (
            Going(paused=True, found=300, left=20, ended=280, last_hour=5, resolution_angstrom=3.0),
            "paused: 20 movies left, 5 movies in the last hour, median 3.0 Å",
        ),
        (
            Going(found=7, left=7, alarms=[GONE, ICE]),
            "trouble: 7 movies left, no worker runs; 2 alarms: no worker runs, ice ring",
        ),
    ],
)
def test_a_session_is_told_in_one_sentence(now: Going, said: str) -> None:
    assert sentence(now) == said


def test_many_alarms_are_not_all_told() -> None:
    alarms = [Alarm(f"a:{number}", Severity.WARNING, "", "…", 1.0, f"alarm {number}") for number in range(5)]
    assert sentence(Going(alarms=alarms)).endswith("5 alarms: alarm 0, alarm 1, alarm 2 and 2 more")


def test_what_someone_has_seen_is_not_told() -> None:
    seen = Alarm(GONE.id, GONE.severity, GONE.subject, GONE.text, GONE.since, GONE.title, acknowledged=True)
    assert sentence(Going(found=7, last_hour=7, alarms=[seen])) == "well: 7 movies in the last hour"


def summary(world: World) -> str:
    status = world.ask(wire.GetProcessing())
    assert isinstance(status, wire.ProcessingStatus)
    return status.summary


def test_movies_that_run_again_for_new_settings_have_been_done_all_the_same() -> None:
    world = World("a.tif", "b.tif")
    world.worker("w")
    for name in "ab":
        world.finish(name, ctf={"resolution_angstrom": 3.4})
    world.ask(wire.PatchSettings({"ctf": {"range_max": 5.0}}))
    assert summary(world) == "well: 2 movies in the last hour, median 3.4 Å"


def test_the_status_says_it_of_the_last_hour_also_after_a_restart(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    world = World()
    store = Store(tmp_path / "state.db", **where)
    world.store_into(store)
    world.files(*(f"m{number}.tif" for number in range(6)))
    world.worker("w")
    for number in range(3):
        world.finish(f"m{number}", ctf={"resolution_angstrom": 3.0 + number})
    world.wait(3000.0, "w")
    world.finish("m3", ctf={"resolution_angstrom": 3.2})
    world.ask(wire.GetKnownFiles())
    assert summary(world) == "well: 4 movies in the last hour, median 3.6 Å"
    world.wait(1000.0, "w")
    world.ask(wire.GetKnownFiles())
    assert summary(world) == "well: 1 movie in the last hour, median 3.2 Å"
    world.wait(1.0, "w")
    store.commit()
    world.state = restore(store.load(), now=world.now, wall=world.now, **where)
    assert summary(world) == "well: 1 movie in the last hour, median 3.2 Å"
    store.close()
