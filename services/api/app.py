"""The REST application, made from what it depends on. It opens no port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import falcon.asgi

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.vocabulary import ExportKind
from warpcore.services.api import errors
from warpcore.services.api.client import Scheduler
from warpcore.services.api.export import ExportJobResource, StartExportResource
from warpcore.services.api.health import HealthResource
from warpcore.services.api.items import ItemResource, ItemsResource, SummaryResource, TimestampResource
from warpcore.services.api.origins import SameOrigin
from warpcore.services.api.processing import ProcessingPauseResource, ProcessingStartResource, ProcessingStatusResource
from warpcore.services.api.settings import SettingsPreviewResource, SettingsResource, SettingsSchemaResource
from warpcore.services.api.workers import WorkerLogsResource, WorkersResource

Application = falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]


async def _nothing() -> None:
    """At start and end of an application without connections of its own."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the application needs: the scheduler, what to call at start and end, and the versions to show."""

    scheduler: Scheduler
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    versions: dict[str, str] = field(default_factory=dict)


class _Lifespan:
    """Opens the dependencies when the server starts and closes them when it ends."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        await self._dependencies.start()

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        await self._dependencies.stop()


def create_app(dependencies: Dependencies) -> Application:
    """The ASGI application with all resources and error handlers."""
    app: Application = falcon.asgi.App(middleware=[_Lifespan(dependencies), SameOrigin()])
    app.req_options.strip_url_path_trailing_slash = True
    app.set_error_serializer(errors.write_problem)
    app.add_error_handler(Exception, errors.report_unexpected)
    app.add_error_handler(RefusedError, errors.report_refused)
    app.add_error_handler(NoAnswerError, errors.report_unavailable)
    scheduler = dependencies.scheduler
    routes: dict[str, object] = {
        "/api/settings": SettingsResource(scheduler),
        "/api/settings/schema": SettingsSchemaResource(),
        "/api/settings/preview": SettingsPreviewResource(scheduler),
        "/api/processing/start": ProcessingStartResource(scheduler),
        "/api/processing/pause": ProcessingPauseResource(scheduler),
        "/api/processing/status": ProcessingStatusResource(scheduler),
        "/api/workers": WorkersResource(scheduler),
        "/api/workers/{path:path}": WorkerLogsResource(scheduler),
        "/api/items": ItemsResource(scheduler),
        "/api/items/summary": SummaryResource(scheduler),
        "/api/items/timestamp": TimestampResource(scheduler),
        "/api/items/{name:path}": ItemResource(scheduler),
        "/api/export/micrographs": StartExportResource(scheduler, ExportKind.MICROGRAPHS),
        "/api/export/particles": StartExportResource(scheduler, ExportKind.PARTICLES),
        "/api/export/{job}": ExportJobResource(scheduler),
        "/api/health": HealthResource(scheduler, dependencies.versions),
    }
    for path, resource in routes.items():
        app.add_route(path, resource)
    return app
