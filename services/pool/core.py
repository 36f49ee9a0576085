"""The pool's decisions, without sockets, clocks, files or a batch system: a look goes in, what to do comes out.

The truth is which workers are registered. A batch system may lie, fail or answer late: that may cost time, and never
submits a job twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median

from warpcore.services.pool.jobs import ENDED, Action, Cancel, Drain, Gone, Job, Limits, Look, Pool, QueueState, Submit

MOST_A_LOOK = 32
TIMES_AN_HOUR = 4
"""So many times the pool's largest size may be submitted in an hour, counted anew from when a person resumes."""
MOST_DEATHS = 3
KEPT_STARTS = 9
SECONDS_AN_HOUR = 3600.0
KEPT_ENDED = 200
"""Jobs that have ended are remembered so that a late word of the batch system or of a worker is understood."""


def decide(pool: Pool, look: Look | None, now: float) -> list[Action]:
    """What to do after a look; None where the scheduler did not answer, and then nothing is done."""
    if look is None:
        pool.frozen = "the scheduler does not answer"
        return []
    pool.frozen = (look.queue_fault or "the batch system does not answer") if look.queue is None else ""
    actions: list[Action] = [*_take_in(pool, look, now), *_leave(pool, look, now)]
    pool.submissions = [at for at in pool.submissions if now - at < pool.guards.hour_s]
    if not pool.frozen:
        actions += _grow(pool, look, now)
    return actions


def wanted(limits: Limits, look: Look) -> int:
    """How many workers there should be: one for each movie that waits or is in work, within the limits."""
    return min(limits.maximum, max(limits.minimum, look.waiting + look.in_work))


def submitted(pool: Pool, job: str, native_id: str, now: float) -> None:
    """The batch system has taken a job."""
    pool.jobs[job].native_id, pool.jobs[job].seen_at = native_id, now
    _count_after_all(pool, pool.jobs[job])
    pool.refusals, pool.refusal = 0, ""


def refused(pool: Pool, job: str, why: str, now: float) -> None:
    """The batch system has not taken a job, and says why. The next one is tried after a pause that doubles.

    It never was a job, and does not count in the hour: the pause is what spares the batch system. A submission of which
    nobody knows the outcome is not told here: such a job lives until it was absent for long.
    """
    pool.jobs[job].ended_at, pool.jobs[job].refused = now, True
    _count_no_more(pool, pool.jobs[job])
    pool.refusal = why or "it gives no reason"
    pool.refused_until = now + min(pool.guards.longest_refused_s, pool.guards.refused_s * 2**pool.refusals)
    pool.refusals += 1


def not_submitted(pool: Pool, jobs: Collection[str]) -> None:
    """These jobs were never handed to the batch system: it is as if nobody had decided to submit them."""
    for name in jobs:
        _count_no_more(pool, pool.jobs.pop(name))


def end_all(pool: Pool, look: Look, now: float) -> list[Action]:
    """What to do after a look where all jobs are to end: cancels, again until each is seen to have ended.

    One that the batch system does not know any more after its cancel has ended. No end of these is a death.
    """
    actions: list[Action] = []
    for job in pool.living:
        said = None if look.queue is None or job.native_id is None else look.queue.get(job.native_id)
        unknown = look.queue is None or job.native_id is None
        if said in ENDED or (said is None and not unknown and job.cancelled_at is not None):
            job.ended_at = now
            actions.append(Gone(job.id, died=False))
        elif job.cancelled_at is None:
            job.cancelled_at = now - pool.guards.cancel_again_s
    return [*actions, *_told_again(pool, look, now)]


def set_limits(pool: Pool, limits: Limits, revision: int) -> None:
    """A person's word: other limits."""
    pool.limits, pool.revision = limits, revision


def resume(pool: Pool, now: float) -> None:
    """A person's word: submissions go on at once, whatever has stopped or paused them, and the hour begins anew."""
    pool.deaths, pool.stopped, pool.resumed_at = 0, "", now
    pool.refused_until, pool.refusals, pool.refusal = 0.0, 0, ""


