"""`GET /api/events`: what happens, as it happens, as server-sent events."""

from __future__ import annotations

import falcon.asgi

from warpcore.bus.messages import EVENT_BODIES
from warpcore.services.api.client import Scheduler
from warpcore.services.api.errors import bad_parameter
from warpcore.services.api.live import Feed, LastEvent, Reader
from warpcore.services.api.live.frames import CONNECTION
from warpcore.services.api.parameters import only_parameters, text

_TOPICS = (*EVENT_BODIES, CONNECTION)


class EventsResource:
    """`GET /api/events`, parameters `topics` (beginnings, separated by commas) and `lastEventId`."""

    def __init__(self, scheduler: Scheduler, feed: Feed, versions: dict[str, str]) -> None:
        self._scheduler = scheduler
        self._feed = feed
        self._versions = versions

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """A stream without end. The header `Last-Event-ID`, which browsers send by themselves, goes on from there."""
        only_parameters(req, "topics", "lastEventId")
        last = LastEvent.parse(req.get_header("Last-Event-ID") or text(req, "lastEventId", ""))
        reader = Reader(self._feed, self._scheduler, last, _topics(req), self._versions)
        resp.content_type = "text/event-stream"
        resp.cache_control = ["no-cache"]
        resp.set_header("X-Accel-Buffering", "no")
        resp.stream = reader.stream()


def routes(scheduler: Scheduler, feed: Feed, versions: dict[str, str]) -> dict[str, object]:
    """The resource of this module by its path."""
    return {"/api/events": EventsResource(scheduler, feed, versions)}


def _topics(req: falcon.asgi.Request) -> list[str]:
    """The beginnings of topics asked for; all where none is. Raises Problem 400 for one that fits no topic."""
    given = req.get_param_as_list("topics") or []
    topics = [topic.strip() for one in given for topic in one.split(",") if topic.strip()]
    for topic in topics:
        if not any(known.startswith(topic) for known in _TOPICS):
            families = sorted({known.partition(".")[0] for known in _TOPICS})
            raise bad_parameter("topics", topic, f"use beginnings of topics: {', '.join(families)}, or like movie.done")
    return topics or [""]
