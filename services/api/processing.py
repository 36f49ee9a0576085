"""`/api/processing`: start, pause, order, progress and rate."""

from __future__ import annotations

import falcon.asgi

from warpcore.bus.messages import GetProcessing, OrderProcessing, PauseProcessing, ProcessingStatus, StartProcessing
from warpcore.bus.vocabulary import Order
from warpcore.services.api.bodies import field_word, only_fields, read_object
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.views import status_view


class ProcessingStatusResource:
    """`GET /api/processing/status`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Counts, measured rate, and the tasks that run now."""
        resp.media = status_view(await ask(self._scheduler, GetProcessing(), ProcessingStatus))


class ProcessingStartResource:
    """`POST /api/processing/start`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Hand movies to workers. Nothing changes where that is done already."""
        resp.media = status_view(await ask(self._scheduler, StartProcessing(), ProcessingStatus))


class ProcessingPauseResource:
    """`POST /api/processing/pause`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Hand out no more movies. Those that run are finished."""
        resp.media = status_view(await ask(self._scheduler, PauseProcessing(), ProcessingStatus))


class ProcessingOrderResource:
    """`PUT /api/processing/order`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_put(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """`{"order": "latest"}`: which waiting movie is next; priorities stand above it."""
        body = only_fields(await read_object(req), {"order": str})
        message = OrderProcessing(field_word(Order, "order", body.get("order")))
        resp.media = status_view(await ask(self._scheduler, message, ProcessingStatus))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/processing/start": ProcessingStartResource(scheduler),
        "/api/processing/pause": ProcessingPauseResource(scheduler),
        "/api/processing/order": ProcessingOrderResource(scheduler),
        "/api/processing/status": ProcessingStatusResource(scheduler),
    }
