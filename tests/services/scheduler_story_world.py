"""A scheduler with a real database behind it, and what must be true of it after every stimulus."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.services.scheduler_learner import LEARNING, learners
from warpcore.bus import messages as wire
from warpcore.bus.schema import read_message
from warpcore.bus.vocabulary import Purpose
from warpcore.services.scheduler.core import ordering, seeing
from warpcore.services.scheduler.core.effects import (
    Effect,
    PlaceOutputs,
    Publish,
    RemoveExport,
    Reply,
    RestoreOutputs,
    Send,
)
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.plain import digest, stimulus_from_plain, stimulus_to_plain
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import FromWorker, Stimulus
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.generations import Generation

T = TypeVar("T")
PATHS = ("a.tif", "b.tif", "a.mrc", "grid/a.tif", "c.tif", "d.tif")
NAMES = ("a", "b", "a.mrc", "grid/a", "c", "d")
AGES_NS = dict(zip(PATHS, (5, 3, 9, 5, 1, 7), strict=True))
PICK = st.integers(0, 1000)
RARELY = st.sampled_from((False, False, False, False, True))
PLACES = ((1.0, 2.0), (3.5, 4.0), (60.0, 60.0))
WORKERS = ("w1", "w2", "w3")
WHERE = {"data_directory": "/data", "processing_directory": "/processing"}
TOLD: tuple[tuple[wire.Header | None, wire.Acquisition | None], ...] = (
    (None, None),
    (wire.Header(8, 64, 64, 1.1), None),
    (wire.Header(8, 64, 64), None),
    (wire.Header(8, 64, 64), wire.Acquisition("x.xml", 1, "epu", voltage_kv=200.0, pixel_size_angstrom=1.2)),
    (wire.Header(8, 64, 64, 1.1), wire.Acquisition("x.xml", 2, "epu", hole="7")),
)
"""What may be told of a movie: nothing, a pixel size or none, other values, another place."""
PATCHES: tuple[dict[str, Any], ...] = (
    {"ctf": {"range_max": 5.0}},
    {"ctf": {"range_max": 4.0}},
    {"picking": {"diameter": 120.0}},
    {"picking": {"diameter": 150.0}},
    {"picking": {"enabled": False}},
    {"picking": {"enabled": True}},
    {"filter": {"resolution_max": 4.0}},
    {"filter": {"resolution_max": 9.0}},
    {"filter": {"limits": {"ctf.resolution_angstrom": [3.5, None]}}},
    {"filter": {"limits": {}}},
    {"motion": {"b_factor": -100.0}},
    {"motion": {"b_factor": -500.0}},
    {"import": {"pixel_size": 1.3}},
    {"import": {"pixel_size": None}},
)
STORED = (
    "status",
    "selection",
    "chosen_in",
    "hand_picks",
    "priority",
    "failure",
    "results",
    "fingerprints",
    "outputs",
    "kept",
    "kept_results",
    "retries",
    "lost",
    "avoid",
    "lease",
    "header",
    "acquisition",
)


def chosen(among: Sequence[T], pick: int) -> T:
    """One of these."""
    return among[pick % len(among)]


class SchedulerWorld(RuleBasedStateMachine):
    """The machine with a real database behind it, so that a restart is part of the story."""

    def __init__(self) -> None:
        super().__init__()
        self.learning = ExitStack()
        self.learning.enter_context(learners(dataclasses.replace(LEARNING, count=lambda section: 2)))
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1000.0
        self.registered: set[str] = set()
        self.senders: dict[str, bytes] = {}
        self.instances: dict[str, int] = dict.fromkeys(WORKERS, 0)
        self.assigned: dict[int, wire.AssignTask] = {}
        self.owner: dict[int, str] = {}
        self.finished: set[int] = set()
        self.blind: set[str] = set()
        self.disk: dict[str, dict[str, Generation]] = {name: {} for name in NAMES}
        self.restores: list[RestoreOutputs] = []
        self.placements: list[PlaceOutputs] = []
        self.removals: list[RemoveExport] = []
        self.deleted: set[str] = set()
        self.told: list[tuple[Effect, tuple[str, str]]] = []
        self.seq = 0
        self.bulk = 5000
        self.open()

    def open(self) -> None:
        self.store = Store(Path(self.folder.name) / "state.db", **WHERE)
        self.state = self.from_store()

    def from_store(self) -> State:
        """What is stored, as a state."""
        state = restore(self.store.load(), now=self.now, wall=self.now, **WHERE)
        state.bulk_changes = self.bulk
        return state

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()
        self.learning.close()
        assert all(digest(effect) == told for effect, told in self.told), "effects do not change with the state"

    def do(self, stimulus: Stimulus) -> list[Effect]:
        # As it arrives: what is plain on the wire becomes the words of the vocabulary.
        arrived = stimulus_from_plain(stimulus_to_plain(stimulus))
        assert arrived == stimulus
        stimulus = arrived
        effects = handle(self.state, stimulus, self.now, wall=self.now)
        self.told += [(effect, digest(effect)) for effect in effects]
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
            if isinstance(effect, PlaceOutputs):
                assert effect.placement.target not in self.deleted, "nothing comes into a folder that is deleted"
                self.placements.append(effect)
            if isinstance(effect, RemoveExport):
                assert all(task.purpose != effect.job for task in self.state.tasks.values()), "files still come"
                self.removals.append(effect)
                self.deleted.add(effect.folder)
            if isinstance(effect, (Reply, Send)):
                assert read_message(effect.message.TYPE, effect.message.to_body()) == effect.message
        self.check_order(busy)
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, wire.LookAtFolders):
                self.see(effect.sender, effect.message.movie)
        return effects

    def see(self, sender: bytes, path: str) -> None:
        """A worker answers at once what it sees of the folders: the newest token and the movie, or nothing."""
        name = sender.decode().partition("#")[0]
        movie = self.state.by_path.get(path) if name not in self.blind else None
        token = "" if name in self.blind else self.state.storage.tokens[-1]
        size, mtime_ns = (movie.size, movie.mtime_ns) if movie is not None else (None, None)
        self.do(FromWorker(sender, wire.WorkerSees(name, token, path, size, mtime_ns)))

    def check_order(self, assigned: dict[int, str]) -> None:
        state = self.state
        for lease, name in assigned.items():
            movie = state.by_name[name]
            if state.tasks[lease].kind is Purpose.TRY:
                continue
            assert movie.selection != "exclude"
            if not state.tasks[lease].processes:
                continue
            age = movie.mtime_ns
            latest, oldest = (-movie.priority, -age, -movie.id), (-movie.priority, age, movie.id)
            turn = (lease - 1) % 2
            place = {
                "normal": (-movie.priority, 0 if movie.results else 1, movie.id),
                "oldest": oldest,
                "latest": latest,
                "alternate": oldest if turn else latest,
            }[state.order]
            for other in state.queue.in_turn(turn):
                if ordering.keys(state.order, state.movies[other])[turn if state.order == "alternate" else 0] < place:
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
        if state.paused or state.storage.holds or seeing.is_unsure(state):
            return
        for worker in state.workers.values():
            suspects = any(state.movies[state.tasks[lease].movie].suspect for lease in worker.leases)
            if worker.room <= 0 or suspects:
                continue
            for id in state.queue.in_turn(state.last_lease):
                movie = state.movies[id]
                if movie.suspect and worker.leases:
                    break
                assert worker.name in movie.avoid, f"{worker.name} has room and {movie.name} waits"

    # --- choices ---

    def keep(self, name: str, generation: Generation) -> list[str]:
        """As `services/session/placing.py` does it."""
        kept = self.disk[name]
        if generation.outputs and generation.fingerprints:
            kept.pop(generation.key, None)
            kept[generation.key] = generation
        for key in list(kept)[:-3]:
            del kept[key]
        return list(kept)

    def some_lease(self, pick: int, liar: bool) -> tuple[int, str]:
        """A lease (mostly one that holds) and who speaks of it: its worker, or another."""
        holding = sorted(self.state.tasks)
        past = sorted(self.assigned)[-5:]
        lease = chosen(holding * 3 + past, pick)
        return lease, chosen(WORKERS, pick // 7) if liar else self.owner[lease]

    def valid(self, lease: int, name: str) -> bool:
        held = lease in self.state.tasks and lease not in self.state.placing
        return held and self.owner[lease] == name
