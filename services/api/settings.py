"""`/api/settings`: the settings, their schema, and what a change would do. Names are those of files and the CLI."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from warpcore.bus.messages import GetSettings, PatchSettings, PreviewSettings, PutSettings, SettingsReply
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import By, Query
from warpcore.services.api.views import SettingsEffectView
from warpcore.services.session.settings import Settings

SETTINGS_SCHEMA: dict[str, Any] = Settings.model_json_schema(by_alias=True)
"""JSON Schema of all settings of this version, with the steps that are installed here."""

AllSettings = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Settings"})]
"""Settings by section. The scheduler checks them."""

_REFUSED = {422: "A setting is unknown or impossible: `errors` lists each, and nothing has changed."}


class ByQuery(Query, frozen=True):
    """Who asks, since the body holds settings alone."""

    by: By = ""


class SettingsResource:
    """`/api/settings`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> AllSettings:
        """All settings by section."""
        return (await ask(self._scheduler, GetSettings(), SettingsReply)).settings

    @operation(errors=_REFUSED)
    async def on_put(self, body: AllSettings, query: ByQuery) -> AllSettings:
        """Replace all settings; one that is not named returns to its default."""
        return (await ask(self._scheduler, PutSettings(body, query.by), SettingsReply)).settings

    @operation(errors=_REFUSED)
    async def on_patch(self, body: AllSettings, query: ByQuery) -> AllSettings:
        """Change the settings that are named: `{"ctf": {"voltage": 200}}`."""
        return (await ask(self._scheduler, PatchSettings(body, query.by), SettingsReply)).settings


class SettingsSchemaResource:
    """`/api/settings/schema`."""

    @operation()
    async def on_get(self) -> dict[str, Any]:
        """JSON Schema of all settings, with units, defaults, ranges and descriptions."""
        return SETTINGS_SCHEMA


class SettingsPreviewResource:
    """`/api/settings/preview`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors=_REFUSED)
    async def on_post(self, body: AllSettings) -> SettingsEffectView:
        """What a `PATCH` of `/api/settings` with this body would do; nothing changes."""
        reply = await ask(self._scheduler, PreviewSettings(body), SettingsReply)
        assert reply.effect is not None, "a preview says what the change does"
        return SettingsEffectView.of(reply.effect)


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/settings": SettingsResource(scheduler),
        "/api/settings/schema": SettingsSchemaResource(),
        "/api/settings/preview": SettingsPreviewResource(scheduler),
    }
