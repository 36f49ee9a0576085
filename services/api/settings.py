"""`/api/settings`: the settings in force, under the names that files and the CLI use."""

from __future__ import annotations

import falcon.asgi

from warpcore.bus.messages import GetSettings, PatchSettings, PutSettings, SettingsReply
from warpcore.services.api.bodies import read_object
from warpcore.services.api.client import Scheduler, ask


class SettingsResource:
    """GET shows all, PUT replaces all (what is not named returns to its default), PATCH changes those named."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The settings by section."""
        resp.media = (await ask(self._scheduler, GetSettings(), SettingsReply)).settings

    async def on_put(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Replace; 422 lists each fault and changes nothing."""
        body = await read_object(req)
        resp.media = (await ask(self._scheduler, PutSettings(body), SettingsReply)).settings

    async def on_patch(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Change; 422 lists each fault and changes nothing."""
        body = await read_object(req)
        resp.media = (await ask(self._scheduler, PatchSettings(body), SettingsReply)).settings
