"""What the scheduler's log tells of its decisions: what an operator looks for, and nothing of each movie's way."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import Pauser, Severity
from warpcore.services.scheduler.core import effects as e
from warpcore.services.scheduler.core import registry
from warpcore.services.scheduler.core.rows import RevisionRow

MOST_ENTRIES = 100
"""Entries of one round; of more only the number is told."""
_LONGEST_VALUE = 60
_LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log. `about` names the movie, lease, worker and step that it concerns."""

    level: int
    text: str
    about: dict[str, Any] = field(default_factory=dict)


def entries(effects: Iterable[e.Effect]) -> Iterator[Entry]:
    """What to tell of these effects, once they are stored."""
    for effect in effects:
        match effect:
            case e.Publish(topic, body):
                entry = _of_event(topic, body)
            case e.SaveRevision(row):
                entry = Entry(logging.INFO, _settings(row))
            case e.DropMovie(name=name, path=path, told=told, by=by):
                text = f"movie {name} ({path}) is forgotten, by {by or 'nobody known'}; it had failed: {told}"
                entry = Entry(logging.INFO, text, {"movie": name})
            case e.SaveBan(ban):
                text = f"worker {ban.worker} is set aside: {ban.reason}"
                entry = Entry(logging.ERROR, text, {"worker": ban.worker})
            case e.SaveChoice(told=told, failed=failed):
                entry = Entry(logging.WARNING if failed else logging.INFO, told)
            case e.Reply(wire.ItemsRetried(retried=retried)) if retried:
                entry = Entry(logging.INFO, f"{retried} movies are to be run again, by a person's word")
            case _:
                entry = None
        if entry is not None:
            yield Entry(entry.level, _one_line(entry.text), entry.about)


def shown(found: list[Entry]) -> list[Entry]:
    """As many entries of a round as the log takes, and how many there are beyond."""
    more = len(found) - MOST_ENTRIES
    note = [Entry(logging.WARNING, f"… and {more} more of the same moment")] if more > 0 else []
    return [*found[:MOST_ENTRIES], *note]


def _of_event(topic: str, body: dict[str, Any]) -> Entry | None:
    match topic:
        case "worker.registered" | "worker.lost":
            return _of_worker(topic, wire.WorkerEvent.from_body(body).worker)
        case "movie.failed" | "movie.added":
            return _of_failure(wire.MovieEvent.from_body(body).movie) if body["movie"]["failure"] else None
        case "processing.started" | "processing.paused" | "processing.ordered":
            return Entry(logging.INFO, _processing(topic, wire.ProcessingEvent.from_body(body)))
        case "alarm.raised" | "alarm.acknowledged" | "alarm.cleared":
            return _of_alarm(topic.partition(".")[2], wire.AlarmEvent.from_body(body).alarm)
        case "export.started" | "export.done":
            job = wire.ExportEvent.from_body(body).job
            return Entry(logging.INFO, f"export {job.job} ({job.kind}) is {job.state}: {job.done} of {job.total} done")
    return None


def _of_worker(topic: str, worker: wire.Worker) -> Entry:
    about = {"worker": worker.id}
    if topic == "worker.registered":
        version = worker.versions.get("warpcore", "?")
        where = f"{worker.device}, process {worker.pid} on {worker.host}, warpcore {version}"
        return Entry(logging.INFO, f"worker {worker.id} is there: {where}", about)
    if worker.reason == registry.ENDED:
        return Entry(logging.INFO, f"worker {worker.id} has ended", about)
    return Entry(logging.WARNING, f"worker {worker.id} is lost: {worker.reason}", about)


def _of_failure(movie: wire.Movie) -> Entry | None:
    failure = movie.failure
    if failure is None:
        return None
    where = f" on {failure.host}" if failure.host else ""
    text = f"movie {movie.name} has failed in {failure.step}{where} ({failure.kind}): {failure.message}"
    return Entry(logging.WARNING, text, {"movie": movie.name, "step": failure.step})


def _of_alarm(what: str, alarm: wire.Alarm) -> Entry:
    level = logging.ERROR if alarm.severity == Severity.CRITICAL else logging.WARNING
    if what == "raised":
        return Entry(level, f"alarm: {alarm.text}")
    return Entry(logging.INFO, f"alarm {what}: {alarm.title or alarm.text}")


def _processing(topic: str, event: wire.ProcessingEvent) -> str:
    if topic == "processing.ordered":
        return f"movies are handed out in the order {event.order}"
    if topic == "processing.started":
        return "processing goes on"
    return "processing is paused" + (" until the next movie" if event.paused_by == Pauser.IDLE else "")


def _settings(row: RevisionRow) -> str:
    """`settings 3, by ada: ctf.cs 2.7 → 2.0, …`."""
    changes = json.loads(row.changed).items()
    told = ", ".join(f"{name} {_value(old)} → {_value(new)}" for name, (old, new) in changes)
    text = shorten(told or "those that were set aside are gone", _LONGEST_TEXT, placeholder=" …")
    return f"settings {row.revision}, by {row.by or 'nobody known'}: {text}"


def _value(value: Any) -> str:
    return shorten(json.dumps(value), _LONGEST_VALUE, placeholder=" …")


def _one_line(text: str) -> str:
    """Names and messages come from elsewhere: none of them begins a line of its own."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
