"""What the pool hears of the session, and tells it: a client of the scheduler."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.envelope import WireError
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import (
    DrainPoolWorker,
    GetProcessing,
    GetWorkers,
    PoolLimits,
    ProcessingStatus,
    ReportPool,
    Workers,
)
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode, WorkerState
from warpcore.services.pool.core import wanted
from warpcore.services.pool.jobs import Look, Pool, WorkerSeen

log = logging.getLogger("warpcore.pool")

ANSWER_S = 3.0
REPORT_ANSWER_S = 2.0


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """How the session is. See `Look`; `names` are the workers' names by the id of their job."""

    waiting: int
    in_work: int
    workers: Mapping[str, WorkerSeen]
    names: Mapping[str, str]
    movies_per_hour: float | None


@dataclass(slots=True)
class Done:
    """What this process of the pool has asked of the batch system, whatever came of it: figures for monitoring."""

    submissions: int = 0
    cancels: int = 0


def seen(pool: str, status: ProcessingStatus, registry: Workers) -> SessionSeen:
    """What the answers say to a pool of this name.

    While nothing is handed out, since somebody paused or storage is away, no movie waits for a worker.
    """
    workers: dict[str, WorkerSeen] = {}
    names: dict[str, str] = {}
    in_work = 0
    for worker in registry.workers:
        name, _, job = worker.pool.partition("/")
        if name != pool or not job or worker.state is WorkerState.LOST:
            continue
        workers[job] = WorkerSeen(worker.idle_s, worker.state is WorkerState.SET_ASIDE)
        names[job] = worker.id
        in_work += len(worker.movies)
    return SessionSeen(_waiting(status), in_work, workers, names, status.rate_per_hour)


def _waiting(status: ProcessingStatus) -> int:
    """How many movies wait for a worker; an older scheduler tells it of their own steps alone."""
    if status.waiting is not None:
        return status.waiting
    handed_out = status.is_processing and not status.holds
    return max(0, status.left - len(status.running)) if handed_out else 0


def report(
    name: str,
    executor: str,
    pool: Pool,
    look: Look | None,
    problems: list[str],
    tail: list[str],
    done: Done,
    *,
    ends: bool,
) -> ReportPool:
    """How a pool is, for the scheduler; `tail` are the last lines of the job that died last."""
    running = sum(job.running_at is not None for job in pool.living)
    return ReportPool(
        pool=name,
        executor=executor,
        minimum=pool.limits.minimum,
        maximum=pool.limits.maximum,
        wanted=len(pool.living) if look is None else wanted(pool.limits, look),
        queued=len(pool.living) - running,
        running=running,
        submitted_last_hour=len(pool.submissions),
        problems=problems,
        log=tail,
        revision=pool.revision,
        ends=ends,
        frozen=bool(pool.frozen),
        stopped=bool(pool.stopped),
        submissions=done.submissions,
        cancels=done.cancels,
    )


class Site:
    """The session's scheduler at the control port. Every call returns within seconds."""

    def __init__(self, control: str, pool: str, key: ClientKey | None) -> None:
        self._pool = pool
        self._client = RequestClient(control, f"pool {pool}", timeout_s=ANSWER_S, attempts=1, key=key)
        self.trouble = ""
        """Why the scheduler was not understood the last time; empty where it was."""

    def look(self) -> SessionSeen | None:
        """How the session is; None where the scheduler does not answer."""
        status, workers = self._ask(GetProcessing()), None
        if isinstance(status, ProcessingStatus):
            workers = self._ask(GetWorkers())
        if isinstance(status, ProcessingStatus) and isinstance(workers, Workers):
            return seen(self._pool, status, workers)
        return None

    def drain(self, worker: str, reason: str) -> None:
        """Ask a worker to end once it has nothing in hand; what is not heard is asked again at the next look."""
        self._ask(DrainPoolWorker(worker, reason))

    def report(self, report: ReportPool) -> PoolLimits | None:
        """Tell how the pool is; what limits hold, None where the scheduler does not answer."""
        answer = self._ask(report, REPORT_ANSWER_S)
        return answer if isinstance(answer, PoolLimits) else None

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def _ask(self, message: Message, timeout_s: float = ANSWER_S) -> Message | None:
        before, self.trouble = self.trouble, ""
        try:
            return self._client.request(message, timeout_s)
        except RefusedError as error:
            if error.error.code is ErrorCode.NOT_FOUND:  # a worker that has gone meanwhile
                return None
            self.trouble = str(error)
        except (NoAnswerError, WireError) as error:
            self.trouble = str(error)
        if self.trouble != before:
            log.warning("%s", self.trouble)
        return None
