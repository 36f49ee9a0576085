"""`/api/settings`: the settings, their schema, and what a change would do. Names are those of files and the CLI."""

from __future__ import annotations

from typing import Any

import falcon.asgi

from warpcore.bus.messages import GetSettings, PatchSettings, PreviewSettings, PutSettings, SettingsReply
from warpcore.services.api.bodies import read_object
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.views import effect_view
from warpcore.services.session.settings import Settings


class SettingsResource:
    """GET shows all; PUT replaces all, and what is not named returns to its default; PATCH changes those named."""

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


class SettingsSchemaResource:
    """`GET /api/settings/schema`: JSON Schema of all settings, with units, defaults, ranges and descriptions."""

    def __init__(self) -> None:
        self._schema: dict[str, Any] = Settings.model_json_schema(by_alias=True)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The schema of this version, with the steps that are installed here."""
        resp.media = self._schema


class SettingsPreviewResource:
    """`POST /api/settings/preview`: what a change would do; nothing changes."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The body is that of a PATCH. 422 lists each fault."""
        body = await read_object(req)
        resp.media = effect_view(await ask(self._scheduler, PreviewSettings(body), SettingsReply))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/settings": SettingsResource(scheduler),
        "/api/settings/schema": SettingsSchemaResource(),
        "/api/settings/preview": SettingsPreviewResource(scheduler),
    }
