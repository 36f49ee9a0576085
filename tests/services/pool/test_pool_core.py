"""The pool's guards, one by one, and its invariants against a batch system that lies, delays and forgets."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from warpcore.services.pool import core
from warpcore.services.pool.core import decide, not_submitted, problems, refused, resume, set_limits, submitted
from warpcore.services.pool.jobs import (
    USUAL,
    Action,
    Cancel,
    Drain,
    Gone,
    Limits,
    Look,
    Pool,
    QueueState,
    Submit,
    WorkerSeen,
)

QUEUED, RUNNING = QueueState.QUEUED, QueueState.RUNNING
IDLE_S = 300.0
STEP_S = 5.0


class Site:
    """A pool, its clock, and what a look would find."""

    def __init__(self, minimum: int = 0, maximum: int = 4) -> None:
        self.pool = Pool(Limits(minimum, maximum), IDLE_S)
        self.now = 1000.0
        self.queue: dict[str, QueueState] | None = {}
        self.workers: dict[str, WorkerSeen] = {}
        self.waiting = self.in_work = 0
        self.rate: float | None = None

    def look(self, seconds: float = STEP_S) -> list[Action]:
        """Let time pass, and look; the batch system takes what is submitted."""
        self.now += seconds
        fault = "" if self.queue is not None else "squeue failed"
        found = Look(self.waiting, self.in_work, dict(self.workers), self.queue, fault, self.rate)
        actions = decide(self.pool, found, self.now)
        for action in actions:
            if isinstance(action, Submit):
                submitted(self.pool, action.job, f"n{action.job}", self.now)
                if self.queue is not None:
                    self.queue[f"n{action.job}"] = QUEUED
        return actions

    def run(self, *jobs: str, idle_s: float = 0.0) -> None:
        """Jobs have got a node, and their workers are registered."""
        assert self.queue is not None
        for job in jobs:
            self.queue[f"n{job}"] = RUNNING
            self.workers[job] = WorkerSeen(idle_s)

    def die(self, job: str, state: QueueState | None = QueueState.FAILED) -> None:
        """A job has ended; None: the batch system forgets it."""
        assert self.queue is not None
        self.workers.pop(job, None)
        if state is None:
            del self.queue[f"n{job}"]
        else:
            self.queue[f"n{job}"] = state


def kinds(actions: list[Action], kind: type[Action]) -> list[str]:
    return [action.job for action in actions if isinstance(action, kind)]


def live_and_end(site: Site) -> None:
    """All jobs get nodes, work for longer than a minute, and end."""
    site.run(*(job.id for job in site.pool.living))
    site.look()
    site.look(USUAL.death_s)
    for job in site.pool.living:
        site.die(job.id)


@pytest.mark.parametrize(("waiting", "in_work", "count"), [(0, 0, 1), (2, 1, 3), (50, 2, 4)])
def test_there_is_a_worker_for_each_movie_within_the_limits(waiting: int, in_work: int, count: int) -> None:
    site = Site(minimum=1, maximum=4)
    site.waiting, site.in_work = waiting, in_work
    assert len(kinds(site.look(), Submit)) == count
    assert kinds(site.look(), Submit) == []


def test_a_worker_with_several_movies_in_hand_counts_with_each_of_them() -> None:
    """Desired are the movies that wait and those in work, whoever has them; and never more is submitted than that."""
    site = Site(maximum=9)
    site.waiting = 1
    site.look()
    site.run("1")
    site.waiting, site.in_work = 2, 3
    assert core.wanted(site.pool.limits, Look(2, 3, {}, {})) == 5
    assert len(kinds(site.look(), Submit)) == 4
    assert site.look() == []


def test_what_others_have_in_hand_needs_no_new_worker() -> None:
    site = Site(maximum=9)
    site.waiting = 1
    site.look()
    site.run("1")
    site.waiting, site.in_work = 0, 6
    assert site.look() == []


def test_a_backlog_that_is_done_before_a_job_could_start_needs_none() -> None:
    site = Site()
    site.waiting = 1
    assert kinds(site.look(), Submit) == ["1"]
    site.run("1")
    site.look(60)  # so long from submission to registration
    site.waiting, site.in_work, site.rate = 2, 1, 600.0
    assert kinds(site.look(), Submit) == []  # 2 movies at 600 an hour: 12 s
    site.waiting = 20
    assert len(kinds(site.look(), Submit)) == 3


def test_a_job_is_replaced_once_it_was_absent_for_two_minutes() -> None:
    site = Site()
    site.waiting = 1
    site.look()
    site.run("1")
    site.look(100)
    site.die("1", state=None)
    for _ in range(int(USUAL.absent_s / STEP_S) - 1):
        assert site.look() == []
    actions = site.look()
    assert kinds(actions, Gone) == ["1"]
    assert kinds(actions, Submit) == ["2"]


def test_a_job_that_counted_as_gone_and_is_in_the_queue_again_is_cancelled() -> None:
    site = Site(maximum=1)
    site.waiting = 1
    site.look()
    site.die("1", state=None)
    assert kinds(site.look(USUAL.absent_s), Submit) == ["2"]
    assert site.queue is not None
    site.queue["n1"] = QUEUED
    assert site.look() == [Cancel("1", "n1")]
    assert site.look() == []
    assert site.look(USUAL.cancel_again_s) == [Cancel("1", "n1")]
    site.die("1")
    assert site.look(USUAL.cancel_again_s) == []


def test_a_job_that_was_preempted_and_waits_again_is_no_hanging_one() -> None:
    site = Site(maximum=1)
    site.waiting = 1
    site.look()
    site.run("1")
    site.look()
    site.die("1", state=QUEUED)
    site.look()
    assert site.look(2 * USUAL.start_s) == []
    site.run("1")
    site.look()
    assert [job.id for job in site.pool.living] == ["1"]


def test_a_job_whose_worker_was_lost_long_ago_is_cancelled() -> None:
    site = Site(maximum=1)
    site.waiting = 1
    site.look()
    site.run("1")
    site.look()
    site.look(5000)
    del site.workers["1"]
    assert site.look(USUAL.start_s - 1) == []
    assert site.look(1) == [Cancel("1", "n1")]


def test_a_worker_whose_gpu_failed_is_drained_and_replaced() -> None:
    site = Site(maximum=1)
    site.waiting = 5
    site.look()
    site.run("1")
    site.workers["1"] = WorkerSeen(aside=True)
    assert site.look() == [Drain("1")]
    site.die("1", QueueState.COMPLETED)
    assert site.look() == [Gone("1", died=False), Submit("2", kept=False)]


def test_jobs_that_were_never_handed_over_are_as_if_nobody_had_decided_on_them() -> None:
    pool = Pool(Limits(0, 4), IDLE_S)
    look = Look(4, 0, {}, {})
    assert kinds(decide(pool, look, 0.0), Submit) == ["1", "2", "3", "4"]
    submitted(pool, "1", "n1", 0.0)
    refused(pool, "2", "the limit of your account", 0.0)
    not_submitted(pool, ["3", "4"])
    assert [job.id for job in pool.living] == ["1"]
    assert len(pool.submissions) == 1, "nor does one that was refused count in the hour"
    assert kinds(decide(pool, look, USUAL.refused_s), Submit) == ["5", "6", "7"]


def test_the_worker_is_believed_and_not_the_queue() -> None:
    site = Site()
    site.waiting = 1
    site.look()
    site.run("1")
    site.look()
    assert site.queue is not None
    site.queue["n1"] = QueueState.FAILED
    assert site.look(500) == []
    del site.queue["n1"]
    assert site.look(500) == []
    del site.workers["1"]
    site.queue["n1"] = QueueState.COMPLETED
    assert kinds(site.look(), Gone) == ["1"]


def test_a_job_of_which_nobody_knows_whether_it_was_taken_counts_until_it_was_absent_for_long() -> None:
    site = Site(maximum=1)
    site.waiting = 5
    found = Look(5, 0, {}, {})
    assert kinds(decide(site.pool, found, 0.0), Submit) == ["1"]
    assert decide(site.pool, found, 119.0) == []
    assert kinds(decide(site.pool, found, 120.0), Submit) == ["2"]
    registered = Look(5, 0, {"1": WorkerSeen()}, {})
    assert kinds(decide(site.pool, registered, 125.0), Submit) == []  # the first one was there after all
    assert len(site.pool.living) == 2


def test_at_most_32_jobs_a_look_and_four_times_the_pool_an_hour() -> None:
    site = Site(maximum=40)
    site.waiting = 1000
    for _ in range(core.TIMES_AN_HOUR):
        assert len(kinds(site.look(), Submit)) == 32
        assert len(kinds(site.look(), Submit)) == 8
        live_and_end(site)
    assert kinds(site.look(), Submit) == []
    assert "160 jobs were submitted within an hour" in problems(site.pool)[0]
    assert kinds(site.look(USUAL.hour_s), Submit) != []


def test_a_batch_system_that_fails_freezes_the_pool() -> None:
    site = Site()
    site.waiting, site.queue = 3, None
    assert site.look() == []
    assert problems(site.pool) == ["the pool is frozen, no job is submitted: squeue failed"]
    site.queue = {}
    assert len(kinds(site.look(), Submit)) == 3
    assert problems(site.pool) == []


def test_without_the_scheduler_nothing_is_done() -> None:
    site = Site(minimum=2)
    assert decide(site.pool, None, 5.0) == []
    assert problems(site.pool) == ["the pool is frozen, no job is submitted: the scheduler does not answer"]


def test_absence_does_not_grow_while_the_batch_system_is_silent() -> None:
    site = Site()
    site.waiting = 1
    site.look()
    known, site.queue = site.queue, None
    assert site.look(1000) == []
    site.queue = known
    assert site.look() == []


def test_a_cancel_is_repeated_until_the_job_is_seen_to_have_ended() -> None:
    site = Site()
    site.waiting = 1
    site.look()
    site.waiting = 0
    site.look()
    actions = site.look(USUAL.surplus_s)
    assert actions == [Cancel("1", "n1")]
    assert site.look() == []
    assert site.look(USUAL.cancel_again_s) == [Cancel("1", "n1")]
    site.die("1")
    assert site.look(USUAL.cancel_again_s) == [Gone("1", died=False)]
    assert site.look(1000) == []


def test_three_jobs_in_a_row_that_die_within_a_minute_stop_submissions() -> None:
    site = Site(maximum=1)
    site.waiting = 9
    for job in ("1", "2", "3"):
        assert kinds(site.look(), Submit) == [job]
        assert site.queue is not None
        site.queue[f"n{job}"] = RUNNING
        site.look(20)
        site.die(job)
    assert site.look() == [Gone("3", died=True)]
    assert site.look(1000) == []
    assert problems(site.pool) == [
        "the pool submits no more jobs: 3 jobs in a row died within a minute, the last was n3"
    ]
    resume(site.pool, site.now)
    set_limits(site.pool, Limits(0, 2), 1)
    assert len(kinds(site.look(), Submit)) == 2


def test_submissions_of_unknown_outcome_are_no_deaths() -> None:
    """Three time-outs of sbatch while slurmctld restarts: none of them has run."""
    site = Site(maximum=1)
    now = 0.0
    for _ in range(5):
        assert any(isinstance(one, Submit) for one in decide(site.pool, Look(1, 0, {}, {}), now))
        site.pool.submissions.clear()
        now += site.pool.guards.absent_s + 1
    assert site.pool.deaths == 0
    assert site.pool.stopped == ""


def test_what_was_dropped_after_an_hour_is_dropped_without_a_word() -> None:
    site = Site(maximum=1)
    site.waiting = 1
    (job,) = kinds(site.look(), Submit)
    site.pool.submissions.clear()  # as `decide` does with those of more than an hour ago
    not_submitted(site.pool, [job])
    assert site.pool.jobs == {}


def test_a_job_that_lives_longer_breaks_the_row_of_deaths() -> None:
    site = Site(maximum=1)
    site.waiting = 9
    site.look()
    for number in range(1, 6):
        site.run(str(number))
        site.look()
        site.look(70 if number == 2 else 1)
        site.die(str(number))
        site.pool.submissions.clear()  # the guard of the hour is not what is tried here
        site.look()
        assert (site.pool.stopped == "") == (number < 5)  # 1 died, 2 lived, 3 to 5 died


def test_a_job_that_waited_for_hours_and_ran_for_seconds_died() -> None:
    site = Site(maximum=1)
    site.waiting = 9
    site.look()
    for _ in range(1000):
        site.look(10)
    site.die("1")
    assert site.look(10)[0] == Gone("1", died=True)


def test_a_refused_submission_is_tried_again_after_a_pause_that_doubles() -> None:
    pool = Pool(Limits(0, 1), IDLE_S)
    now, pauses = 0.0, []
    for _ in range(9):
        begun = now
        while not (actions := decide(pool, Look(1, 0, {}, {}), now)):
            now += 1.0
        pauses.append(now - begun)
        assert isinstance(actions[0], Submit)
        refused(pool, actions[0].job, "QOSMaxSubmitJobPerUserLimit", now)
    assert pauses == [0, 15, 30, 60, 120, 240, 480, 600, 600]
    assert problems(pool) == ["the batch system refuses jobs: QOSMaxSubmitJobPerUserLimit"]
    assert decide(pool, Look(1, 0, {}, {}), now) == []
    resume(pool, now)
    assert problems(pool) == []
    assert kinds(decide(pool, Look(1, 0, {}, {}), now), Submit) != []


def test_a_small_pool_that_was_refused_for_hours_has_the_whole_hour_once_it_is_corrected() -> None:
    site = Site(maximum=1)
    now = 0.0
    for _ in range(12):
        now += USUAL.longest_refused_s
        (job,) = kinds(decide(site.pool, Look(9, 0, {}, {}), now), Submit)
        refused(site.pool, job, "the queue is disabled", now)
    site.now, site.waiting = now + USUAL.longest_refused_s, 9
    for _ in range(core.TIMES_AN_HOUR):
        assert len(kinds(site.look(), Submit)) == 1
        live_and_end(site)
    assert kinds(site.look(), Submit) == []
    assert problems(site.pool) == [
        "4 jobs were submitted within an hour; more after that hour, or once a person resumes"
    ]


def test_submissions_of_unknown_outcome_count_in_the_hour() -> None:
    pool, now = Pool(Limits(0, 1), IDLE_S), 0.0
    for _ in range(core.TIMES_AN_HOUR):
        assert len(kinds(decide(pool, Look(1, 0, {}, {}), now), Submit)) == 1
        now += USUAL.absent_s
    assert kinds(decide(pool, Look(1, 0, {}, {}), now), Submit) == []


@pytest.mark.parametrize("seen", ["its worker", "its name in the queue"])
def test_a_job_that_was_said_to_be_refused_and_is_there_counts_in_the_hour(seen: str) -> None:
    pool = Pool(Limits(0, 1), IDLE_S)
    assert kinds(decide(pool, Look(1, 0, {}, {}), 0.0), Submit) == ["1"]
    refused(pool, "1", "an error that is none", 0.0)
    decide(pool, Look(1, 0, {}, {}), 5.0)
    assert pool.submissions == []
    if seen == "its worker":
        decide(pool, Look(1, 0, {"1": WorkerSeen()}, {}), 10.0)
    else:
        submitted(pool, "1", "n1", 10.0)
    assert pool.submissions == [0.0]


def test_a_person_who_resumes_lets_the_pool_submit_at_once_whatever_the_hour_has_seen() -> None:
    site = Site(maximum=1)
    site.waiting = 9
    for number in range(1, core.TIMES_AN_HOUR + 1):
        site.look()
        site.run(str(number))
        site.look()
        site.look(USUAL.death_s if number == 1 else 1)
        site.die(str(number))
    site.look()
    assert site.pool.stopped
    resume(site.pool, site.now)
    assert kinds(site.look(), Submit) == ["5"]
    assert problems(site.pool) == []
    assert len(site.pool.submissions) == 5, "what is told of the last hour stays true"


def test_a_refusal_is_no_problem_any_more_once_no_job_is_missing() -> None:
    pool = Pool(Limits(0, 1), IDLE_S)
    assert kinds(decide(pool, Look(1, 0, {}, {}), 0.0), Submit) == ["1"]
    refused(pool, "1", "Unable to contact slurm controller", 0.0)
    decide(pool, Look(1, 0, {}, {}), 5.0)
    assert problems(pool) == ["the batch system refuses jobs: Unable to contact slurm controller"]
    assert decide(pool, Look(0, 0, {}, {}), 10.0) == []
    assert problems(pool) == []
    assert decide(pool, Look(1, 0, {}, {}), 14.0) == [], "the pause goes on"


def test_idle_workers_end_after_a_while_except_those_that_are_kept() -> None:
    site = Site(minimum=1, maximum=3)
    site.waiting = 3
    site.look()
    assert [job.kept for job in site.pool.living] == [True, False, False]
    site.run("1", "2", "3")
    site.waiting = 0
    for name in ("1", "2", "3"):
        site.workers[name] = WorkerSeen(IDLE_S - 1)
    assert site.look() == []
    for name in ("1", "2", "3"):
        site.workers[name] = WorkerSeen(IDLE_S)
    assert sorted(kinds(site.look(), Drain)) == ["2", "3"]


def test_a_lower_maximum_takes_jobs_that_wait_first_then_idle_ones_then_busy_ones() -> None:
    site = Site(maximum=4)
    site.waiting = 4
    site.look()
    site.run("1", "2")
    site.run("3", idle_s=10)
    site.look()
    set_limits(site.pool, Limits(0, 1), 1)
    actions = site.look()
    assert kinds(actions, Cancel) == ["4"]
    assert set(kinds(actions, Drain)) == {"3", "2"}


def test_a_job_that_runs_without_a_worker_is_cancelled() -> None:
    site = Site(maximum=1)
    site.waiting = 1
    site.look()
    assert site.queue is not None
    site.queue["n1"] = RUNNING
    site.look()
    assert site.look(USUAL.start_s) == [Cancel("1", "n1")]
    site.die("1")
    assert site.look()[0] == Gone("1", died=True)


def test_workers_whose_jobs_were_forgotten_count() -> None:
    site = Site(maximum=2)
    site.waiting = 5
    site.workers = {"x7": WorkerSeen(), "x8": WorkerSeen()}
    assert site.look() == []


def test_where_all_jobs_are_to_end_each_is_cancelled_until_it_is_seen_to_have_ended_and_none_has_died() -> None:
    site = Site(maximum=4)
    site.waiting = 4
    site.look()
    site.run("1", "2")
    site.look()
    site.die("2", state=None)  # the batch system forgets it, and may know it again
    assert site.queue is not None

    def end(seconds: float) -> list[Action]:
        site.now += seconds
        return core.end_all(site.pool, Look(0, 0, {}, site.queue), site.now)

    cancels = [Cancel(job, f"n{job}") for job in ("1", "2", "3", "4")]
    assert end(1) == cancels
    site.die("1")
    site.die("3", QueueState.COMPLETED)
    assert end(1) == [Gone("1", died=False), Gone("2", died=False), Gone("3", died=False)]
    known, site.queue = site.queue, None
    assert end(USUAL.cancel_again_s) == [cancels[3]], "it is not known to have ended"
    site.queue = known
    site.die("4")
    assert end(1) == [Gone("4", died=False)]
    assert (site.pool.living, site.pool.deaths) == ([], 0)


@pytest.mark.parametrize(("minimum", "maximum"), [(-1, 3), (4, 3)])
def test_impossible_limits_are_refused(minimum: int, maximum: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Limits(minimum, maximum)


class Liar(RuleBasedStateMachine):
    """A batch system that answers late, wrongly or not at all, and a session whose movies come and go.

    `truth` holds the jobs that really exist, and whether each has a node; what a look finds may differ from it.
    """

    @initialize(minimum=st.integers(0, 3), more=st.integers(0, 40))
    def begin(self, minimum: int, more: int) -> None:
        self.pool = Pool(Limits(minimum, minimum + more), IDLE_S)
        self.now = 0.0
        self.waiting = self.in_work = 0
        self.truth: dict[str, bool] = {}
        self.native: dict[str, str] = {}
        self.seen_at: dict[str, float] = {}
        self.ended_by_word: set[str] = set()
        self.submitted_at: list[float] = []
        self.hidden: dict[str, float] = {}
        self.cancelled: dict[str, float] = {}

    @rule(waiting=st.integers(0, 60), in_work=st.integers(0, 10))
    def movies(self, waiting: int, in_work: int) -> None:
        self.waiting, self.in_work = waiting, in_work

    @rule(minimum=st.integers(0, 3), more=st.integers(0, 40))
    def a_person_changes_the_limits(self, minimum: int, more: int) -> None:
        set_limits(self.pool, Limits(minimum, minimum + more), 1)

    @rule()
    def a_person_resumes(self) -> None:
        """The hour begins anew."""
        resume(self.pool, self.now)
        self.submitted_at.clear()
        self.hidden.clear()

    @rule(data=st.data())
    def jobs_get_nodes(self, data: st.DataObject) -> None:
        waits = sorted(job for job, runs in self.truth.items() if not runs)
        for job in data.draw(st.lists(st.sampled_from(waits), unique=True)) if waits else []:
            self.truth[job] = True

    @rule(data=st.data())
    def jobs_end(self, data: st.DataObject) -> None:
        for job in data.draw(st.lists(st.sampled_from(sorted(self.truth)), unique=True)) if self.truth else []:
            del self.truth[job]

    @rule(
        seconds=st.sampled_from([0.0, 1.0, 5.0, 30.0, 90.0, 200.0, 4000.0]),
        answer=st.sampled_from(["true", "nothing", "empty", "late", "all failed"]),
        heard=st.booleans(),
        outcome=st.sampled_from(["taken", "refused", "refused by its word", "nobody knows"]),
    )
    def look(self, seconds: float, answer: str, heard: bool, outcome: str) -> None:
        self.now += seconds
        look = Look(self.waiting, self.in_work, self.registered() if heard else {}, self.answered(answer))
        self.note_seen(look)
        before = {job.id for job in self.pool.living}
        actions = decide(self.pool, look, self.now)
        self.check(look, actions, before)
        for action in actions:
            if isinstance(action, Submit):
                self.submit(action.job, outcome)
            elif isinstance(action, Cancel):
                self.cancelled[action.job] = self.now

    def registered(self) -> dict[str, WorkerSeen]:
        return {job: WorkerSeen(IDLE_S if len(job) % 2 else 0.0) for job, runs in self.truth.items() if runs}

    def answered(self, answer: str) -> Mapping[str, QueueState] | None:
        known = {self.native[job]: RUNNING if runs else QUEUED for job, runs in self.truth.items()}
        late = dict.fromkeys(self.native.values(), QUEUED)
        failed = dict.fromkeys(self.native.values(), QueueState.FAILED)
        answers = {"true": known, "nothing": None, "empty": {}, "late": late, "all failed": failed}
        return answers[answer]

    def note_seen(self, look: Look) -> None:
        listed = look.queue or {}
        known = {job.native_id for job in self.pool.living}  # a job of which nobody knows the name is not recognised
        self.ended_by_word = {job for job, name in self.native.items() if listed.get(name) in core.ENDED}
        for job, name in self.native.items():
            if job in look.workers or (name in known and name in listed and listed[name] not in core.ENDED):
                self.seen_at[job] = self.now
        for job in self.hidden.keys() & look.workers.keys():
            self.submitted_at.append(self.hidden.pop(job))

    def submit(self, job: str, outcome: str) -> None:
        """What was refused never was a job; where that was a lie, nobody can know it until its worker registers."""
        self.seen_at[job] = self.now
        if outcome.startswith("refused"):
            refused(self.pool, job, "no", self.now)
        if outcome == "refused":
            return
        self.truth[job], self.native[job] = False, f"n{job}"
        if outcome == "refused by its word":
            self.hidden[job] = self.now
        else:
            self.submitted_at.append(self.now)
        if outcome == "taken":
            submitted(self.pool, job, f"n{job}", self.now)

    def check(self, look: Look, actions: list[Action], before: set[str]) -> None:
        """The guards, for one look."""
        new = kinds(actions, Submit)
        assert len(new) <= core.MOST_A_LOOK
        if new:
            assert look.queue is not None
            assert not self.pool.stopped
            wanted = min(self.pool.limits.maximum, max(self.pool.limits.minimum, look.waiting + look.in_work))
            assert len(self.pool.living) <= wanted
            recent = sum(self.now - at < USUAL.hour_s for at in self.submitted_at) + len(new)
            assert recent <= core.TIMES_AN_HOUR * self.pool.limits.maximum
        for job in before - {job.id for job in self.pool.living}:
            assert job not in look.workers
            assert job in self.ended_by_word or self.now - self.seen_at[job] >= USUAL.absent_s
        for job in kinds(actions, Cancel):
            assert self.now - self.cancelled.get(job, -USUAL.cancel_again_s) >= USUAL.cancel_again_s


TestLiar = Liar.TestCase
TestLiar.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
