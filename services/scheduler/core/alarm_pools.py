"""The rules of alarms about pools."""

from __future__ import annotations

from collections.abc import Iterator

from warpcore.services.scheduler.core import pools
from warpcore.services.scheduler.core.alarms import MOST_TEXT, Finding, rule
from warpcore.services.scheduler.core.state import State

_LOG = "; the last lines of its log: "
FEWEST_REPORTS = 2
"""A problem is told once it stands in so many reports in a row: a batch system that is busy for a moment is none."""


@rule("pool")
def pool_problems(state: State) -> Iterator[Finding]:
    """Problems of pools that start workers: a batch system that fails or refuses jobs, jobs that die at once."""
    for pool, silent_s in pools.awaited(state):
        report = pool.report
        if report is None or silent_s >= pools.SILENT_S or pool.troubled < FEWEST_REPORTS:
            continue
        text = f"pool {pool.name}: {'; '.join(report.problems)}"
        yield Finding(
            pool.name, text + _last_lines(report.log, MOST_TEXT - len(text)), f"pool {pool.name} has a problem"
        )


def _last_lines(log: list[str], room: int) -> str:
    """As many last lines of the log of a job that died as fit into so many characters, the last one cut at need."""
    if not log:
        return ""
    told, *before = reversed(log)
    for line in before:
        longer = f"{line} | {told}"
        if len(_LOG) + len(longer) > room:
            break
        told = longer
    return _LOG + told


@rule("pool-silent")
def pools_silent(state: State) -> Iterator[Finding]:
    """Pools that have not said that they end, and are silent: no worker is started any more where movies come."""
    for pool, silent_s in pools.awaited(state):
        if silent_s >= pools.SILENT_S:
            text = f"pool {pool.name} has been silent for {silent_s / 60:.0f} min; start `warpcore pool run` again"
            yield Finding(pool.name, text, f"pool {pool.name} is silent")
