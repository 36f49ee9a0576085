"""The log of one movie: its story, as the scheduler tells it, and the workers' lines that name it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from warpcore.bus.limits import LOG_LINES
from warpcore.bus.messages import GetWorkerLogs, GetWorkers, Item, Movie, WorkerLogs, Workers
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.views import iso_time


class Line(msgspec.Struct):
    """A line; `source` is `scheduler` or a worker, `at` ISO 8601 in UTC by the clock of that host."""

    at: str | None
    source: str
    level: str
    text: str


class Log(msgspec.Struct):
    """What has happened to a movie, oldest first."""

    name: str
    lines: list[Line]


async def movie_log(scheduler: Scheduler, item: Item, data: Path) -> Log:
    """The movie's story, and what is kept of workers' logs about it."""
    registry = await ask(scheduler, GetWorkers(), Workers)
    asked = (ask(scheduler, GetWorkerLogs(worker.id, 0, LOG_LINES), WorkerLogs) for worker in registry.workers)
    return merged(item, await asyncio.gather(*asked), data)


def merged(item: Item, logs: Iterable[WorkerLogs], data: Path) -> Log:
    """Story and lines in the order of their times."""
    found = [(line["at"], Line(iso_time(line["at"]), "scheduler", "info", line["text"])) for line in item.story]
    names_it = _mention(item.movie, data)
    for log in logs:
        for line in log.lines:
            if names_it.search(line["text"]):
                at = line.get("ts") or 0.0
                found.append((at, Line(iso_time(at), log.worker, line["level"], line["text"])))
    return Log(item.movie.name, [line for _, line in sorted(found, key=lambda one: one[0])])


def _mention(movie: Movie, data: Path) -> re.Pattern[str]:
    """Finds the movie's name, or its path, where it is not a part of another name."""
    return re.compile(rf"(?<![\w./-])({re.escape(str(data))}/)?{re.escape(movie.name)}(?![\w/-])")
