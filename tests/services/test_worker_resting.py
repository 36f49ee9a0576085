"""A nanny ends compute processes that have no task for long, and starts them for the next one: nothing is lost."""

from __future__ import annotations

import pytest

from tests.services.nanny_talk import LOST, NOTHING, READY, answer, commands, sent, task
from warpcore.bus import messages as m
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.worker.effects import Effect, KillCompute, StartCompute
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.line import Begin, Faulty, Finished
from warpcore.services.worker.nanny import Nanny

REST_AFTER_S = 60.0


def ended(effects: list[Effect]) -> list[int]:
    return [effect.process for effect in effects if isinstance(effect, KillCompute)]


def started(effects: list[Effect]) -> list[int]:
    return [effect.process for effect in effects if isinstance(effect, StartCompute)]


@pytest.fixture
def nanny() -> Nanny:
    """A registered nanny with two ready compute processes since 1 s."""
    nanny = Nanny(Identity("w", "i", "h", 1), processes=2, rest_after_s=REST_AFTER_S)
    nanny.start(0.0)
    effects = nanny.from_compute(READY, 1.0, 0)
    answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 1.0)
    assert sent(nanny.from_compute(READY, 1.0, 1)) == [m.PullTasks("w", 2 * READY.at_once)]
    return nanny


@pytest.fixture
def resting(nanny: Nanny) -> Nanny:
    """Both have ended after a minute without a task."""
    nanny.tick(REST_AFTER_S, NOTHING)
    for process in (0, 1):
        assert nanny.compute_exited(LOST, "killed by SIGKILL", REST_AFTER_S + 1, process) == []
    return nanny


def test_idle_compute_processes_are_ended_after_a_while_and_once(nanny: Nanny) -> None:
    assert ended(nanny.tick(REST_AFTER_S - 1, NOTHING)) == []
    assert ended(nanny.tick(REST_AFTER_S, NOTHING)) == [0, 1]
    assert ended(nanny.tick(REST_AFTER_S + 10, NOTHING)) == []


def test_a_task_keeps_all_of_them(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    assert ended(nanny.tick(10 * REST_AFTER_S, NOTHING)) == []
    done = nanny.from_compute(Finished(7, ["motion"], {}, m.Load()), 10 * REST_AFTER_S)
    answer(nanny, done, m.TaskFinished, m.Ok(), 10 * REST_AFTER_S)
    assert ended(nanny.tick(11 * REST_AFTER_S - 1, NOTHING)) == []
    assert ended(nanny.tick(11 * REST_AFTER_S, NOTHING)) == [0, 1]


def test_at_rest_the_worker_is_idle_asks_for_as_much_as_before_and_nothing_has_died(resting: Nanny) -> None:
    effects = resting.tick(100.0, NOTHING)
    (beat,) = [one for one in sent(effects) if isinstance(one, m.Heartbeat)]
    assert beat.state == WorkerState.IDLE
    asked = answer(resting, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 101.0)
    assert sent(asked) == [m.PullTasks("w", 2 * READY.at_once)]
    assert started(resting.tick(200.0, NOTHING)) == []


def test_the_next_task_wakes_them_and_is_begun_once_one_is_ready(resting: Nanny) -> None:
    woken = resting.from_scheduler(task(7), None, 100.0)
    assert started(woken) == [0, 1]
    assert commands(woken) == []
    assert started(resting.from_scheduler(task(8), None, 100.1)) == []
    assert commands(resting.from_compute(READY, 105.0, 1)) == [Begin(task(7)), Begin(task(8))]


def test_a_task_that_comes_while_they_are_being_ended_waits_for_their_successors(nanny: Nanny) -> None:
    nanny.tick(REST_AFTER_S, NOTHING)
    assert started(nanny.from_scheduler(task(7), None, REST_AFTER_S)) == []
    assert started(nanny.compute_exited(LOST, "killed", REST_AFTER_S + 0.1, 1)) == [1]
    assert commands(nanny.from_compute(READY, REST_AFTER_S + 5, 1)) == [Begin(task(7))]
    assert started(nanny.compute_exited(LOST, "killed", REST_AFTER_S + 6, 0)) == []


def test_a_process_that_dies_while_it_wakes_is_a_death_like_any_other(resting: Nanny) -> None:
    resting.from_scheduler(task(7), None, 100.0)
    (died, _) = sent(resting.compute_exited(LOST, "no memory", 101.0, 0))
    assert isinstance(died, m.ComputeDied)
    assert died.leases == []
    assert started(resting.tick(101.0, NOTHING)) == [0]


def test_a_worker_that_stops_or_is_set_aside_wakes_nothing(resting: Nanny) -> None:
    resting.stop(100.0)
    assert started(resting.from_scheduler(task(7), None, 100.0)) == []


def test_a_faulty_device_asks_for_nothing_whoever_rests(nanny: Nanny) -> None:
    nanny.from_compute(READY, 2.0, 0)
    nanny.tick(REST_AFTER_S, NOTHING)
    pulled = [one for one in sent(nanny.from_compute(Faulty(READY, "wrong"), 61.0, 0)) if isinstance(one, m.PullTasks)]
    assert [one.credit for one in pulled] == [0]


def test_without_a_time_they_never_rest() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    nanny.start(0.0)
    nanny.from_compute(READY, 1.0)
    assert ended(nanny.tick(1e9, NOTHING)) == []
