"""The rules of scheduling, one by one, as statements about the pure machine."""

from __future__ import annotations

from typing import Any

import pytest

from warpcore.bus import messages as wire
from warpcore.bus.schema import REGISTRY, Message
from warpcore.services.scheduler.core import machine, registry
from warpcore.services.scheduler.core.effects import (
    AssignmentUndelivered,
    ChangeSettings,
    CutLog,
    Effect,
    FromControl,
    FromWorker,
    OutputsMissing,
    OutputsRestored,
    Publish,
    Reply,
    RestoreOutputs,
    SaveMovie,
    Send,
    Started,
    Stimulus,
    Tick,
)
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.records import IllegalTransition
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.generations import Generation
from warpcore.services.session.settings import Settings, parse_settings, patch_settings

CHAIN = ["motion", "ctf", "export"]
RESULTS: dict[str, Any] = {
    "motion": {"mean_frame_movement_angstrom": 1.0},
    "ctf": {"defocus_um": 2.7, "resolution_angstrom": 4.0},
    "picking": {"count": 30},
    "export": {"average": "average/x.mrc"},
}


class World:
    """A state with a clock; what it sends and publishes is remembered."""

    def __init__(self, *paths: str, settings: Settings | None = None, workers: tuple[str, ...] = ()) -> None:
        self.now = 1000.0
        self.state = State(
            settings or Settings(), data_directory="/data", processing_directory="/processing", epoch="e"
        )
        self.tasks: dict[str, wire.AssignTask] = {}
        self.cancelled: list[int] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.do(Started(""))
        if paths:
            self.files(*paths)
        for name in workers:
            self.worker(name)

    def do(self, stimulus: Stimulus) -> list[Effect]:
        effects = handle(self.state, stimulus, self.now, wall=self.now)
        validate(self.state)
        for effect in effects:
            if isinstance(effect, Publish):
                self.events.append((effect.topic, effect.body))
            if isinstance(effect, Send) and isinstance(effect.message, wire.AssignTask):
                self.tasks[effect.message.name] = effect.message
            if isinstance(effect, Send) and isinstance(effect.message, wire.CancelTask):
                self.cancelled.append(effect.message.lease)
        return effects

    def ask(self, message: Message) -> Any:
        return self.reply(self.do(FromControl(message)))

    def say(self, worker: str, message: Message, connection: str = "") -> list[Effect]:
        return self.do(FromWorker((connection or worker).encode(), message))

    def reply(self, effects: list[Effect]) -> Any:
        (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
        return reply

    def files(self, *paths: str, size: int = 100) -> Any:
        return self.ask(wire.RegisterFiles([wire.FoundFile(path, size, 5) for path in paths]))

    def worker(self, name: str, credit: int = 2, instance: str = "1", leases: tuple[int, ...] = ()) -> Any:
        message = wire.RegisterWorker(name, instance, "host", 1, "gpu", 8000, {}, list(leases))
        answer = self.reply(self.say(name, message))
        self.say(name, wire.PullTasks(name, credit))
        return answer

    def progress(self, name: str, step: str = "motion") -> None:
        task = self.tasks[name]
        self.say(self.owner(name), wire.TaskProgress(self.owner(name), task.lease, name, step, 0.5))

    def owner(self, name: str) -> str:
        return self.state.tasks[self.tasks[name].lease].worker

    def finish(self, name: str, worker: str = "", **results: dict[str, Any]) -> Any:
        task, worker = self.tasks[name], worker or self.owner(name)
        reported = {step: {**RESULTS[step], **results.get(step, {})} for step in task.run}
        outputs = {step: [f"{step}/{name}.mrc"] for step in task.run}
        return self.reply(self.say(worker, wire.TaskFinished(worker, task.lease, task.run, reported, outputs)))

    def fail(self, name: str, kind: str, worker: str = "") -> None:
        worker = worker or self.owner(name)
        self.say(worker, wire.TaskFailed(worker, self.tasks[name].lease, kind, "ctf", "it went wrong"))

    def patch(self, **sections: dict[str, Any]) -> Any:
        settings = patch_settings(self.state.settings, sections)
        return self.reply(self.do(ChangeSettings(settings, self.state.references)))

    def wait(self, seconds: float, *beating: str) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 10.0)
            for name in beating:
                leases = list(self.state.workers[name].leases)
                self.say(name, wire.Heartbeat(name, "busy", leases))
            self.do(Tick())

    def movie(self, name: str) -> wire.Movie:
        movie = self.ask(wire.GetItem(name)).movie
        assert isinstance(movie, wire.Movie)
        return movie

    def status(self, name: str) -> str:
        return self.movie(name).status

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.events]


