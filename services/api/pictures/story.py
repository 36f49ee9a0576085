"""The log of one movie: its story, as the scheduler tells it, and the workers' lines that name it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from warpcore.bus.limits import LOG_LINES
from warpcore.bus.messages import GetWorkerLogs, GetWorkers, Item, Movie, WorkerLogs, Workers
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.views import EventLease, EventStep, EventWorker, Time, View, utc


class Line(View, frozen=True):
    """A line of a movie's log."""

    at: Annotated[Time, Meta(description="By the clock of its host.")]
    source: Annotated[str, Meta(description="`scheduler`, or a worker's id.")]
    level: str
    text: str
    worker: EventWorker = ""
    lease: EventLease = 0
    step: EventStep = ""


class Log(View, frozen=True):
    """What has happened to a movie."""

    name: str
    lines: Annotated[list[Line], Meta(description="Oldest first.")]


async def movie_log(scheduler: Scheduler, item: Item, data: Path) -> Log:
    """The movie's story, and what is kept of workers' logs about it."""
    registry = await ask(scheduler, GetWorkers(), Workers)
    asked = (ask(scheduler, GetWorkerLogs(worker.id, 0, LOG_LINES), WorkerLogs) for worker in registry.workers)
    return merged(item, await asyncio.gather(*asked), data)


def merged(item: Item, logs: Iterable[WorkerLogs], data: Path) -> Log:
    """Story and lines in the order of their times."""
    found = [(line["at"], _told(**line)) for line in item.story]
    names_it = _mention(item.movie, data)
    for log in logs:
        for line in log.lines:
            if names_it.search(line["text"]):
                at = line.get("ts") or 0.0
                found.append((at, Line(utc(at), log.worker, line["level"], line["text"])))
    return Log(name=item.movie.name, lines=[line for _, line in sorted(found, key=lambda one: one[0])])


def _told(at: float, text: str, worker: str = "", lease: int = 0, step: str = "", **_: object) -> Line:
    """A line of a movie's story."""
    return Line(utc(at), "scheduler", "info", text, worker, lease, step)


def _mention(movie: Movie, data: Path) -> re.Pattern[str]:
    """Finds the movie's name, or its path, where it is not a part of another name."""
    return re.compile(rf"(?<![\w./-])({re.escape(str(data))}/)?{re.escape(movie.name)}(?![\w/-])")
