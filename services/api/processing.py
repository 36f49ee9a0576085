"""`/api/processing`: start, pause, progress and rate."""

from __future__ import annotations

from warpcore.bus.messages import GetProcessing, PauseProcessing, ProcessingStatus, StartProcessing
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


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/processing/start": ProcessingStartResource(scheduler),
        "/api/processing/pause": ProcessingPauseResource(scheduler),
        "/api/processing/status": ProcessingStatusResource(scheduler),
    }