def finished(*paths: str, settings: Settings | None = None) -> World:
    """A world with one worker `w` (credit 1) that has done these movies."""
    world = World(*paths, settings=settings)
    world.worker("w", credit=1)
    for path in paths:
        world.finish(path.rsplit(".", 1)[0])
    return world


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_is_registered_once_and_found_again_when_replaced() -> None:
    world = World()
    assert world.files("a.tif", "b.tif") == wire.FilesRegistered(2, 0, 0)
    assert world.files("a.tif", "c.tif") == wire.FilesRegistered(1, 1, 0)
    assert world.files("a.tif", size=7) == wire.FilesRegistered(0, 0, 1)
    known = world.ask(wire.GetKnownFiles(after=1))
    assert [(file.path, file.size) for file in known.files] == [("b.tif", 100), ("c.tif", 100)]
    assert known.next_after is None


def test_paths_that_leave_the_data_directory_are_refused_as_a_whole() -> None:
    world = World()
    for path in ("../a.tif", "/a.tif", "a\0.tif", "", "./a.tif", "a//b.tif"):
        assert world.files("good.tif", path).code == "invalid"
    assert world.ask(wire.RegisterFiles([wire.FoundFile("a.tif", -1, 0)])).code == "invalid"
    assert world.ask(wire.RegisterFiles([wire.FoundFile("a.tif", 1, 2**63)])).code == "invalid"
    assert not world.state.movies


def test_of_two_movies_with_equal_roots_the_second_fails_and_names_the_first() -> None:
    world = World("a.tif", "a.eer", "grid/a.tif")
    assert world.status("grid/a") == "unprocessed"
    second = world.movie("a.eer")
    assert second.failure is not None
    assert (second.status, second.failure.kind) == ("failed", "conflict")
    assert "a.tif" in second.failure.message
    assert world.ask(wire.RetryItem("a.eer")).code == "conflict"
    assert world.files("a.eer", size=9).replaced == 1
    assert world.status("a.eer") == "failed"


def test_a_replaced_file_takes_the_lease_back_and_runs_again() -> None:
    world = World("a.tif", workers=("w",))
    old = world.tasks["a"]
    world.files("a.tif", size=7)
    assert world.cancelled == [old.lease]
    assert world.tasks["a"].size == 7
    assert world.tasks["a"].lease > old.lease
    world.say("w", wire.TaskFinished("w", old.lease, old.run, RESULTS, {}))
    assert world.status("a") == "queued"


def test_a_replaced_file_of_a_failed_movie_is_a_new_chance() -> None:
    world = World("a.tif", workers=("w",))
    world.fail("a", "input")
    assert world.status("a") == "failed"
    world.files("a.tif", size=7)
    assert world.status("a") == "queued"


def test_a_replaced_file_of_a_processed_movie_is_outdated_and_back_again_is_not() -> None:
    world = finished("a.tif")
    world.ask(wire.PauseProcessing())
    world.files("a.tif", size=7)
    assert world.movie("a").outdated_steps == CHAIN
    world.files("a.tif", size=100)
    assert world.status("a") == "processed"


# --- order -------------------------------------------------------------------------------------------------------


def test_order_is_priority_then_outdated_then_discovery() -> None:
    world = finished("a.tif", "b.tif")
    world.ask(wire.PauseProcessing())
    world.files("c.tif", "d.tif", "e.tif")
    world.patch(ctf={"range_max": 5.0})
    world.ask(wire.PrioritiseItem("e", 5))
    world.ask(wire.PrioritiseItem("c", -1))
    world.ask(wire.SelectItem("d", "exclude"))
    world.ask(wire.StartProcessing())
    order = []
    for _ in range(4):
        (name,) = world.state.workers["w"].leases and [
            world.state.movies[t.movie].name for t in world.state.tasks.values()
        ]
        order.append(name)
        world.finish(name)
    assert order == ["e", "a", "b", "c"]
    assert world.status("d") == "unprocessed"


def test_each_worker_gets_one_movie_before_any_gets_two() -> None:
    world = World(workers=("w1", "w2"))
    world.files("a.tif", "b.tif", "c.tif")
    assert (world.owner("a"), world.owner("b"), world.owner("c")) == ("w1", "w2", "w1")


def test_credit_is_at_most_two_and_counts_what_is_held() -> None:
    world = World("a.tif", "b.tif", "c.tif")
    world.worker("w", credit=9)
    assert sorted(world.tasks) == ["a", "b"]
    world.finish("a")
    assert sorted(world.tasks) == ["a", "b", "c"]


