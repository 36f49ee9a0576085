"""What the pool has the batch system do, one call after another beside its loop, and what becomes of these calls."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from warpcore.services.pool import chores, core
from warpcore.services.pool.batch import Batch, Listing
from warpcore.services.pool.chores import Cancelled, Chore, Chores, Listed, Outcome, Revoked, Submitted
from warpcore.services.pool.jobs import Gone, Pool, Submit
from warpcore.services.pool.site import Done
from warpcore.services.pool.worker_jobs import WorkerJobs

log = logging.getLogger("warpcore.pool")

STEP_S = 0.1


class Hands:
    """Calls of the batch system for a pool; what they tell is noted in it. `done` counts them."""

    def __init__(self, pool: Pool, batch: Batch, jobs: WorkerJobs) -> None:
        self._pool, self._batch, self._jobs = pool, batch, jobs
        self._revokes = True
        self.calls = Chores()
        self.done = Done()

    def ask_queue(self) -> None:
        """Ask how all jobs are; `take_in` returns the answer."""
        ids = [job.native_id for job in self._pool.jobs.values() if job.native_id is not None]
        names = [self._jobs.batch_name(job.id) for job in self._pool.jobs.values() if job.native_id is None]
        self.calls.add(Chore("the status command", lambda: chores.list_queue(self._batch, ids, names)))

    def submit(self, action: Submit) -> None:
        """Hand a job over."""

        def call() -> Outcome:
            return chores.submit(self._batch, self._jobs, action.job, kept=action.kept)

        self.calls.add(Chore("the submission of a job", call, action.job))

    def cancel(self, native_id: str) -> None:
        """Ask for the end of a job."""
        self.calls.add(Chore("the cancel of a job", lambda: chores.cancel(self._batch, native_id)))

    def note_gone(self, action: Gone) -> None:
        """A job has ended: its key is to be revoked."""
        log.info("job %s has %s", action.job, "died within a minute" if action.died else "ended")
        self._revokes = True

    def revoke(self) -> None:
        """Revoke the keys of jobs that have ended, where some may be left and no call runs."""
        if not self._revokes or self.calls.present:
            return
        self._revokes = False
        living, prefix = [job.id for job in self._pool.living], self._pool.prefix
        self.calls.add(Chore("the revoking of keys", lambda: chores.revoke(self._jobs, living, prefix)))

    def revoke_at_last(self) -> None:
        """Revoke the keys of jobs that have ended, whatever still waits: that needs no batch system."""
        self._give_up()
        self.calls.clear()
        self._revokes = True
        self.revoke()

    def forget_submissions(self) -> None:
        """Submissions that have not begun are as if nobody had decided on them."""
        core.not_submitted(self._pool, self.calls.drop_submissions())

    def take_in(self, outcome: Outcome) -> Listed | None:
        """Note what became of a call; the answer where the queue was asked for."""
        match outcome:
            case Listed(listing):
                if listing is not None:
                    self._learn_ids(listing)
                return outcome
            case Submitted():
                self.done.submissions += 1
                self._take_in_submitted(outcome)
            case Cancelled(fault):
                self.done.cancels += 1
                self._warn(fault)
            case Revoked(fault):
                self._revokes = self._revokes or bool(fault)
                self._warn(fault)
        return None

    def finish(
        self, deadline: float, meanwhile: Callable[[], None] = lambda: None, call_s: float = math.inf
    ) -> Listed | None:
        """Wait until all calls have returned, up to the monotonic time `deadline`; the last answer on the queue.

        `meanwhile` is called again and again. A call that takes longer than `call_s` is left to itself.
        """
        listed = None
        while not self.calls.are_done and time.monotonic() < deadline:
            outcome = self.calls.step(STEP_S)
            if outcome is not None:
                listed = self.take_in(outcome) or listed
            if self.calls.hangs_s(time.monotonic()) >= call_s:
                self._give_up()
            meanwhile()
        return listed

    def _give_up(self) -> None:
        left = self.calls.give_up()
        if left:
            self._warn(f"{left} has not returned, and is not waited for")

    def _take_in_submitted(self, outcome: Submitted) -> None:
        if outcome.native_id is not None:
            core.submitted(self._pool, outcome.job, outcome.native_id, time.monotonic())
            log.info("job %s is submitted as %s", outcome.job, outcome.native_id)
            return
        log.warning("job %s: %s", outcome.job, outcome.why)
        if not outcome.unknown:
            core.refused(self._pool, outcome.job, outcome.why, time.monotonic())
            self._revokes = True
        self.forget_submissions()

    def _learn_ids(self, listing: Listing) -> None:
        """Jobs whose submission nobody heard of are known by their names."""
        for job in self._pool.jobs.values():
            native_id = listing.names.get(self._jobs.batch_name(job.id))
            if job.native_id is None and native_id is not None:
                core.submitted(self._pool, job.id, native_id, time.monotonic())
                log.info("job %s, whose submission was not heard of, is %s", job.id, native_id)

    @staticmethod
    def _warn(fault: str) -> None:
        if fault:
            log.warning("%s", fault)
