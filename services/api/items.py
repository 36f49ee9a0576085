"""`/api/items`: movies, their results and the user's own choices."""

from __future__ import annotations

import re

import falcon
import falcon.asgi

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
from warpcore.services.api.bodies import only_fields, read_object
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import Problem, bad_parameter
from warpcore.services.api.parameters import integer, only_parameters, text
from warpcore.services.api.views import item_view, items_view, snake, summary_view, timestamp_view

STATUSES = ("unprocessed", "outdated", "queued", "processing", "processed", "filtered_out", "failed")
SELECTIONS = ("auto", "include", "exclude")
MAX_PAGE_SIZE = 500


class ItemsResource:
    """`GET /api/items`, parameters `page`, `pageSize`, `status`, `sort`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A page of movies. `sort` is name, added, status or a result (`ctf.defocusUm`), `-` in front for descending."""
        only_parameters(req, "page", "pageSize", "status", "sort")
        status = text(req, "status", "")
        if status and status not in STATUSES:
            raise bad_parameter("status", status, f"one of {', '.join(STATUSES)} is needed")
        sort = text(req, "sort", "added")
        if not re.fullmatch(r"-?[A-Za-z]\w*(\.[A-Za-z]\w*)?", sort, re.ASCII):
            raise bad_parameter("sort", sort, "name, added, status or a result such as ctf.defocusUm, - for descending")
        request = GetItems(
            status=MovieStatus(status) if status else None,
            sort=snake(sort),
            page=integer(req, "page", 1, 1, 10**9),
            page_size=integer(req, "pageSize", 100, 1, MAX_PAGE_SIZE),
        )
        resp.media = items_view(await ask(self._scheduler, request, Items))


class ItemResource:
    """One movie. Names hold slashes where movies lie in sub-folders, plain or as %2F, so the actions are told by their ending."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """The movie with the story of its transitions."""
        resp.media = item_view(await ask(self._scheduler, GetItem(name), Item))

    async def on_put(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """`PUT …/selection` with `{"selection": "auto|include|exclude"}`."""
        name = _named(name, "/selection", req)
        body = only_fields(await read_object(req), {"selection": str})
        selection = body.get("selection")
        if selection not in SELECTIONS:
            fault = {"name": "selection", "value": selection, "problem": f"one of {', '.join(SELECTIONS)} is needed"}
            raise Problem(falcon.HTTP_422, f"selection = {selection}: {fault['problem']}", errors=[fault])
        resp.media = item_view(await ask(self._scheduler, SelectItem(name, Selection(selection)), Item))

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """`POST …/retry`, optionally with `{"force": true}`, or `POST …/priority` with `priority` or `first`."""
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


async def _priority(path: str, req: falcon.asgi.Request) -> PrioritiseItem:
    """What `POST …/priority` asks for: `{"priority": N}` or `{"first": true}`. Raises Problem."""
    name = _named(path, "/priority", req)
    body = only_fields(await read_object(req), {"priority": int, "first": bool})
    priority, first = body.get("priority"), body.get("first", False)
    if isinstance(priority, bool) or (priority is None) != first:
        fault = {
            "name": "priority",
            "value": priority,
            "problem": "a whole number is needed, or first: true without it",
        }
        raise Problem(falcon.HTTP_422, f"priority = {priority}: {fault['problem']}", errors=[fault])
    return PrioritiseItem(name, priority or 0, first)


def _named(path: str, action: str, req: falcon.asgi.Request) -> str:
    name = path.removesuffix(action)
    if name == path or not name:
        raise falcon.HTTPMethodNotAllowed(["GET"])
    return name
