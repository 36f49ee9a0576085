"""The nanny's decisions: what it says to scheduler and compute process, and what it makes of a death."""

from __future__ import annotations

import pytest

from tests.services import loads
from tests.services.nanny_talk import LOST, NOTHING, READY, answer, commands, request_id, sent, task
from warpcore.bus import messages as m
from warpcore.bus.messages import Load
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode, FailureKind, WorkerState
from warpcore.services.worker.computing import START_PATIENCE_S
from warpcore.services.worker.effects import Effect, GiveUp, KillCompute, LookFor, StartCompute, ToScheduler
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.line import (
    Begin,
    Cancel,
    Dropped,
    Failed,
    Faulty,
    Finished,
    Noticed,
    Progress,
    Stage,
    Unusable,
)
from warpcore.services.worker.nanny import CANCEL_GRACE_S, LAST_PAUSE_S, PATIENCE, QUIET_S, REFUSED_PAUSE_S, Nanny

RESEND_S = PATIENCE.timeout_s + PATIENCE.longest_pause_s
FINISHED = Finished(7, ["motion"], {}, {})


@pytest.fixture
def nanny() -> Nanny:
    """A registered nanny with a ready compute process."""
    nanny = Nanny(Identity("w", "i", "h", 1))
    assert nanny.start(0.0) == [StartCompute()]
    effects = nanny.from_compute(READY, 1.0)
    pulled = answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 1.0)
    assert sent(pulled) == [m.PullTasks("w", READY.at_once)]
    return nanny


def test_it_registers_only_once_its_device_is_known() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    nanny.start(0.0)
    assert sent(nanny.tick(10.0, NOTHING)) == []
    (register,) = sent(nanny.from_compute(READY, 11.0))
    assert isinstance(register, m.RegisterWorker)
    assert (register.device, register.versions) == ("cpu", {"jax": "1"})


def test_an_unanswered_request_goes_out_again_under_its_id_until_it_is_answered() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    first = nanny.from_compute(READY, 0.0)
    again = nanny.tick(RESEND_S, NOTHING)
    assert request_id(again, m.RegisterWorker) == request_id(first, m.RegisterWorker)
    answer(nanny, first, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 4.0)
    assert not any(isinstance(one, m.RegisterWorker) for one in sent(nanny.tick(20.0, NOTHING)))


