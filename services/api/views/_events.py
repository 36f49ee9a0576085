"""Bodies of events."""

from __future__ import annotations

from typing import Any

from warpcore.bus.messages import (
    AlarmEvent,
    ExportEvent,
    LearningEvent,
    MovieEvent,
    TryEvent,
    WorkerEvent,
    WorkerLogEvent,
)
from warpcore.bus.schema import Message
from warpcore.services.api.views._alarms import AlarmView
from warpcore.services.api.views._exports import JobView
from warpcore.services.api.views._movies import MovieView
from warpcore.services.api.views._naming import camel, camel_keys
from warpcore.services.api.views._session import LearntView
from warpcore.services.api.views._tries import TryView
from warpcore.services.api.views._workers import WorkerView


def event_view(body: Message) -> dict[str, Any]:
    """The body of an event. Settings keep their names, and the steps in it theirs."""
    match body:
        case MovieEvent():
            return {"movie": MovieView.of_movie(body.movie), "previous": body.previous}
        case WorkerEvent():
            return {"worker": WorkerView.of(body.worker)}
        case WorkerLogEvent():
            return {"worker": body.worker, "lines": camel_keys(body.lines)}
        case ExportEvent():
            return {"job": JobView.of(body.job)}
        case LearningEvent():
            return {"learnt": LearntView.of(body.learnt)}
        case TryEvent():
            return {"try": TryView.of_try(body.attempt)}
        case AlarmEvent():
            return {"alarm": AlarmView.of_alarm(body.alarm)}
        case _:
            return {camel(name): value for name, value in body.to_body().items()}