def test_paused_nothing_is_assigned_and_what_runs_ends() -> None:
    world = World("a.tif", "b.tif")
    world.worker("w", credit=1)
    assert not world.ask(wire.PauseProcessing()).is_processing
    world.finish("a")
    assert world.status("a") == "processed"
    assert "b" not in world.tasks
    assert world.ask(wire.StartProcessing()).is_processing
    assert "b" in world.tasks


# --- leases ------------------------------------------------------------------------------------------------------


def test_only_a_valid_lease_commits_and_counts_once() -> None:
    world = World("a.tif", workers=("w", "x"))
    lease = world.tasks["a"].lease
    assert world.reply(world.say("x", wire.CommitTask("x", lease))) == wire.CommitAnswer(lease, False)
    assert world.reply(world.say("w", wire.CommitTask("w", lease))) == wire.CommitAnswer(lease, True)
    assert world.finish("a", worker="w") == wire.Ok()
    assert world.finish("a", worker="w") == wire.Ok()
    assert world.topics().count("task.finished") == 1
    assert world.ask(wire.GetWorkers()).workers[0].done == 1
    assert world.reply(world.say("w", wire.CommitTask("w", lease))).granted is False


def test_progress_makes_a_movie_processing_and_progress_of_an_old_lease_is_cancelled() -> None:
    world = World("a.tif", workers=("w",))
    assert world.status("a") == "queued"
    world.progress("a")
    assert world.status("a") == "processing"
    assert world.ask(wire.GetProcessing()).running[0]["step"] == "motion"
    world.say("w", wire.TaskProgress("w", 99, "a", "motion", 0.5))
    assert world.cancelled == [99]


def test_a_lost_worker_gives_its_movies_back_and_its_late_results_are_ignored() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    old = world.tasks["a"]
    world.wait(29)
    assert world.status("a") == "queued"
    world.wait(2)
    assert (world.status("a"), world.status("b")) == ("unprocessed", "unprocessed")
    assert world.ask(wire.GetWorkers()).workers[0].state == "lost"
    effects = world.say("w", wire.TaskFinished("w", old.lease, old.run, RESULTS, {}))
    assert world.reply(effects) == wire.Ok()
    assert any(isinstance(effect, Send) and effect.message == wire.UnknownWorker() for effect in effects)
    assert world.status("a") == "unprocessed"


def test_any_traffic_counts_as_life() -> None:
    world = World("a.tif", workers=("w",))
    for _ in range(10):
        world.wait(20)
        world.progress("a")
    assert world.status("a") == "processing"


def test_a_new_instance_means_the_old_one_is_dead() -> None:
    world = World("a.tif", workers=("w",))
    old = world.tasks["a"].lease
    answer = world.worker("w", instance="2", leases=(old,))
    assert answer.leases == []
    assert world.tasks["a"].lease > old


def test_the_same_instance_keeps_what_it_still_holds() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    kept = world.tasks["a"].lease
    assert world.worker("w", leases=(kept, 77)).leases == [kept]
    assert world.tasks["a"].lease == kept
    assert world.tasks["b"].lease > kept + 1, "b was no longer held and is assigned anew"


def test_a_worker_that_nobody_knows_is_told_to_register() -> None:
    world = World()
    effects = world.say("w", wire.Heartbeat("w", "idle"))
    assert effects == [Send(b"w", wire.UnknownWorker())]
    world.worker("w")
    assert world.say("w", wire.PullTasks("w", 1), connection="other") == [Send(b"other", wire.UnknownWorker())]


def test_an_orderly_end_blames_nobody() -> None:
    world = World("a.tif", workers=("w",))
    for number in range(5):
        world.progress("a")
        world.say("w", wire.Goodbye("w"))
        assert world.status("a") == "unprocessed"
        world.worker("w", instance=f"again {number}")


def test_an_assignment_that_did_not_arrive_is_taken_back() -> None:
    world = World("a.tif", workers=("w",))
    world.do(AssignmentUndelivered(world.tasks["a"].lease))
    assert world.status("a") == "unprocessed"
    world.say("w", wire.PullTasks("w", 1))
    assert world.status("a") == "queued"


def test_a_lease_that_its_worker_does_not_name_for_long_is_taken_back() -> None:
    world = World("a.tif", workers=("w",))
    lease = world.tasks["a"].lease
    for _ in range(7):
        world.now += 2
        world.say("w", wire.Heartbeat("w", "idle", []))
    assert world.cancelled == [lease]
    assert world.tasks["a"].lease > lease