def test_the_heart_beats_whatever_the_computation_does(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    beats = [
        one for now in range(2, 20) for one in sent(nanny.tick(float(now), NOTHING)) if isinstance(one, m.Heartbeat)
    ]
    assert len(beats) == 9
    assert beats[-1].leases == [7]
    assert beats[-1].state == "busy"


def test_progress_is_told_twice_a_second_and_the_newest_in_the_end(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    told: list[Message] = []
    for number in range(100):
        now = 2.0 + number / 100
        told += sent(nanny.from_compute(Progress(7, Stage.COMPUTE, "motion", number / 100), now))
        told += [one for one in sent(nanny.tick(now, NOTHING)) if isinstance(one, m.TaskProgress)]
    assert told == [m.TaskProgress("w", 7, "a", "motion", fraction) for fraction in (0.0, 0.5)]
    assert m.TaskProgress("w", 7, "a", "motion", 0.99) in sent(nanny.tick(3.5, NOTHING))
    assert not [one for one in sent(nanny.tick(9.0, NOTHING)) if isinstance(one, m.TaskProgress)]


def test_no_progress_is_told_of_a_task_that_has_ended(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_compute(Progress(7, Stage.COMPUTE, "motion", 0.1), 2.0)
    nanny.from_compute(Progress(7, Stage.COMPUTE, "motion", 0.9), 2.1)
    nanny.from_compute(FINISHED, 2.2)
    assert not [one for one in sent(nanny.tick(9.0, NOTHING)) if isinstance(one, m.TaskProgress)]


def test_a_task_goes_in_and_its_end_comes_out(nanny: Nanny) -> None:
    assert commands(nanny.from_scheduler(task(7), None, 2.0)) == [Begin(task(7))]
    finished = nanny.from_compute(FINISHED, 4.0)
    answer(nanny, finished, m.TaskFinished, m.Ok(), 4.0)
    assert nanny.held == {}


def test_an_assignment_that_comes_twice_is_begun_once(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    assert commands(nanny.from_scheduler(task(7), None, 2.1)) == []


def test_a_death_is_reported_at_once_with_the_movie_that_was_computing(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7, "a"), None, 2.0)
    nanny.from_scheduler(task(8, "b"), None, 2.0)
    nanny.from_compute(Progress(7, Stage.COMPUTE, "motion", 0.5), 3.0)
    nanny.from_compute(Progress(8, Stage.LOAD, "load", 0.5), 3.0)
    died = sent(nanny.compute_exited(LOST, "killed by SIGKILL", 4.0))
    assert died[0] == m.ComputeDied("w", [7, 8], 7, LOST, "killed by SIGKILL")
    assert m.PullTasks("w", 0) in died
    assert StartCompute() in nanny.tick(4.0, NOTHING)


def test_what_was_finished_before_a_death_is_not_lost(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_compute(FINISHED, 3.0)
    (died, _) = sent(nanny.compute_exited(LOST, "x", 4.0))
    assert isinstance(died, m.ComputeDied)
    assert died.leases == []


def test_a_task_that_comes_between_death_and_restart_waits_for_the_new_process(nanny: Nanny) -> None:
    nanny.compute_exited(LOST, "x", 2.0)
    assert commands(nanny.from_scheduler(task(9), None, 2.1)) == []
    assert commands(nanny.from_compute(READY, 3.0)) == [Begin(task(9))]


def test_a_compute_process_that_dies_again_and_again_is_started_ever_more_slowly(nanny: Nanny) -> None:
    now, waits = 10.0, []
    for _ in range(4):
        nanny.compute_exited(LOST, "x", now)
        died_at = now
        while StartCompute() not in nanny.tick(now, NOTHING):
            now += 0.5
        waits.append(now - died_at)
    assert waits == sorted(waits)
    assert waits[0] == 0.0
    assert waits[-1] >= 10.0


def test_a_compute_process_that_does_not_come_up_is_ended_and_started_again() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    nanny.start(0.0)
    assert nanny.tick(START_PATIENCE_S, NOTHING) == []
    (kill,) = nanny.tick(START_PATIENCE_S + 1, NOTHING)
    assert isinstance(kill, KillCompute)
    assert nanny.tick(START_PATIENCE_S + 2, NOTHING) == [], "once"
    nanny.compute_exited(LOST, "killed by SIGKILL", START_PATIENCE_S + 3)
    assert nanny.tick(START_PATIENCE_S + 3, NOTHING) == [StartCompute()]
    assert nanny.tick(2 * START_PATIENCE_S, NOTHING) == [], "the next one has its time too"


def test_an_unknown_worker_registers_again_with_what_it_holds_and_drops_what_no_longer_holds(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(task(8, "b"), None, 2.0)
    effects = nanny.from_scheduler(m.UnknownWorker(), None, 3.0)
    (register,) = sent(effects)
    assert isinstance(register, m.RegisterWorker)
    assert register.leases == [7, 8]
    after = answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, [8]), 3.0)
    assert commands(after) == [Cancel(7)]
    assert sent(after) == [m.PullTasks("w", READY.at_once)]


def test_a_cancelled_task_that_does_not_let_go_costs_the_compute_process(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    assert commands(nanny.from_scheduler(m.CancelTask(7, "no progress"), None, 3.0)) == [Cancel(7)]
    assert not any(isinstance(one, KillCompute) for one in nanny.tick(3.0 + CANCEL_GRACE_S, NOTHING))
    assert any(isinstance(one, KillCompute) for one in nanny.tick(3.1 + CANCEL_GRACE_S, NOTHING))
    (died, _) = sent(nanny.compute_exited(LOST, "killed by SIGKILL", 14.0))
    assert isinstance(died, m.ComputeDied)
    assert "did not stop" in died.cause


def test_a_cancelled_task_that_lets_go_costs_nothing(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(m.CancelTask(7, "x"), None, 3.0)
    nanny.from_compute(Dropped(7), 4.0)
    assert nanny.held == {}
    assert not any(isinstance(one, KillCompute) for one in nanny.tick(100.0, NOTHING))


def test_an_orderly_end_says_goodbye_and_takes_nothing_more(nanny: Nanny) -> None:
    effects = nanny.stop(5.0)
    assert sent(effects) == [m.Goodbye("w")]
    assert any(isinstance(one, KillCompute) for one in effects)
    assert commands(nanny.from_scheduler(task(9), None, 5.1)) == []
    assert nanny.compute_exited(LOST, "x", 5.2) == []
    assert nanny.waits_for_answers
    answer(nanny, effects, m.Goodbye, m.Ok(), 5.3)
    assert not nanny.waits_for_answers


def test_what_the_computation_has_noticed_is_told_with_the_next_tick_and_each_beat_until_it_is_over(
    nanny: Nanny,
) -> None:
    nanny.tick(2.0, NOTHING)
    nanny.from_compute(Noticed(warnings=["the gain is upside down"]), 2.1)
    beats = sent([*nanny.tick(2.2, NOTHING), *nanny.tick(4.2, NOTHING)])
    assert [beat.warnings for beat in beats if isinstance(beat, m.Heartbeat)] == [["the gain is upside down"]] * 2
    nanny.from_compute(Noticed(), 4.3)
    (beat,) = sent(nanny.tick(4.4, NOTHING))
    assert isinstance(beat, m.Heartbeat)
    assert beat.warnings == []
    nanny.from_compute(Noticed(warnings=["the gain is upside down"]), 5.0)
    nanny.compute_exited(LOST, "x", 5.1)
    (beat,) = [one for one in sent(nanny.tick(7.0, NOTHING)) if isinstance(one, m.Heartbeat)]
    assert beat.warnings == [], "the next computation looks for itself"


def refuse(nanny: Nanny, effects: list[Effect], kind: type[Message], now: float) -> str:
    """Answer a request with an error; the request's id."""
    request = request_id(effects, kind)
    assert nanny.from_scheduler(m.Error(ErrorCode.INTERNAL, "disk full"), request, now) == []
    return request


@pytest.mark.parametrize("kind", [m.TaskFinished, m.TaskFailed, m.ComputeDied])
def test_a_request_that_was_refused_is_asked_again_after_a_pause_as_a_new_one(
    nanny: Nanny, kind: type[Message]
) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    if kind is m.ComputeDied:
        effects = nanny.compute_exited(LOST, "x", 3.0)
    else:
        failed = Failed(7, FailureKind.INPUT, "load", "no movie")
        effects = nanny.from_compute(FINISHED if kind is m.TaskFinished else failed, 3.0)
    now, ids = 3.0, set()
    for _ in range(3):
        ids.add(refuse(nanny, effects, kind, now))
        assert not any(isinstance(one, kind) for one in sent(nanny.tick(now + REFUSED_PAUSE_S - 0.1, NOTHING)))
        now += REFUSED_PAUSE_S
        effects = nanny.tick(now, NOTHING)
    ids.add(request_id(effects, kind))
    assert len(ids) == 4, "the scheduler answers a repeated id with its first answer"


def test_a_refused_registration_is_tried_again_with_what_is_held_then(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(task(8, "b"), None, 2.0)
    refuse(nanny, nanny.from_scheduler(m.UnknownWorker(), None, 3.0), m.RegisterWorker, 3.0)
    nanny.from_compute(Dropped(7), 4.0)
    (register,) = [one for one in sent(nanny.tick(3.0 + REFUSED_PAUSE_S, NOTHING)) if isinstance(one, m.RegisterWorker)]
    assert register.leases == [8]


TAKEN = m.WaitForName("w", "another", "h", 7, 1.5)


def test_a_worker_whose_name_is_taken_asks_again_and_looks_whether_the_other_one_still_runs() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    effects = nanny.from_compute(READY, 0.0)
    now = 0.0
    for _ in range(5):
        assert answer(nanny, effects, m.RegisterWorker, TAKEN, now) == [LookFor("another")]
        assert not nanny.registered
        assert sent(nanny.tick(now + REFUSED_PAUSE_S - 0.1, NOTHING)) == []
        now += REFUSED_PAUSE_S
        effects = nanny.tick(now, NOTHING)


def test_a_worker_takes_over_the_name_of_one_that_has_ended_at_once() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    answer(nanny, nanny.from_compute(READY, 0.0), m.RegisterWorker, TAKEN, 0.0)
    effects = nanny.instance_ended("another", 0.1)
    (register,) = sent(effects)
    assert isinstance(register, m.RegisterWorker)
    assert register.replaces == "another"
    after = answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 0.2)
    assert sent(after) == [m.PullTasks("w", READY.at_once)]


def test_a_worker_that_has_lost_its_name_lets_its_movies_go(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    effects = nanny.from_scheduler(m.UnknownWorker(), None, 3.0)
    assert Cancel(7) in commands(answer(nanny, effects, m.RegisterWorker, TAKEN, 3.0))


def test_an_idle_worker_that_hears_nothing_asks_by_itself(nanny: Nanny) -> None:
    def asks(now: float) -> bool:
        return any(isinstance(one, m.RegisterWorker) for one in sent(nanny.tick(now, NOTHING)))

    nanny.from_scheduler(task(7), None, 2.0)
    assert not asks(10.0 + QUIET_S), "one with a movie is not idle"
    nanny.from_compute(Dropped(7), 45.0)
    nanny.from_scheduler(m.CancelTask(7, "x"), None, 45.0)
    assert not asks(45.0 + QUIET_S)
    assert asks(46.0 + QUIET_S)


def test_a_worker_whose_beats_are_refused_asks_to_be_registered_until_it_is(nanny: Nanny) -> None:
    revoked = m.Error(ErrorCode.FORBIDDEN, "this key was revoked")
    (beat,) = [one for one in nanny.tick(2.0, NOTHING) if isinstance(one, ToScheduler)]
    assert nanny.from_scheduler(m.Error(ErrorCode.INTERNAL, "disk full"), beat.id, 2.1) == []
    effects = nanny.from_scheduler(revoked, beat.id, 2.1)
    assert not nanny.registered
    assert nanny.from_scheduler(revoked, "another beat", 2.2) == [], "once"
    nanny.from_scheduler(revoked, request_id(effects, m.RegisterWorker), 2.2)
    assert sent(nanny.tick(2.2 + REFUSED_PAUSE_S / 2, NOTHING)) == []
    again = nanny.tick(2.2 + REFUSED_PAUSE_S, NOTHING)
    answer(nanny, again, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 9.0)
    assert nanny.registered


def test_each_heartbeat_says_how_many_movies_fit(nanny: Nanny) -> None:
    (beat,) = [one for one in sent(nanny.tick(2.0, NOTHING)) if isinstance(one, m.Heartbeat)]
    assert beat.credit == READY.at_once
    nanny.compute_exited(LOST, "x", 3.0)
    (beat,) = [one for one in sent(nanny.tick(4.0, NOTHING)) if isinstance(one, m.Heartbeat)]
    assert beat.credit == 0


def test_a_refused_goodbye_is_said_again_before_the_worker_has_gone(nanny: Nanny) -> None:
    effects = nanny.stop(5.0)
    refuse(nanny, effects, m.Goodbye, 5.0)
    assert m.Goodbye("w") in sent(nanny.tick(5.0 + LAST_PAUSE_S, NOTHING))


def test_an_answer_of_the_wrong_type_is_no_answer(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    finished = nanny.from_compute(FINISHED, 3.0)
    assert answer(nanny, finished, m.TaskFinished, m.WorkerRegistered("w", 2.0, []), 3.0) == []
    assert sent(finished)[0] in sent(nanny.tick(3.0 + REFUSED_PAUSE_S, NOTHING))


def test_nothing_more_is_asked_about_a_task_that_is_gone(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(task(8, "b"), None, 2.0)
    nanny.from_scheduler(m.CancelTask(7, "x"), None, 3.1)
    nanny.from_compute(Dropped(7), 3.2)
    refuse(nanny, nanny.from_compute(Finished(8, [], {}, {}), 3.0), m.TaskFinished, 3.0)
    assert nanny.from_scheduler(m.CancelTask(8, "not yours any more"), None, 3.5) == []
    assert nanny.held == {}
    assert not nanny.waits_for_answers


def test_a_task_that_ends_while_it_is_cancelled_does_not_cost_the_compute_process(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(m.CancelTask(7, "x"), None, 3.0)
    nanny.from_compute(FINISHED, 3.1)
    assert not any(isinstance(one, KillCompute) for one in nanny.tick(4.0 + CANCEL_GRACE_S, NOTHING))


def test_whatever_is_measured_of_a_worker_travels_with_its_heartbeat(nanny: Nanny) -> None:
    """Written for any field of Load, so that a new one needs no word here."""
    everything = loads.everything()
    nanny.from_compute(Noticed(load=everything), 3.0)
    (beat,) = [one for one in sent(nanny.tick(4.0, Load())) if isinstance(one, m.Heartbeat)]
    assert beat.load == everything
    assert beat.state is WorkerState.IDLE
    (first, *_) = Load.__struct_fields__
    (beat,) = [one for one in sent(nanny.tick(8.0, Load(**{first: 99}))) if isinstance(one, m.Heartbeat)]
    assert beat.load == everything, "what the compute process says of itself counts"


def test_warnings_of_the_machine_stand_behind_those_of_the_computation(nanny: Nanny) -> None:
    nanny.from_compute(Noticed(warnings=["the gain is upside down"]), 3.0)
    (beat,) = [one for one in sent(nanny.tick(4.0, NOTHING, ["too hot"])) if isinstance(one, m.Heartbeat)]
    assert beat.warnings == ["the gain is upside down", "too hot"]


FAULTY = Faulty(READY, "the sums are off")
SET_ASIDE = m.ComputeDied("w", [], None, FailureKind.BAD_GPU, "the sums are off")


def test_a_device_that_fails_its_check_sets_the_worker_aside_and_costs_no_movie(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    nanny.from_scheduler(task(8, "b"), None, 2.0)
    nanny.from_compute(FINISHED, 3.0)
    effects = nanny.from_compute(FAULTY, 4.0)
    assert sent(effects) == [SET_ASIDE, m.PullTasks("w", 0)]
    assert any(isinstance(one, KillCompute) for one in effects)
    assert list(nanny.held) == [7], "what was finished before is still told"
    assert nanny.compute_exited(FailureKind.BAD_GPU, "status 3", 4.1) == []
    beats = [one for now in range(5, 500) for one in nanny.tick(float(now), NOTHING)]
    assert StartCompute() not in beats
    assert {beat.state for beat in sent(beats) if isinstance(beat, m.Heartbeat)} == {WorkerState.SET_ASIDE}
    assert commands(nanny.from_scheduler(task(9), None, 501.0)) == []
    assert nanny.from_scheduler(m.CancelTask(9, "set aside"), None, 502.0) == []


def test_a_device_that_fails_its_check_at_the_start_is_told_once_the_worker_is_known() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    nanny.start(0.0)
    effects = nanny.from_compute(FAULTY, 1.0)
    (register,) = sent(effects)
    assert isinstance(register, m.RegisterWorker)
    assert register.device == "cpu"
    assert nanny.compute_exited(FailureKind.BAD_GPU, "status 3", 1.1) == []
    told = answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 2.0)
    assert sent(told) == [SET_ASIDE, m.PullTasks("w", 0)]
    again = nanny.from_scheduler(m.UnknownWorker(), None, 3.0)  # as of a scheduler with another database
    assert SET_ASIDE in sent(answer(nanny, again, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 3.0))


def test_a_worker_whose_device_is_not_there_gives_up() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1))
    nanny.start(0.0)
    assert nanny.from_compute(Unusable("no CUDA"), 1.0) == [GiveUp("no CUDA")]
    assert nanny.compute_exited(FailureKind.BAD_GPU, "status 3", 1.1) == []
    assert nanny.tick(100.0, NOTHING) == []


def test_results_that_are_too_large_to_be_told_fail_the_task_instead_of_the_worker(nanny: Nanny) -> None:
    nanny.from_scheduler(task(7), None, 2.0)
    (effect,) = nanny.from_compute(FINISHED, 3.0)
    assert isinstance(effect, ToScheduler)
    failed = nanny.unsendable(effect, "task.finished is over the limit", 3.0)
    assert sent(failed) == [m.TaskFailed("w", 7, FailureKind.INTERNAL, "write", "task.finished is over the limit")]
    assert not any(isinstance(one, m.TaskFinished) for one in sent(nanny.tick(3.0 + RESEND_S, NOTHING)))
    answer(nanny, failed, m.TaskFailed, m.Ok(), 9.0)
    assert nanny.held == {}
