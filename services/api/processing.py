"""`/api/processing`: start, pause, how far it is and how fast it goes."""

from __future__ import annotations

import falcon.asgi

from warpcore.bus.messages import GetProcessing, PauseProcessing, ProcessingStatus, StartProcessing
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.views import status_view


class ProcessingStatusResource:
    """`GET /api/processing/status`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Counts, measured rate, what runs now."""
        resp.media = status_view(await ask(self._scheduler, GetProcessing(), ProcessingStatus))


class ProcessingStartResource:
    """`POST /api/processing/start`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Assign movies to workers; where that is so already, nothing changes."""
        resp.media = status_view(await ask(self._scheduler, StartProcessing(), ProcessingStatus))


class ProcessingPauseResource:
    """`POST /api/processing/pause`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Assign no more; what runs is finished."""
        resp.media = status_view(await ask(self._scheduler, PauseProcessing(), ProcessingStatus))
