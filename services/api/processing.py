"""`/api/processing`: start, pause, order, progress and rate."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.bus.messages import GetProcessing, OrderProcessing, PauseProcessing, ProcessingStatus, StartProcessing
from warpcore.bus.vocabulary import Order, in_words
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.views import StatusView


class ProcessingStatusResource:
    """`/api/processing/status`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> StatusView:
        """How far the session is: counts, measured rate, the tasks that run now, and warnings."""
        return StatusView.of_status(await ask(self._scheduler, GetProcessing(), ProcessingStatus))


class ProcessingStartResource:
    """`/api/processing/start`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_post(self) -> StatusView:
        """Hand movies to workers. Where that is done already nothing changes."""
        return StatusView.of_status(await ask(self._scheduler, StartProcessing(), ProcessingStatus))


class ProcessingPauseResource:
    """`/api/processing/pause`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_post(self) -> StatusView:
        """Hand out no more movies. Those that run are finished."""
        return StatusView.of_status(await ask(self._scheduler, PauseProcessing(), ProcessingStatus))


class OrderBody(Body, frozen=True):
    """Which waiting movie is next."""

    order: Annotated[Order, Meta(description=in_words(Order))]


class ProcessingOrderResource:
    """`/api/processing/order`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_put(self, body: OrderBody) -> StatusView:
        """Choose which waiting movie is next. Priorities stand above it."""
        return StatusView.of_status(await ask(self._scheduler, OrderProcessing(body.order), ProcessingStatus))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/processing/start": ProcessingStartResource(scheduler),
        "/api/processing/pause": ProcessingPauseResource(scheduler),
        "/api/processing/order": ProcessingOrderResource(scheduler),
        "/api/processing/status": ProcessingStatusResource(scheduler),
    }
