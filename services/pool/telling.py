"""What the pool tells of itself: a report to the scheduler at each look, and a line of its log for each new problem."""

from __future__ import annotations

import logging
import time

from warpcore.bus.messages import PoolLimits
from warpcore.services.pool import core
from warpcore.services.pool.jobs import Look, Pool
from warpcore.services.pool.site import Done, Site, report
from warpcore.services.pool.worker_jobs import WorkerJobs

log = logging.getLogger("warpcore.pool")

TELL_S = 20.0
"""The scheduler is told at each look, and after so long; after 60 s of silence it raises an alarm."""


class Teller:
    """Tells of a pool whose calls `done` counts."""

    def __init__(self, site: Site, jobs: WorkerJobs, pool: Pool, done: Done) -> None:
        self._site, self._jobs, self._pool, self._done = site, jobs, pool, done
        self._told: list[str] = []
        self._told_at = time.monotonic()
        self.unstored = ""
        """Why the pool could not be stored; empty where it was."""

    def is_due(self, now: float) -> bool:
        """Whether the scheduler has heard nothing for long at monotonic time `now`."""
        return now - self._told_at >= TELL_S

    def tell(self, look: Look | None, *, ends: bool = False) -> PoolLimits | None:
        """Report how the pool is after its last look; what limits hold, None where the scheduler does not answer."""
        self._told_at = time.monotonic()
        problems = [*core.problems(self._pool), *([self.unstored] if self.unstored else [])]
        for line in problems:
            if line not in self._told:
                log.warning("%s", line)
        self._told = problems
        died = self._pool.jobs.get(self._pool.died)
        tail = [] if died is None or not self._pool.deaths else self._jobs.tail(died.id, died.native_id)
        executor = str(self._jobs.configuration.executor)
        found = report(self._jobs.name, executor, self._pool, look, problems, tail, self._done, ends=ends)
        return self._site.report(found)
