"""Movies by where they were recorded: groups, squares and holes, a map."""

from __future__ import annotations

from warpcore.services.api.client import Scheduler
from warpcore.services.api.live import Feed
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.place.resources import (
    GroupsResource,
    MapResource,
    SquareEventsResource,
    SquaresResource,
)


def routes(scheduler: Scheduler, mirror: Mirror, feed: Feed) -> dict[str, object]:
    """The resources of this package by their paths."""
    return {
        "/api/groups": GroupsResource(scheduler, mirror, feed),
        "/api/squares": SquaresResource(scheduler, mirror, feed),
        "/api/squares/events": SquareEventsResource(scheduler, mirror, feed),
        "/api/map.png": MapResource(scheduler, mirror, feed),
    }