# --- failures ----------------------------------------------------------------------------------------------------


def test_bad_input_is_never_tried_again() -> None:
    world = World("a.tif", workers=("w", "x"))
    world.fail("a", "input")
    movie = world.movie("a")
    assert movie.failure == wire.Failure("input", "ctf", "it went wrong", "host")
    assert (movie.status, movie.selection) == ("failed", "auto")
    assert "movie.failed" in world.topics()


def test_internal_failures_are_tried_twice_more_and_elsewhere_first() -> None:
    world = World("a.tif", workers=("w", "x"))
    tried = [world.owner("a")]
    for _ in range(2):
        world.fail("a", "internal")
        tried.append(world.owner("a"))
    assert tried[:2] == ["w", "x"]
    world.fail("a", "internal")
    assert world.status("a") == "failed"
    assert len(tried) == 3


def test_with_no_other_worker_it_is_tried_on_the_same_one() -> None:
    world = World("a.tif", workers=("w",))
    world.fail("a", "internal")
    assert world.owner("a") == "w"


def test_short_of_memory_it_rests_before_it_is_tried_again() -> None:
    world = World("a.tif", workers=("w",))
    for _ in range(2):
        world.fail("a", "resource")
        assert world.status("a") == "unprocessed"
        world.wait(29, "w")
        assert world.status("a") == "unprocessed"
        world.wait(2, "w")
        assert world.status("a") == "queued"
    world.fail("a", "resource")
    assert world.status("a") == "failed"


def test_parked_movies_return_in_the_order_of_their_times() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    world.fail("b", "resource")
    world.wait(5, "w")
    world.fail("a", "resource")
    world.say("w", wire.PullTasks("w", 1))
    world.wait(26, "w")
    assert (world.status("a"), world.status("b")) == ("unprocessed", "queued")
    assert world.ask(wire.RetryItem("a")).movie.status == "unprocessed"
    world.finish("b")
    assert world.status("a") == "queued", "retried by hand it need not rest"


def test_a_movie_that_cost_two_workers_is_poisoned() -> None:
    world = World("a.tif", workers=("w",))
    for number in range(2):
        world.progress("a")
        lease = world.tasks["a"].lease
        world.say("w", wire.ComputeDied("w", [lease], lease, "lost_worker", "signal 11"))
        assert world.state.workers["w"].alive
        assert world.status("a") == ("queued", "failed")[number]
    failure = world.movie("a").failure
    assert failure is not None
    assert failure.kind == "poisoned"
    assert "signal 11" in failure.message
    assert world.ask(wire.RetryItem("a")).movie.status == "unprocessed"
    assert world.status("a") == "queued"


def test_beside_the_culprit_nobody_is_blamed() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    for _ in range(2):
        world.progress("a")
        world.progress("b")
        leases = [world.tasks[name].lease for name in ("a", "b")]
        world.say("w", wire.ComputeDied("w", leases, leases[0], "lost_worker", "signal 11"))
    assert world.status("a") == "failed"
    assert world.status("b") == "queued"
    assert world.state.by_name["b"].lost == 0


def test_of_two_movies_in_lost_workers_the_guilty_one_is_found_by_running_each_alone() -> None:
    world = World("good.tif", "bad.tif", workers=("w",))
    world.progress("good")
    world.progress("bad")
    for number in range(6):
        world.worker("w", instance=f"again {number}")
        if world.status("bad") == "failed":
            break
        running = [world.state.movies[task.movie].name for task in world.state.tasks.values()]
        assert len(running) == 1, "a suspect runs alone"
        world.progress(running[0])
        if running == ["good"]:
            world.finish("good")
            world.progress("bad")
    assert world.movie("bad").failure is not None
    assert world.status("good") == "processed"


def test_a_bad_gpu_sets_the_worker_aside_until_it_is_started_anew() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    world.fail("a", "bad_gpu")
    assert world.ask(wire.GetWorkers()).workers[0].state == "set_aside"
    assert (world.status("a"), world.status("b")) == ("unprocessed", "unprocessed")
    assert world.cancelled == [world.tasks["b"].lease]
    world.worker("w")
    assert world.status("a") == "unprocessed"
    world.worker("w", instance="2")
    assert world.status("a") == "queued"


def test_no_progress_for_long_is_cancelled_and_only_what_had_begun_is_blamed() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    leases = [world.tasks[name].lease for name in ("a", "b")]
    world.progress("a")
    world.wait(1790, "w")
    assert not world.cancelled
    world.wait(20, "w")
    assert world.cancelled == leases
    assert (world.state.by_name["a"].lost, world.state.by_name["b"].lost) == (1, 0)


