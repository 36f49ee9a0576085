"""The user's own word, and what the user is shown."""

from __future__ import annotations

import pytest

from tests.services.scheduler_world import CHAIN, World, finished
from warpcore.bus import messages as wire


def test_what_is_processed_is_run_again_only_by_force() -> None:
    world = finished("a.tif")
    assert world.ask(wire.RetryItem("a")).code == "conflict"
    world.ask(wire.PauseProcessing())
    assert world.ask(wire.RetryItem("a", force=True)).movie.outdated_steps == CHAIN
    assert world.ask(wire.RetryItem("nobody")).code == "not_found"


def test_an_order_or_page_that_does_not_exist_is_refused() -> None:
    world = finished("a.tif")
    assert world.ask(wire.GetItems(sort="odd.field")).code == "invalid"
    assert world.ask(wire.GetItems(page=0)).code == "invalid"


def test_items_are_sorted_by_result_with_what_was_not_measured_last() -> None:
    world = World("a.tif", "b.tif", "c.tif", "d.tif")
    world.worker("w", credit=1)
    for name, defocus in (("a", 2.0), ("b", 3.0), ("c", 1.0)):
        world.finish(name, ctf={"defocus_um": defocus})
    names = [movie.name for movie in world.ask(wire.GetItems(sort="ctf.defocus_um")).movies]
    assert names == ["c", "a", "b", "d"]
    names = [movie.name for movie in world.ask(wire.GetItems(sort="-ctf.defocus_um")).movies]
    assert names == ["b", "a", "c", "d"]
    page = world.ask(wire.GetItems(status="processed", sort="-name", page=2, page_size=2))
    assert ([movie.name for movie in page.movies], page.total) == (["a"], 3)


def test_snapshots_come_in_pages_that_fit_a_frame() -> None:
    world = World()
    world.files(*(f"{'x' * 3000}/{number}.tif" for number in range(400)))
    after, seen, pages = 0, [], 0
    while after is not None:
        page = world.ask(wire.GetSnapshot(after, 400))
        seen += [movie.id for movie in page.movies]
        after, pages = page.next_after, pages + 1
    assert seen == list(range(1, 401))
    assert pages == 3
    assert world.ask(wire.GetItems(page_size=400)).code == "invalid"


def test_the_rate_is_measured_and_null_before_the_first_movie() -> None:
    world = World("a.tif", "b.tif", "c.tif")
    assert world.ask(wire.GetProcessing()).rate_per_hour is None
    world.worker("w", credit=1)
    assert world.ask(wire.GetProcessing()).rate_per_hour is None
    for name in ("a", "b"):
        world.now += 20
        world.finish(name)
    assert world.ask(wire.GetProcessing()).rate_per_hour == pytest.approx(2 * 3600 / 40)
    world.wait(700, "w")
    assert world.ask(wire.GetProcessing()).rate_per_hour == 0


def test_movies_of_which_only_some_steps_run_again_have_a_rate_of_their_own() -> None:
    """To pick again takes a second; counted as movies it looked like thousands an hour."""
    world = World("a.tif", "b.tif")
    world.worker("w", credit=1)
    for name in ("a", "b"):
        world.now += 20
        world.finish(name)
    world.patch(ctf={"range_max": 5.0})
    for name in ("a", "b"):
        world.now += 1
        assert "motion" not in world.tasks[name].run
        world.finish(name)
    status = world.ask(wire.GetProcessing())
    assert status.rate_per_hour == pytest.approx(2 * 3600 / 42)
    assert status.reruns_per_hour == pytest.approx(2 * 3600 / 42)
    world.patch(motion={"range_min": 400.0})
    world.now += 20
    world.finish("a")
    assert world.ask(wire.GetProcessing()).rate_per_hour == pytest.approx(3 * 3600 / 62), "all of its steps ran again"


def test_a_movie_that_is_tried_again_is_no_failure_of_its_worker() -> None:
    world = World("a.tif", workers=("w",))

    def failed() -> int:
        (worker,) = world.ask(wire.GetWorkers()).workers
        return int(worker.failed)

    world.fail("a", "internal")
    world.say("w", wire.ComputeDied("w", [world.tasks["a"].lease], world.tasks["a"].lease, "lost_worker", "killed"))
    world.fail("a", "internal")
    assert (world.status("a"), failed()) == ("queued", 0)
    world.fail("a", "internal")
    assert (world.status("a"), failed()) == ("failed", 1)


def test_lost_workers_leave_the_registry_and_the_alarm_stays() -> None:
    world = World(workers=("gone", "ended", "w"))
    world.say("ended", wire.Goodbye("ended"))

    def listed() -> list[str]:
        return [worker.id for worker in world.ask(wire.GetWorkers()).workers]

    world.wait(90, "w")
    assert listed() == ["gone", "w"]
    world.wait(700, "w")
    assert listed() == ["w"]
    (alarm,) = world.ask(wire.GetAlarms()).alarms
    assert (alarm.id, "gone is lost" in alarm.text) == ("worker-lost:gone", True)
    world.wait(3600, "w")
    assert world.ask(wire.GetAlarms()).alarms == []


