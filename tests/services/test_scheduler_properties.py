"""Any sequence of stimuli keeps the invariants: no movie lost, none on two workers, each lease counted once, order respected."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from warpcore.bus import messages as wire
from warpcore.bus.schema import read_message
from warpcore.services.scheduler.core.effects import (
    AssignmentUndelivered,
    ChangeSettings,
    Effect,
    FromControl,
    FromWorker,
    OutputsMissing,
    OutputsRestored,
    Publish,
    Reply,
    RestoreOutputs,
    Send,
    Started,
    Stimulus,
    Tick,
)
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.records import PROCESS
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.generations import Generation
from warpcore.services.session.settings import patch_settings

T = TypeVar("T")
PATHS = ("a.tif", "b.tif", "a.mrc", "grid/a.tif", "c.tif", "d.tif")
NAMES = ("a", "b", "a.mrc", "grid/a", "c", "d")
PICK = st.integers(0, 1000)
RARELY = st.sampled_from((False, False, False, False, True))
WORKERS = ("w1", "w2", "w3")
PATCHES: tuple[dict[str, Any], ...] = (
    {"ctf": {"range_max": 5.0}},
    {"ctf": {"range_max": 4.0}},
    {"picking": {"diameter": 120.0}},
    {"picking": {"enabled": False}},
    {"picking": {"enabled": True}},
    {"filter": {"resolution_max": 4.0}},
    {"filter": {"resolution_max": 9.0}},
    {"motion": {"b_factor": -100.0}},
    {"motion": {"b_factor": -500.0}},
)
STORED = (
    "status",
    "selection",
    "priority",
    "failure",
    "results",
    "fingerprints",
    "outputs",
    "retries",
    "lost",
    "avoid",
    "lease",
)


def chosen(among: Sequence[T], pick: int) -> T:
    """One of these."""
    return among[pick % len(among)]


class SchedulerStories(RuleBasedStateMachine):
    """The machine with a real database behind it, so that a restart is part of the story."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1000.0
        self.registered: set[str] = set()
        self.senders: dict[str, bytes] = {}
        self.instances: dict[str, int] = dict.fromkeys(WORKERS, 0)
        self.assigned: dict[int, wire.AssignTask] = {}
        self.owner: dict[int, str] = {}
        self.finished: set[int] = set()
        self.disk: dict[str, dict[str, Generation]] = {name: {} for name in NAMES}
        self.restores: list[RestoreOutputs] = []
        self.seq = 0
        self.bulk = 5000
        self.open()

    def open(self) -> None:
        where = {"data_directory": "/data", "processing_directory": "/processing"}
        self.store = Store(Path(self.folder.name) / "state.db", **where)
        self.state = restore(self.store.load(), now=self.now, **where)
        self.state.bulk_changes = self.bulk

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def do(self, stimulus: Stimulus) -> list[Effect]:
        effects = handle(self.state, stimulus, self.now, wall=self.now)
        self.store.stage(effects)
        busy: dict[int, str] = {}
        for effect in effects:
            if isinstance(effect, Publish):
                if effect.seq:
                    assert effect.seq > self.seq
                    self.seq = effect.seq
                assert wire.EVENT_BODIES[effect.topic].from_body(effect.body).to_body() == effect.body
                if effect.topic == "task.finished":
                    assert effect.body["lease"] not in self.finished, "a lease was counted twice"
                    self.finished.add(effect.body["lease"])
            if isinstance(effect, Send) and isinstance(effect.message, wire.AssignTask):
                lease = effect.message.lease
                assert lease > max(self.assigned, default=0), "leases increase"
                self.assigned[lease] = effect.message
                self.owner[lease] = self.state.tasks[lease].worker
                assert effect.sender == self.senders[self.owner[lease]]
                busy[lease] = effect.message.name
            if isinstance(effect, RestoreOutputs):
                self.restores.append(effect)
            if isinstance(effect, (Reply, Send)):
                assert read_message(effect.message.TYPE, effect.message.to_body()) == effect.message
        self.check_order(busy)
        return effects

    def check_order(self, assigned: dict[int, str]) -> None:
        state = self.state
        for lease, name in assigned.items():
            movie = state.by_name[name]
            assert movie.selection != "exclude"
            if state.tasks[lease].purpose != PROCESS:
                continue
            place = (-movie.priority, 0 if movie.results else 1, movie.id)
            for other in state.queue:
                if state.order(state.movies[other]) < place:
                    assert self.owner[lease] in state.movies[other].avoid, f"{other} waits before {name}"

    def reply(self, effects: list[Effect]) -> Any:
        (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
        return reply

    # --- invariants ----------------------------------------------------------------------------------------------

    @invariant()
    def holds(self) -> None:
        validate(self.state)
        assert set(self.state.by_path) == self.registered, "a movie was lost"

    @invariant()
    def nobody_idles_beside_work(self) -> None:
        state = self.state
        if state.paused:
            return
        for worker in state.workers.values():
            suspects = any(state.movies[state.tasks[lease].movie].suspect for lease in worker.leases)
            if worker.room <= 0 or suspects:
                continue
            for id in state.queue:
                movie = state.movies[id]
                if movie.suspect and worker.leases:
                    break
                assert worker.name in movie.avoid, f"{worker.name} has room and {movie.name} waits"

    # --- what happens --------------------------------------------------------------------------------------------

    @initialize(
        paused=st.sampled_from((None, None, False, True)),
        which=st.sets(st.sampled_from(PATHS)),
        names=st.sets(st.sampled_from(WORKERS)),
        bulk=st.sampled_from((5000, 1, 2)),
    )
    def start(self, paused: bool | None, which: set[str], names: set[str], bulk: int) -> None:
        self.bulk = self.state.bulk_changes = bulk
        self.do(Started("", paused))
        self.files(which, 100)
        for name in sorted(names):
            self.register(name, False, False)

    @rule(which=st.sets(st.sampled_from(PATHS)), size=st.sampled_from((100, 100, 100, 100, 200)))
    def files(self, which: set[str], size: int) -> None:
        found = [wire.FoundFile(path, size, 5) for path in sorted(which)]
        answer = self.reply(self.do(FromControl(wire.RegisterFiles(found))))
        assert answer.added == len(which - self.registered)
        self.registered |= which

    @rule(name=st.sampled_from(WORKERS), anew=st.booleans(), holds=st.booleans())
    def register(self, name: str, anew: bool, holds: bool) -> None:
        self.instances[name] += anew
        self.senders[name] = f"{name}#{self.instances[name]}".encode()
        leases = [lease for lease, owner in self.owner.items() if owner == name] if holds else []
        message = wire.RegisterWorker(name, f"i{self.instances[name]}", "host", 1, "cpu", 0, {}, leases)
        answer = self.reply(self.do(FromWorker(self.senders[name], message)))
        assert set(answer.leases) <= set(leases)
        for lease in answer.leases:
            assert self.state.tasks[lease].worker == name
        assert self.state.workers[name].leases[: len(answer.leases)] == answer.leases
        self.do(FromWorker(self.senders[name], wire.PullTasks(name, 2)))

    @rule(name=st.sampled_from(WORKERS), credit=st.sampled_from((2, 2, 2, 1, 0, -1, 3)))
    def pull(self, name: str, credit: int) -> None:
        self.do(FromWorker(self.senders.get(name, b"?"), wire.PullTasks(name, credit)))

    @rule(name=st.sampled_from(WORKERS), knows=st.booleans())
    def beat(self, name: str, knows: bool) -> None:
        leases = [lease for lease, owner in self.owner.items() if owner == name] if knows else []
        self.do(FromWorker(self.senders.get(name, b"?"), wire.Heartbeat(name, "busy", leases)))

    @precondition(lambda self: self.assigned)
    @rule(pick=PICK, liar=RARELY)
    def progress(self, pick: int, liar: bool) -> None:
        lease, name = self.some_lease(pick, liar)
        message = wire.TaskProgress(name, lease, "?", "motion", 0.5)
        valid = self.valid(lease, name)
        self.do(FromWorker(self.senders.get(name, b"?"), message))
        if valid:
            assert self.state.tasks[lease].begun

    @precondition(lambda self: self.assigned)
    @rule(pick=PICK, liar=RARELY, resolution=st.sampled_from((3.0, 4.5, 8.0)), partial=RARELY)
    def finish(self, pick: int, liar: bool, resolution: float, partial: bool) -> None:
        lease, name = self.some_lease(pick, liar)
        self.report(lease, name, resolution, partial)

    def report(self, lease: int, name: str, resolution: float, partial: bool) -> None:
        task = self.assigned[lease]
        results: dict[str, Any] = {step: {} for step in task.run}
        if "ctf" in results:
            results["ctf"] = {"resolution_angstrom": resolution, "defocus_um": float("nan")}
        ran = task.run[:-1] if partial else task.run
        outputs = {step: [f"{step}/{task.name}.mrc"] for step in ran}
        valid = self.valid(lease, name)
        commit = self.reply(self.do(FromWorker(self.senders.get(name, b"?"), wire.CommitTask(name, lease))))
        assert commit.granted == valid
        before = Generation(task.stored, task.results, task.outputs)
        kept = self.keep(task.name, before) if valid else []
        message = wire.TaskFinished(name, lease, ran, results, outputs, kept=kept)
        answer = self.reply(self.do(FromWorker(self.senders.get(name, b"?"), message)))
        assert answer == wire.Ok()
        assert lease not in self.state.tasks or not valid
        if valid:
            assert (lease in self.finished) == (not partial)

    @precondition(lambda self: self.state.tasks)
    @rule(resolution=st.sampled_from((3.0, 4.5, 8.0)))
    def work(self, resolution: float) -> None:
        """All that is leased now is done."""
        for lease in sorted(self.state.tasks):
            self.report(lease, self.owner[lease], resolution, False)

    @precondition(lambda self: self.assigned)
    @rule(pick=PICK, liar=RARELY, kind=st.sampled_from(("input", "resource", "bad_gpu", "internal", "odd")))
    def fail(self, pick: int, liar: bool, kind: str) -> None:
        lease, name = self.some_lease(pick, liar)
        self.do(FromWorker(self.senders.get(name, b"?"), wire.TaskFailed(name, lease, kind, "ctf", "it went wrong")))

    @precondition(lambda self: self.assigned)
    @rule(pick=PICK, kind=st.sampled_from(("lost_worker", "resource", "bad_gpu")), known=st.booleans())
    def compute_dies(self, pick: int, kind: str, known: bool) -> None:
        lease, name = self.some_lease(pick, False)
        leases = [one for one, owner in self.owner.items() if owner == name]
        message = wire.ComputeDied(name, leases, lease if known else None, kind, "signal 9")
        self.do(FromWorker(self.senders.get(name, b"?"), message))

    @rule(name=st.sampled_from(WORKERS))
    def goodbye(self, name: str) -> None:
        self.do(FromWorker(self.senders.get(name, b"?"), wire.Goodbye(name)))

    @precondition(lambda self: self.assigned)
    @rule(pick=PICK)
    def undelivered(self, pick: int) -> None:
        self.do(AssignmentUndelivered(self.some_lease(pick, False)[0]))

    @rule(seconds=st.sampled_from((0.5, 11.0, 31.0, 1900.0)), silent=st.sets(st.sampled_from(WORKERS)))
    def time_passes(self, seconds: float, silent: set[str]) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 25.0)
            for name in sorted(set(WORKERS) - silent):
                self.beat(name, True)
            self.do(Tick())

    @rule(patch=st.sampled_from(PATCHES), references=st.sampled_from(("", "", "", "gain:1")))
    def change_settings(self, patch: dict[str, Any], references: str) -> None:
        self.do(ChangeSettings(patch_settings(self.state.settings, patch), references))

    @rule(paused=RARELY)
    def pause(self, paused: bool) -> None:
        self.do(FromControl(wire.PauseProcessing() if paused else wire.StartProcessing()))

    @rule(
        name=st.sampled_from(NAMES),
        selection=st.sampled_from((None, None, "auto", "auto", "include", "exclude", "none")),
        priority=st.none() | st.integers(-1, 1),
        retry=st.sampled_from((None, False, True)),
    )
    def choose(self, name: str, selection: str | None, priority: int | None, retry: bool | None) -> None:
        if selection is not None:
            self.do(FromControl(wire.SelectItem(name, selection)))
        if priority is not None:
            self.do(FromControl(wire.PrioritiseItem(name, priority)))
        if retry is not None:
            self.do(FromControl(wire.RetryItem(name, retry)))

    @rule(kind=st.sampled_from(("micrographs", "particles", "nothing")), names=st.none() | st.just(["a", "b"]))
    def export(self, kind: str, names: list[str] | None) -> None:
        self.do(FromControl(wire.StartExport(kind, {}, names)))

    @precondition(lambda self: self.state.exports)
    @rule(pick=PICK, cancel=st.booleans())
    def end_export(self, pick: int, cancel: bool) -> None:
        job = chosen(sorted(self.state.exports), pick)
        self.do(FromControl(wire.CancelExport(job) if cancel else wire.ExportCollected(job, "particles.star")))
        assert self.reply(self.do(FromControl(wire.GetExport(job)))).job == job

    @precondition(lambda self: self.registered)
    @rule(pick=PICK, step=st.sampled_from(("motion", "ctf", "export")))
    def outputs_vanish(self, pick: int, step: str) -> None:
        movie = chosen(sorted(self.state.movies), pick)
        made_with = self.state.movies[movie].fingerprints.get(step, "?")
        self.do(OutputsMissing(movie, {step: made_with}))

    @rule()
    def read_everything(self) -> None:
        page = self.reply(self.do(FromControl(wire.GetSnapshot(0, 100))))
        assert len(page.movies) == len(self.registered)
        assert page.seq == self.state.seq
        for message in (
            wire.GetProcessing(),
            wire.GetWorkers(),
            wire.GetItems(),
            wire.GetSummary(),
            wire.GetKnownFiles(),
        ):
            self.reply(self.do(FromControl(message)))

    @rule()
    def restart(self) -> None:
        before = self.state
        self.store.commit()
        self.store.close()
        self.restores = []
        self.open()
        after = self.state
        for id, movie in before.movies.items():
            if movie.restoring:
                assert after.movies[id].restoring == movie.restoring
                movie.fingerprints = {}
            for name in STORED:
                assert getattr(after.movies[id], name) == getattr(movie, name), name
        assert {(task.lease, task.worker, task.begun) for task in after.tasks.values()} == {
            (task.lease, task.worker, task.begun) for task in before.tasks.values()
        }
        assert (after.seq, after.paused, after.revision) == (before.seq, before.paused, before.revision)
        assert after.settings == before.settings
        assert after.bans == before.bans
        self.do(Started(None))
        assert after.counts == before.counts, "a restart alone changes nothing"
        assert after.seq - before.seq in (0, 1), "at most the log is cut"

    @precondition(lambda self: self.restores)
    @rule(how=st.sampled_from(("well", "well", "gone", "broken")))
    def restored(self, how: str) -> None:
        task = self.restores.pop(0)
        kept = self.keep(task.name, task.present)
        generation = self.disk[task.name].get(task.key) if how == "well" else None
        self.do(OutputsRestored(task.movie, generation, kept, untouched=how != "broken"))
        if generation is not None:
            assert self.state.movies[task.movie].fingerprints == generation.fingerprints

    def keep(self, name: str, generation: Generation) -> list[str]:
        """As the worker and `services/session/generations.py` do it."""
        kept = self.disk[name]
        if generation.outputs and generation.fingerprints:
            kept.pop(generation.key, None)
            kept[generation.key] = generation
        for key in list(kept)[:-3]:
            del kept[key]
        return list(kept)

    # --- choices -------------------------------------------------------------------------------------------------

    def some_lease(self, pick: int, liar: bool) -> tuple[int, str]:
        """A lease (mostly one that holds) and who speaks of it: its worker, or another."""
        holding = sorted(self.state.tasks)
        past = sorted(self.assigned)[-5:]
        lease = chosen(holding * 3 + past, pick)
        return lease, chosen(WORKERS, pick // 7) if liar else self.owner[lease]

    def valid(self, lease: int, name: str) -> bool:
        return lease in self.state.tasks and self.owner[lease] == name


TestSchedulerStories = SchedulerStories.TestCase
TestSchedulerStories.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("seed", range(25))
def test_long_stories_of_a_busy_session(seed: int) -> None:
    """As above, but with the odds of a session that works most of the time, so that stories get far: exports, restored outputs, poison."""
    dice = random.Random(seed)
    story = SchedulerStories()

    def odds(*choices: tuple[int, str]) -> str:
        return dice.choices([name for _, name in choices], [weight for weight, _ in choices])[0]

    def rarely() -> bool:
        return dice.random() < 0.15

    try:
        story.start(None, set(PATHS), {"w1", "w2"}, dice.choice((5000, 1)))
        for _ in range(400):
            pick = dice.randrange(1000)
            if story.state.paused and not rarely():
                story.pause(False)
            what = odds(
                (30, "work"), (10, "finish"), (8, "progress"), (8, "settings"), (8, "restored"), (6, "register"),
                (5, "fail"), (5, "die"), (5, "time"), (4, "export"), (4, "choose"), (3, "files"), (2, "restart"),
                (2, "vanish"), (1, "goodbye"), (1, "pause"), (1, "undelivered"), (2, "end export"), (2, "read"),
            )  # fmt: skip
            name = dice.choice(WORKERS)
            leases = bool(story.state.tasks)
            if what == "work" and leases:
                story.work(dice.choice((3.0, 3.0, 4.5, 8.0)))
            elif what == "finish" and leases:
                story.finish(pick, rarely(), 4.0, rarely())
            elif what == "progress" and leases:
                story.progress(pick, rarely())
            elif what == "settings":
                story.change_settings(dice.choice(PATCHES), "gain:1" if rarely() else "")
            elif what == "restored" and story.restores:
                story.restored(dice.choice(("well", "well", "well", "gone", "broken")))
            elif what == "register":
                story.register(name, rarely(), not rarely())
            elif what == "fail" and leases:
                story.fail(pick, rarely(), dice.choice(("input", "resource", "bad_gpu", "internal", "internal")))
            elif what == "die" and leases:
                story.compute_dies(
                    pick, dice.choice(("lost_worker", "lost_worker", "resource", "bad_gpu")), not rarely()
                )
            elif what == "time":
                story.time_passes(dice.choice((0.5, 11.0, 31.0, 31.0, 1900.0)), {name} if rarely() else set())
            elif what == "export":
                story.export(dice.choice(("micrographs", "particles")), dice.choice((None, None, ["a", "b"])))
            elif what == "choose":
                selection = dice.choice((None, "auto", "auto", "include", "exclude"))
                story.choose(dice.choice(NAMES), selection, dice.choice((None, 0, 1)), dice.choice((None, False, True)))
            elif what == "files":
                story.files({dice.choice(PATHS)}, dice.choice((100, 100, 200)))
            elif what == "restart":
                story.restart()
            elif what == "vanish":
                story.outputs_vanish(pick, dice.choice(("motion", "ctf", "export")))
            elif what == "goodbye":
                story.goodbye(name)
            elif what == "pause":
                story.pause(True)
            elif what == "undelivered" and leases:
                story.undelivered(pick)
            elif what == "end export" and story.state.exports:
                story.end_export(pick, rarely())
            elif what == "read":
                story.read_everything()
            story.holds()
            story.nobody_idles_beside_work()
        assert story.finished, "the story went somewhere"
    finally:
        story.teardown()
