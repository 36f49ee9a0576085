"""`GET /api/health`: 200 while the scheduler answers, 503 otherwise; `/api/health/live`: 200 while the API runs."""

from __future__ import annotations

from warpcore.bus.messages import GetHealth, Health
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.views import HealthView, LiveView


class HealthResource:
    """The API's own state and the scheduler's."""

    def __init__(self, scheduler: Scheduler, versions: dict[str, str]) -> None:
        self._scheduler = scheduler
        self._versions = versions

    @operation()
    async def on_get(self) -> HealthView:
        """200 while the scheduler answers, with uptime, counts, dropped frames and versions."""
        return HealthView.of_health(await ask(self._scheduler, GetHealth(), Health), self._versions)


class LiveResource:
    """The API's own state, for probes: they need no token."""

    @operation()
    async def on_get(self) -> LiveView:
        """200 while the API itself runs, whoever asks."""
        return LiveView()
