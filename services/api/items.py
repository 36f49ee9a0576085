"""`/api/items/…`: one movie, its results, and the user's choices; counts of all."""

from __future__ import annotations

import falcon
import falcon.asgi

from warpcore.bus.messages import (
    GetItem,
    GetSummary,
    Item,
    PrioritiseItem,
    RetryItem,
    SelectItem,
    Summary,
)
from warpcore.bus.vocabulary import Selection
from warpcore.services.api.bodies import field_word, only_fields, read_object
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_field
from warpcore.services.api.views import item_view, summary_view, timestamp_view


class ItemResource:
    """One movie.

    A name holds slashes, plain or as %2F, where the movie lies in a sub-folder; so the path's end names the action.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """The movie with the story of its transitions."""
        resp.media = item_view(await ask(self._scheduler, GetItem(name), Item))

    async def on_put(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """`PUT …/selection` with `{"selection": "auto|include|exclude"}`."""
        name = _named(name, "/selection", req)
        body = only_fields(await read_object(req), {"selection": str})
        selection = field_word(Selection, "selection", body.get("selection"))
        resp.media = item_view(await ask(self._scheduler, SelectItem(name, selection), Item))

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


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/items/summary": SummaryResource(scheduler),
        "/api/items/timestamp": TimestampResource(scheduler),
        "/api/items/{name:path}": ItemResource(scheduler),
    }


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
