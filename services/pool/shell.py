"""The pool's loop: looks at the session and at the batch system, decides, stores, and has it done."""

from __future__ import annotations

import logging
import threading
import time

from warpcore.bus.messages import PoolLimits
from warpcore.services.pool import core
from warpcore.services.pool.batch import Batch, Listing
from warpcore.services.pool.chores import Outcome, Submitted
from warpcore.services.pool.ending import end_jobs as end_all_jobs
from warpcore.services.pool.hands import STEP_S, Hands
from warpcore.services.pool.jobs import Action, Cancel, Drain, Gone, Guards, Limits, Look, Pool, Submit
from warpcore.services.pool.site import SessionSeen, Site
from warpcore.services.pool.store import PoolStore, StoreError
from warpcore.services.pool.telling import Teller
from warpcore.services.pool.worker_jobs import WorkerJobs

log = logging.getLogger("warpcore.pool")

HANGS_LOOKS, HANGS_S = 3.0, 10.0
"""A call of the batch system that has not returned after so many looks, and so many seconds, freezes the pool."""
LAST_CALL_S = 1.5
"""How long the end waits for what is being handed over, where jobs go on: `up` kills what does not end within 5 s."""
LEAVES = "the pool needs fewer workers"


class Shell:
    """Clock, database, batch system and scheduler around a `Pool`."""

    def __init__(self, site: Site, batch: Batch, jobs: WorkerJobs, guards: Guards) -> None:
        self._site, self._jobs = site, jobs
        self._store = PoolStore(jobs.folder / "pool.db")
        self._pool = self._taken_up(guards)
        self._hands = Hands(self._pool, batch, jobs)
        self._teller = Teller(site, jobs, self._pool, self._hands.done)
        self._seen: SessionSeen | None = None
        self._looks_at = self._decided_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """The loop."""
        limits, executor = self._pool.limits, self._jobs.configuration.executor
        log.info("pool %s: %d to %d workers on %s", self._jobs.name, limits.minimum, limits.maximum, executor)
        if self._pool.living:
            log.info("%d jobs of an earlier run of this pool are taken up", len(self._pool.living))
        calls = self._hands.calls
        while not stop.wait(STEP_S):
            outcome = calls.step()
            if outcome is not None:
                self._hear(outcome)
            now = time.monotonic()
            if self._teller.is_due(now):
                self._tell()
            if calls.are_done and now >= self._looks_at:
                self._looks_at = now + self._look_s
                self._hands.ask_queue()
            elif now - self._decided_at >= self._look_s and calls.hangs_s(now) >= self._hangs_s:
                self._decide(None, f"{calls.present} has not returned for {calls.hangs_s(now):.0f} s")

    def end(self, *, end_jobs: bool) -> None:
        """The last things: what was not handed over is forgotten, what is being handed over is waited for."""
        self._hands.forget_submissions()
        if end_jobs:
            within_s = self._jobs.configuration.command_s
            end_all_jobs(self._pool, self._hands, look_s=self._look_s, within_s=within_s, meanwhile=self._keep_telling)
        else:
            self._hands.finish(time.monotonic() + LAST_CALL_S)
        self._save()
        self._teller.tell(self._look(None, ""), ends=True)

    def close(self) -> None:
        """Let database and socket go."""
        self._store.close()
        self._site.close()

    # --- one look -----------------------------------------------------------------------------------------------------

    def _hear(self, outcome: Outcome) -> None:
        """What became of a call."""
        listed = self._hands.take_in(outcome)
        if listed is not None:
            self._decide(listed.listing, listed.fault)
        elif isinstance(outcome, Submitted):
            self._save()

    def _decide(self, listing: Listing | None, fault: str) -> None:
        """One decision, stored before anything of it is done, and a report."""
        now = self._decided_at = time.monotonic()
        self._seen = self._site.look()
        actions = core.decide(self._pool, self._look(listing, fault), now)
        submits = [action for action in actions if isinstance(action, Submit)]
        if not self._save():
            core.not_submitted(self._pool, [action.job for action in submits])
            submits = []
        for action in actions:
            self._carry_out(action)
        for action in submits:
            self._hands.submit(action)
        self._hands.revoke()
        self._tell()

    def _look(self, listing: Listing | None, fault: str) -> Look | None:
        found = self._seen
        if found is None:
            return None
        states = None if listing is None else listing.states
        return Look(found.waiting, found.in_work, found.workers, states, fault, found.movies_per_hour)

    def _carry_out(self, action: Action) -> None:
        if isinstance(action, Drain) and self._seen is not None:
            self._site.drain(self._seen.names[action.job], LEAVES)
        elif isinstance(action, Cancel) and not self._hands.calls.present:  # else it is said again later
            self._hands.cancel(action.native_id)
        elif isinstance(action, Gone):
            self._hands.note_gone(action)

    # --- what is told and stored --------------------------------------------------------------------------------------

    def _keep_telling(self) -> None:
        """The scheduler hears of a pool that takes long to end, and whatever persons want comes too late."""
        if self._teller.is_due(time.monotonic()):
            self._teller.tell(self._look(None, ""))

    def _tell(self) -> None:
        limits = self._teller.tell(self._look(None, ""))
        if limits is not None:
            self._take_over(limits)

    def _take_over(self, found: PoolLimits) -> None:
        """A person's word."""
        if found.resume:
            log.info("somebody asks the pool to submit jobs again")
            core.resume(self._pool, time.monotonic())
        if found.revision == self._pool.revision:
            return
        limits = Limits(found.minimum, found.maximum) if found.revision else self._jobs.configuration.limits
        log.info("from now on %d to %d workers", limits.minimum, limits.maximum)
        core.set_limits(self._pool, limits, found.revision)
        self._looks_at = 0.0

    def _save(self) -> bool:
        """Store the pool; whether that went well."""
        try:
            self._store.save(self._pool, time.monotonic(), time.time())
        except StoreError as error:
            self._teller.unstored = f"no job is submitted: {error}"
            return False
        self._teller.unstored = ""
        return True

    def _taken_up(self, guards: Guards) -> Pool:
        configuration = self._jobs.configuration
        now, wall = time.monotonic(), time.time()
        pool = self._store.load(configuration.limits, configuration.idle_min * 60, now, wall)
        pool.guards = guards
        return pool

    @property
    def _look_s(self) -> float:
        return self._jobs.configuration.look_s

    @property
    def _hangs_s(self) -> float:
        return max(HANGS_LOOKS * self._look_s, HANGS_S)
