"""`/api/export`: jobs that write micrographs or particles of processed movies."""

from __future__ import annotations

import falcon
import falcon.asgi

from warpcore.bus.messages import CancelExport, ExportJob, GetExport, StartExport
from warpcore.bus.vocabulary import ExportKind
from warpcore.services.api.bodies import only_fields, read_object, texts
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.parameters import LARGEST_NUMBER, integer, only_parameters
from warpcore.services.api.views import job_view


class StartExportResource:
    """`POST /api/export/micrographs` or `/particles`, optionally with `{"options": {…}, "names": […]}`."""

    def __init__(self, scheduler: Scheduler, kind: ExportKind) -> None:
        self._scheduler = scheduler
        self._kind = kind

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """202 with the job and its address. `options` are settings of `export` for this job only."""
        body = await read_object(req, optional=True)
        if body.get("names") is None:
            body.pop("names", None)
        only_fields(body, {"options": dict, "names": list})
        request = StartExport(
            self._kind, body.get("options", {}), texts("names", body["names"]) if "names" in body else None
        )
        job = await ask(self._scheduler, request, ExportJob)
        resp.status = falcon.HTTP_202
        resp.location = f"/api/export/{job.job}"
        resp.media = job_view(job)


class ExportJobResource:
    """`/api/export/{job}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, job: str) -> None:
        """State, progress, failures, and a page of the files, without the first `after` of them."""
        only_parameters(req, "after")
        after = integer(req, "after", 0, 0, LARGEST_NUMBER)
        resp.media = job_view(await ask(self._scheduler, GetExport(job, after), ExportJob))

    async def on_delete(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, job: str) -> None:
        """Cancel the job: movies that have not begun are given up."""
        resp.media = job_view(await ask(self._scheduler, CancelExport(job), ExportJob))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/export/micrographs": StartExportResource(scheduler, ExportKind.MICROGRAPHS),
        "/api/export/particles": StartExportResource(scheduler, ExportKind.PARTICLES),
        "/api/export/{job}": ExportJobResource(scheduler),
    }
