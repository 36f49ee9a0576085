"""`/api/series` and `/api/columns`: columns of all movies at once, and what columns there are."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import falcon.asgi
from msgspec import Meta

from warpcore.bus.client import NoAnswerError
from warpcore.services.api.client import Scheduler
from warpcore.services.api.errors import bad_parameter
from warpcore.services.api.fresh import CATCH_UP_S, caught_up
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.catalogue import COLUMNS, MAIN, MovieColumn
from warpcore.services.api.mirror.series import MEDIA_TYPE, encode_series
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import LARGEST_NUMBER, Query
from warpcore.services.api.views import ColumnView

_GZIP = 31
"""zlib's window size with a gzip header."""
_LEVEL = 1
"""The fastest: higher levels take four times as long for a tenth less."""


class SeriesQuery(Query, frozen=True):
    """Which columns, and of which movies."""

    columns: Annotated[str, Meta(description="Names of columns, separated by commas; without any, the main ones.")] = ""
    since: Annotated[
        int | None,
        Meta(ge=0, le=LARGEST_NUMBER**2, description="Only movies that changed after this `seq`."),
    ] = None
    epoch: Annotated[
        str, Meta(description="`epoch` of that series; where it is no longer the present one, all movies come.")
    ] = ""


class SeriesResource:
    """`/api/series`."""

    def __init__(self, scheduler: Scheduler, mirror: Mirror, feed: Feed) -> None:
        self._scheduler = scheduler
        self._mirror = mirror
        self._feed = feed

    @operation(media_types=[MEDIA_TYPE], request_headers={"Accept-Encoding": "`gzip`: the series comes compressed."})
    async def on_get(self, query: SeriesQuery, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Columns of all movies at once, binary, or of those that have changed since an earlier series."""
        columns = columns_named("columns", query.columns) or MAIN
        since = query.since or 0
        epoch = "" if query.since is None else query.epoch or self._mirror.epoch
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
    """`/api/columns`."""

    @operation()
    async def on_get(self) -> list[ColumnView]:
        """All columns of movies, in order."""
        return [ColumnView.of_column(column) for column in COLUMNS.values()]


def routes(scheduler: Scheduler, mirror: Mirror, feed: Feed) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {"/api/series": SeriesResource(scheduler, mirror, feed), "/api/columns": ColumnsResource()}


def columns_named(parameter: str, text: str) -> Sequence[MovieColumn]:
    """The columns that a parameter names, separated by commas, each once. Raises Problem 400."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in COLUMNS:
            raise bad_parameter(parameter, name, f"use columns of {', '.join(COLUMNS)}")
    return [COLUMNS[name] for name in dict.fromkeys(names)]


def _series(mirror: Mirror, columns: Sequence[MovieColumn], epoch: str, since: int, compressed: bool) -> bytes:
    copied = mirror.copied(["id", *(column.source for column in columns)])
    series = encode_series(copied, columns, since if epoch and epoch == copied.epoch else None)
    return zlib.compress(series, _LEVEL, _GZIP) if compressed else series
