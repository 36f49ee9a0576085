"""The REST application, made from what it depends on. It opens no port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import falcon.asgi

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.schema import prepare_for_threads
from warpcore.services.api import (
    alarms,
    errors,
    events,
    export,
    items,
    listing,
    live_page,
    metrics,
    picker,
    pictures,
    processing,
    profiles,
    report,
    selection,
    series,
    settings,
    storage,
    tries,
    workers,
)
from warpcore.services.api.client import Scheduler
from warpcore.services.api.documents import documents
from warpcore.services.api.heads import UnsentBodies, with_head
from warpcore.services.api.health import HealthResource
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.origins import AllowedOrigins, SameOrigin
from warpcore.services.api.routing import for_falcon
from warpcore.services.api.views import View

Application = falcon.asgi.App[falcon.asgi.Request, falcon.asgi.Response]


async def _nothing() -> None:
    """At start and end of an application without connections of its own."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the application needs.

    The scheduler; the mirror of its movies and the feed of its events; what to call at start and end; the versions to
    show; the origins of other web sites whose pages may use the API.
    """

    scheduler: Scheduler
    mirror: Mirror = field(default_factory=Mirror)
    feed: Feed = field(default_factory=Feed)
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    versions: dict[str, str] = field(default_factory=dict)
    origins: Collection[str] = ()


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
    prepare_for_threads(View)  # those that resources declare for themselves
    origins = dependencies.origins
    app: Application = falcon.asgi.App(
        middleware=[_Lifespan(dependencies), SameOrigin(origins), AllowedOrigins(origins), UnsentBodies()]
    )
    app.req_options.strip_url_path_trailing_slash = True
    app.set_error_serializer(errors.write_problem)
    app.add_error_handler(Exception, errors.report_unexpected)
    app.add_error_handler(RefusedError, errors.report_refused)
    app.add_error_handler(NoAnswerError, errors.report_unavailable)
    for path, resource in for_falcon(all_routes(dependencies)).items():
        app.add_route(path, with_head(resource))
    return app


def all_routes(dependencies: Dependencies) -> dict[str, object]:
    """All resources by their paths, in the form of `routing`."""
    scheduler = dependencies.scheduler
    routes: dict[str, object] = {"/api/health": HealthResource(scheduler, dependencies.versions)}
    for module in (
        settings,
        profiles,
        processing,
        workers,
        items,
        pictures,
        tries,
        export,
        picker,
        alarms,
        storage,
    ):
        routes |= module.routes(scheduler)
    mirror, feed = dependencies.mirror, dependencies.feed
    routes |= metrics.routes(scheduler, feed)
    routes |= listing.routes(scheduler, mirror, feed)
    routes |= selection.routes(scheduler, mirror, feed)
    routes |= series.routes(scheduler, mirror, feed)
    routes |= events.routes(scheduler, feed, dependencies.versions)
    routes |= report.routes(scheduler, mirror, feed, dependencies.versions)
    routes |= live_page.routes(live_page.read_page())
    return routes | documents(routes, dependencies.versions.get("warpcore", ""))
