"""Pools: what each has reported last, and how many workers persons allow it.

A pool decides by itself; the scheduler passes on what persons want, and tells what is wrong. A set limit is stored, and
the pool hears of it with the answer to each report, so that no restart of either loses it.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_POOLS
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core import rows, views
from warpcore.services.scheduler.core.effects import DropPool, SavePool
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import PoolRecord, WorkerRecord
from warpcore.services.scheduler.core.state import State

SILENT_S = 60.0
FORGOTTEN_S = 24 * 3600.0
"""How long a silent pool is told of; then nobody waits for it any more."""
MOST_LINES, LONGEST_LINE = 20, 300
"""Of problems and of the log so many lines are kept, in so many characters each."""


@handles(wire.ReportPool)
def report(state: State, message: wire.ReportPool) -> None:
    """Notes how a pool is, and answers with how many workers persons allow it."""
    pool = state.pools.get(message.pool)
    if pool is None or pool.ended:
        pool = _known_from_now(state, message.pool)
    if pool is None:
        text = f"{len(state.pools)} pools report already; pool {message.pool} is not taken in"
        state.reply(wire.Error(ErrorCode.CONFLICT, text))
        return
    pool.report = replace(message, problems=_cut(message.problems), log=_cut(message.log))
    pool.heard_at = state.now
    pool.troubled = pool.troubled + 1 if message.problems else 0
    set_by_person = pool.revision > 0
    state.reply(
        wire.PoolLimits(
            minimum=pool.minimum if set_by_person else message.minimum,
            maximum=pool.maximum if set_by_person else message.maximum,
            revision=pool.revision,
            resume=pool.resumed_in > message.revision,
        )
    )
    if message.ends:
        _end(state, pool)


@handles(wire.GetPools, reads=True)
def get(state: State, message: wire.GetPools) -> None:
    """The pools that have reported and not ended."""
    _reply(state)


@handles(wire.SetPool)
def set_limits(state: State, message: wire.SetPool) -> None:
    """Sets how many workers a pool may have, or lets it submit again; it hears of that at its next report."""
    found = [one for one in _reporting(state) if message.pool in ("", one[0].name)]
    if len(found) != 1:
        state.reply(_unknown(state, message.pool))
        return
    ((pool, report),) = found
    least, most = _limits(pool, report)
    minimum = least if message.minimum is None else message.minimum
    maximum = most if message.maximum is None else message.maximum
    problem = ""
    if message.minimum is None and message.maximum is None and not message.resume:
        problem = f"nothing is to change: give a limit of pool {pool.name}, or let it resume"
    elif minimum > maximum:
        problem = f"pool {pool.name}, now of {least} to {most} workers, cannot have {minimum} to {maximum}"
    if problem:
        state.reply(wire.Error(ErrorCode.INVALID, problem))
        return
    # A pool may remember a higher revision, of a state that was lost: what it is told now must be news to it.
    pool.revision = max(pool.revision, report.revision) + 1
    pool.minimum, pool.maximum = minimum, maximum
    pool.resumed_in = pool.revision if message.resume else pool.resumed_in
    told = f"pool {pool.name} may have {minimum} to {maximum} workers{', and resumes' if message.resume else ''}"
    _save(state, pool, told, message.by)
    _reply(state)


@handles(wire.DrainPoolWorker)
def drain(state: State, message: wire.DrainPoolWorker) -> None:
    """Asks a worker of a pool to end once it has nothing in hand."""
    worker = state.workers.get(message.worker)
    if worker is None or not worker.alive or not _pool_of(worker):
        text = f"no living worker of a pool is called {message.worker!r}"
        state.reply(wire.Error(ErrorCode.NOT_FOUND, text))
        return
    state.send(worker, wire.DrainWorker(message.reason))
    state.reply(wire.Ok())


def expire(state: State) -> None:
    """No longer wait for pools that were silent for very long."""
    for pool in list(state.pools.values()):
        if not pool.ended and state.now - pool.heard_at >= FORGOTTEN_S:
            _end(state, pool)


def awaited(state: State) -> Iterator[tuple[PoolRecord, float]]:
    """The pools that should report, and how long each was silent, s."""
    for pool in state.pools.values():
        if not pool.ended:
            yield pool, max(0.0, state.now - pool.heard_at)


def lines(state: State) -> list[str]:
    """How each pool is, in words."""
    return [_in_words(pool) for pool in shown(state)]


def jobs_to_come(state: State) -> int:
    """How many jobs of well pools will bring a worker: those that wait for a node, and those that start now."""
    well = [pool for pool in shown(state) if not pool.problems and pool.silent_s < SILENT_S]
    return sum(max(0, pool.queued + pool.running - pool.registered) for pool in well)


# --- records --------------------------------------------------------------------------------------------------------


def _known_from_now(state: State, name: str) -> PoolRecord | None:
    """The record of a pool that reports for the first time, or again after its end; None where there are too many."""
    pool = state.pools.get(name)
    if pool is None and len(state.pools) >= MOST_POOLS:
        ended = next((one for one in state.pools.values() if one.ended), None)
        if ended is None:
            return None
        del state.pools[ended.name]
        state.effects.append(DropPool(ended.name))
    if pool is None:
        pool = state.pools[name] = PoolRecord(name)
    pool.ended = False
    _save(state, pool)
    return pool


def _end(state: State, pool: PoolRecord) -> None:
    """The pool is not waited for any more. Limits that a person has set stay, for when it comes back."""
    pool.ended, pool.report = True, None
    if pool.revision:
        _save(state, pool)
    else:
        del state.pools[pool.name]
        state.effects.append(DropPool(pool.name))


def _save(state: State, pool: PoolRecord, told: str = "", by: str = "") -> None:
    state.effects.append(SavePool(rows.pool_row(pool), told, by))


def _limits(pool: PoolRecord, report: wire.ReportPool) -> tuple[int, int]:
    """Least and most workers: as a person has set them, else as the pool's file says."""
    return (pool.minimum, pool.maximum) if pool.revision else (report.minimum, report.maximum)


