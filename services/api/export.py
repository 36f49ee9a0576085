"""`/api/export`, `/api/exports`: jobs that write micrographs or particles of processed movies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import falcon
import falcon.asgi
from msgspec import Meta, field

from warpcore.bus.messages import CancelExport, DeleteExport, ExportJob, Exports, GetExport, GetExports, StartExport
from warpcore.bus.vocabulary import ExportKind, JobState
from warpcore.services.api.archive import Archive, missing
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import After, Query
from warpcore.services.api.pictures.downloads import NO_BYTES, download, send_output
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.views import JobsView, JobView
from warpcore.services.session.tables import PARTICLES

JobName = Annotated[str, Meta(description="The job's name, such as `job-3`.")]
JobFile = Annotated[str, Meta(description="One of the job's `files`.")]
_NO_JOB = {404: "No export job has this name."}
_NO_FILE = {404: "No export job has this name, or no such file."}


class ExportRequest(Body, frozen=True):
    """What an export job writes."""

    options: Annotated[
        dict[str, Any],
        Meta(
            description="Settings of `export` that hold for this job only.",
            extra_json_schema={"$ref": "#/components/schemas/ExportSettings"},
        ),
    ] = field(default_factory=dict)
    names: Annotated[
        list[str] | None, Meta(description="Names of the movies; null: all that are processed and pass the filter.")
    ] = None


class JobQuery(Query, frozen=True):
    """Which files of a job."""

    after: Annotated[After, Meta(description="Leave out so many files: `nextAfter` of the page before.")] = 0


class JobsQuery(Query, frozen=True):
    """Which jobs."""

    state: Annotated[JobState | None, Meta(description="Only jobs in this state.")] = None


class ExportsResource:
    """`/api/exports`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self, query: JobsQuery) -> JobsView:
        """All export jobs with their progress, without their files and failures."""
        return JobsView.of(await ask(self._scheduler, GetExports(query.state), Exports))


class StartExportResource:
    """`/api/export/micrographs` and `/particles`."""

    def __init__(self, scheduler: Scheduler, kind: ExportKind) -> None:
        self._scheduler = scheduler
        self._kind = kind

    @operation(
        status=202,
        optional_body=True,
        errors={
            404: "A movie is unknown.",
            409: "There is nothing to export.",
            422: "An option is unknown or impossible: `errors` lists each.",
        },
        headers={"Location": "Where to follow the job."},
    )
    async def on_post(self, resp: falcon.asgi.Response, body: ExportRequest) -> JobView:
        """Start a job that exports processed movies."""
        job = await ask(self._scheduler, StartExport(self._kind, body.options, body.names), ExportJob)
        resp.location = f"/api/export/{job.job}"
        return JobView.of(job)


class ExportJobResource:
    """`/api/export/{job}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors=_NO_JOB)
    async def on_get(self, job: JobName, query: JobQuery) -> JobView:
        """A job's state, progress, failures, and a page of its files."""
        return JobView.of(await ask(self._scheduler, GetExport(job, query.after), ExportJob))

    @operation(errors=_NO_JOB)
    async def on_delete(self, job: JobName) -> JobView:
        """Cancel a job: movies that have not begun are given up."""
        return JobView.of(await ask(self._scheduler, CancelExport(job), ExportJob))


class ExportOfListResource(ExportJobResource):
    """`/api/exports/{job}`."""

    @operation(errors=_NO_JOB)
    async def on_delete(self, job: JobName) -> JobView:
        """Delete a job with its folder; one that runs is given up. It is listed until its files are gone."""
        return JobView.of(await ask(self._scheduler, DeleteExport(job), ExportJob))


class _WithFiles:
    """What resources of a job's files have in common."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._movies = Movies(scheduler)

    async def _files(self, job: str) -> AsyncIterator[list[str]]:
        """The files of a job, page by page."""
        after: int | None = 0
        while after is not None:
            page = await ask(self._scheduler, GetExport(job, after), ExportJob)
            yield page.files
            after = page.next_after

    async def _send(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, path: str) -> None:
        _, processing = await self._movies.directories()
        try:
            await send_output(req, resp, processing, path)
        except FileNotFoundError:
            raise Problem(falcon.HTTP_404, f"{path} is no longer there; start the export again") from None


class ExportFileResource(_WithFiles):
    """`/api/export/{job}/files/{path}`."""

    @download(errors={**_NO_FILE, **NO_BYTES})
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, job: JobName, path: JobFile) -> None:
        """A file that the job has written, whole or in part."""
        async for files in self._files(job):
            if path in files:
                await self._send(req, resp, path)
                return
        raise Problem(falcon.HTTP_404, f"{path} is no file of {job}; /api/export/{job} lists those that there are")


class ExportSummaryResource(_WithFiles):
    """`/api/exports/{job}/particles.star`."""

    @download(errors={**_NO_FILE, **NO_BYTES})
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, job: JobName) -> None:
        """RELION's list of all particles of a job; its paths are relative to the processing directory."""
        head = await ask(self._scheduler, GetExport(job), ExportJob)
        path = f"{head.folder}/{PARTICLES}" if head.folder else PARTICLES
        if path not in head.files:  # it is the first of all
            raise Problem(falcon.HTTP_404, f"{job} has no {PARTICLES}: it exports {head.kind} and is {head.state}")
        await self._send(req, resp, path)


class ExportArchiveResource(_WithFiles):
    """`/api/exports/{job}/archive`."""

    @operation(
        media_types=("application/x-tar",),
        errors={**_NO_JOB, 409: "A file is not there, or none was written."},
    )
    async def on_get(self, resp: falcon.asgi.Response, job: JobName) -> None:
        """All files of a job as a tar, made while it is sent; unpack it in a project's directory, and its paths fit."""
        files = [file async for page in self._files(job) for file in page]
        _, processing = await self._movies.directories()
        if not files:
            raise Problem(falcon.HTTP_409, f"{job} has written no file")
        if gone := await asyncio.to_thread(missing, processing, files):
            raise Problem(falcon.HTTP_409, f"{gone} is no longer there; start the export again")
        resp.content_type = "application/x-tar"
        resp.downloadable_as = f"{job}.tar"
        resp.stream = Archive(processing, files)


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/exports": ExportsResource(scheduler),
        "/api/export/micrographs": StartExportResource(scheduler, ExportKind.MICROGRAPHS),
        "/api/export/particles": StartExportResource(scheduler, ExportKind.PARTICLES),
        "/api/export/{job}": ExportJobResource(scheduler),
        "/api/export/{job}/files/{path:path}": ExportFileResource(scheduler),
        "/api/exports/{job}": ExportOfListResource(scheduler),
        "/api/exports/{job}/particles.star": ExportSummaryResource(scheduler),
        "/api/exports/{job}/archive": ExportArchiveResource(scheduler),
    }
