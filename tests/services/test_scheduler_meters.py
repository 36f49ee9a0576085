"""What the scheduler counts for monitoring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.scheduler.core.effects import Publish
from warpcore.services.scheduler.core.stimuli import StorageLooked, Tick
from warpcore.services.scheduler.shell.meters import STEP_BOUNDS_S, Meters, Tally
from warpcore.services.storage.standing import Look


def test_values_are_counted_by_the_first_bound_that_is_not_below_them() -> None:
    tally = Tally("commit", (1.0, 10.0))
    for value in (0.5, 1.0, 2.0, 11.0):
        tally.add(value)
    assert tally.histogram == wire.Histogram("commit", [1.0, 10.0], [2, 1, 1], 14.5)


def finished(seconds: dict[str, float]) -> Publish:
    return Publish("task.finished", wire.TaskEvent("a", 1, "w", seconds=seconds).to_body())


def test_times_count_for_stages_that_there_are_whatever_a_worker_says() -> None:
    meters = Meters()
    before = set(meters.steps)
    meters.note(Tick(), [finished({"motion": 2.0, "export": 0.0, "x" * 1000: 1.0})])
    assert set(meters.steps) == before
    counts = meters.steps["motion"].histogram.counts
    assert (counts[STEP_BOUNDS_S.index(3.0)], sum(counts)) == (1, 1)
    assert sum(meters.steps["export"].histogram.counts) == 0


def test_failures_count_by_kind_and_tasks_without_a_result_beside_them() -> None:
    world, meters = World("a.tif", "b.tif", workers=("w",)), Meters()

    def fail(name: str, kind: str) -> None:
        failed = wire.TaskFailed("w", world.tasks[name].lease, kind, "ctf", "no")
        meters.note(Tick(), world.say("w", failed))

    fail("a", "input")
    fail("b", "internal")
    assert (meters.failures["input"], meters.failures["internal"], meters.tasks_lost) == (1, 0, 2)


def test_the_space_left_is_what_was_seen_last() -> None:
    meters = Meters()
    meters.note(StorageLooked(StoragePlace.PROCESSING, "/p", Look(free_bytes=5)), [])
    assert meters.disk_free_bytes == {"processing": 5}
    meters.note(StorageLooked(StoragePlace.PROCESSING, "/p", Look(silent_s=12.0)), [])
    assert meters.disk_free_bytes == {}


def test_the_running_scheduler_tells_its_figures_in_one_message(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: WaitUntil
) -> None:
    site = Site(tmp_path, free_ports(4))
    with site.running() as client:
        worker = WorkerSide(site, "w")
        worker.register()
        wait_until(lambda: worker.got(wire.WorkerRegistered))
        ask(client, files("a.tif", "a.mrc"))
        wait_until(lambda: "processing" in ask(client, wire.GetMetrics()).disk_free_bytes, what="the first look")
        found: Any = ask(client, wire.GetMetrics())
        worker.dealer.close()
    assert (found.counts["unprocessed"], found.counts["failed"], found.left) == (1, 1, 1)
    assert found.failures["conflict"] == 1
    assert found.workers["idle"] == 1
    assert [one.id for one in found.worker_list] == ["w"]
    assert sum(found.commit_s.counts) > 0
    assert found.memory_bytes > 10_000_000
    assert found.disk_free_bytes["processing"] > 0
    assert found.alarms == {"warning": 0, "critical": 0}
