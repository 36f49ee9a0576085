"""`/api/disk` and `/api/files`: room in the session's directories, and the session's own files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import falcon.asgi
from msgspec import Meta

from warpcore.services.api.client import Scheduler
from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.pictures.downloads import NO_BYTES, download, send_output
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.api.views import DiskView, SessionFile
from warpcore.services.session.tables import TABLES
from warpcore.services.storage.looking import look_at_space
from warpcore.services.storage.standing import Look

MEASURE_S = 1.0
"""A directory whose file system does not answer by then (a mount that hangs) is told without figures."""

FileName = Annotated[str, Meta(description="One of the session's files.")]


class DiskResource:
    """`/api/disk`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._movies = Movies(scheduler)
        self._measuring: dict[Path, asyncio.Task[Look]] = {}

    @operation()
    async def on_get(self) -> list[DiskView]:
        """How much room there is in the data and processing directories, as the API's host sees them."""
        data, processing = await self._movies.directories()
        return [await self._measured("data", data), await self._measured("processing", processing)]

    async def _measured(self, directory: str, path: Path) -> DiskView:
        # Where a mount hangs, its thread does too: there is never more than one for each directory.
        task = self._measuring.get(path)
        if task is None or task.done():
            task = self._measuring[path] = asyncio.create_task(asyncio.to_thread(look_at_space, path))
        done, _ = await asyncio.wait([task], timeout=MEASURE_S)
        if not done or task.exception() is not None:
            return DiskView(directory, str(path), None, None)
        found = task.result()
        return DiskView(directory, str(path), found.free_bytes, found.total_bytes)


class SessionFilesResource:
    """`/api/files`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._movies = Movies(scheduler)

    @operation()
    async def on_get(self) -> list[SessionFile]:
        """The session's own files that there are: lists of all movies for RELION, cryoSPARC and programs."""
        _, processing = await self._movies.directories()
        return await asyncio.to_thread(_files, processing)


class SessionFileResource:
    """`/api/files/{name}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._movies = Movies(scheduler)

    @download(errors={404: "The session has no such file, or not yet.", **NO_BYTES})
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: FileName) -> None:
        """One of the session's own files, whole or in part."""
        if name not in TABLES:
            raise Problem(falcon.HTTP_404, f"{name} is none of the session's files: {', '.join(TABLES)}")
        _, processing = await self._movies.directories()
        try:
            await send_output(req, resp, processing, name)
        except FileNotFoundError:
            raise Problem(falcon.HTTP_404, f"{name} is not written yet; {TABLES[name]}") from None


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/disk": DiskResource(scheduler),
        "/api/files": SessionFilesResource(scheduler),
        "/api/files/{name}": SessionFileResource(scheduler),
    }


def _files(processing: Path) -> list[SessionFile]:
    found = ((name, processing / name) for name in TABLES)
    return [
        SessionFile(name, path.stat().st_size, TABLES[name], f"/api/files/{name}")
        for name, path in found
        if path.is_file()
    ]