def test_what_waits_in_a_worker_that_makes_progress_is_not_stale() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    for _ in range(5):
        world.wait(1000, "w")
        world.progress("a")
    assert world.status("b") == "queued"
    assert not world.cancelled


def test_a_report_that_cannot_be_right_is_the_workers_failure() -> None:
    world = World("a.tif", workers=("w",))
    for ran, results, outputs in (
        (["motion"], RESULTS, {}),
        (CHAIN, {}, {}),
        (CHAIN, {**RESULTS, "ctf": {"defocus_um": "deep"}}, {}),
    ):
        world.say("w", wire.TaskFinished("w", world.tasks["a"].lease, ran, results, outputs))
    failure = world.movie("a").failure
    assert failure is not None
    assert failure.kind == "internal"
    assert "cannot be right" in failure.message
    assert not world.movie("a").results


def test_outputs_outside_the_processing_directory_are_refused() -> None:
    world = World("a.tif", workers=("w",))
    world.say("w", wire.TaskFinished("w", world.tasks["a"].lease, CHAIN, RESULTS, {"ctf": ["../../etc/passwd"]}))
    assert world.state.by_name["a"].retries == {"internal": 1}


def test_what_is_not_a_number_becomes_null() -> None:
    world = World("a.tif", workers=("w",))
    world.finish("a", ctf={"defocus_um": float("nan")})
    assert world.movie("a").results["ctf"]["defocus_um"] is None


# --- settings ----------------------------------------------------------------------------------------------------


def test_a_changed_ctf_range_runs_ctf_and_what_follows_it_and_back_again_nothing() -> None:
    world = finished("a.tif")
    assert world.tasks["a"].run == CHAIN
    world.ask(wire.PauseProcessing())
    assert world.patch(ctf={"range_max": 5.0}).outdated == 1
    assert world.movie("a").outdated_steps == ["ctf", "export"]
    assert world.patch(ctf={"range_max": 4.0}).outdated == 0
    assert world.status("a") == "processed"
    world.patch(ctf={"range_max": 5.0})
    world.ask(wire.StartProcessing())
    assert world.tasks["a"].run == ["ctf", "export"]
    assert world.tasks["a"].stored == world.movie("a").fingerprints
    assert set(world.tasks["a"].results) == set(world.tasks["a"].outputs) == set(CHAIN)


def test_picking_switched_on_runs_picking_alone_and_switched_off_and_on_nothing() -> None:
    world = finished("a.tif")
    world.patch(picking={"diameter": 120.0})
    assert world.tasks["a"].run == ["picking"]
    world.finish("a", picking={"count": 0})
    assert world.movie("a").filter_reasons == ["particles 0 is below 1"]
    lease = world.tasks["a"].lease
    world.patch(picking={"enabled": False})
    assert world.status("a") == "processed"
    assert "picking" not in world.movie("a").results
    world.patch(picking={"enabled": True})
    assert world.status("a") == "filtered_out"
    assert world.tasks["a"].lease == lease


def test_outputs_of_earlier_settings_are_put_back_and_nothing_runs() -> None:
    world = finished("a.tif")
    before = world.movie("a")
    generation = Generation(before.fingerprints, before.results, {step: [f"{step}/a.mrc"] for step in CHAIN})
    world.patch(ctf={"range_max": 5.0})
    task = world.tasks["a"]
    message = wire.TaskFinished("w", task.lease, task.run, {"ctf": {}, "export": {}}, {}, kept=[generation.key, "odd"])
    world.say("w", message)
    settings = patch_settings(world.state.settings, {"ctf": {"range_max": 4.0}})
    effects = world.do(ChangeSettings(settings, ""))
    (restore,) = [effect for effect in effects if isinstance(effect, RestoreOutputs)]
    assert (restore.name, restore.key) == ("a", generation.key)
    assert restore.present.fingerprints == {**generation.fingerprints, **{step: task.wanted[step] for step in task.run}}
    assert world.status("a") == "outdated"
    assert world.ask(wire.RetryItem("a", force=True)).code == "conflict"
    world.do(OutputsRestored(1, generation, [generation.key, restore.present.key]))
    assert world.movie("a") == before
    assert world.tasks["a"] is task, "nothing ran"
    world.patch(ctf={"range_max": 5.0})
    assert world.state.by_name["a"].restoring == restore.present.key
    world.do(OutputsRestored(1, None, []))
    assert world.tasks["a"].run == ["ctf", "export"], "they were gone, so it runs"


