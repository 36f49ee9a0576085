"""`GET /api/health`: 200 while the scheduler answers, 503 otherwise."""

from __future__ import annotations

import falcon.asgi

from warpcore.bus.messages import GetHealth, Health
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.views import health_view


class HealthResource:
    """The API's own state and the scheduler's."""

    def __init__(self, scheduler: Scheduler, versions: dict[str, str]) -> None:
        self._scheduler = scheduler
        self._versions = versions

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Uptime, counts, dropped frames, versions."""
        resp.media = health_view(await ask(self._scheduler, GetHealth(), Health), self._versions)
