"""Every life has one table: what is in it can happen, anything else raises and tells the story."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

import warpcore.services.scheduler as scheduler
from tests.services.scheduler_world import World, finished
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import ItemState, JobState, MovieStatus, TryState, Word, WorkerState
from warpcore.services.scheduler.core import exporting, lives
from warpcore.services.scheduler.core.export_records import ExportItem, ExportRecord
from warpcore.services.scheduler.core.lives import IllegalTransition, LeaseState, Life, Living
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord, WorkerRecord
from warpcore.services.scheduler.core.try_records import TryRecord

LIVES: list[tuple[Life, type[Word], Callable[[], Living]]] = [
    (lives.MOVIE, MovieStatus, lambda: MovieRecord(1, "m", "m.tif")),
    (lives.LEASE, LeaseState, lambda: TaskRecord(7, 1, "w")),
    (lives.WORKER, WorkerState, lambda: WorkerRecord("w", "1")),
    (lives.TRY, TryState, lambda: TryRecord(1, 1)),
    (lives.JOB, JobState, lambda: ExportRecord("micrographs-1")),
    (lives.ITEM, ItemState, ExportItem),
]


@pytest.mark.parametrize(("life", "states", "made"), LIVES, ids=[states.__name__ for _, states, _ in LIVES])
def test_only_what_is_in_the_table_happens(life: Life, states: type[Word], made: Callable[[], Living]) -> None:
    for before, after in itertools.product(states, states):
        record = made()
        setattr(record, life.field, before)
        if before == after or (before, after) in life:
            record.become(after, "test")
            assert getattr(record, life.field) is after
        else:
            with pytest.raises(IllegalTransition, match=f"{before} → {after} \\(test\\) is not a legal transition"):
                record.become(after, "test")
            assert getattr(record, life.field) is before


@pytest.mark.parametrize(("life", "states", "made"), LIVES, ids=[states.__name__ for _, states, _ in LIVES])
def test_every_state_can_be_reached(life: Life, states: type[Word], made: Callable[[], Living]) -> None:
    reached = {getattr(made(), life.field)}
    for _ in states:
        reached |= {after for before, after in life if before in reached}
    assert set(states) - reached <= {WorkerState.STARTING}, "which only heartbeats say"


def test_an_illegal_transition_of_each_kind_tells_its_story() -> None:
    world = finished("a.tif", "b.tif")
    world.files("c.tif")
    world.progress("c")
    state = world.state
    with pytest.raises(IllegalTransition, match=r"lease 3 of w: begun → assigned \(test\) .*movie 3, process: motion"):
        state.advance(state.tasks[3], LeaseState.ASSIGNED, "test")
    with pytest.raises(
        IllegalTransition, match=r"w: busy → busy .*|w: busy → starting \(test\) .* idle → busy: lease 3"
    ):
        state.workers["w"].become(WorkerState.STARTING, "test")
    job = state.exports[world.ask(wire.StartExport("micrographs")).job]
    with pytest.raises(IllegalTransition, match=r"movie 1 of job-1: pending → done .* 2 open of 2"):
        exporting.move_item(state, job, 1, ItemState.DONE, "test")
    world.ask(wire.CancelExport(job.job))
    with pytest.raises(IllegalTransition, match=r"export job-1: cancelled → running .* 0 done"):
        job.become(JobState.RUNNING, "test")


def test_a_worker_remembers_its_own_story() -> None:
    world = World("a.tif", workers=("w",))
    world.fail("a", "bad_gpu")
    world.say("w", wire.Goodbye("w"))
    assert list(world.state.workers["w"].told()) == [
        "idle → busy: lease 1",
        "busy → idle: lease 1 ended",
        "idle → set_aside: bad GPU: it went wrong",
        "set_aside → lost: ended",
    ]


def test_nothing_sets_a_state_past_its_table() -> None:
    found = []
    for path in Path(scheduler.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [
                one
                for target in targets
                for one in (target.elts if isinstance(target, ast.Tuple) else [target])
                if isinstance(one, ast.Attribute) and one.attr in ("status", "state")
            ]
            # `session.state` is the whole state, not that of a record.
            found += [f"{path.name}:{one.lineno}" for one in names if "session" not in ast.unparse(one.value)]
    assert [one for one in found if not one.startswith("session.py:")] == []