def test_a_lease_lost_after_its_commit_leaves_outputs_unknown_so_its_steps_run() -> None:
    world = finished("a.tif")
    world.patch(ctf={"range_max": 5.0})
    world.say("w", wire.CommitTask("w", world.tasks["a"].lease))
    world.say("w", wire.Goodbye("w"))
    world.patch(ctf={"range_max": 4.0})
    assert world.movie("a").outdated_steps == ["ctf", "export"]
    assert set(world.movie("a").fingerprints) == {"motion"}


def test_filters_are_judged_anew_without_any_task() -> None:
    world = finished("a.tif")
    lease = world.tasks["a"].lease
    world.patch(filter={"resolution_max": 3.5})
    assert world.status("a") == "filtered_out"
    assert world.movie("a").filter_reasons == ["resolution 4 Å is above 3.5"]
    assert world.ask(wire.SelectItem("a", "include")).movie.status == "processed"
    assert world.ask(wire.SelectItem("a", "auto")).movie.status == "filtered_out"
    world.patch(filter={"resolution_max": 4.5})
    assert world.status("a") == "processed"
    assert world.tasks["a"].lease == lease


def test_settings_changed_while_it_runs_only_what_is_missing_runs_again() -> None:
    world = World("a.tif")
    world.worker("w", credit=1)
    world.patch(ctf={"range_max": 5.0})
    world.finish("a")
    assert world.tasks["a"].run == ["ctf", "export"]
    assert world.status("a") == "queued"
    world.patch(ctf={"range_max": 4.0})
    world.finish("a")
    assert world.tasks["a"].run == ["ctf", "export"]


def test_settings_changed_while_it_runs_and_back_again_it_is_done() -> None:
    world = World("a.tif", workers=("w",))
    world.patch(ctf={"range_max": 5.0})
    world.patch(ctf={"range_max": 4.0})
    world.finish("a")
    assert world.status("a") == "processed"


def test_equal_settings_change_nothing_and_say_nothing() -> None:
    world = finished("a.tif")
    before = (world.state.seq, world.state.revision)
    assert world.patch(ctf={"range_max": 4.0}).revision == before[1]
    assert world.state.seq == before[0]


def test_settings_that_touch_the_failed_step_are_a_new_chance_and_others_are_not() -> None:
    world = World("a.tif", workers=("w",))
    world.fail("a", "input")
    world.patch(filter={"resolution_max": 3.0})
    world.patch(picking={"diameter": 120.0})
    assert world.status("a") == "failed"
    world.patch(ctf={"voltage": 200.0})
    assert world.status("a") == "queued"


def test_a_failure_under_settings_that_were_changed_meanwhile_does_not_count() -> None:
    world = World("a.tif", workers=("w",))
    world.patch(ctf={"voltage": 200.0})
    world.fail("a", "input")
    assert world.status("a") == "queued"
    world.fail("a", "input")
    assert world.status("a") == "failed"


def test_another_gain_file_outdates_everything() -> None:
    world = finished("a.tif")
    world.ask(wire.PauseProcessing())
    world.do(ChangeSettings(world.state.settings, "gain:2"))
    assert world.movie("a").outdated_steps == CHAIN


def test_a_change_of_very_many_movies_sends_subscribers_to_a_snapshot() -> None:
    world = finished("a.tif", "b.tif", "c.tif")
    world.ask(wire.PauseProcessing())
    world.state.bulk_changes = 3
    settings = patch_settings(world.state.settings, {"ctf": {"range_max": 5.0}})
    effects = world.do(ChangeSettings(settings, ""))
    assert [effect.seq for effect in effects if isinstance(effect, CutLog)] == [world.state.seq]
    assert [effect.topic for effect in effects if isinstance(effect, Publish)] == ["settings.changed"]
    assert not [effect for effect in effects if isinstance(effect, SaveMovie)]
    assert world.state.counts["outdated"] == 3


def test_outputs_gone_from_disk_run_their_step_and_those_after() -> None:
    world = finished("a.tif")
    made_with = world.movie("a").fingerprints
    world.ask(wire.PauseProcessing())
    world.do(OutputsMissing(1, {"ctf": "older"}))
    assert world.status("a") == "processed", "it was made anew since the look"
    world.do(OutputsMissing(1, {"ctf": made_with["ctf"]}))
    assert world.movie("a").outdated_steps == ["ctf", "export"]


# --- the user's word ---------------------------------------------------------------------------------------------


