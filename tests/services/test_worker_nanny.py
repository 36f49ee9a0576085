"""The nanny's decisions: what it says to scheduler and compute process, and what it makes of a death."""

from __future__ import annotations

from typing import Any

import pytest

from warpcore.bus import messages as m
from warpcore.bus.schema import Message
from warpcore.services.worker.nanny import (
    CANCEL_GRACE_S,
    CREDIT,
    RESEND_S,
    Effect,
    Identity,
    KillCompute,
    Nanny,
    StartCompute,
    ToCompute,
    ToScheduler,
)

READY = {"is": "ready", "device": "cpu", "device_memory_mb": 8, "versions": {"jax": "1"}}


def sent(effects: list[Effect]) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, ToScheduler)]


def commands(effects: list[Effect]) -> list[dict[str, Any]]:
    return [effect.item for effect in effects if isinstance(effect, ToCompute)]


def request_id(effects: list[Effect], kind: type[Message]) -> str:
    (found,) = [e.id for e in effects if isinstance(e, ToScheduler) and isinstance(e.message, kind)]
    return found


def task(lease: int, name: str = "a") -> m.AssignTask:
    return m.AssignTask(
        lease=lease,
        purpose="process",
        name=name,
        path=f"{name}.tif",
        size=1,
        mtime_ns=2,
        run=["motion"],
        wanted={},
        settings={},
        results={},
        data_directory="/d",
        processing_directory="/p",
    )


def answer(nanny: Nanny, effects: list[Effect], kind: type[Message], reply: Message, now: float) -> list[Effect]:
    return nanny.from_scheduler(reply, request_id(effects, kind), now)


@pytest.fixture
def nanny() -> Nanny:
    """A registered nanny with a ready compute process."""
    nanny = Nanny(Identity("w", "i", "h", 1))
    assert nanny.start(0.0) == [StartCompute()]
    effects = nanny.from_compute(READY, 1.0)
    pulled = answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 1.0)
    assert sent(pulled) == [m.PullTasks("w", CREDIT)]
    return nanny


def test_it_registers_only_once_its_device_is_known() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    nanny.start(0.0)
    assert sent(nanny.tick(10.0, {})) == []
    (register,) = sent(nanny.from_compute(READY, 11.0))
    assert isinstance(register, m.RegisterWorker)
    assert (register.device, register.versions) == ("cpu", {"jax": "1"})


def test_an_unanswered_request_goes_out_again_under_its_id_until_it_is_answered() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    first = nanny.from_compute(READY, 0.0)
    again = nanny.tick(RESEND_S, {})
    assert request_id(again, m.RegisterWorker) == request_id(first, m.RegisterWorker)
    answer(nanny, first, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 4.0)
    assert not any(isinstance(one, m.RegisterWorker) for one in sent(nanny.tick(20.0, {})))


