"""Pools: processes that start and end workers on a batch system, and how many workers persons allow them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from warpcore.bus import limits
from warpcore.bus.messages.common import Ok, Short
from warpcore.bus.schema import Message, Port, message, part

PoolName = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{limits.LONGEST_POOL_NAME - 1}}}\Z")]
"""A pool's name: letters, digits, dots, dashes and underscores. It stands in names of jobs and in URLs."""
_Count = Annotated[int, Meta(ge=0, le=10**9)]
PoolSize = Annotated[int, Meta(ge=0, le=limits.LARGEST_POOL)]
"""A number of workers of a pool."""


@part
class Pool(Message, frozen=True):
    """A pool as it has reported last, `silent_s` ago by the scheduler's clock.

    `minimum` and `maximum` are what a person has set last, or, where `revision` is 0, what the pool's file says;
    `taken_over` says whether the pool goes by them already. `queued` and `running` count jobs as the batch system tells
    them, `registered` the living workers of these jobs, `wanted` the workers that the pool finds right. `problems` are
    one line each, `log` the last lines of the job that died last. `frozen`: it does not know how its jobs are, and
    submits none; `stopped`: nor does it, until a person resumes, since jobs died at once. `submissions` and `cancels`
    count what it has asked of the batch system since its process began.
    """

    name: str
    executor: str
    minimum: int
    maximum: int
    wanted: int
    queued: int
    running: int
    registered: int
    submitted_last_hour: int
    silent_s: float
    revision: int = 0
    taken_over: bool = True
    problems: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    frozen: bool = False
    stopped: bool = False
    submissions: int = 0
    cancels: int = 0


@message("pools")
class Pools(Message, frozen=True):
    """The pools that have reported and not ended, by name."""

    pools: list[Pool]


@message("pools.get", port=Port.CONTROL, answers=(Pools,))
class GetPools(Message, frozen=True):
    """The pools that have reported and not ended."""


@message("pool.set", port=Port.CONTROL, answers=(Pools,))
class SetPool(Message, frozen=True):
    """Set how many workers a pool may have; null leaves that limit as it is. `resume`: submit again after a stop.

    "" names the only pool. A pool that does not report: error `not_found`; limits that contradict each other: error
    `invalid`. The pool takes them over at its next report.
    """

    pool: Short = ""
    minimum: PoolSize | None = None
    maximum: PoolSize | None = None
    resume: bool = False
    by: str = ""


@message("pool.limits")
class PoolLimits(Message, frozen=True):
    """What a person has set last. `revision` grows with each change; at 0 the limits of the pool's own file hold.

    `resume`: since the revision that the report names somebody asked the pool to submit again, wherever it has stopped.
    """

    minimum: int
    maximum: int
    revision: int
    resume: bool


@message("pool.report", port=Port.CONTROL, answers=(PoolLimits,))
class ReportPool(Message, frozen=True):
    """A pool tells at each look, at least every 30 s, how it is; one that was silent for 60 s raises an alarm.

    `revision` is that of the limits by which it goes, 0 for those of its file; a pool stores it with its jobs.
    `minimum` and `maximum` are these limits, `wanted` the workers that it finds right; `queued` and `running` count its
    jobs. Long and many lines of `problems` and `log` are cut. `ends`: this is its last report, its silence is no fault.
    The other fields are those of `Pool`.
    """

    pool: PoolName
    executor: Short
    minimum: PoolSize
    maximum: PoolSize
    wanted: _Count
    queued: _Count
    running: _Count
    submitted_last_hour: _Count
    problems: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    revision: _Count = 0
    ends: bool = False
    frozen: bool = False
    stopped: bool = False
    submissions: _Count = 0
    cancels: _Count = 0


@message("pool.drain", port=Port.CONTROL, answers=(Ok,))
class DrainPoolWorker(Message, frozen=True):
    """Pass `worker.drain` on to a worker of a pool: it finishes what it has and ends. Unknown: error `not_found`."""

    worker: Short
    reason: Short
