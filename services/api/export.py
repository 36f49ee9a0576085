"""`/api/export`: jobs that write micrographs or particles of what is processed."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi

from warpcore.bus.messages import CancelExport, ExportJob, GetExport, StartExport
from warpcore.bus.vocabulary import ExportKind
from warpcore.services.api.bodies import only_fields, read_object
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import Problem
from warpcore.services.api.parameters import integer, only_parameters
from warpcore.services.api.views import job_view


class StartExportResource:
    """`POST /api/export/micrographs` or `/particles`, optionally with `{"options": {…}, "names": […]}`."""

    def __init__(self, scheduler: Scheduler, kind: str) -> None:
        self._scheduler = scheduler
        self._kind = kind

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """202 with the job and where to ask for it. `options` are names of the `export` settings, for this job only."""
        body = only_fields(await read_object(req, optional=True), {"options": dict, "names": (list, type(None))})
        names = body.get("names")
        request = StartExport(ExportKind(self._kind), body.get("options", {}), None if names is None else _texts(names))
        job = await ask(self._scheduler, request, ExportJob)
        resp.status = falcon.HTTP_202
        resp.location = f"/api/export/{job.job}"
        resp.media = job_view(job)


class ExportJobResource:
    """`/api/export/{job}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, job: str) -> None:
        """State, progress, failures, and the files beyond the first `after`."""
        only_parameters(req, "after")
        after = integer(req, "after", 0, 0, 10**9)
        resp.media = job_view(await ask(self._scheduler, GetExport(job, after), ExportJob))

    async def on_delete(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, job: str) -> None:
        """Give up what has not begun."""
        resp.media = job_view(await ask(self._scheduler, CancelExport(job), ExportJob))


def _texts(names: list[Any]) -> list[str]:
    for name in names:
        if not isinstance(name, str):
            fault = {"name": "names", "value": name, "problem": "each name is a text"}
            raise Problem(falcon.HTTP_422, f"names: {name} is not a text", errors=[fault])
    return names
