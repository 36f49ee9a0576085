"""`GET /api/events`: what happens, as it happens, as server-sent events."""

from __future__ import annotations

from typing import Annotated

import falcon.asgi
from msgspec import Meta

from warpcore.bus.messages import EVENT_BODIES
from warpcore.services.api.access import holds
from warpcore.services.api.client import Scheduler
from warpcore.services.api.errors import bad_parameter
from warpcore.services.api.live import Feed, LastEvent, Reader
from warpcore.services.api.live.frames import CONNECTION
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import Query

_TOPICS = (*EVENT_BODIES, CONNECTION)


class EventsQuery(Query, frozen=True):
    """Which events."""

    topics: Annotated[
        list[str], Meta(description="Only topics that begin so, separated by commas: `movie,task.progress`.")
    ] = []  # noqa: RUF012 - msgspec copies it
    last_event_id: Annotated[str, Meta(description="Go on after this event, where the header does not say so.")] = ""


class EventsResource:
    """`/api/events`."""

    def __init__(self, scheduler: Scheduler, feed: Feed, versions: dict[str, str]) -> None:
        self._scheduler = scheduler
        self._feed = feed
        self._versions = versions

    @operation(
        media_types=["text/event-stream"],
        request_headers={"Last-Event-ID": "Go on after this event; browsers send it by themselves."},
    )
    async def on_get(self, query: EventsQuery, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """What happens, as it happens, as server-sent events: a stream without end."""
        last = LastEvent.parse(req.get_header("Last-Event-ID") or query.last_event_id)
        reader = Reader(self._feed, self._scheduler, last, _topics(query.topics), self._versions, holds(req))
        resp.content_type = "text/event-stream"
        resp.cache_control = ["no-cache"]
        resp.set_header("X-Accel-Buffering", "no")
        resp.stream = reader.stream()


def routes(scheduler: Scheduler, feed: Feed, versions: dict[str, str]) -> dict[str, object]:
    """The resource of this module by its path."""
    return {"/api/events": EventsResource(scheduler, feed, versions)}


def _topics(given: list[str]) -> list[str]:
    """The beginnings of topics asked for; all where none is. Raises Problem 400 for one that fits no topic."""
    topics = [topic.strip() for one in given for topic in one.split(",") if topic.strip()]
    for topic in topics:
        if not any(known.startswith(topic) for known in _TOPICS):
            families = sorted({known.partition(".")[0] for known in _TOPICS})
            raise bad_parameter("topics", topic, f"use beginnings of topics: {', '.join(families)}, or like movie.done")
    return topics or [""]
