"""`/api/workers`: the registry and each worker's last log lines."""

from __future__ import annotations

import falcon
import falcon.asgi

from warpcore.bus.messages import GetWorkerLogs, GetWorkers, WorkerLogs, Workers
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.parameters import integer, only_parameters
from warpcore.services.api.views import logs_view, worker_view


class WorkersResource:
    """`GET /api/workers`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """All workers, lost ones too until they are forgotten."""
        reply = await ask(self._scheduler, GetWorkers(), Workers)
        resp.media = {"workers": [worker_view(worker) for worker in reply.workers]}


class WorkerLogsResource:
    """`GET /api/workers/{id}/logs`, parameters `after` (line number) and `limit`. Ids hold slashes (`host/cuda:0`)."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, path: str) -> None:
        """The last lines, oldest first."""
        worker = path.removesuffix("/logs")
        if worker == path:
            raise falcon.HTTPRouteNotFound()
        only_parameters(req, "after", "limit")
        after = integer(req, "after", 0, 0, 2**53)
        limit = integer(req, "limit", 500, 1, 2000)
        resp.media = logs_view(await ask(self._scheduler, GetWorkerLogs(worker, after, limit), WorkerLogs))
