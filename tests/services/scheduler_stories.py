"""What can happen to a scheduler: rules that hypothesis, or a die, puts in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.services.reports import made, whole
from tests.services.scheduler_learner import told
from tests.services.scheduler_storage import AWAY, FULL, WELL
from tests.services.scheduler_story_world import (
    AGES_NS,
    NAMES,
    PATCHES,
    PATHS,
    PICK,
    PLACES,
    RARELY,
    STORED,
    TOLD,
    WORKERS,
    SchedulerWorld,
    chosen,
)
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import LEASED, WAITING, ExportKind, FailureKind, Order, Selection, StoragePlace
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.seeing import known_files
from warpcore.services.scheduler.core.stimuli import (
    AssignmentUndelivered,
    ChangeSettings,
    ExportRemoved,
    FromControl,
    FromWorker,
    OutputsMissing,
    OutputsPlaced,
    OutputsRestored,
    PlacingFailed,
    Started,
    StartTry,
    StorageLooked,
    Tick,
)
from warpcore.services.scheduler.core.taking_back import go_on
from warpcore.services.session.settings import patch_settings
from warpcore.services.storage.standing import Look

__all__ = ["NAMES", "PATCHES", "PATHS", "TOLD", "WORKERS", "SchedulerStories"]


def known(alarms: dict[str, wire.Alarm]) -> dict[str, tuple[float, bool]]:
    """What is stored of alarms at once: their texts go on with the time, and are stored when one comes or goes."""
    return {id: (alarm.since, alarm.acknowledged) for id, alarm in alarms.items()}


class SchedulerStories(SchedulerWorld):
    """The rules."""

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

    @rule(
        which=st.sets(st.sampled_from(PATHS)),
        size=st.sampled_from((100, 100, 100, 100, 200)),
        told=st.sampled_from(TOLD),
    )
    def files(
        self, which: set[str], size: int, told: tuple[wire.Header | None, wire.Acquisition | None] = (None, None)
    ) -> None:
        found = [wire.FoundFile(path, size, AGES_NS[path], *told) for path in sorted(which)]
        answer = self.reply(self.do(FromControl(wire.RegisterFiles(found))))
        assert answer.added == len(which - self.registered)
        self.registered |= which

    @rule(name=st.sampled_from(WORKERS), anew=st.booleans(), holds=st.booleans(), replaces=st.booleans())
    def register(self, name: str, anew: bool, holds: bool, replaces: bool = True) -> None:
        before = self.state.workers.get(name)
        instance = self.instances[name] + anew
        if before is not None and before.alive and before.instance != f"i{instance}" and not replaces:
            message = wire.RegisterWorker(name, f"i{instance}", "host", 1, "cpu", 0, {})
            answer = self.reply(self.do(FromWorker(f"{name}#{instance}".encode(), message)))
            assert (answer.worker, answer.instance) == (name, before.instance)
            assert self.state.workers[name] is before
            return
        self.instances[name] = instance
        self.senders[name] = f"{name}#{instance}".encode()
        leases = [lease for lease, owner in self.owner.items() if owner == name] if holds else []
        former = before.instance if before is not None else ""
        message = wire.RegisterWorker(name, f"i{instance}", "host", 1, "cpu", 0, {}, leases, former)
        answer = self.reply(self.do(FromWorker(self.senders[name], message)))
        assert set(answer.leases) <= set(leases)
        if name not in self.blind:  # one that does not see the folders loses them by its next word
            for lease in answer.leases:
                assert self.state.tasks[lease].worker == name
            assert self.state.workers[name].leases[: len(answer.leases)] == answer.leases
        self.do(FromWorker(self.senders[name], wire.PullTasks(name, 2)))

    @rule(name=st.sampled_from(WORKERS), credit=st.sampled_from((2, 2, 2, 1, 0, -1, 7, 9)))
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
    @rule(
        pick=PICK,
        liar=RARELY,
        resolution=st.sampled_from((3.0, 4.5, 8.0)),
        partial=RARELY,
        how=st.sampled_from(("well", "well", "well", "later", "again", "broken")),
    )
    def finish(self, pick: int, liar: bool, resolution: float, partial: bool, how: str) -> None:
        lease, name = self.some_lease(pick, liar)
        self.report(lease, name, resolution, partial)
        self.placed(how)

    def report(self, lease: int, name: str, resolution: float, partial: bool) -> None:
        task = self.assigned[lease]
        results: dict[str, Any] = {"input": {"width": 64, "height": 64}, **{step: {} for step in task.run}}
        if "ctf" in results:
            results["ctf"] = {"resolution_angstrom": resolution, "defocus_um": float("nan")}
        if "picking" in results:
            results["picking"] = told(task, "picking", resolution)
        results = whole(results)
        ran = task.run[:-1] if partial else task.run
        valid = self.valid(lease, name)
        message = wire.TaskFinished(name, lease, ran, results, made(*ran))
        answer = self.reply(self.do(FromWorker(self.senders.get(name, b"?"), message)))
        assert answer == wire.Ok()
        if valid:
            assert (lease in self.state.placing) == (ran == task.run)
            assert all(lease not in worker.leases for worker in self.state.workers.values()), "it is free"

    @rule(how=st.sampled_from(("well", "well", "well", "later", "again", "broken")))
    def placed(self, how: str) -> None:
        """The disk ends, or fails, what it was given last."""
        if how == "later" or not self.placements:
            return
        order = self.placements.pop()
        task = self.state.tasks.get(order.lease)
        if how != "well":
            self.do(PlacingFailed(order.lease, "disk full", again=how == "again"))
            assert (order.lease in self.state.placing) == (how == "again" and task is not None)
            return
        name = self.assigned[order.lease].name
        kept = self.keep(name, order.placement.before)
        untouched = self.session_of(name) if order.placement.target else None
        self.do(OutputsPlaced(order.lease, kept))
        if untouched is not None:
            assert self.session_of(name) == untouched, "a try changes nothing of the session"
        assert order.lease in self.finished or task is None
        assert order.lease not in self.state.tasks

    def session_of(self, name: str) -> dict[str, Any]:
        """What the session says of a movie, however its leases may stand; one that waits may run now."""
        movie = self.state.by_name[name]
        told = {one: getattr(movie, one) for one in STORED if one not in ("lease", "status")}
        return {**told, "status": "waits" if movie.status in WAITING | LEASED else movie.status}

    @precondition(lambda self: self.state.tasks)
    @rule(resolution=st.sampled_from((3.0, 4.5, 8.0)))
    def work(self, resolution: float) -> None:
        """All that is leased now is done."""
        for lease in sorted(self.state.tasks):
            self.report(lease, self.owner[lease], resolution, False)
        while self.placements:
            self.placed("well")

    @precondition(lambda self: self.assigned)
    @rule(pick=PICK, liar=RARELY, kind=st.sampled_from(list(FailureKind)))
    def fail(self, pick: int, liar: bool, kind: str) -> None:
        lease, name = self.some_lease(pick, liar)
        self.do(FromWorker(self.senders.get(name, b"?"), wire.TaskFailed(name, lease, kind, "ctf", "it went wrong")))

    @rule(
        place=st.sampled_from(list(StoragePlace)),
        look=st.sampled_from((WELL, WELL, WELL, FULL, AWAY)),
        finds=st.booleans(),
        blind=st.sets(st.sampled_from(WORKERS), max_size=1),
    )
    def storage(self, place: StoragePlace, look: Look, finds: bool, blind: set[str]) -> None:
        """The scheduler looks at a folder; these workers do not see the folders from now on."""
        self.now += 2
        self.blind = blind
        known, well = known_files(self.state), look is WELL
        tokens = (f"token {self.now}",) if well and place is StoragePlace.PROCESSING else ()
        anchor = known[0].path if known and finds and well and place is StoragePlace.DATA else ""
        self.do(StorageLooked(place, f"/{place}", look, tokens, anchor, sought=bool(known)))
        if place is StoragePlace.PROCESSING and not well:
            assert self.state.storage.holds

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

    @rule(name=st.sampled_from(("krios", "glacios")), delete=RARELY)
    def profile(self, name: str, delete: bool) -> None:
        self.do(FromControl(wire.DeleteProfile(name) if delete else wire.SaveProfile(name)))
        kept = self.reply(self.do(FromControl(wire.GetProfile(name))))
        assert isinstance(kept, wire.Error if delete else wire.Profile)

    @rule(order=st.sampled_from(list(Order)))
    def order(self, order: Order) -> None:
        assert self.reply(self.do(FromControl(wire.OrderProcessing(order)))).order == order

    @rule(paused=RARELY)
    def pause(self, paused: bool) -> None:
        self.do(FromControl(wire.PauseProcessing() if paused else wire.StartProcessing()))

    @rule(
        name=st.sampled_from(NAMES),
        selection=st.sampled_from((None, None, Selection.AUTO, *Selection)),
        priority=st.none() | st.integers(-1, 1),
        retry=st.sampled_from((None, False, True)),
    )
    def choose(self, name: str, selection: Selection | None, priority: int | None, retry: bool | None) -> None:
        if selection is not None:
            self.do(FromControl(wire.SelectItem(name, selection)))
        if priority is not None:
            self.do(FromControl(wire.PrioritiseItem(name, priority)))
        if retry is not None:
            self.do(FromControl(wire.RetryItem(name, retry)))

    @rule(
        selection=st.sampled_from(list(Selection)),
        names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
        pick=PICK,
        further=RARELY,
    )
    def select_many(self, selection: Selection, names: list[str], pick: int, further: bool) -> None:
        """`further`: as a part of one of the changes before."""
        before = {movie.id: movie.selection for movie in self.state.movies.values()}
        undo = str(chosen(sorted({one.undo for one in self.state.selections.values()} or {0}), pick) or "")
        answer = self.reply(
            self.do(FromControl(wire.SelectItems(selection, names=names, undo=undo if further else "")))
        )
        after = {movie.id: movie.selection for movie in self.state.movies.values()}
        if isinstance(answer, wire.Error):
            assert set(names) - set(self.state.by_name)
            assert after == before
        else:
            assert answer.changed == sum(after[id] != before[id] for id in before)
            assert {self.state.by_name[name].selection for name in names} == {selection}

    @precondition(lambda self: self.state.selections)
    @rule(pick=PICK)
    def undo_selection(self, pick: int) -> None:
        undo = chosen(sorted({one.undo for one in self.state.selections.values()}), pick)
        record = [one for one in self.state.selections.values() if one.undo == undo][-1]
        expected = {movie.id: movie.selection for movie in self.state.movies.values()}
        untouched = [id for id in record.former if self.state.movies[id].chosen_in == record.number]
        expected |= {id: record.former[id][0] for id in untouched}
        answer = self.reply(self.do(FromControl(wire.UndoSelection(str(undo)))))
        assert (answer.changed, answer.kept) == (len(untouched), len(record.former) - len(untouched))
        assert {movie.id: movie.selection for movie in self.state.movies.values()} == expected
        assert record.number not in self.state.selections

    @rule(name=st.sampled_from(NAMES), added=st.lists(st.sampled_from(PLACES), max_size=2, unique=True))
    def edit_picks(self, name: str, added: list[tuple[float, float]]) -> None:
        before = self.edits(name)
        answer = self.reply(self.do(FromControl(wire.SetItemPicks(name, added))))
        assert self.edits(name) == (before if isinstance(answer, wire.Error) else added)

    @rule(name=st.sampled_from(NAMES))
    def undo_picks(self, name: str) -> None:
        movie = self.state.by_name.get(name)
        record = self.state.hand_picks.get(movie.id) if movie is not None else None
        expected = record.former[-1].added if record is not None and record.former else self.edits(name)
        self.do(FromControl(wire.UndoItemPicks(name)))
        assert self.edits(name) == expected

    def edits(self, name: str) -> list[tuple[float, float]]:
        """Picks that were added by hand and hold."""
        movie = self.state.by_name.get(name)
        record = self.state.hand_picks.get(movie.id) if movie is not None else None
        return record.present.added if record is not None else []

    @rule(kind=st.none() | st.sampled_from(list(FailureKind)), force=RARELY)
    def retry_many(self, kind: FailureKind | None, force: bool) -> None:
        wanted = [movie for movie in self.state.movies.values() if movie.selection != Selection.EXCLUDE]
        failures = [movie.failure.kind for movie in wanted if movie.failure is not None]
        answer = self.reply(self.do(FromControl(wire.RetryItems(kind, force=force))))
        assert answer.retried + len(answer.refused) == sum(kind in (None, failure) for failure in failures)
        assert len(answer.refused) == (failures.count(FailureKind.CONFLICT) if kind in (None, "conflict") else 0)

    @rule(name=st.sampled_from(NAMES))
    def forget(self, name: str) -> None:
        known = name in self.state.by_name
        gone = {self.state.by_name[name].path} if known else set()
        answer = self.reply(self.do(FromControl(wire.ForgetItems(names=[name]))))
        assert known == isinstance(answer, wire.ItemsForgotten)
        assert (name in self.state.by_name) == (known and not answer.forgotten)
        if known and answer.forgotten:
            self.registered -= gone

    @rule(kind=st.sampled_from(list(ExportKind)), names=st.none() | st.just(["a", "b"]))
    def export(self, kind: str, names: list[str] | None) -> None:
        self.do(FromControl(wire.StartExport(kind, {}, names)))

    @precondition(lambda self: self.state.exports)
    @rule(pick=PICK, cancel=st.booleans())
    def end_export(self, pick: int, cancel: bool) -> None:
        job = chosen(sorted(self.state.exports), pick)
        self.do(FromControl(wire.CancelExport(job) if cancel else wire.ExportCollected(job, "particles.star")))
        assert self.reply(self.do(FromControl(wire.GetExport(job)))).job == job

    @precondition(lambda self: self.state.exports)
    @rule(pick=PICK)
    def delete_export(self, pick: int) -> None:
        job = chosen(sorted(self.state.exports), pick)
        number = self.state.last_export
        answer = self.reply(self.do(FromControl(wire.DeleteExport(job))))
        assert (answer.job, answer.state, self.state.last_export) == (job, "deleting", number)
        assert all(task.state == "placing" for task in self.state.tasks.values() if task.purpose == job)

    @precondition(lambda self: self.removals)
    @rule(fails=RARELY)
    def removed(self, fails: bool) -> None:
        """The disk ends, or fails, the deletion of a folder."""
        order = self.removals.pop()
        self.do(ExportRemoved(order.job, "Stale file handle" if fails else ""))
        assert fails or order.job not in self.state.exports

    @rule(name=st.sampled_from(NAMES), patch=st.sampled_from(PATCHES))
    def start_try(self, name: str, patch: dict[str, Any]) -> None:
        settings = patch_settings(self.state.settings, patch)
        answer = self.reply(self.do(StartTry(name, settings, self.state.references, patch)))
        if isinstance(answer, wire.Error):
            full = all(one.state in ("waiting", "running") for one in self.state.tries.values())
            assert name not in self.state.by_name or full
        else:
            assert self.reply(self.do(FromControl(wire.GetTry(answer.id)))).name == name

    @precondition(lambda self: self.state.tries)
    @rule(pick=PICK)
    def delete_try(self, pick: int) -> None:
        record = self.state.tries[chosen(sorted(self.state.tries), pick)]
        answer = self.reply(self.do(FromControl(wire.DeleteTry(record.id))))
        kept = self.reply(self.do(FromControl(wire.GetTry(record.id))))
        if isinstance(answer, wire.Error):  # its files are being put in place
            assert (answer.code, kept.id) == ("conflict", record.id)
        else:
            assert kept.code == "not_found"

    @precondition(lambda self: self.registered)
    @rule(pick=PICK, step=st.sampled_from(("motion", "ctf", "picking", "export")))
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
            wire.GetTries(),
            wire.GetSelections(),
            wire.GetKnownFiles(),
            wire.GetAlarms(),
            wire.GetExports(),
        ):
            self.reply(self.do(FromControl(message)))

    @rule()
    def restart(self) -> None:
        before = self.state
        self.store.commit()
        self.store.close()
        self.restores, self.placements = [], []
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
        assert (after.seq, after.paused_by, after.revision) == (before.seq, before.paused_by, before.revision)
        assert after.order == before.order
        assert known(after.alarms) == known(before.alarms)
        assert after.settings == before.settings
        assert after.choices == before.choices
        assert after.selections == before.selections
        assert after.hand_picks == before.hand_picks
        assert after.tries == before.tries
        assert after.profiles == before.profiles
        assert after.bans == before.bans
        self.do(Started(None))
        assert after.counts == before.counts, "a restart alone changes nothing"
        assert after.seq - before.seq in (0, 1), "at most the log is cut"

    @rule(name=st.sampled_from(WORKERS), what=st.sampled_from(("silence", "goodbye", "new instance", "files")))
    def a_round_is_not_stored(self, name: str, what: str) -> None:
        """Nothing that is stored changes, and a worker that the round did not touch needs not register again."""
        self.store.commit()
        before = self.state
        known = {one.name: (one.sender, one.credit) for one in before.workers.values() if one.alive and one.registered}
        stored = [[getattr(movie, field) for field in STORED] for movie in before.movies.values()]
        leases = [(task.lease, task.worker, task.begun) for task in before.tasks.values()]
        sender = self.senders.get(name, b"?")
        former = before.workers[name].instance if name in before.workers else ""
        stimulus = {
            "silence": Tick(),
            "goodbye": FromWorker(sender, wire.Goodbye(name)),
            "new instance": FromWorker(
                f"{name}#new".encode(), wire.RegisterWorker(name, "new", "h", 1, "", 0, {}, [], former)
            ),
            "files": FromControl(wire.RegisterFiles([wire.FoundFile("new.tif", 1, 1)])),
        }[what]
        handle(before, stimulus, self.now + (100.0 if what == "silence" else 0.0))
        self.store.discard()
        self.state = go_on(self.from_store(), before)
        after = self.state
        assert [(task.lease, task.worker, task.begun) for task in after.tasks.values()] == leases
        for movie, fields in zip(after.movies.values(), stored, strict=True):
            assert movie.restoring or [getattr(movie, field) for field in STORED] == fields
        for one in known.keys() - {name}:
            assert after.workers[one].alive or what == "silence"
            assert (after.workers[one].sender, after.workers[one].credit) == known[one] or what == "silence"

    @precondition(lambda self: self.restores)
    @rule(how=st.sampled_from(("well", "well", "gone", "broken")))
    def restored(self, how: str) -> None:
        task = self.restores.pop(0)
        kept = self.keep(task.name, task.present)
        generation = self.disk[task.name].get(task.key) if how == "well" else None
        self.do(OutputsRestored(task.movie, generation, kept, untouched=how != "broken"))
        if generation is not None:
            assert self.state.movies[task.movie].fingerprints == generation.fingerprints
