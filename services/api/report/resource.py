"""`GET /api/report`."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import falcon.asgi

from warpcore.bus.messages import (
    Alarms,
    GetAlarms,
    GetHealth,
    GetItems,
    GetProcessing,
    GetSettings,
    GetWorkers,
    Health,
    Items,
    ProcessingStatus,
    SettingsReply,
    Workers,
)
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import Problem
from warpcore.services.api.fresh import caught_up
from warpcore.services.api.http.headers import NOT_FRAMED
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.operations import operation
from warpcore.services.api.pictures.files import located
from warpcore.services.api.pictures.images import thumbnail_jpeg
from warpcore.services.api.report.document import (
    CONTENT_POLICY,
    MOST_FAILURES,
    Session,
    Thumbnail,
    needed_columns,
    report,
)
from warpcore.services.session.allowed import served_below
from warpcore.services.session.opening import within
from warpcore.services.session.settings import parse_settings
from warpcore.services.steps import export

THUMBNAIL_PX = 256


class ReportResource:
    """`/api/report`."""

    def __init__(self, scheduler: Scheduler, mirror: Mirror, feed: Feed, versions: dict[str, str]) -> None:
        self._scheduler = scheduler
        self._mirror = mirror
        self._feed = feed
        self._versions = versions

    @operation(media_types=["text/html"])
    async def on_get(self, resp: falcon.asgi.Response) -> None:
        """The session's report: one HTML file with everything in it, to keep, to send and to print."""
        await caught_up(self._scheduler, self._feed)
        text = await asyncio.to_thread(report, await self._session())
        resp.data = text.encode()
        resp.content_type = "text/html; charset=utf-8"
        resp.viewable_as = "warpcore_report.html"
        resp.cache_control = ["no-cache"]
        resp.set_header("Content-Security-Policy", f"{CONTENT_POLICY}; {NOT_FRAMED}")

    async def _session(self) -> Session:
        scheduler = self._scheduler
        status = await ask(scheduler, GetProcessing(), ProcessingStatus)
        workers = await ask(scheduler, GetWorkers(), Workers)
        alarms = await ask(scheduler, GetAlarms(), Alarms)
        health = await ask(scheduler, GetHealth(), Health)
        failed = GetItems(status=MovieStatus.FAILED, sort="-added", page_size=MOST_FAILURES)
        failures = await ask(scheduler, failed, Items)
        settings = parse_settings((await ask(scheduler, GetSettings(), SettingsReply)).settings)
        return Session(
            at=time.time(),
            copied=await asyncio.to_thread(self._mirror.copied, needed_columns(settings)),
            status=status,
            settings=settings,
            workers=workers.workers,
            alarms=alarms.alarms,
            failures=failures.movies,
            versions={"scheduler": health.versions, "api": self._versions},
            thumbnail=_thumbnails(Path(scheduler.paths.here(status.processing_directory))),
        )


def routes(scheduler: Scheduler, mirror: Mirror, feed: Feed, versions: dict[str, str]) -> dict[str, object]:
    """The resource of this package by its path."""
    return {"/api/report": ReportResource(scheduler, mirror, feed, versions)}


def _thumbnails(processing: Path) -> Thumbnail:
    """The stored pictures of averages in this processing directory, made small."""

    def thumbnail(name: str) -> bytes | None:
        try:
            with within(served_below(processing)):
                return thumbnail_jpeg(located(processing, export.THUMBNAIL.path(name)), THUMBNAIL_PX)
        except (OSError, ValueError, Problem):
            return None

    return thumbnail
