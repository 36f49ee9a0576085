"""Whatever runs, fails or dies in whatever order: the choice is that of the first movies, and so are all results."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.scheduler_learner import COUNT, PICKS, learners, pool, told
from tests.services.scheduler_world import RESULTS, World
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core.stimuli import Started
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.learning import choice_id
from warpcore.services.steps import Lesson

NAMES = tuple("abcdefg")
WORKERS = ("v", "w")
WHERE = {"data_directory": "/data", "processing_directory": "/processing"}
NOTHING, BAD, EXCLUDED, SHAKY = "nothing", "bad", "excluded", "shaky"
"""Kinds of movies: without evidence, failing for good in picking, left out, failing once for want of memory."""
KINDS = ("good", "good", "good", NOTHING, BAD, EXCLUDED, SHAKY)


@pytest.fixture(autouse=True, scope="module")
def learning() -> Iterator[None]:
    with learners():
        yield


class Session:
    """A session of movies of these kinds; what happens to it is drawn by the test."""

    def __init__(self, kinds: dict[str, str], store: Store) -> None:
        self.kinds, self.store = kinds, store
        self.world = World(settings=PICKS)
        self.world.store_into(store)
        self.found = 0
        self.shaken: set[str] = set()
        self.struck: set[str] = set()
        for name in WORKERS:
            self.world.worker(name)

    def find(self) -> None:
        """The next movie is registered; one that the user leaves out is left out at once."""
        name = NAMES[self.found]
        self.found += 1
        if self.kinds[name] == EXCLUDED:
            self.world.ask(wire.PauseProcessing())
        self.world.files(f"{name}.tif")
        if self.kinds[name] == EXCLUDED:
            self.world.ask(wire.SelectItem(name, "exclude"))
            self.world.ask(wire.StartProcessing())

    @property
    def leased(self) -> list[str]:
        movies = self.world.state.movies
        return sorted(movies[task.movie].name for task in self.world.state.tasks.values())

    def end(self, name: str) -> None:
        """A task ends as it must for this movie."""
        task, worker, kind = self.world.tasks[name], self.world.owner(name), self.kinds[name]
        if kind == BAD and "picking" in task.run:
            failed = wire.TaskFailed(worker, task.lease, FailureKind.INPUT, "picking", "nothing to pick from")
            self.world.say(worker, failed)
        elif kind == SHAKY and name not in self.shaken:
            self.shaken.add(name)
            failed = wire.TaskFailed(worker, task.lease, FailureKind.RESOURCE, "motion", "out of memory")
            self.world.say(worker, failed)
        else:
            value = None if kind == NOTHING else evidence(name, task.settings["picking"]["diameter"])
            results = {step: dict(RESULTS[step]) for step in task.run}
            if "picking" in results:
                results["picking"] |= told(task, "picking", value)
            self.world.say(worker, wire.TaskFinished(worker, task.lease, task.run, results, {}))

    def leave(self, worker: str) -> None:
        """A worker ends and another one comes."""
        self.world.say(worker, wire.Goodbye(worker))
        self.world.worker(worker, instance=str(self.world.state.last_lease))

    def die(self, name: str) -> None:
        """The compute process dies over a movie, which may happen to it once."""
        worker, lease = self.world.owner(name), self.world.tasks[name].lease
        if name in self.struck:
            return
        self.struck.add(name)
        held = list(self.world.state.workers[worker].leases)
        self.world.say(worker, wire.ComputeDied(worker, held, lease, FailureKind.LOST_WORKER, "signal 9"))
        self.world.say(worker, wire.PullTasks(worker, 2))

    def restart(self) -> None:
        """The scheduler is killed after its last commit and started again."""
        self.store.commit()
        held = {name: tuple(worker.leases) for name, worker in self.world.state.workers.items()}
        self.world.state = restore(self.store.load(), now=self.world.now, wall=self.world.now, **WHERE)
        self.world.do(Started(None))
        for name in WORKERS:
            self.world.worker(name, leases=held.get(name, ()))

    def finish(self) -> None:
        """All files are found, the first settings hold, and everything ends."""
        while self.found < len(NAMES):
            self.find()
        self.world.patch(picking={"diameter": 120.0})
        for _ in range(10):
            while self.leased:
                self.end(self.leased[0])
            self.world.wait(31.0, *WORKERS)


def evidence(name: str, diameter: float) -> float:
    return NAMES.index(name) + diameter


def happen(session: Session, draw: Any) -> None:
    """One thing happens."""
    actions = ["restart", "leave", "settings", "wait"]
    actions += ["find"] * 2 * (session.found < len(NAMES)) + ["end"] * 8 * bool(session.leased)
    actions += ["die"] * bool(session.leased)
    match draw(st.sampled_from(actions)):
        case "restart":
            session.restart()
        case "leave":
            session.leave(draw(st.sampled_from(WORKERS)))
        case "settings":
            session.world.patch(picking={"diameter": draw(st.sampled_from((120.0, 150.0)))})
        case "wait":
            session.world.wait(31.0, *WORKERS)
        case "find":
            session.find()
        case "end":
            session.end(draw(st.sampled_from(session.leased)))
        case "die":
            session.die(draw(st.sampled_from(session.leased)))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), kinds=st.lists(st.sampled_from(KINDS), min_size=len(NAMES), max_size=len(NAMES)))
def test_the_same_choice_and_the_same_results_whatever_the_order_of_events(data: Any, kinds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder) / "state.db", **WHERE)) as store:
        session = Session(dict(zip(NAMES, kinds, strict=True)), store)
        for _ in range(data.draw(st.integers(0, 40))):
            happen(session, data.draw)
        session.finish()
        teachers = [name for name, kind in session.kinds.items() if kind in ("good", SHAKY)][:COUNT]
        (learnt,) = session.world.ask(wire.GetProcessing()).learnt
        assert learnt.movies == teachers
        expected = None
        if len(teachers) == COUNT:
            lessons = [Lesson(name, {"value": evidence(name, 120.0)}) for name in teachers]
            expected = choice_id(pool(session.world.state.settings.picking, lessons))
        assert learnt.id == (expected or "")
        for name, kind in session.kinds.items():
            movie = session.world.movie(name)
            if kind == EXCLUDED:
                assert not movie.results
            elif kind == BAD:
                assert movie.status == "failed"
            else:
                assert (movie.status, movie.results["picking"]["choice"]) == ("processed", expected), name
