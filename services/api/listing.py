"""`GET /api/items`: movies filtered, sorted, page by page or all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Literal

import falcon.asgi
import numpy as np
from msgspec import Meta
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
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import LARGEST_NUMBER, Query
from warpcore.services.api.series import columns_named
from warpcore.services.api.views import ItemsPage, MovieView

_CSV_ROWS = 2000
"""Lines of CSV in one piece."""

RowNumbers = NDArray[np.intp]


class ItemsQuery(Query, frozen=True):
    """Which movies, in which order and form."""

    filter: Annotated[
        list[str], Meta(description="All must hold: `ctf.defocusUm:0.5..2`, `status:failed`, `name:*grid1*` …")
    ] = []  # noqa: RUF012 - msgspec copies it
    status: Annotated[MovieStatus | None, Meta(description="Only movies with this status.")] = None
    sort: Annotated[
        str, Meta(description="Columns, separated by commas: `-ctf.resolutionAngstrom,name`; `-` in front: descending.")
    ] = "added"
    page: Annotated[int | None, Meta(ge=1, le=LARGEST_NUMBER, description="Number of the page; without it 1.")] = None
    page_size: Annotated[int | None, Meta(ge=1, le=LARGEST_PAGE, description=f"Movies a page; without it {PAGE}.")] = (
        None
    )
    cursor: Annotated[str, Meta(description="`nextCursor` of the page before, in place of `page`.")] = ""
    fields: Annotated[str, Meta(description="Only these columns of each movie, separated by commas.")] = ""
    format: Annotated[Literal["json", "csv"], Meta(description="`csv`: all movies, without pages.")] = "json"


class ItemsResource:
    """`/api/items`."""

    def __init__(self, scheduler: Scheduler, mirror: Mirror, feed: Feed) -> None:
        self._scheduler = scheduler
        self._mirror = mirror
        self._feed = feed

    @operation(media_types=["text/csv"], refers_to=[MovieView])
    async def on_get(self, query: ItemsQuery, resp: falcon.asgi.Response) -> ItemsPage | None:
        """A page of movies, whole or with the chosen `fields`; or all of them as CSV."""
        filters, keys = _filters(query), _keys(query.sort)
        fields = columns_named("fields", query.fields)
        _check_pages(query)
        as_csv, cursor = query.format == "csv", query.cursor
        page, page_size = query.page or 1, query.page_size or PAGE
        await caught_up(self._scheduler, self._feed)
        shown = fields or (list(COLUMNS.values()) if as_csv else [])
        copied, total, rows = await asyncio.to_thread(self._find, filters, keys, shown, cursor)
        if as_csv:
            resp.content_type = "text/csv; charset=utf-8"
            resp.downloadable_as = "movies.csv"
            resp.stream = _csv(copied, shown, rows)
            return None
        first = 0 if cursor else (page - 1) * page_size
        chosen = rows[first : first + page_size]
        more = len(rows) > first + page_size
        return ItemsPage(
            items=records(copied, fields, chosen) if fields else await self._whole(copied.ids[chosen].tolist()),
            total_items=total,
            page=page,
            page_size=page_size,
            next_cursor=cursor_at(copied, keys, chosen[-1]) if more else None,
        )

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

    async def _whole(self, ids: list[int]) -> list[MovieView]:
        """All that is known of these movies. The scheduler tells as many at once as fit a message."""
        found: list[MovieView] = []
        while ids:
            answer = await ask(self._scheduler, GetMovies(ids), Movies)
            if not answer.movies:
                break
            found += [MovieView.of_movie(movie) for movie in answer.movies]
            ids = ids[ids.index(answer.movies[-1].id) + 1 :]
        return found


def routes(scheduler: Scheduler, mirror: Mirror, feed: Feed) -> dict[str, object]:
    """The resource of this module by its path."""
    return {"/api/items": ItemsResource(scheduler, mirror, feed)}


def parsed_filters(given: Sequence[str]) -> list[Filter]:
    """The filters that a request names. Raises Problem 400."""
    filters = []
    for one in given:
        try:
            filters.append(parse_filter(one))
        except QueryError as error:
            raise bad_parameter("filter", one, str(error)) from None
    return filters


def _filters(query: ItemsQuery) -> list[Filter]:
    """Those of `filter`, which may be given often, and that of `status`. Raises Problem 400."""
    filters = []
    if query.status is not None:
        filters.append(Filter(COLUMNS["status"], words=(query.status,)))
    return [*filters, *parsed_filters(query.filter)]


def _keys(sort: str) -> tuple[SortKey, ...]:
    try:
        return parse_sort(sort)
    except QueryError as error:
        raise bad_parameter("sort", sort, str(error)) from None


def _check_pages(query: ItemsQuery) -> None:
    """Raises Problem 400 for pages of CSV, and for a page beside a cursor."""
    given = {"page": query.page, "pageSize": query.page_size, "cursor": query.cursor or None}
    for name, value in given.items():
        if query.format == "csv" and value is not None:
            raise bad_parameter(name, value, "CSV holds all movies; leave it out")
    if query.cursor and query.page is not None:
        raise bad_parameter("page", query.page, "a cursor says where to go on; leave the page out")


async def _csv(copied: Copied, columns: Sequence[MovieColumn], rows: RowNumbers) -> AsyncIterator[bytes]:
    """A line of names, then the movies, some at a time."""
    yield (",".join(column.name for column in columns) + "\n").encode()
    for first in range(0, len(rows), _CSV_ROWS):
        yield await asyncio.to_thread(csv_lines, copied, columns, rows[first : first + _CSV_ROWS])