def test_excluded_movies_are_not_left_to_do() -> None:
    world = World("done.tif", "running.tif", "waiting.tif", "excluded.tif", "failed.tif")
    world.ask(wire.SelectItem("excluded", "exclude"))
    assert world.ask(wire.GetProcessing()).left == 4
    world.worker("w", credit=1)
    world.finish("done")
    assert world.ask(wire.GetProcessing()).left == 3, "one runs, two wait"
    world.finish("running")
    world.finish("waiting")
    world.fail("failed", "input")
    assert world.ask(wire.GetProcessing()).left == 0


def test_logs_are_kept_and_paged() -> None:
    world = World(workers=("w",))
    for number in range(1200):
        world.say("w", wire.WorkerLog("w", [{"level": "info", "text": f"line {number}", "ts": 1.0}]))
    page = world.ask(wire.GetWorkerLogs("w", limit=2)).lines
    assert [(line["number"], line["text"]) for line in page] == [(1199, "line 1198"), (1200, "line 1199")]
    assert [line["number"] for line in world.ask(wire.GetWorkerLogs("w", after=1198)).lines] == [1199, 1200]
    assert world.ask(wire.GetWorkerLogs("x")).code == "not_found"


def test_a_movies_story_tells_when_where_and_why() -> None:
    world = World("a.tif", workers=("w", "v"))
    owner, lease = world.owner("a"), world.tasks["a"].lease
    world.progress("a", "ctf")
    world.now += 10
    world.fail("a", "input")
    found, assigned, begun, failed = world.ask(wire.GetItem("a")).story
    assert (found["text"], found["worker"], found["lease"]) == ("found", "", 0)
    assert (assigned["worker"], assigned["lease"], assigned["at"]) == (owner, lease, 1000.0)
    assert (begun["worker"], begun["lease"], begun["step"]) == (owner, lease, "ctf")
    assert failed["at"] == 1010.0
    assert (failed["worker"], failed["lease"], failed["step"]) == (owner, lease, "ctf")
    assert failed["text"] == f"processing → failed: input in ctf on {owner}: it went wrong"
    world.ask(wire.RetryItem("a"))
    *_, retried, again = world.ask(wire.GetItem("a")).story
    assert (retried["text"], retried["lease"]) == ("failed → unprocessed: retried by the user", 0)
    assert again["lease"] == world.tasks["a"].lease > lease


def test_log_lines_that_are_told_again_count_once() -> None:
    world = World(workers=("w",))
    lines = [{"number": number, "level": "info", "text": f"line {number}", "ts": 1.0} for number in (1, 2, 3)]
    world.say("w", wire.WorkerLog("w", lines[:2]))
    world.worker("w")
    world.say("w", wire.WorkerLog("w", lines))
    assert [line["number"] for line in world.ask(wire.GetWorkerLogs("w")).lines] == [1, 2, 3]


def test_this_one_now_goes_ahead_of_all_others() -> None:
    world = World("a.tif", "b.tif", "c.tif", "d.tif")
    world.ask(wire.PrioritiseItem("b", 5))
    assert world.ask(wire.PrioritiseItem("d", first=True)).movie.priority == 6
    assert world.ask(wire.PrioritiseItem("d", first=True)).movie.priority == 6, "it is first already"
    assert world.ask(wire.PrioritiseItem("c", first=True)).movie.priority == 7
    world.worker("w", credit=2)
    assert sorted(world.tasks) == ["c", "d"]


def test_a_priority_beyond_the_limit_is_refused_and_first_stays_within_it() -> None:
    world = World("a.tif", "b.tif")
    assert world.ask(wire.PrioritiseItem("a", 10**9)).code == "invalid"
    world.ask(wire.PrioritiseItem("a", 10**6))
    assert world.ask(wire.PrioritiseItem("b", first=True)).movie.priority == 10**6


def test_a_movie_that_waits_for_nothing_has_no_priority() -> None:
    world = World("done.tif", "running.tif", "failed.tif", "excluded.tif")
    world.ask(wire.SelectItem("excluded", "exclude"))
    world.worker("w", credit=1)
    world.finish("done")
    assert world.ask(wire.PrioritiseItem("running", first=True)).detail == "running is running already"
    world.progress("running")
    assert world.ask(wire.PrioritiseItem("running", 3)).code == "conflict"
    world.finish("running")
    world.fail("failed", "input")
    for name, problem in (("done", "is done"), ("failed", "has failed; retry it"), ("excluded", "is excluded")):
        refused = world.ask(wire.PrioritiseItem(name, 3))
        assert (refused.code, problem in refused.detail) == ("conflict", True)
    assert world.ask(wire.PrioritiseItem("nobody", 3)).code == "not_found"


@pytest.mark.parametrize("before", ["waits", "is done", "has failed"])
def test_an_excluded_movie_is_refused_as_such_whatever_it_was(before: str) -> None:
    world = World("a.tif", workers=() if before == "waits" else ("w",))
    if before == "is done":
        world.finish("a")
    elif before == "has failed":
        world.fail("a", "input")
    world.ask(wire.SelectItem("a", "exclude"))
    told = "a is excluded, so it does not run; include it or leave it to the filter, then put it first"
    assert world.ask(wire.PrioritiseItem("a", first=True)).detail == told