def test_the_heart_beats_whatever_the_computation_does(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    beats = [one for now in range(2, 20) for one in sent(nanny.tick(float(now), {})) if isinstance(one, m.Heartbeat)]
    assert len(beats) == 9
    assert beats[-1].leases == [7]
    assert beats[-1].state == "busy"


def test_a_task_goes_in_and_its_outputs_are_committed_only_when_granted(nanny: Nanny) -> None:
    assert commands(nanny.from_scheduler(task(7), None, 2.0)) == [{"do": "task", "task": task(7).to_body()}]
    staged = nanny.from_compute({"is": "staged", "lease": 7}, 3.0)
    granted = answer(nanny, staged, m.CommitTask, m.CommitAnswer(7, True), 3.0)
    assert commands(granted) == [{"do": "commit", "lease": 7, "granted": True}]
    finished = nanny.from_compute(
        {"is": "finished", "lease": 7, "ran": ["motion"], "results": {}, "outputs": {}, "seconds": {}, "kept": []}, 4.0
    )
    answer(nanny, finished, m.TaskFinished, m.Ok(), 4.0)
    assert nanny.held == {}


def test_a_denied_commit_lets_the_task_go(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    staged = nanny.from_compute({"is": "staged", "lease": 7}, 3.0)
    denied = answer(nanny, staged, m.CommitTask, m.CommitAnswer(7, False), 3.0)
    assert commands(denied) == [{"do": "commit", "lease": 7, "granted": False}]
    assert nanny.held == {}


def test_a_death_is_reported_at_once_with_the_movie_that_was_computing(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7, "a"), None, 2.0)
    nanny.from_scheduler(task(8, "b"), None, 2.0)
    progress = {"is": "progress", "step": "motion", "fraction": 0.5, "message": ""}
    nanny.from_compute({**progress, "lease": 7, "stage": "compute"}, 3.0)
    nanny.from_compute({**progress, "lease": 8, "stage": "load"}, 3.0)
    died = sent(nanny.compute_exited("lost_worker", "killed by SIGKILL", 4.0))
    assert died[0] == m.ComputeDied("w", [7, 8], 7, "lost_worker", "killed by SIGKILL")
    assert m.PullTasks("w", 0) in died
    assert StartCompute() in nanny.tick(4.0, {})


def test_what_was_finished_before_a_death_is_not_lost(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_compute(
        {"is": "finished", "lease": 7, "ran": ["motion"], "results": {}, "outputs": {}, "seconds": {}, "kept": []}, 3.0
    )
    (died, _) = sent(nanny.compute_exited("lost_worker", "x", 4.0))
    assert isinstance(died, m.ComputeDied)
    assert died.leases == []


def test_a_task_that_comes_between_death_and_restart_waits_for_the_new_process(nanny: Nanny) -> None:
    nanny.compute_exited("lost_worker", "x", 2.0)
    assert commands(nanny.from_scheduler(task(9), None, 2.1)) == []
    assert commands(nanny.from_compute(READY, 3.0)) == [{"do": "task", "task": task(9).to_body()}]


def test_a_compute_process_that_dies_again_and_again_is_started_ever_more_slowly(nanny: Nanny) -> None:
    now, waits = 10.0, []
    for _ in range(4):
        nanny.compute_exited("lost_worker", "x", now)
        died_at = now
        while StartCompute() not in nanny.tick(now, {}):
            now += 0.5
        waits.append(now - died_at)
    assert waits == sorted(waits)
    assert waits[0] == 0.0
    assert waits[-1] >= 10.0


def test_an_unknown_worker_registers_again_with_what_it_holds_and_drops_what_no_longer_holds(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(task(8, "b"), None, 2.0)
    effects = nanny.from_scheduler(m.UnknownWorker(), None, 3.0)
    (register,) = sent(effects)
    assert isinstance(register, m.RegisterWorker)
    assert register.leases == [7, 8]
    after = answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, [8]), 3.0)
    assert commands(after) == [{"do": "cancel", "lease": 7}]
    assert sent(after) == [m.PullTasks("w", CREDIT)]


def test_a_cancelled_task_that_does_not_let_go_costs_the_compute_process(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    assert commands(nanny.from_scheduler(m.CancelTask(7, "no progress"), None, 3.0)) == [{"do": "cancel", "lease": 7}]
    assert not any(isinstance(one, KillCompute) for one in nanny.tick(3.0 + CANCEL_GRACE_S, {}))
    assert any(isinstance(one, KillCompute) for one in nanny.tick(3.1 + CANCEL_GRACE_S, {}))
    (died, _) = sent(nanny.compute_exited("lost_worker", "killed by SIGKILL", 14.0))
    assert isinstance(died, m.ComputeDied)
    assert "did not stop" in died.cause


def test_a_cancelled_task_that_lets_go_costs_nothing(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(m.CancelTask(7, "x"), None, 3.0)
    nanny.from_compute({"is": "dropped", "lease": 7}, 4.0)
    assert nanny.held == {}
    assert not any(isinstance(one, KillCompute) for one in nanny.tick(100.0, {}))


def test_an_orderly_end_says_goodbye_and_takes_nothing_more(nanny: Nanny) -> None:
    effects = nanny.stop(5.0)
    assert sent(effects) == [m.Goodbye("w")]
    assert any(isinstance(one, KillCompute) for one in effects)
    assert commands(nanny.from_scheduler(task(9), None, 5.1)) == []
    assert nanny.compute_exited("lost_worker", "x", 5.2) == []
    assert nanny.waits_for_answers
    answer(nanny, effects, m.Goodbye, m.Ok(), 5.3)
    assert not nanny.waits_for_answers


def test_what_the_computation_has_noticed_is_told_with_the_next_tick_and_each_beat_until_it_is_over(
    nanny: Nanny,
) -> None:
    nanny.tick(2.0, {})
    nanny.from_compute({"is": "warnings", "warnings": ["the gain is upside down"]}, 2.1)
    beats = sent([*nanny.tick(2.2, {}), *nanny.tick(4.2, {})])
    assert [beat.warnings for beat in beats if isinstance(beat, m.Heartbeat)] == [["the gain is upside down"]] * 2
    nanny.from_compute({"is": "warnings", "warnings": []}, 4.3)
    (beat,) = sent(nanny.tick(4.4, {}))
    assert isinstance(beat, m.Heartbeat)
    assert beat.warnings == []
    nanny.from_compute({"is": "warnings", "warnings": ["the gain is upside down"]}, 5.0)
    nanny.compute_exited("lost_worker", "x", 5.1)
    assert nanny.warnings == []  # the next computation looks for itself
