"""Events as server-sent events: text with `id`, `event` and one line of JSON as `data`."""

from __future__ import annotations

from typing import Any

import msgspec

from warpcore.bus.envelope import WireError
from warpcore.bus.messages import EVENT_BODIES
from warpcore.services.api.live.log import Entry
from warpcore.services.api.views import View, event_view

PING = b": ping\n\n"
COME_AGAIN = b"retry: 1000\n\n"
"""A browser whose stream has ended connects again after so many milliseconds."""
CONNECTION = "connection"
"""Topic of the API's own notice that the scheduler answers, or does not."""


def event_entry(topic: str, body: dict[str, Any], epoch: str, seq: int) -> Entry:
    """An event of the bus as it is sent; a durable one (`seq` > 0) has an id. Raises WireError for a bad body."""
    kind = EVENT_BODIES.get(topic)
    if kind is None:
        raise WireError(f"unknown topic {topic[:100]!r}")
    data = event_view(kind.from_body(body))
    return Entry(topic, seq, frame(topic, data, f"{epoch}:{seq}" if seq else ""))


def connection_entry(connected: bool) -> Entry:
    """The notice that the scheduler answers again, or no longer."""
    return Entry(CONNECTION, 0, frame(CONNECTION, {"scheduler": connected}))


def frame(event: str, data: View | dict[str, Any], id: str = "") -> bytes:
    """One server-sent event."""
    head = f"id: {id}\nevent: {event}\n" if id else f"event: {event}\n"
    return head.encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"
