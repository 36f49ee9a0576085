"""`/api/items`: movies, their results, and the user's choices."""

from __future__ import annotations

import falcon
import falcon.asgi

from warpcore.bus.limits import LARGEST_PAGE, PAGE
from warpcore.bus.messages import (
    GetItem,
    GetItems,
    GetSummary,
    Item,
    Items,
    PrioritiseItem,
    RetryItem,
    SelectItem,
    Summary,
)
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.api.bodies import field_word, only_fields, read_object
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_field, bad_parameter
from warpcore.services.api.parameters import (
    LARGEST_NUMBER,
    asked_by,
    integer,
    only_parameters,
    parameter_word,
    text,
)
from warpcore.services.api.pictures.serving import MovieParts
from warpcore.services.api.views import camel, item_view, items_view, snake, summary_view, timestamp_view
from warpcore.services.session.sorting import PLAIN_KEYS, sortable
from warpcore.services.steps.chain import CHAIN


class ItemsResource:
    """`GET /api/items`, parameters `page`, `pageSize`, `status`, `sort`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A page of movies. `sort` is added, name, status or a column (`ctf.defocusUm`); `-` in front: descending."""
        only_parameters(req, "page", "pageSize", "status", "sort")
        status = text(req, "status", "")
        request = GetItems(
            status=parameter_word(MovieStatus, "status", status) if status else None,
            sort=_sort_key(text(req, "sort", "added")),
            page=integer(req, "page", 1, 1, LARGEST_NUMBER),
            page_size=integer(req, "pageSize", PAGE, 1, LARGEST_PAGE),
        )
        resp.media = items_view(await ask(self._scheduler, request, Items))


class ItemResource:
    """One movie.

    A name holds slashes, plain or as %2F, where the movie lies in a sub-folder; so the path's end names the action.
    """

    def __init__(self, scheduler: Scheduler, parts: MovieParts) -> None:
        self._scheduler = scheduler
        self._parts = parts

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """The movie with the story of its transitions; or a part of it, `…/pictures` and so on."""
        if not await self._parts.on_get(req, resp, name):
            resp.media = item_view(await ask(self._scheduler, GetItem(name), Item))

    async def on_put(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """`PUT …/selection` with `{"selection": "auto|include|exclude"}`; or `…/picks/hand`."""
        if await self._parts.on_put(req, resp, name):
            return
        only_parameters(req, "by")
        name = _named(name, "/selection", req)
        body = only_fields(await read_object(req), {"selection": str})
        selection = field_word(Selection, "selection", body.get("selection"))
        resp.media = item_view(await ask(self._scheduler, SelectItem(name, selection, asked_by(req)), Item))

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """`POST …/retry`, optionally with `{"force": true}`; `…/priority` with `priority` or `first`; undo of picks."""
        if await self._parts.on_post(req, resp, name):
            return
        if name.endswith("/priority"):
            resp.media = item_view(await ask(self._scheduler, await _priority(name, req), Item))
            return
        name = _named(name, "/retry", req)
        body = only_fields(await read_object(req, optional=True), {"force": bool})
        resp.media = item_view(await ask(self._scheduler, RetryItem(name, body.get("force", False)), Item))


class SummaryResource:
    """`GET /api/items/summary`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Counts by status and the time of the last change."""
        resp.media = summary_view(await ask(self._scheduler, GetSummary(), Summary))


class TimestampResource:
    """`GET /api/items/timestamp`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Time and number of the last change."""
        resp.media = timestamp_view(await ask(self._scheduler, GetSummary(), Summary))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/items": ItemsResource(scheduler),
        "/api/items/summary": SummaryResource(scheduler),
        "/api/items/timestamp": TimestampResource(scheduler),
        "/api/items/{name:path}": ItemResource(scheduler, MovieParts(scheduler)),
    }


def _sort_key(sort: str) -> str:
    """The scheduler's name for what to sort by. Raises Problem 400, which lists what there is."""
    descending, key = "-" * sort.startswith("-"), snake(sort.removeprefix("-"))
    if not sortable(key):
        known = ", ".join([*PLAIN_KEYS, *(camel(column.name) for column in CHAIN.columns)])
        raise bad_parameter("sort", sort, f"use one of {known}; put - in front for descending")
    return descending + key


async def _priority(path: str, req: falcon.asgi.Request) -> PrioritiseItem:
    """What `POST …/priority` asks for: `{"priority": N}` or `{"first": true}`. Raises Problem."""
    name = _named(path, "/priority", req)
    body = only_fields(await read_object(req), {"priority": int, "first": bool})
    priority, first = body.get("priority"), body.get("first", False)
    if (priority is None) != first:
        raise bad_field("priority", priority, "give a whole number, or first: true without a priority")
    return PrioritiseItem(name, priority or 0, first)


def _named(path: str, action: str, req: falcon.asgi.Request) -> str:
    name = path.removesuffix(action)
    if name == path or not name:
        raise falcon.HTTPMethodNotAllowed(["GET"])
    return name
