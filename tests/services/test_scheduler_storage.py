"""The session holds while storage is full or away; no movie is failed by it, and it goes on by itself."""

from __future__ import annotations

import itertools

import pytest

from tests.services.scheduler_storage import AWAY, FULL, WELL, StorageWorld, questions
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind, StoragePlace
from warpcore.services.scheduler.core.alarm_rules import NO_WORKER_S
from warpcore.services.scheduler.core.alarms import current
from warpcore.services.scheduler.core.plain import stimulus_from_plain, stimulus_to_plain
from warpcore.services.scheduler.core.retries import RESOURCE_PAUSE_S, STORAGE_PAUSE_S
from warpcore.services.scheduler.core.stimuli import PlacingFailed, StorageLooked
from warpcore.services.storage.standing import Look


def titles(world: World) -> list[str]:
    return [alarm.title for alarm in current(world.state)]


@pytest.mark.parametrize(
    ("place", "look", "told", "title"),
    [
        (StoragePlace.PROCESSING, FULL, "disk full on /processing: 0.3 GB left, needs 2 GB", "disk full"),
        (StoragePlace.PROCESSING, Look(silent_s=11), "is away: no answer for 11 s", "processing directory away"),
        (StoragePlace.DATA, AWAY, "data directory /data is away: it is empty", "data directory away"),
    ],
)
def test_nothing_is_assigned_while_storage_is_full_or_away_and_status_says_so(
    place: StoragePlace, look: Look, told: str, title: str
) -> None:
    world = StorageWorld("a.tif")
    world.look(look, place)
    world.worker("w")
    assert world.status("a") == "unprocessed"
    status = world.ask(wire.GetProcessing())
    assert told in status.holds[0]
    assert status.summary.startswith("trouble: 1 movie left")
    assert title in titles(world)
    world.look(WELL, place)
    if place is StoragePlace.PROCESSING:
        world.look(WELL, StoragePlace.DATA)
        world.sees("w")
    assert world.status("a") == "queued"
    assert world.ask(wire.GetProcessing()).holds == []
    assert titles(world) == []


def test_while_it_holds_no_worker_is_missed() -> None:
    world = StorageWorld("a.tif")

    def misses_a_worker(look: Look) -> bool:
        world.look_at_all(look)
        world.tick()
        world.tick(NO_WORKER_S)
        return "no worker runs" in titles(world)

    assert not misses_a_worker(FULL)
    assert misses_a_worker(WELL)


def test_little_space_is_told_before_it_is_too_late() -> None:
    world = StorageWorld("a.tif", workers=("w",))
    world.look(Look(8 * 10**9, 10**13))
    assert titles(world) == ["disk nearly full"]
    world.patch(alarms={"disk_reserve_gb": 1.0})
    world.look(Look(8 * 10**9, 10**13))
    assert titles(world) == []


def test_a_worker_that_meets_a_full_disk_makes_the_session_hold_and_its_movie_counts_nothing() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    world.fail("a", "disk_full")
    world.fail("b", "disk_full")
    assert [world.status(name) for name in "ab"] == ["unprocessed"] * 2
    assert world.state.movies[1].retries == {}
    assert world.state.workers["w"].failed == 0
    assert world.ask(wire.GetProcessing()).holds == [
        "disk full on /processing: worker w met 'it went wrong'; free space, processing goes on by itself"
    ]
    world.do(StorageLooked(StoragePlace.PROCESSING, "/processing", WELL))
    assert world.status("a") == "unprocessed", "a look from before the report decides nothing"
    world.now += 4
    world.do(StorageLooked(StoragePlace.PROCESSING, "/processing", WELL))
    assert world.ask(wire.GetProcessing()).holds == []
    world.wait(STORAGE_PAUSE_S, "w")
    assert [world.status(name) for name in "ab"] == ["queued"] * 2


def test_where_each_try_meets_a_full_disk_again_the_pauses_grow_and_no_movie_fails() -> None:
    world = StorageWorld("a.tif", workers=("w",))
    assigned_at = []
    for _ in range(300):
        if world.status("a") == "queued":
            assigned_at.append(world.now)
            world.fail("a", "disk_full")
        world.tick(1)
        world.do(StorageLooked(StoragePlace.PROCESSING, "/processing", WELL))
    pauses = [later - earlier for earlier, later in itertools.pairwise(assigned_at)]
    assert pauses[:4] == [5, 6, 12, 24]
    assert pauses[-1] == 60
    assert world.status("a") == "unprocessed"


def test_a_movie_that_the_storage_fails_alone_waits_for_others_and_fails_in_the_end() -> None:
    world = World("bad.tif", *(f"m{number}.tif" for number in range(20)), workers=("w", "v"))
    failures = 0
    while world.status("bad") != "failed":
        failures += 1
        assert failures < 20
        world.fail("bad", "storage_away")
        world.wait(RESOURCE_PAUSE_S + 5, "w", "v")
        for name in [name for name in world.tasks if world.status(name) == "queued" and name != "bad"][:1]:
            world.finish(name)
        world.wait(RESOURCE_PAUSE_S + 5, "w", "v")
    assert failures == 6, "the first one counts nothing"
    assert world.movie("bad").failure is not None
    assert world.movie("bad").failure.kind == "storage_away"  # type: ignore[union-attr]


def test_a_task_of_which_nothing_is_heard_while_storage_hangs_is_not_taken_back() -> None:
    world = StorageWorld("a.tif", workers=("w",))
    world.progress("a")
    for _ in range(400):
        world.look(Look(silent_s=60), StoragePlace.DATA)
        world.tick(10)
    assert world.status("a") == "processing"
    world.look(WELL, StoragePlace.DATA)
    world.finish("a")
    assert world.status("a") == "processed"


def test_a_look_can_be_recorded_and_replayed() -> None:
    look = StorageLooked(StoragePlace.DATA, "/data", FULL, ("t1", "t2"), "a.tif")
    assert stimulus_from_plain(stimulus_to_plain(look)) == look


def test_outputs_that_a_worker_wrote_elsewhere_cost_the_movie_nothing_and_it_must_show_its_sight_again() -> None:
    world = StorageWorld("a.tif")
    world.look_at_all()
    world.worker("w")
    world.sees("w")
    world.stands = True
    world.finish("a")
    world.do(PlacingFailed(world.tasks["a"].lease, "motion/a.json is not there", False, FailureKind.STORAGE_AWAY))
    assert world.status("a") == "unprocessed"
    assert world.state.by_name["a"].retries == {}
    assert not world.state.workers["w"].usable
    asked = [question for _ in range(40) for question in questions(world.tick())]
    assert asked
    world.sees("w")
    assert world.status("a") == "queued"
