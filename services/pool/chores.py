"""Calls of the batch system beside the pool's loop, one after another: any of them may take long, or never return."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from warpcore.services.access.private import AccessError
from warpcore.services.pool.batch import Batch, BatchFault, Listing, RefusedError
from warpcore.services.pool.worker_jobs import WorkerJobs
from warpcore.services.process.side_thread import SideThread


@dataclass(frozen=True, slots=True)
class Listed:
    """The batch system was asked for its queue: `listing`, or why there is none."""

    listing: Listing | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job was handed over. Without a `native_id` it was refused, or, where `unknown`, may run or not; `why` says."""

    job: str
    native_id: str | None
    why: str = ""
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancel was sent; `fault` says why not."""

    fault: str = ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """The keys of jobs that have ended were revoked; `fault` says why not."""

    fault: str = ""


Outcome = Listed | Submitted | Cancelled | Revoked


@dataclass(frozen=True, slots=True)
class Chore:
    """One call: `name` is what hangs where it hangs, `job` the job that it submits."""

    name: str
    call: Callable[[], Outcome]
    job: str | None = None


class Chores:
    """The calls that wait, and the one that runs."""

    def __init__(self) -> None:
        self._thread: SideThread[Outcome] = SideThread("batch system")
        self._waiting: deque[Chore] = deque()
        self._running: Chore | None = None

    @property
    def are_done(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return self._running is None and not self._waiting

    @property
    def present(self) -> str:
        """What runs now."""
        return self._running.name if self._running is not None else ""

    def hangs_s(self, now: float) -> float:
        """How long the present call has run at monotonic time `now`."""
        return self._thread.hangs_s(now)

    def add(self, chore: Chore) -> None:
        """Call it after all others."""
        self._waiting.append(chore)

    def drop_submissions(self) -> list[str]:
        """Forget the submissions that have not begun; their jobs."""
        dropped = [chore.job for chore in self._waiting if chore.job is not None]
        self._waiting = deque(chore for chore in self._waiting if chore.job is None)
        return dropped

    def give_up(self) -> str:
        """Leave the present call to itself; what it was, empty where none ran."""
        left, self._running = self.present, None
        self._thread.give_up()
        return left

    def clear(self) -> None:
        """Forget the calls that wait."""
        self._waiting.clear()

    def step(self, wait_s: float = 0.0) -> Outcome | None:
        """Begin the next call where none runs; the outcome of one that has ended, once."""
        if self._running is None and self._waiting:
            self._running = self._waiting.popleft()
            self._thread.begin(self._running.call)
        outcome = self._thread.taken(wait_s)
        if outcome is not None:
            self._running = None
        return outcome


def list_queue(batch: Batch, native_ids: list[str], names: list[str]) -> Listed:
    """Ask for the queue."""
    try:
        return Listed(batch.status(native_ids, names))
    except BatchFault as error:
        return Listed(None, str(error))


def submit(batch: Batch, jobs: WorkerJobs, job: str, *, kept: bool) -> Submitted:
    """Make a job's key and hand it over."""
    try:
        jobs.make_key(job)
        return Submitted(job, batch.submit(jobs.request(job, kept=kept)))
    except (RefusedError, AccessError) as error:
        return Submitted(job, None, str(error))
    except OSError as error:
        return Submitted(job, None, f"{error.filename or jobs.folder}: {error.strerror or error}")
    except BatchFault as error:
        return Submitted(job, None, str(error), unknown=True)


def cancel(batch: Batch, native_id: str) -> Cancelled:
    """Ask for the end of a job."""
    try:
        batch.cancel(native_id)
    except BatchFault as error:
        return Cancelled(f"job {native_id} is not cancelled yet: {error}")
    return Cancelled()


def revoke(jobs: WorkerJobs, living: list[str], prefix: str) -> Revoked:
    """Take the rights of keys whose jobs are no more."""
    try:
        jobs.revoke_others(living, prefix)
    except (AccessError, OSError) as error:
        return Revoked(f"keys of jobs that have ended are not revoked yet: {error}")
    return Revoked()
