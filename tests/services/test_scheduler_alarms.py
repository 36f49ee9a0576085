"""When alarms come, how long they stay, and that each is told once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import ErrorCode, Severity
from warpcore.services.scheduler.core.alarms import RULES, rule
from warpcore.services.scheduler.core.recent import Recent

MOVIES = [f"m{number}.tif" for number in range(60)]


def alarms(world: World) -> list[Alarm]:
    reply = world.ask(wire.GetAlarms())
    assert isinstance(reply, wire.Alarms)
    return reply.alarms


def kinds(world: World) -> list[str]:
    return [alarm.id.partition(":")[0] for alarm in alarms(world)]


def told(world: World) -> list[tuple[str, str]]:
    """The events of alarms: topic and id."""
    return [(topic, body["alarm"]["id"]) for topic, body in world.events if topic.startswith("alarm.")]


def end(world: World, numbers: Iterable[int], **results: Any) -> None:
    """Finish movies with these results of steps, or let them fail where there are none."""
    for number in numbers:
        if results:
            world.finish(f"m{number}", **results)
        else:
            world.fail(f"m{number}", "input")
        world.wait(1.0, "w")


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
    for number in range(60):
        come(world, 1, 30.0)
        if number % 4 == 0:
            world.finish(f"found{number // 4}")
    (alarm,) = [one for one in alarms(world) if one.id == "backlog:movies"]
    assert re.search(r"movies come faster \(120/h\) than they are processed \(\d\d/h\): 4\d wait", alarm.text)
    raised = [id for topic, id in told(world) if topic == "alarm.raised"]
    assert raised == ["backlog:movies"]
    world.ask(wire.PauseProcessing())
    assert alarms(world) == []


def test_failures_are_told_where_half_of_the_last_movies_fail_and_until_few_do() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(4))
    assert "failures" not in kinds(world)
    end(world, [4])
    (alarm,) = [one for one in alarms(world) if one.id == "failures:movies"]
    assert "5 of the last 5 movies have failed; the last one: it went wrong" in alarm.text
    end(world, range(5, 20), ctf={})
    assert "failures" in kinds(world), "5 of 20 is a quarter"
    end(world, [20], ctf={})
    assert "failures" not in kinds(world)
    end(world, [21])
    assert "failures" not in kinds(world), "6 of 22 is fewer than half"
    assert [topic for topic, id in told(world) if id == "failures:movies"] == ["alarm.raised", "alarm.cleared"]


def test_a_value_beyond_its_limits_is_told_where_few_movies_are_within_and_until_half_are() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(11), ctf={"resolution_angstrom": 9.0})
    assert kinds(world) == [], "too few movies to say"
    end(world, [11], ctf={"resolution_angstrom": 9.0})
    (alarm,) = alarms(world)
    assert alarm.id == "limits:ctf.resolution_angstrom"
    assert alarm.text == "resolution: 0 of the last 12 movies are within the filter's limits (at most 5 Å)"
    end(world, range(12, 23), ctf={"resolution_angstrom": 4.0})
    assert [one.id for one in alarms(world)] == [alarm.id], "11 of 23 is fewer than half"
    end(world, [23], ctf={"resolution_angstrom": 4.0})
    assert alarms(world) == []
    end(world, range(24, 36), ctf={"resolution_angstrom": 9.0})
    assert alarms(world) == [], "between the two thresholds nothing changes"


def test_other_limits_can_end_an_alarm() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(12), ctf={"resolution_angstrom": 9.0})
    world.patch(filter={"resolution_max": 10.0})
    assert alarms(world) == []


def test_an_excluded_movie_counts_for_no_alarm() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(12), ctf={"resolution_angstrom": 9.0})
    world.ask(wire.SelectItem("m0", "exclude"))
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
