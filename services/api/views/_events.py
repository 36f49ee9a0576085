"""Live events: what `GET /api/events` tells, by the types of the bus."""

from __future__ import annotations

from typing import Annotated, Any, Self

from msgspec import Meta

from warpcore.bus.messages import (
    AlarmEvent,
    ExportEvent,
    FileEvent,
    LearningEvent,
    MovieEvent,
    ProcessingEvent,
    ServiceEvent,
    SettingsEvent,
    TaskEvent,
    WorkerEvent,
    WorkerLogEvent,
)
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import MovieStatus, TaskPurpose
from warpcore.services.api.views._alarms import AlarmView
from warpcore.services.api.views._exports import JobView
from warpcore.services.api.views._movies import MovieView
from warpcore.services.api.views._naming import View
from warpcore.services.api.views._session import LearntView
from warpcore.services.api.views._workers import LogsView, WorkerView


class MovieEventView(View, frozen=True):
    """A movie has come, or is in another state."""

    movie: MovieView
    previous: Annotated[MovieStatus | None, Meta(description="Its status before.")]

    @classmethod
    def of_event(cls, event: MovieEvent) -> Self:
        """The view of such an event."""
        return cls(movie=MovieView.of_movie(event.movie), previous=event.previous)


class AlarmEventView(View, frozen=True):
    """An alarm has come or gone."""

    alarm: AlarmView

    @classmethod
    def of_event(cls, event: AlarmEvent) -> Self:
        """The view of such an event."""
        return cls(alarm=AlarmView.of_alarm(event.alarm))


class TaskEventView(View, frozen=True):
    """A task has begun, has come further, or has ended."""

    movie: Annotated[str, Meta(description="The movie's name.")]
    lease: int
    worker: str
    purpose: TaskPurpose
    steps: Annotated[list[str], Meta(description="Steps that are to be run, or were.")]
    step: Annotated[str, Meta(description="The present step.")]
    fraction: Annotated[float, Meta(description="How much of the step is done, 0 to 1.")]
    message: str
    seconds: Annotated[dict[str, float], Meta(description="How long each step took, s.")]


class WorkerEventView(View, frozen=True):
    """A worker has come, is lost, or tells how it is."""

    worker: WorkerView


class SettingsEventView(View, frozen=True):
    """Settings have changed."""

    settings: Annotated[dict[str, Any], Meta(description="All settings by section.")]
    revision: int
    changed: Annotated[list[str], Meta(description="Names of the settings that differ.")]


class ProcessingEventView(View, frozen=True):
    """Processing was started or paused."""

    paused: bool


class LearningEventView(View, frozen=True):
    """A step has learnt, or has failed to."""

    learnt: LearntView


class ExportEventView(View, frozen=True):
    """An export job has begun, has come further, or has ended."""

    job: JobView


class FileEventView(View, frozen=True):
    """A file was seen below the data directory."""

    path: str
    detail: str


class ServiceEventView(View, frozen=True):
    """A service has begun or ends, or is there."""

    service: str
    host: str
    pid: int
    head: Annotated[int | None, Meta(description="The scheduler's newest change.")]
    epoch: str
    detail: str


_VIEWS: dict[type[Message], type[View]] = {
    TaskEvent: TaskEventView,
    WorkerEvent: WorkerEventView,
    WorkerLogEvent: LogsView,
    SettingsEvent: SettingsEventView,
    ProcessingEvent: ProcessingEventView,
    LearningEvent: LearningEventView,
    ExportEvent: ExportEventView,
    FileEvent: FileEventView,
    ServiceEvent: ServiceEventView,
}
"""Those that have the names and the types of their messages."""


def event_view(body: Message) -> View:
    """What is told of an event. A new kind of event needs a view of its own."""
    match body:
        case MovieEvent():
            return MovieEventView.of_event(body)
        case AlarmEvent():
            return AlarmEventView.of_event(body)
        case _:
            return _VIEWS[type(body)].of(body)
