"""When alarms come, how long they stay, and that each is told once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.scheduler_alarms import MOVIES, alarms, end, kinds, told
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import ErrorCode, Order, Severity
from warpcore.services.scheduler.core import alarm_rules
from warpcore.services.scheduler.core.alarms import HELD_AFTER_RESTART_S, RULES, rule
from warpcore.services.scheduler.core.recent import Recent
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore


def test_a_session_that_goes_well_has_no_alarm() -> None:
    world = World("a.tif", workers=("w",))
    world.finish("a")
    world.wait(5.0, "w")
    assert alarms(world) == []
    assert told(world) == []


def test_a_lost_worker_is_told_once_and_until_it_is_back() -> None:
    world = World(workers=("w", "other"))
    world.wait(100.0, "other")
    (alarm,) = [one for one in alarms(world) if one.id == "worker-lost:w"]
    assert (alarm.severity, alarm.subject) == (Severity.WARNING, "w")
    assert "silent" in alarm.text
    assert world.now - 100.0 < alarm.since <= world.now
    world.worker("w", instance="2")
    world.wait(10.0, "w", "other")
    assert "worker-lost" not in kinds(world)
    assert [one for one in told(world) if "worker-lost" in one[1]] == [
        ("alarm.raised", "worker-lost:w"),
        ("alarm.cleared", "worker-lost:w"),
    ]


def test_a_worker_of_another_version_is_told_until_it_is_gone() -> None:
    world = World()
    world.state.version = "0.2.0"
    for name, version in (("same", "0.2.0"), ("other", "0.1.0")):
        hello = wire.RegisterWorker(name, "1", "host", 1, "gpu", 8000, {"warpcore": version})
        world.say(name, hello)
    world.wait(1.0, "same", "other")
    (alarm,) = alarms(world)
    assert alarm.id == "worker-version:other"
    assert "worker other runs warpcore 0.1.0, the scheduler 0.2.0" in alarm.text
    world.say("other", wire.Goodbye("other"))
    world.wait(10.0, "same")
    assert alarms(world) == []


def test_a_worker_that_ends_in_order_is_no_alarm() -> None:
    world = World(workers=("w",))
    world.say("w", wire.Goodbye("w"))
    world.wait(10.0)
    assert alarms(world) == []


def test_a_worker_with_a_bad_gpu_is_set_aside_and_critical() -> None:
    world = World("a.tif", workers=("w",))
    lease = world.tasks["a"].lease
    world.say("w", wire.ComputeDied("w", [lease], lease, "bad_gpu", "Xid 79"))
    (alarm,) = [one for one in alarms(world) if one.id == "worker-set-aside:w"]
    assert alarm.severity == Severity.CRITICAL
    assert "Xid 79" in alarm.text


def test_movies_that_wait_without_a_worker_are_told_after_a_while_and_not_where_processing_is_paused() -> None:
    world = World("a.tif", "b.tif")
    world.wait(50.0)
    assert "no-worker" not in kinds(world)
    world.wait(30.0)
    (alarm,) = [one for one in alarms(world) if one.id == "no-worker:workers"]
    assert alarm.text == "2 movies wait and no worker runs; start one"
    assert alarm.since <= world.now - 60.0
    world.ask(wire.PauseProcessing())
    assert "no-worker" not in kinds(world)


def test_a_discoverer_that_falls_silent_is_told_and_one_that_was_never_heard_is_not() -> None:
    world = World()
    world.wait(100.0)
    assert alarms(world) == []
    world.ask(wire.GetKnownFiles())
    world.wait(40.0)
    assert alarms(world) == []
    world.wait(20.0)
    assert kinds(world) == ["discoverer-lost"]
    world.ask(wire.GetKnownFiles())
    assert alarms(world) == []


def test_a_warning_of_two_workers_is_one_alarm_for_as_long_as_one_of_them_says_it() -> None:
    world = World(workers=("v", "w"))
    text = "gain g.mrc: it lies in the wrong orientation"
    for name in ("v", "w"):
        world.say(name, wire.Heartbeat(name, "idle", warnings=[text]))
    assert [one.text for one in alarms(world)] == [text]
    world.say("w", wire.Heartbeat("w", "idle"))
    (alarm,) = alarms(world)
    assert (alarm.severity, alarm.subject) == (Severity.WARNING, "v")
    world.say("v", wire.Heartbeat("v", "idle"))
    assert alarms(world) == []


def come(world: World, count: int, gap_s: float) -> None:
    """Movies are found one by one."""
    for _ in range(count):
        world.files(f"found{len(world.state.movies)}.tif")
        world.wait(gap_s, "w")


def test_a_session_from_which_no_movie_comes_any_more_is_told_by_its_own_rate_until_one_comes() -> None:
    world = World(workers=("w",))
    world.ask(wire.PauseProcessing())
    come(world, 20, 30.0)
    world.wait(560.0, "w")
    assert "no-new-movie" not in kinds(world)
    world.wait(60.0, "w")
    (alarm,) = [one for one in alarms(world) if one.id == "no-new-movie:movies"]
    assert "no new movie for 11 min, and before one every 30 s" in alarm.text
    come(world, 1, 1.0)
    assert "no-new-movie" not in kinds(world)
    slow = World(workers=("w",))
    come(slow, 20, 120.0)
    slow.wait(1000.0, "w")
    assert "no-new-movie" not in kinds(slow), "ten usual gaps are 20 min"


def test_movies_that_were_all_there_at_the_start_are_no_running_session() -> None:
    world = World(*MOVIES, workers=("w",))
    world.wait(3000.0, "w")
    assert "no-new-movie" not in kinds(world)


def test_a_backlog_that_grows_is_told_after_a_while() -> None:
    world = World(workers=("w",))
    backlog(world)
    (alarm,) = [one for one in alarms(world) if one.id == "backlog:movies"]
    assert re.search(r"movies come faster \(120/h\) than they are processed \(\d\d/h\): 4\d wait", alarm.text)
    raised = [id for topic, id in told(world) if topic == "alarm.raised"]
    assert raised == ["backlog:movies"]
    world.ask(wire.PauseProcessing())
    assert alarms(world) == []


def test_an_acknowledged_alarm_says_so_until_it_comes_again() -> None:
    world = World(workers=("w",))
    world.say("w", wire.Heartbeat("w", "idle", warnings=["hot"]))
    world.wait(1.0)
    (alarm,) = alarms(world)
    (seen,) = world.ask(wire.AcknowledgeAlarm(alarm.id)).alarms
    assert seen.acknowledged
    world.say("w", wire.Heartbeat("w", "idle"))
    world.wait(1.0)
    world.say("w", wire.Heartbeat("w", "idle", warnings=["hot"]))
    assert [one.acknowledged for one in alarms(world)] == [False]
    assert world.ask(wire.AcknowledgeAlarm("nothing")).code == ErrorCode.NOT_FOUND


WHERE = {"data_directory": "/data", "processing_directory": "/processing"}


def restart(world: World, path: Path) -> None:
    """Go on from what is stored."""
    assert world.store is not None
    world.store.commit()
    world.store.close()
    world.store = Store(path, **WHERE)
    world.state = restore(world.store.load(), now=world.now, wall=world.now, **WHERE)


def test_an_alarm_and_its_acknowledgement_outlive_a_restart_and_nothing_is_told_twice(tmp_path: Path) -> None:
    world = World()
    world.store_into(Store(tmp_path / "state.db", **WHERE))
    world.worker("w")
    world.say("w", wire.Heartbeat("w", "idle", warnings=["hot"]))
    world.wait(1.0)
    (before,) = world.ask(wire.AcknowledgeAlarm(alarms(world)[0].id)).alarms
    assert [topic for topic, _ in told(world)] == ["alarm.raised", "alarm.acknowledged"]
    restart(world, tmp_path / "state.db")
    world.events.clear()
    world.wait(20.0)
    assert alarms(world) == [before], "the worker has time to come back"
    world.worker("w", instance="1")
    world.say("w", wire.Heartbeat("w", "idle", warnings=["hot"]))
    world.wait(15.0)
    assert alarms(world) == [before]
    assert told(world) == []
    world.say("w", wire.Heartbeat("w", "idle"))
    world.wait(1.0)
    restart(world, tmp_path / "state.db")
    assert alarms(world) == []
    assert [topic for topic, _ in told(world)] == ["alarm.cleared"]


def test_what_was_lost_before_a_restart_and_is_not_heard_after_it_stays_told(tmp_path: Path) -> None:
    world = World()
    world.store_into(Store(tmp_path / "state.db", **WHERE))
    world.worker("lost")
    world.worker("bad")
    world.say("bad", wire.ComputeDied("bad", [], None, "bad_gpu", "Xid 79"))
    world.ask(wire.GetKnownFiles())
    world.wait(100.0, "bad")
    before = [(one.id, one.since) for one in alarms(world)]
    assert sorted(kinds(world)) == ["discoverer-lost", "worker-lost", "worker-set-aside"]
    restart(world, tmp_path / "state.db")
    world.events.clear()
    world.wait(HELD_AFTER_RESTART_S + 20.0)
    assert [(one.id, one.since) for one in alarms(world)] == before
    assert told(world) == []
    world.ask(wire.GetKnownFiles())
    world.worker("lost", instance="2")
    world.wait(1.0, "lost")
    assert kinds(world) == ["worker-set-aside"]
    world.wait(alarm_rules.LOST_TOLD_S, "lost")
    assert "worker-set-aside" not in kinds(world), "it is forgotten, as in a run without a restart"
    assert world.store is not None
    world.store.close()


def backlog(world: World) -> None:
    """A worker does one movie while four come."""
    for number in range(60):
        come(world, 1, 30.0)
        if number % 4 == 0:
            world.finish(f"found{number // 4}")


def standstill(world: World) -> None:
    """Movies go on to come, and none is done any more for longer than the rate is measured over."""
    backlog(world)
    come(world, 25, 30.0)
    assert world.ask(wire.GetProcessing()).rate_per_hour == 0


def no_new_movie(world: World) -> None:
    """Twenty movies come and are done, then none."""
    for number in range(20):
        come(world, 1, 30.0)
        world.finish(f"found{number}")
    world.wait(700.0, "w")


def of_movies(world: World) -> list[wire.Alarm]:
    return [alarm for alarm in alarms(world) if alarm.subject == "movies"]


@pytest.mark.parametrize("story", [backlog, standstill, no_new_movie], ids=lambda story: story.__name__)
def test_alarms_by_the_rates_of_the_session_stay_over_a_restart(tmp_path: Path, story: Callable[[World], None]) -> None:
    world = World()
    world.store_into(Store(tmp_path / "state.db", **WHERE))
    world.worker("w", credit=1)
    story(world)
    (alarm,) = of_movies(world)
    restart(world, tmp_path / "state.db")
    world.events.clear()
    world.worker("w", credit=1, leases=tuple(world.state.tasks))
    world.wait(HELD_AFTER_RESTART_S + 20.0, "w")
    assert [(one.id, one.since) for one in of_movies(world)] == [(alarm.id, alarm.since)]
    assert [id for _, id in told(world) if id == alarm.id] == []
    assert world.store is not None
    world.store.close()


def test_a_restart_knows_in_which_order_movies_have_ended(tmp_path: Path) -> None:
    world = World()
    world.store_into(Store(tmp_path / "state.db", **WHERE))
    world.ask(wire.RegisterFiles([wire.FoundFile(name, 100, number) for number, name in enumerate(MOVIES)]))
    world.ask(wire.OrderProcessing(Order.LATEST))
    world.worker("w", credit=1)
    end(world, range(59, 30, -1), ctf={})
    end(world, range(30, 25, -1))
    before = list(world.state.recent)
    restart(world, tmp_path / "state.db")
    assert list(world.state.recent) == before
    assert world.store is not None
    world.store.close()


def test_how_long_no_movie_may_come_can_be_set() -> None:
    world = World(workers=("w",))
    world.ask(wire.PauseProcessing())
    come(world, 20, 5.0)
    world.patch(alarms={"no_movie_minutes": 1.0})
    world.wait(50.0, "w")
    assert "no-new-movie" not in kinds(world)
    world.wait(20.0, "w")
    assert "no-new-movie" in kinds(world)
    world.patch(alarms={"no_movie_minutes": None})
    assert "no-new-movie" not in kinds(world)


def test_an_alarm_is_acknowledged_as_soon_as_it_is_listed() -> None:
    world = World(workers=("w",))
    world.say("w", wire.Heartbeat("w", "idle", warnings=["hot"]))
    (alarm,) = alarms(world)
    assert world.ask(wire.AcknowledgeAlarm(alarm.id)).alarms[0].acknowledged
    world.wait(1.0)
    assert [one.acknowledged for one in alarms(world)] == [True]


def test_critical_alarms_come_first() -> None:
    world = World("a.tif", workers=("w",))
    world.say("w", wire.Heartbeat("w", "busy", [world.tasks["a"].lease], warnings=["hot"]))
    world.wait(200.0)
    severities = [one.severity for one in alarms(world)]
    assert severities == sorted(severities)
    assert severities[0] == Severity.CRITICAL


def test_two_rules_of_one_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules are called failures"):
        rule("failures")(RULES["warning"].find)


def test_the_window_holds_the_last_movies_each_once() -> None:
    recent = Recent(3)
    for movie in (1, 2, 3, 1, 4):
        recent.note(movie)
    assert list(recent) == [3, 1, 4]
