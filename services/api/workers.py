"""`/api/workers`: the registry and each worker's last log lines."""

from __future__ import annotations

import falcon
import falcon.asgi

from warpcore.bus.limits import LOG_LINES, USUAL_AT_ONCE
from warpcore.bus.messages import GetWorkerLogs, GetWorkers, WorkerLogs, Workers
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.parameters import LARGEST_NUMBER, integer, only_parameters
from warpcore.services.api.views import logs_view, worker_view


class WorkersResource:
    """`GET /api/workers`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """All workers. Lost ones are listed for a while."""
        reply = await ask(self._scheduler, GetWorkers(), Workers)
        resp.media = {"workers": [worker_view(worker) for worker in reply.workers]}


class WorkerLogsResource:
    """`GET /api/workers/{id}/logs`, parameters `after` (a line's number) and `limit`. An id holds a slash: `host/1`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, path: str) -> None:
        """The last lines, or those that follow line `after`; oldest first."""
        worker = path.removesuffix("/logs")
        if worker == path:
            raise falcon.HTTPRouteNotFound()
        only_parameters(req, "after", "limit")
        after = integer(req, "after", 0, 0, LARGEST_NUMBER)
        limit = integer(req, "limit", USUAL_AT_ONCE, 1, LOG_LINES)
        resp.media = logs_view(await ask(self._scheduler, GetWorkerLogs(worker, after, limit), WorkerLogs))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/workers": WorkersResource(scheduler),
        "/api/workers/{path:path}": WorkerLogsResource(scheduler),
    }
