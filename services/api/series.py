"""`/api/series` and `/api/columns`: columns of all movies at once, and what columns there are."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import falcon.asgi

from warpcore.bus.client import NoAnswerError
from warpcore.services.api.client import Scheduler
from warpcore.services.api.fresh import CATCH_UP_S, caught_up
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.catalogue import COLUMNS, MAIN, MovieColumn
from warpcore.services.api.mirror.series import MEDIA_TYPE, encode_series
from warpcore.services.api.parameters import LARGEST_NUMBER, columns_named, integer, only_parameters, text

_GZIP = 31
"""zlib's window size with a gzip header."""
_LEVEL = 1
"""The fastest: higher levels take four times as long for a tenth less."""


class SeriesResource:
    """`GET /api/series`, parameters `columns`, `since`, `epoch`."""

    def __init__(self, scheduler: Scheduler, mirror: Mirror, feed: Feed) -> None:
        self._scheduler = scheduler
        self._mirror = mirror
        self._feed = feed

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """All movies, or those that have changed after `since` where `epoch` is that of the change log."""
        only_parameters(req, "columns", "since", "epoch")
        columns = columns_named(req, "columns") or MAIN
        since = integer(req, "since", 0, 0, LARGEST_NUMBER**2)
        epoch = text(req, "epoch", "") if "since" in req.params else ""
        await self._wait(epoch, since)
        compressed = "gzip" in (req.get_header("Accept-Encoding") or "")
        resp.data = await asyncio.to_thread(_series, self._mirror, columns, epoch, since, compressed)
        resp.content_type = MEDIA_TYPE
        resp.cache_control = ["no-store"]
        resp.append_header("Vary", "Accept-Encoding")
        if compressed:
            resp.set_header("Content-Encoding", "gzip")

    async def _wait(self, epoch: str, since: int) -> None:
        """Until all is in that the client may have heard of, also from another process. Raises NoAnswerError.

        Without a scheduler the answer is as old as the last that it has told.
        """
        if epoch:
            await self._feed.reached(since, CATCH_UP_S)
        elif self._feed.connected:
            with suppress(NoAnswerError):
                await caught_up(self._scheduler, self._feed)
        if not await self._feed.reached(0, CATCH_UP_S):
            raise NoAnswerError("the API has not yet read the session from the scheduler; ask again in a moment")


class ColumnsResource:
    """`GET /api/columns`."""

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """All columns in order."""
        resp.media = [_described(column) for column in COLUMNS.values()]


def routes(scheduler: Scheduler, mirror: Mirror, feed: Feed) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {"/api/series": SeriesResource(scheduler, mirror, feed), "/api/columns": ColumnsResource()}


def _series(mirror: Mirror, columns: Sequence[MovieColumn], epoch: str, since: int, compressed: bool) -> bytes:
    copied = mirror.copied(["id", *(column.source for column in columns)])
    series = encode_series(copied, columns, since if epoch and epoch == copied.epoch else None)
    return zlib.compress(series, _LEVEL, _GZIP) if compressed else series


def _described(column: MovieColumn) -> dict[str, Any]:
    return {
        "name": column.name,
        "heading": column.heading,
        "description": column.description,
        "unit": column.unit,
        "digits": column.digits,
        "step": column.step,
        "kind": column.kind,
        "main": column.main,
        "limits": [{"setting": f"filter.{limit.name}", "upper": limit.upper} for limit in column.limits],
    }
