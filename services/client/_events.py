"""Live events: a stream that goes on by itself after the last event where a connection ends."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from warpcore.services.api.views import MovieView
from warpcore.services.client._errors import ClientError, UnreachableError
from warpcore.services.client._http import Http

COME_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its topic (`movie.done`), its body as in docs/rest.md, its `id` ("" for a passing notice)."""

    topic: str
    data: dict[str, Any]
    id: str = ""

    @property
    def movie(self) -> MovieView | None:
        """The whole movie of a `movie.…` event, None for other ones."""
        return msgspec.convert(self.data["movie"], MovieView) if self.topic.startswith("movie.") else None


def events(http: Http, topics: Sequence[str], last_id: str, patience_s: float) -> Iterator[Event]:
    """All events from now on, or from after `last_id`; each change once and in order. Raises ApiError.

    Raises UnreachableError once nothing has come for `patience_s`, also no sign of life.
    """
    heard_at = time.monotonic()
    while True:
        query = {"topics": ",".join(topics) or None, "lastEventId": last_id or None}
        try:
            for event in parsed(http.lines("/api/events", query)):
                heard_at = time.monotonic()
                if event is not None:
                    last_id = event.id or last_id
                    yield event
        except UnreachableError:
            if time.monotonic() - heard_at > patience_s:
                raise
        time.sleep(COME_AGAIN_S)


def parsed(lines: Iterable[bytes]) -> Iterator[Event | None]:
    """The events in the lines of a stream; None for a comment, which shows that the connection lives.

    Raises ClientError for an event whose data are no JSON object.
    """
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\n")  # as the standard has it
        if not line:
            if "event" in fields:
                yield Event(fields["event"], _object(fields.get("data", "{}")), fields.get("id", ""))
            fields = {}
            continue
        name, _, value = line.partition(":")
        if not name:
            yield None
        else:
            fields[name] = value.removeprefix(" ")


def _object(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise ClientError(f"the API has sent an event that is no JSON object ({error})") from None
