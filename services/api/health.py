"""`GET /api/health`: 200 while the scheduler answers, 503 otherwise."""

from __future__ import annotations

from warpcore.bus.messages import GetHealth, Health
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.views import HealthView


class HealthResource:
    """The API's own state and the scheduler's."""

    def __init__(self, scheduler: Scheduler, versions: dict[str, str]) -> None:
        self._scheduler = scheduler
        self._versions = versions

    @operation()
    async def on_get(self) -> HealthView:
        """200 while the scheduler answers, with uptime, counts, dropped frames and versions."""
        return HealthView.of_health(await ask(self._scheduler, GetHealth(), Health), self._versions)
