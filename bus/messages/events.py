"""Bodies of events. The topic is the envelope's type; `EVENT_BODIES` says which body belongs to which topic."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus.messages.alarms import Alarm
from warpcore.bus.messages.exports import ExportJob
from warpcore.bus.messages.parts import Learnt, Movie, Worker
from warpcore.bus.messages.tries import Try
from warpcore.bus.schema import Message, part
from warpcore.bus.vocabulary import MovieStatus, Order, Pauser, Purpose, TaskPurpose


@part
class MovieEvent(Message, frozen=True):
    """Body of `movie.added`, `.status`, `.done`, `.failed`: the whole new state, and the status before."""

    movie: Movie
    previous: MovieStatus | None = None


@part
class TaskEvent(Message, frozen=True):
    """Body of `task.assigned`, `.finished`, `.lost` (durable) and `.progress` (not). `steps` are run or to be run."""

    movie: str
    lease: int
    worker: str
    purpose: TaskPurpose = Purpose.PROCESS
    steps: list[str] = field(default_factory=list)
    step: str = ""
    fraction: float = 0.0
    message: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


@part
class WorkerEvent(Message, frozen=True):
    """Body of `worker.registered`, `.lost` (durable), `.heartbeat`, `.idle`, `.busy` (not)."""

    worker: Worker


@part
class WorkerLogEvent(Message, frozen=True):
    """Body of `worker.log`."""

    worker: str
    lines: list[dict[str, Any]]


@part
class SettingsEvent(Message, frozen=True):
    """Body of `settings.changed` (durable): all current settings, the dotted names of those that changed, who asked."""

    settings: dict[str, Any]
    revision: int
    changed: list[str]
    by: str = ""


@part
class ProcessingEvent(Message, frozen=True):
    """Body of `processing.started`, `.paused` and `.ordered` (durable)."""

    paused: bool
    order: Order = Order.NORMAL
    paused_by: Pauser | None = None


@part
class LearningEvent(Message, frozen=True):
    """Body of `learning.done` and `.failed` (durable)."""

    learnt: Learnt


@part
class ExportEvent(Message, frozen=True):
    """Body of `export.started`, `.progress`, `.collecting`, `.done`, `.deleting`, `.deleted` (durable)."""

    job: ExportJob


@part
class TryEvent(Message, frozen=True):
    """Body of `try.started`, `.done` (also where it failed) and `.deleted` (durable); without results."""

    attempt: Try


@part
class AlarmEvent(Message, frozen=True):
    """Body of `alarm.raised`, `.acknowledged` and `.cleared`."""

    alarm: Alarm


@part
class FileEvent(Message, frozen=True):
    """Body of the `file.*` events; `path` as in `FoundFile`, `detail` is one line for people."""

    path: str
    detail: str = ""


@part
class ServiceEvent(Message, frozen=True):
    """Body of `service.started`, `.stopping`, `.heartbeat`.

    The scheduler's heartbeat, every 2 s, carries its newest change number as `head`.
    """

    service: str
    host: str
    pid: int
    head: int | None = None
    epoch: str = ""
    detail: str = ""


EVENT_BODIES: dict[str, type[Message]] = {
    **dict.fromkeys(("movie.added", "movie.status", "movie.done", "movie.failed"), MovieEvent),
    **dict.fromkeys(("task.assigned", "task.progress", "task.finished", "task.lost"), TaskEvent),
    **dict.fromkeys(
        ("worker.registered", "worker.heartbeat", "worker.idle", "worker.busy", "worker.lost"), WorkerEvent
    ),
    "worker.log": WorkerLogEvent,
    "settings.changed": SettingsEvent,
    **dict.fromkeys(("processing.started", "processing.paused", "processing.ordered"), ProcessingEvent),
    **dict.fromkeys(("alarm.raised", "alarm.acknowledged", "alarm.cleared"), AlarmEvent),
    **dict.fromkeys(("learning.done", "learning.failed"), LearningEvent),
    **dict.fromkeys(("export.started", "export.progress", "export.collecting", "export.done"), ExportEvent),
    **dict.fromkeys(("export.deleting", "export.deleted"), ExportEvent),
    **dict.fromkeys(("try.started", "try.done", "try.deleted"), TryEvent),
    **dict.fromkeys(
        ("file.seen", "file.incubating", "file.ready", "file.reference", "file.vanished", "file.unreadable"), FileEvent
    ),
    **dict.fromkeys(("service.started", "service.stopping", "service.heartbeat"), ServiceEvent),
}
"""Every topic there is and the type of its body."""

FORWARDED_TOPICS = ("file.", "service.")
"""Prefixes of topics that other services may publish into the hub; all others are the scheduler's own."""