def problems(pool: Pool) -> list[str]:
    """What a person should know, one line each."""
    found = []
    if pool.frozen:
        found.append(f"the pool is frozen, no job is submitted: {pool.frozen}")
    if pool.stopped:
        found.append(f"the pool submits no more jobs: {pool.stopped}")
    if pool.refusal:
        found.append(f"the batch system refuses jobs: {pool.refusal}")
    counted = _counted(pool)
    if counted >= TIMES_AN_HOUR * max(1, pool.limits.maximum):
        found.append(f"{counted} jobs were submitted within an hour; more after that hour, or once a person resumes")
    return found


def _counted(pool: Pool) -> int:
    """How many submissions count in the hour."""
    return sum(at >= pool.resumed_at for at in pool.submissions)


def _count_no_more(pool: Pool, job: Job) -> None:
    """A job that has not come to be takes nothing of the hour."""
    if job.submitted_at in pool.submissions:  # else that was more than an hour ago
        pool.submissions.remove(job.submitted_at)


def _count_after_all(pool: Pool, job: Job) -> None:
    """A job that is there, though it was said to be refused, counts in the hour of its submission."""
    if job.refused:
        job.refused = False
        pool.submissions.append(job.submitted_at)


def _strays(pool: Pool, look: Look) -> int:
    """Workers of this pool whose jobs it does not know: its record of them was lost."""
    return len(look.workers.keys() - pool.jobs.keys())


# --- what has become of the jobs ------------------------------------------------------------------------------------


def _take_in(pool: Pool, look: Look, now: float) -> list[Action]:
    """Note what is seen of each job; those that have ended."""
    gone: list[Action] = []
    for name in look.workers.keys() & pool.jobs.keys():
        job = pool.jobs[name]
        if job.ended_at is not None:  # it was away, or its submission only seemed to fail
            job.ended_at = job.cancelled_at = None
            _count_after_all(pool, job)
    for job in pool.living:
        said = None if look.queue is None or job.native_id is None else look.queue.get(job.native_id)
        if job.id in look.workers:
            if not job.registered:
                pool.starts = [*pool.starts, now - job.submitted_at][-KEPT_STARTS:]
            job.registered, job.seen_at, job.worker_at = True, now, now
            job.running_at = now if job.running_at is None else job.running_at
        elif said in ENDED:
            gone.append(_end(pool, job, said, now))
        elif said is not None:
            job.seen_at = now
            if said is QueueState.QUEUED:
                job.queued_at, job.running_at = now, None  # also one that was pre-empted and waits again
            elif job.running_at is None:
                job.running_at = now
        elif look.queue is not None and now - job.seen_at >= pool.guards.absent_s:
            gone.append(_end(pool, job, None, now))
    _forget_old(pool)
    return gone


def _end(pool: Pool, job: Job, said: QueueState | None, now: float) -> Gone:
    """The job is no more. `said`: as the batch system tells; None where it has only been absent for long."""
    job.ended_at = now
    ended = job.seen_at if said is None else now
    began = job.running_at if job.running_at is not None else max(job.queued_at, job.submitted_at)
    in_order = job.registered and said is QueueState.COMPLETED
    never_came = job.running_at is not None and not job.registered and job.cancelled_at is not None
    never_was = job.native_id is None and job.running_at is None  # its submission only may have gone through
    lived = job.leaves or in_order or ended - began >= pool.guards.death_s
    died = not never_was and (never_came or not lived)
    if died:
        pool.deaths, pool.died = pool.deaths + 1, job.id
        if pool.deaths >= MOST_DEATHS and not pool.stopped:
            pool.stopped = f"{pool.deaths} jobs in a row died within a minute, the last was {job.native_id or job.id}"
    elif not (job.leaves or never_was):
        pool.deaths = 0
    return Gone(job.id, died)


def _forget_old(pool: Pool) -> None:
    ended = [job.id for job in pool.jobs.values() if job.ended_at is not None]
    for name in ended[:-KEPT_ENDED]:
        del pool.jobs[name]


# --- fewer ----------------------------------------------------------------------------------------------------------


