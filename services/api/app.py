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
    audit,
    errors,
    events,
    export,
    items,
    listing,
    live_page,
    metrics,
    own_sessions,
    picker,
    pictures,
    place,
    pools,
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
from warpcore.services.api.access import Access, Known, links, sign_in
from warpcore.services.api.access.rules import LIVE_PATH
from warpcore.services.api.audit_notes import AuditNotes
from warpcore.services.api.client import Scheduler
from warpcore.services.api.documents import documents
from warpcore.services.api.heads import UnsentBodies, with_head
from warpcore.services.api.health import HealthResource, LiveResource
from warpcore.services.api.http.headers import SafeHeaders
from warpcore.services.api.http.hosts import AllowedHosts
from warpcore.services.api.http.rates import FairShares
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
    show; the origins of other web sites whose pages may use the API; the names by which it may be addressed besides
    `localhost`; what each client may have; the tokens, None where REST is open to everyone; the name of this session
    among its user's own.
    """

    scheduler: Scheduler
    mirror: Mirror = field(default_factory=Mirror)
    feed: Feed = field(default_factory=Feed)
    start: Callable[[], Awaitable[None]] = _nothing
    stop: Callable[[], Awaitable[None]] = _nothing
    versions: dict[str, str] = field(default_factory=dict)
    origins: Collection[str] = ()
    hosts: Collection[str] = ()
    shares: FairShares = field(default_factory=FairShares)
    known: Known | None = None
    own_name: str = ""


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
        middleware=[
            _Lifespan(dependencies),
            SafeHeaders(is_shared=bool(origins)),
            AllowedHosts(dependencies.hosts),
            Access(dependencies.known, AuditNotes(dependencies.scheduler).refused, dependencies.shares),
            dependencies.shares,
            SameOrigin(origins),
            AllowedOrigins(origins),
            UnsentBodies(),
        ]
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
    routes |= {LIVE_PATH: LiveResource()} | sign_in.routes(dependencies.known)
    routes |= own_sessions.routes(dependencies.own_name)
    routes |= links.routes(dependencies.known, AuditNotes(scheduler).done)
    for module in (
        settings,
        profiles,
        processing,
        workers,
        pools,
        items,
        pictures,
        tries,
        export,
        picker,
        alarms,
        audit,
        storage,
    ):
        routes |= module.routes(scheduler)
    mirror, feed = dependencies.mirror, dependencies.feed
    routes |= metrics.routes(scheduler, feed)
    routes |= listing.routes(scheduler, mirror, feed)
    routes |= selection.routes(scheduler, mirror, feed)
    routes |= series.routes(scheduler, mirror, feed)
    routes |= place.routes(scheduler, mirror, feed)
    routes |= events.routes(scheduler, feed, dependencies.versions)
    routes |= report.routes(scheduler, mirror, feed, dependencies.versions)
    routes |= live_page.routes(live_page.read_page())
    version, is_open = dependencies.versions.get("warpcore", ""), dependencies.known is None
    return routes | documents(routes, version, is_open=is_open)
