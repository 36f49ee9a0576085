"""`/api/workers`: the registry and each worker's last log lines."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.bus.limits import LOG_LINES, USUAL_AT_ONCE
from warpcore.bus.messages import GetWorkerLogs, GetWorkers, WorkerLogs, Workers
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import After, Query
from warpcore.services.api.views import LogsView, WorkersView

WorkerId = Annotated[str, Meta(description="The worker's id. It holds a slash: `host/1`.")]


class LogsQuery(Query, frozen=True):
    """Which lines of a log."""

    after: Annotated[After, Meta(description="Only lines that follow the one of this number; 0: the last ones.")] = 0
    limit: Annotated[int, Meta(ge=1, le=LOG_LINES, description="Most lines.")] = USUAL_AT_ONCE


class WorkersResource:
    """`/api/workers`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> WorkersView:
        """All workers, each with its load and warnings. Lost ones are listed for 10 min, ended ones for 1 min."""
        return WorkersView.of(await ask(self._scheduler, GetWorkers(), Workers))


class WorkerLogsResource:
    """`/api/workers/{worker}/logs`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors={404: "No worker has this id."})
    async def on_get(self, worker: WorkerId, query: LogsQuery) -> LogsView:
        """A worker's last log lines, or those that follow line `after`; oldest first."""
        return LogsView.of(await ask(self._scheduler, GetWorkerLogs(worker, query.after, query.limit), WorkerLogs))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/workers": WorkersResource(scheduler),
        "/api/workers/{worker:path}/logs": WorkerLogsResource(scheduler),
    }
