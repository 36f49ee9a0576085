"""`GET /api/items`: movies filtered, sorted, page by page or all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import falcon.asgi
import numpy as np
from numpy.typing import NDArray

from warpcore.bus.limits import LARGEST_PAGE, PAGE
from warpcore.bus.messages import GetMovies, Movies
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_parameter
from warpcore.services.api.fresh import caught_up
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.catalogue import COLUMNS, MovieColumn
from warpcore.services.api.mirror.cells import csv_lines, records
from warpcore.services.api.mirror.filtering import Filter, QueryError, matching, parse_filter
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.mirror.sorting import SortKey, cursor_at, in_order, parse_sort
from warpcore.services.api.parameters import (
    LARGEST_NUMBER,
    columns_named,
    integer,
    only_parameters,
    parameter_word,
    text,
)
from warpcore.services.api.views import movie_view

_CSV_ROWS = 2000
"""Lines of CSV in one piece."""

RowNumbers = NDArray[np.intp]


class ItemsResource:
    """`GET /api/items`."""

    def __init__(self, scheduler: Scheduler, mirror: Mirror, feed: Feed) -> None:
        self._scheduler = scheduler
        self._mirror = mirror
        self._feed = feed

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A page of movies, whole or with the chosen `fields`; or all of them as CSV."""
        only_parameters(req, "page", "pageSize", "cursor", "status", "filter", "sort", "fields", "format")
        filters, keys = _filters(req), _keys(req)
        fields = columns_named(req, "fields")
        as_csv = _as_csv(req)
        page = integer(req, "page", 1, 1, LARGEST_NUMBER)
        page_size = integer(req, "pageSize", PAGE, 1, LARGEST_PAGE)
        cursor = text(req, "cursor", "")
        await caught_up(self._scheduler, self._feed)
        shown = fields or (list(COLUMNS.values()) if as_csv else [])
        copied, total, rows = await asyncio.to_thread(self._find, filters, keys, shown, cursor)
        if as_csv:
            resp.content_type = "text/csv; charset=utf-8"
            resp.downloadable_as = "movies.csv"
            resp.stream = _csv(copied, shown, rows)
            return
        first = 0 if cursor else (page - 1) * page_size
        chosen = rows[first : first + page_size]
        more = len(rows) > first + page_size
        resp.media = {
            "items": records(copied, fields, chosen) if fields else await self._whole(copied.ids[chosen].tolist()),
            "totalItems": total,
            "page": page,
            "pageSize": page_size,
            "nextCursor": cursor_at(copied, keys, chosen[-1]) if more else None,
        }

    def _find(
        self, filters: Sequence[Filter], keys: Sequence[SortKey], shown: Sequence[MovieColumn], cursor: str
    ) -> tuple[Copied, int, RowNumbers]:
        """What was copied, how many movies fit the filters, and those of them after the cursor in order."""
        needed = [*(one.column for one in filters), *(key.column for key in keys), *shown]
        copied = self._mirror.copied({column.source for column in needed})
        rows = np.flatnonzero(matching(copied, filters))
        try:
            return copied, len(rows), in_order(copied, keys, rows, cursor)
        except QueryError as error:
            raise bad_parameter("cursor", cursor, str(error)) from None

    async def _whole(self, ids: list[int]) -> list[dict[str, Any]]:
        """All that is known of these movies. The scheduler tells as many at once as fit a message."""
        found: list[dict[str, Any]] = []
        while ids:
            answer = await ask(self._scheduler, GetMovies(ids), Movies)
            if not answer.movies:
                break
            found += [movie_view(movie) for movie in answer.movies]
            ids = ids[ids.index(answer.movies[-1].id) + 1 :]
        return found


def routes(scheduler: Scheduler, mirror: Mirror, feed: Feed) -> dict[str, object]:
    """The resource of this module by its path."""
    return {"/api/items": ItemsResource(scheduler, mirror, feed)}


def _filters(req: falcon.asgi.Request) -> list[Filter]:
    """Those of `filter`, which may be given often, and that of `status`. Raises Problem 400."""
    filters = []
    status = text(req, "status", "")
    if status:
        filters.append(Filter(COLUMNS["status"], words=(parameter_word(MovieStatus, "status", status),)))
    for given in req.get_param_as_list("filter") or []:
        try:
            filters.append(parse_filter(given))
        except QueryError as error:
            raise bad_parameter("filter", given, str(error)) from None
    return filters


def _keys(req: falcon.asgi.Request) -> tuple[SortKey, ...]:
    sort = text(req, "sort", "added")
    try:
        return parse_sort(sort)
    except QueryError as error:
        raise bad_parameter("sort", sort, str(error)) from None


def _as_csv(req: falcon.asgi.Request) -> bool:
    """Whether all movies are wanted as CSV. Raises Problem 400 for another format, and for pages of CSV."""
    form = text(req, "format", "json")
    if form not in ("json", "csv"):
        raise bad_parameter("format", form, "give json or csv")
    for name in ("page", "pageSize", "cursor"):
        if form == "csv" and name in req.params:
            raise bad_parameter(name, req.params[name], "CSV holds all movies; leave it out")
    if "cursor" in req.params and "page" in req.params:
        raise bad_parameter("page", req.params["page"], "a cursor says where to go on; leave the page out")
    return form == "csv"


async def _csv(copied: Copied, columns: Sequence[MovieColumn], rows: RowNumbers) -> AsyncIterator[bytes]:
    """A line of names, then the movies, some at a time."""
    yield (",".join(column.name for column in columns) + "\n").encode()
    for first in range(0, len(rows), _CSV_ROWS):
        yield await asyncio.to_thread(csv_lines, copied, columns, rows[first : first + _CSV_ROWS])
