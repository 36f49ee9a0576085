"""`/api/groups`, `/api/squares`, `/api/map.png`: movies by where they were recorded, or by any column."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import falcon
import falcon.asgi
import numpy as np
from msgspec import Meta

from warpcore.services.api.access import holds
from warpcore.services.api.client import Scheduler
from warpcore.services.api.errors import Problem, bad_parameter
from warpcore.services.api.fresh import caught_up
from warpcore.services.api.listing import parsed_filters
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.mirror.catalogue import COLUMNS, MAIN, Kind, MovieColumn
from warpcore.services.api.mirror.cells import cells
from warpcore.services.api.mirror.filtering import Filter, matching
from warpcore.services.api.mirror.grouping import grouped, medians
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import LARGEST_NUMBER, Query
from warpcore.services.api.place.feed import changes
from warpcore.services.api.place.mapping import map_of, needed
from warpcore.services.api.place.squares import NEEDED, squares_of
from warpcore.services.api.series import columns_named
from warpcore.services.api.views import GroupView, SquaresView

PNG = "image/png"
MOST_GROUPS = 10_000
Side = Annotated[int, Meta(ge=200, le=4000)]


class GroupsQuery(Query, frozen=True):
    """By what movies are grouped, which ones, and what is told of each group."""

    by: Annotated[str, Meta(description="Columns, separated by commas: `place.square,place.hole`; not `name`.")]
    filter: Annotated[list[str], Meta(description="As of `/api/items`; all must hold.")] = []  # noqa: RUF012
    fields: Annotated[str, Meta(description="Columns of numbers whose medians are told; without any, main ones.")] = ""


class MapQuery(Query, frozen=True):
    """What the map shows."""

    colour: Annotated[str, Meta(description="The column that gives dots their colours.")] = "ctf.resolutionAngstrom"
    square: Annotated[str, Meta(description="Only this square, with its holes; empty: all.")] = ""
    width: Annotated[Side, Meta(description="px.")] = 1000
    height: Annotated[Side, Meta(description="px.")] = 800
    seq: Annotated[
        int | None, Meta(ge=0, le=LARGEST_NUMBER**2, description="Not read: another one makes a browser ask again.")
    ] = None


class _FromMirror:
    """Base of resources that read the mirror once it is as new as the scheduler."""

    def __init__(self, scheduler: Scheduler, mirror: Mirror, feed: Feed) -> None:
        self._scheduler = scheduler
        self._mirror = mirror
        self._feed = feed


class GroupsResource(_FromMirror):
    """`/api/groups`."""

    @operation()
    async def on_get(self, query: GroupsQuery) -> list[GroupView]:
        """Movies in groups of equal values: how many, their statuses and medians; those without a value come last."""
        by, fields = columns_named("by", query.by), columns_named("fields", query.fields) or MAIN
        if not by or any(column.kind is Kind.TEXT for column in by):
            raise bad_parameter("by", query.by, "group by columns of words or numbers")
        filters = parsed_filters(query.filter)
        await caught_up(self._scheduler, self._feed)
        groups = await asyncio.to_thread(_groups, self._mirror, by, fields, filters)
        if len(groups) > MOST_GROUPS:
            problem = f"{len(groups):,} groups, of which no more than {MOST_GROUPS:,} are told; filter the movies"
            raise bad_parameter("by", query.by, problem)
        return groups


class SquaresResource(_FromMirror):
    """`/api/squares`."""

    @operation()
    async def on_get(self) -> SquaresView:
        """Squares and holes: how many movies, medians, share of good ones, and a verdict in words.

        It advises SmartScope, Leginon or a person where to go on, and controls nothing.
        """
        await caught_up(self._scheduler, self._feed)
        return await asyncio.to_thread(lambda: squares_of(self._mirror.copied(NEEDED)))


class SquareEventsResource(_FromMirror):
    """`/api/squares/events`."""

    @operation(media_types=["text/event-stream"])
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Squares as they change, as server-sent events: `squares` with all, then `square` for each that changed."""
        resp.content_type = "text/event-stream"
        resp.cache_control = ["no-cache"]
        resp.set_header("X-Accel-Buffering", "no")
        resp.stream = changes(self._feed, lambda: squares_of(self._mirror.copied(NEEDED)), holds(req))


class MapResource(_FromMirror):
    """`/api/map.png`."""

    @operation(media_types=[PNG], errors={404: "No movie there has a stage position in its metadata."})
    async def on_get(self, query: MapQuery, resp: falcon.asgi.Response) -> None:
        """A picture of where movies were recorded: one dot each at its stage position, coloured by a column.

        The stage's y grows upwards. Beam shifts are drawn as directions around the stage's position, not to scale.
        """
        named = columns_named("colour", query.colour)
        if len(named) != 1 or named[0].kind is Kind.TEXT:
            raise bad_parameter("colour", query.colour, "name one column of words or numbers")
        await caught_up(self._scheduler, self._feed)
        png = await asyncio.to_thread(self._drawn, named[0], query)
        if png is None:
            where = f"in square {query.square} " if query.square else ""
            raise Problem(falcon.HTTP_404, f"no movie {where}has a stage position in its metadata")
        resp.data = png
        resp.content_type = PNG
        resp.cache_control = ["no-cache"]

    def _drawn(self, colour: MovieColumn, query: MapQuery) -> bytes | None:
        copied = self._mirror.copied(needed(colour))
        return map_of(copied, colour, query.square or None, query.width, query.height)


def _groups(
    mirror: Mirror, by: Sequence[MovieColumn], fields: Sequence[MovieColumn], filters: Sequence[Filter]
) -> list[GroupView]:
    status = COLUMNS["status"]
    copied = mirror.copied({one.source for one in (*by, *fields, status, *(each.column for each in filters))})
    names = [column.name for column in by]
    views = []
    for group in grouped(copied, by, np.flatnonzero(matching(copied, filters))):
        words, counts = np.unique(cells(copied, status, group.rows), return_counts=True)
        views.append(
            GroupView(
                values=dict(zip(names, group.values, strict=True)),
                movies=len(group.rows),
                statuses=dict(zip(words.tolist(), counts.tolist(), strict=True)),
                medians=medians(copied, fields, group.rows),
            )
        )
    return views