def test_what_is_processed_is_run_again_only_by_force() -> None:
    world = finished("a.tif")
    assert world.ask(wire.RetryItem("a")).code == "conflict"
    world.ask(wire.PauseProcessing())
    assert world.ask(wire.RetryItem("a", force=True)).movie.outdated_steps == CHAIN
    assert world.ask(wire.RetryItem("nobody")).code == "not_found"


def test_a_choice_that_does_not_exist_is_refused() -> None:
    world = finished("a.tif")
    assert world.ask(wire.SelectItem("a", "maybe")).code == "invalid"
    assert world.ask(wire.PrioritiseItem("a", 10**9)).code == "invalid"
    assert world.ask(wire.GetItems(status="odd")).code == "invalid"
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


def test_logs_are_kept_and_paged() -> None:
    world = World(workers=("w",))
    for number in range(1200):
        world.say("w", wire.WorkerLog("w", [{"level": "info", "text": f"line {number}", "ts": 1.0}]))
    page = world.ask(wire.GetWorkerLogs("w", limit=2)).lines
    assert [(line["number"], line["text"]) for line in page] == [(1199, "line 1198"), (1200, "line 1199")]
    assert [line["number"] for line in world.ask(wire.GetWorkerLogs("w", after=1198)).lines] == [1199, 1200]
    assert world.ask(wire.GetWorkerLogs("x")).code == "not_found"


# --- exports -----------------------------------------------------------------------------------------------------


def test_micrographs_are_exported_movie_by_movie() -> None:
    world = finished("a.tif", "b.tif")
    fingerprints = world.movie("a").fingerprints
    job = world.ask(wire.StartExport("micrographs", {"halves": True}))
    assert (job.state, job.total, job.done) == ("running", 2, 0)
    task = world.tasks["a"]
    assert (task.purpose, task.run) == (job.job, ["export"])
    assert task.settings["export"]["halves"]
    assert not task.settings["export"]["average"]
    assert task.results["ctf"] == RESULTS["ctf"]
    world.progress("a", "export")
    assert world.status("a") == "processed"
    world.finish("a")
    world.finish("b")
    done = world.ask(wire.GetExport(job.job))
    assert (done.state, done.done, done.files) == ("done", 2, ["export/a.mrc", "export/b.mrc"])
    assert world.movie("a").fingerprints == fingerprints
    assert [topic for topic in world.topics() if topic.startswith("export.")] == [
        "export.started",
        "export.progress",
        "export.done",
    ]


def test_particles_are_collected_by_the_tracker() -> None:
    world = finished("a.tif", settings=parse_settings({"picking": {"diameter": 100.0}}))
    job = world.ask(wire.StartExport("particles", {"box_size": 64})).job
    assert world.tasks["a"].settings["export"]["particles"]
    world.finish("a")
    assert world.ask(wire.GetExport(job)).state == "collecting"
    assert world.ask(wire.ExportCollected(job, "particles.star")) == wire.Ok()
    assert world.ask(wire.ExportCollected(job, "other.star")) == wire.Ok()
    done = world.ask(wire.GetExport(job))
    assert (done.state, done.files) == ("done", ["particles.star", "export/a.mrc"])


def test_exports_that_cannot_be_are_refused() -> None:
    world = finished("a.tif")
    for kind, options in (
        ("paintings", {}),
        ("micrographs", {"halfs": True}),
        ("micrographs", {"average": False}),
        ("micrographs", {"particles": True}),
        ("particles", {"box_size": 63}),
    ):
        assert world.ask(wire.StartExport(kind, options)).code == "invalid"
    assert world.ask(wire.StartExport("particles")).code == "conflict", "nothing is picked"
    assert world.ask(wire.StartExport("micrographs", {}, ["b"])).code == "not_found"
    world.ask(wire.SelectItem("a", "exclude"))
    assert world.ask(wire.StartExport("micrographs")).code == "conflict"


def test_processing_goes_before_exports_and_a_movie_in_export_is_not_processed_meanwhile() -> None:
    world = finished("a.tif", "b.tif")
    world.ask(wire.StartExport("micrographs"))
    assert world.tasks["a"].purpose != "process"
    world.patch(ctf={"range_max": 5.0})
    assert world.status("a") == "outdated"
    exported = world.tasks["a"]
    world.say("w", wire.PullTasks("w", 2))
    assert world.tasks["b"].purpose == "process", "b waits for its export until it is processed again"
    world.finish("a")
    assert world.tasks["a"].lease > exported.lease
    assert world.tasks["a"].purpose == "process"
    world.finish("a")
    world.finish("b")
    assert world.tasks["b"].purpose != "process"
    world.finish("b")
    assert [job.state for job in world.state.exports.values()] == ["done"]


