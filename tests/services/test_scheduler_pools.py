"""Pools: what they report, how many workers persons allow them, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_alarms import alarms, kinds
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_POOLS
from warpcore.bus.vocabulary import ErrorCode, Severity
from warpcore.services.scheduler.core.effects import SavePool, Send
from warpcore.services.scheduler.core.journal import entries
from warpcore.services.scheduler.core.pools import FORGOTTEN_S, LONGEST_LINE, MOST_LINES, SILENT_S
from warpcore.services.scheduler.core.stimuli import FromControl, Tick
from warpcore.services.scheduler.core.taking_back import go_on
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore

WHERE = {"data_directory": "/data", "processing_directory": "/processing"}


def report(world: World, name: str = "gpu", **values: Any) -> Any:
    """What the scheduler answers to a report of a pool of 0 to 4 workers."""
    usual = {"minimum": 0, "maximum": 4, "wanted": 3, "queued": 1, "running": 2, "submitted_last_hour": 5}
    return world.ask(wire.ReportPool(name, "slurm", **{**usual, **values}))


def pools(world: World) -> list[wire.Pool]:
    found: list[wire.Pool] = world.ask(wire.GetPools()).pools
    return found


def worker_of_pool(world: World, name: str, pool: str) -> None:
    world.say(name, wire.RegisterWorker(name, "1", "host", 1, "gpu", 8000, {}, pool=pool))


def later(world: World, seconds: float) -> None:
    world.now += seconds
    world.do(Tick())


def test_a_pool_goes_by_its_file_until_a_person_sets_limits_and_hears_of_them_at_its_next_report() -> None:
    world = World()
    assert report(world) == wire.PoolLimits(0, 4, 0, resume=False)
    (shown,) = world.ask(wire.SetPool(maximum=8, by="ada")).pools
    assert (shown.minimum, shown.maximum, shown.revision, shown.taken_over) == (0, 8, 1, False)
    assert report(world) == wire.PoolLimits(0, 8, 1, resume=False)
    world.ask(wire.SetPool("gpu", minimum=2))
    assert report(world, maximum=8, revision=1) == wire.PoolLimits(2, 8, 2, resume=False)
    report(world, minimum=2, maximum=8, revision=2)
    assert pools(world)[0].taken_over


def test_a_pool_resumes_once_also_where_it_missed_the_answer() -> None:
    world = World()
    report(world, revision=4)
    world.ask(wire.SetPool(resume=True))
    assert report(world, revision=4) == wire.PoolLimits(0, 4, 5, resume=True), "a revision that is news to the pool"
    world.ask(wire.SetPool(maximum=6))
    assert report(world, revision=4).resume, "the later change does not hide it"
    assert not report(world, revision=6).resume


@pytest.mark.parametrize(
    ("message", "code", "why"),
    [
        (wire.SetPool("gpu", minimum=5), ErrorCode.INVALID, "cannot have 5 to 4"),
        (wire.SetPool("gpu"), ErrorCode.INVALID, "nothing is to change"),
        (wire.SetPool("cpu", maximum=1), ErrorCode.NOT_FOUND, "those that report are big, gpu"),
        (wire.SetPool(maximum=1), ErrorCode.INVALID, "name one of big, gpu"),
    ],
)
def test_impossible_limits_are_refused_with_the_reason(message: wire.SetPool, code: ErrorCode, why: str) -> None:
    world = World()
    report(world)
    report(world, "big")
    before = pools(world)
    answer = world.ask(message)
    assert (answer.code, why in answer.detail) == (code, True), answer.detail
    assert pools(world) == before
    assert "no pool reports" in World().ask(message).detail


def test_set_limits_outlive_a_restart_of_the_scheduler_and_of_the_pool(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", **WHERE)
    world = World()
    world.store_into(store)
    report(world, minimum=1)
    report(world, "other")
    world.ask(wire.SetPool("gpu", minimum=0, maximum=9))
    report(world, ends=True)
    store.commit()
    world.state = restore(store.load(), now=world.now, wall=world.now, **WHERE)
    store.close()
    assert pools(world) == [], "none has reported to this run"
    assert report(world, minimum=1) == wire.PoolLimits(0, 9, 1, resume=False)
    later(world, SILENT_S)
    assert "pool-silent:other" in [alarm.id for alarm in alarms(world)], "known from the run before"


def test_a_limit_that_could_not_be_stored_is_taken_back_and_the_pool_stays_known(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", **WHERE)
    world = World()
    world.store_into(store)
    report(world)
    store.commit()
    world.ask(wire.SetPool("gpu", maximum=9))
    store.discard()
    world.state = go_on(restore(store.load(), now=world.now, wall=world.now, **WHERE), world.state)
    store.close()
    (shown,) = pools(world)
    assert (shown.maximum, shown.revision, shown.running) == (4, 0, 2)


def test_workers_of_a_pool_are_counted_told_with_their_idle_time_and_drained_through_the_scheduler() -> None:
    world = World("a.tif", workers=("hand",))
    report(world)
    worker_of_pool(world, "w", "gpu/17")
    world.now += 5.0
    shown = {worker.id: worker for worker in world.ask(wire.GetWorkers()).workers}
    assert [(one.pool, one.idle_s) for one in (shown["w"], shown["hand"])] == [("gpu/17", 5.0), ("", 0.0)]
    world.finish("a", "hand")
    world.now += 2.0
    assert [one.idle_s for one in world.ask(wire.GetWorkers()).workers if one.id == "hand"] == [2.0]
    assert pools(world)[0].registered == 1
    effects = world.do(FromControl(wire.DrainPoolWorker("w", "no movie waits")))
    assert [one.message for one in effects if isinstance(one, Send)] == [wire.DrainWorker("no movie waits")]
    assert world.reply(effects) == wire.Ok()
    for name in ("hand", "nobody"):
        assert world.ask(wire.DrainPoolWorker(name, "")).code == ErrorCode.NOT_FOUND, name


def test_a_problem_is_an_alarm_once_two_reports_tell_it_with_the_last_lines_of_the_log() -> None:
    world = World()
    problem, log = ["the pool is frozen: squeue does not answer"], ["loading", "no CUDA device"]
    report(world, problems=problem, log=log)
    assert kinds(world) == []
    report(world, problems=problem, log=log)
    (alarm,) = alarms(world)
    assert (alarm.id, alarm.severity) == ("pool:gpu", Severity.WARNING)
    assert alarm.text == f"pool gpu: {problem[0]}; the last lines of its log: loading | no CUDA device"
    report(world)
    assert kinds(world) == []
    report(world, problems=["x" * 5000] * 100)
    assert [len(line) for line in pools(world)[0].problems] == [LONGEST_LINE] * MOST_LINES


def test_of_a_long_log_the_alarm_has_the_last_lines_that_fit() -> None:
    world = World()
    log = [f"line {number} {'x' * 90}" for number in range(12)]
    for _ in range(2):
        report(world, problems=["3 jobs in a row died"], log=log)
    (alarm,) = alarms(world)
    told = alarm.text.partition("; the last lines of its log: ")[2].split(" | ")
    assert told == log[-4:]


def test_a_silent_pool_is_an_alarm_for_a_day_and_one_that_ended_is_none() -> None:
    world = World()
    report(world)
    later(world, SILENT_S - 1)
    assert kinds(world) == []
    later(world, 1)
    assert kinds(world) == ["pool-silent"]
    assert world.ask(wire.GetProcessing()).pools == ["pool gpu (slurm) has been silent for 1 min"]
    report(world)
    assert kinds(world) == []
    report(world, ends=True)
    later(world, SILENT_S)
    assert (kinds(world), pools(world)) == ([], [])
    report(world)
    later(world, FORGOTTEN_S)
    assert (kinds(world), pools(world), world.state.pools) == ([], [], {})


def test_the_alarm_that_no_worker_runs_waits_where_jobs_of_a_well_pool_will_bring_one() -> None:
    world = World("a.tif")
    report(world)
    later(world, 1)
    for _ in range(29):
        report(world)
        later(world, 30)
    assert "no-worker" not in kinds(world), "15 min of waiting for a node are usual"
    report(world)
    later(world, 30)
    assert "3 jobs of pools wait" in alarms(world)[0].text
    report(world, queued=0, running=0)
    assert "no worker runs; start one" in alarms(world)[0].text


def test_the_status_names_each_pool_in_words_and_the_log_tells_who_set_limits() -> None:
    world = World()
    report(world, problems=["the batch system refuses jobs: QOS limit"])
    worker_of_pool(world, "w", "gpu/1")
    (line,) = world.ask(wire.GetProcessing()).pools
    assert line == (
        "pool gpu (slurm): workers: 1 registered, 3 wanted, 0 to 4 allowed; jobs: 2 running, 1 queued; "
        "the batch system refuses jobs: QOS limit"
    )
    told = entries(world.do(FromControl(wire.SetPool(maximum=8, resume=True, by="ada"))))
    assert [entry.text for entry in told] == ["pool gpu may have 0 to 8 workers, and resumes, by ada"]


def test_pools_are_bounded_and_an_ended_one_makes_room() -> None:
    world = World()
    for number in range(MOST_POOLS):
        report(world, f"p{number}")
    world.ask(wire.SetPool("p0", maximum=1))
    assert report(world, "more").code == ErrorCode.CONFLICT
    report(world, "p0", ends=True)
    assert isinstance(report(world, "more"), wire.PoolLimits)
    assert "p0" not in world.state.pools
    stored = [one for one in world.do(FromControl(wire.SetPool("more", maximum=1))) if isinstance(one, SavePool)]
    assert len(stored) == 1