def _cut(told: list[str]) -> list[str]:
    """The last lines, shortened."""
    return [line[:LONGEST_LINE] for line in told[-MOST_LINES:]]


# --- what others see ------------------------------------------------------------------------------------------------


def _reporting(state: State) -> list[tuple[PoolRecord, wire.ReportPool]]:
    """The pools that have reported to this run and not ended, each with its last report, by name."""
    return [(pool, pool.report) for _, pool in sorted(state.pools.items()) if pool.report is not None]


def _reply(state: State) -> None:
    state.reply(wire.Pools(views.fitting(shown(state))))


def shown(state: State) -> list[wire.Pool]:
    """The pools that report, by name, as others see them."""
    workers = [_pool_of(worker) for worker in state.workers.values() if worker.alive]
    return [_view(state, pool, report, workers.count(pool.name)) for pool, report in _reporting(state)]


def _view(state: State, pool: PoolRecord, report: wire.ReportPool, registered: int) -> wire.Pool:
    minimum, maximum = _limits(pool, report)
    return wire.Pool(
        name=pool.name,
        executor=report.executor,
        minimum=minimum,
        maximum=maximum,
        wanted=report.wanted,
        queued=report.queued,
        running=report.running,
        registered=registered,
        submitted_last_hour=report.submitted_last_hour,
        silent_s=round(max(0.0, state.now - pool.heard_at), 3),
        revision=pool.revision,
        taken_over=pool.revision in (0, report.revision),
        problems=report.problems,
        log=report.log,
        frozen=report.frozen,
        stopped=report.stopped,
        submissions=report.submissions,
        cancels=report.cancels,
    )


def _in_words(pool: wire.Pool) -> str:
    who = f"pool {pool.name} ({pool.executor})"
    if pool.silent_s >= SILENT_S:
        return f"{who} has been silent for {pool.silent_s / 60:.0f} min"
    workers = f"{pool.registered} registered, {pool.wanted} wanted, {pool.minimum} to {pool.maximum} allowed"
    jobs = f"{pool.running} running, {pool.queued} queued"
    return "; ".join([f"{who}: workers: {workers}; jobs: {jobs}", *pool.problems])


def _pool_of(worker: WorkerRecord) -> str:
    """The name of the pool that has started a worker, "" for none."""
    return worker.hello.pool.partition("/")[0] if worker.hello is not None else ""


def _unknown(state: State, name: str) -> wire.Error:
    """The answer where a name stands for no pool that reports."""
    known = ", ".join(pool.name for pool, _ in _reporting(state))
    if not known:
        return wire.Error(ErrorCode.NOT_FOUND, "no pool reports; `warpcore pool run` starts one")
    if not name:
        return wire.Error(ErrorCode.INVALID, f"there are several pools, name one of {known}")
    return wire.Error(ErrorCode.NOT_FOUND, f"no pool is called {name!r}; those that report are {known}")