def test_a_movie_that_fails_in_an_export_fails_there_only() -> None:
    world = finished("a.tif", "b.tif")
    job = world.ask(wire.StartExport("micrographs")).job
    world.fail("a", "input")
    for _ in range(3):
        world.fail("b", "internal")
    done = world.ask(wire.GetExport(job))
    assert (done.state, done.failed) == ("failed", 2)
    assert done.failures == [{"name": name, "message": "it went wrong"} for name in ("a", "b")]
    assert world.status("a") == "processed"


def test_a_cancelled_export_ends_what_runs_and_begins_nothing() -> None:
    world = finished("a.tif", "b.tif")
    job = world.ask(wire.StartExport("micrographs")).job
    assert world.ask(wire.CancelExport(job)).state == "cancelled"
    world.finish("a")
    assert not world.state.tasks
    done = world.ask(wire.GetExport(job))
    assert (done.state, done.done, done.total) == ("cancelled", 1, 2)


def test_the_files_of_a_large_job_come_in_pages() -> None:
    world = finished("a.tif")
    job = world.ask(wire.StartExport("micrographs")).job
    names = [f"average/{'x' * 80}{number}.mrc" for number in range(600)]
    task = world.tasks["a"]
    world.say("w", wire.TaskFinished("w", task.lease, ["export"], {}, {"export": names}))
    record = world.state.exports[job]
    record.items[1].files = names * 20
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = world.ask(wire.GetExport(job, after))
        seen += page.files
        after = page.next_after
    assert seen == names * 20


# --- the machine itself ------------------------------------------------------------------------------------------


def test_an_illegal_transition_tells_the_movies_story() -> None:
    world = finished("a.tif")
    movie = world.state.by_name["a"]
    with pytest.raises(IllegalTransition, match=r"a: processed → queued .* Story: found; unprocessed → queued"):
        world.state.move(movie, "queued", "test")
    validate(world.state)


def test_a_story_keeps_its_beginning_and_its_end() -> None:
    world = finished("a.tif")
    for number in range(30):
        world.ask(wire.PrioritiseItem("a", number % 2 + 1))
    story = [line["text"] for line in world.ask(wire.GetItem("a")).story]
    assert len(story) == 20
    assert (story[0], story[-1]) == ("found", "priority: 2")


def test_every_request_of_the_wire_has_an_answer() -> None:
    elsewhere = {"changes.get", "health.get", "settings.put", "settings.patch"}
    control = {kind.TYPE for kind in machine._CONTROL} | elsewhere
    workers = {kind.TYPE for kind in machine._WORKER_TYPES} | {"worker.register"}
    answers = {
        *(
            "exports",
            "ok",
            "error",
            "files.registered",
            "files.list",
            "snapshot",
            "changes",
            "settings",
            "processing.status",
        ),
        *("workers", "worker.logs", "items", "item", "summary", "export.job", "health"),
        *("worker.registered", "worker.unknown", "task.assign", "task.cancel", "task.committed"),
    }
    assert set(REGISTRY) - answers == control | workers
    assert not control & workers


def test_forgotten_workers_leave_the_registry() -> None:
    world = World(workers=("w",))
    world.wait(40)
    assert [worker.state for worker in world.ask(wire.GetWorkers()).workers] == ["lost"]
    world.wait(registry.FORGOTTEN_AFTER_S)
    assert world.ask(wire.GetWorkers()).workers == []


def test_what_workers_have_noticed_is_shown_once_while_they_live_and_say_so() -> None:
    world = World(workers=("w", "v"))
    for name in ("w", "v"):
        world.say(name, wire.Heartbeat(name, "idle", warnings=["the gain is upside down"]))
    assert world.ask(wire.GetProcessing()).warnings == ["the gain is upside down"]
    assert [worker.warnings for worker in world.ask(wire.GetWorkers()).workers] == [["the gain is upside down"]] * 2
    world.say("w", wire.Heartbeat("w", "idle"))
    assert world.ask(wire.GetProcessing()).warnings == ["the gain is upside down"]
    world.say("v", wire.Goodbye("v"))
    assert world.ask(wire.GetProcessing()).warnings == []


def test_no_worker_can_fill_the_display() -> None:
    world = World(workers=("w",))
    world.say("w", wire.Heartbeat("w", "idle", warnings=[f"{number} " + "x" * 10_000 for number in range(1000)]))
    warnings = world.ask(wire.GetProcessing()).warnings
    assert len(warnings) == registry.MOST_WARNINGS
    assert max(map(len, warnings)) <= 2000