def _leave(pool: Pool, look: Look, now: float) -> list[Action]:
    """Cancels and drains: what is over the limit at once, what is idle or waits in vain after a while."""
    for job in pool.living:
        if _hangs(pool, job, now) and job.cancelled_at is None:
            job.cancelled_at = now - pool.guards.cancel_again_s
    staying = [job for job in pool.living if not job.leaves]
    strays = _strays(pool, look)
    over = len(staying) + strays - pool.limits.maximum
    surplus = len(staying) + strays - wanted(pool.limits, look)
    if surplus <= 0:
        pool.surplus_since = None
    elif pool.surplus_since is None:
        pool.surplus_since = now
    lasts = pool.surplus_since is not None and now - pool.surplus_since >= pool.guards.surplus_s
    actions: list[Action] = []
    youngest_first = staying[::-1]
    for job in sorted(youngest_first, key=lambda job: _cost(job, look)):
        worker = look.workers.get(job.id)
        idle = worker is not None and worker.idle_s >= pool.idle_s and not job.kept
        waits = job.running_at is None and lasts
        aside = worker is not None and worker.aside
        if over <= 0 and not aside and not (surplus > 0 and (idle or waits)):
            continue
        if job.running_at is None:
            job.cancelled_at = now - pool.guards.cancel_again_s
        else:
            job.drained = True
        over, surplus = over - 1, surplus - 1
    return actions + _told_again(pool, look, now)


def _hangs(pool: Pool, job: Job, now: float) -> bool:
    """Whether a job has had a node for long, and no worker: it never came, or was lost and the job goes on."""
    if job.running_at is None:
        return False
    since = job.running_at if job.worker_at is None else max(job.running_at, job.worker_at)
    return now - since >= pool.guards.start_s


def _cost(job: Job, look: Look) -> tuple[bool, bool]:
    """What is lost when this job ends: those that wait for a node go first, then idle ones."""
    worker = look.workers.get(job.id)
    busy = job.running_at is not None and (worker is None or worker.idle_s == 0)
    return job.running_at is not None, busy


def _told_again(pool: Pool, look: Look, now: float) -> list[Action]:
    """Cancels and drains of all that are to go, again until they are seen to have ended."""
    actions: list[Action] = [Drain(job.id) for job in pool.living if job.drained and job.id in look.workers]
    for job in pool.jobs.values():
        if job.native_id is None or not _is_to_go(job, look.queue or {}):
            continue
        if job.cancelled_at is None or now - job.cancelled_at >= pool.guards.cancel_again_s:
            job.cancelled_at = now
            actions.append(Cancel(job.id, job.native_id))
    return actions


def _is_to_go(job: Job, queue: Mapping[str, QueueState]) -> bool:
    """Whether a job was told to go, or counted as gone and is in the queue again: that one has no key any more."""
    if job.ended_at is None:
        return job.cancelled_at is not None
    said = queue.get(job.native_id or "")
    return said is not None and said not in ENDED


# --- more -----------------------------------------------------------------------------------------------------------


def _grow(pool: Pool, look: Look, now: float) -> list[Action]:
    """New jobs, where some are missing and every guard allows it."""
    least = pool.limits.minimum if _clears_soon(pool, look) else wanted(pool.limits, look)
    missing = least - len(pool.living) - _strays(pool, look)
    if missing <= 0:
        pool.refusal = ""  # what was refused is needed no more
    if pool.stopped or now < pool.refused_until:
        return []
    hourly = TIMES_AN_HOUR * pool.limits.maximum - _counted(pool)
    actions: list[Action] = []
    for _ in range(max(0, min(missing, MOST_A_LOOK, hourly))):
        kept = sum(job.kept for job in pool.living) < pool.limits.minimum
        job = Job(f"{pool.prefix}{pool.next_number}", now, kept, seen_at=now, queued_at=now)
        pool.next_number += 1
        pool.jobs[job.id] = job
        pool.submissions.append(now)
        actions.append(Submit(job.id, kept))
    return actions


def _clears_soon(pool: Pool, look: Look) -> bool:
    """Whether the workers that are there have done what waits before a new one could begin."""
    if not look.workers:
        return False
    if not look.waiting:  # what others have in hand, no new worker can take
        return True
    if not look.movies_per_hour:
        return False
    needed_s = look.waiting / look.movies_per_hour * SECONDS_AN_HOUR
    return needed_s <= (median(pool.starts) if pool.starts else 0.0)
