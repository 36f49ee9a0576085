"""What the scheduler's log tells of its decisions: what an operator looks for, and nothing of each movie's way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import Pauser, Severity
from warpcore.services.scheduler.core import effects as e
from warpcore.services.scheduler.core import registry
from warpcore.services.scheduler.core.rows import RevisionRow
from warpcore.services.scheduler.core.wording import changed_settings
from warpcore.services.session.errors import one_line

MOST_ENTRIES = 100
"""Entries of one round; of more only the number is told."""
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
            case e.SaveMovie() | e.SaveTask() | e.DropTask() | e.Send() | e.PlaceOutputs() | e.DropStaging():
                continue  # told here, as each task has these: the cases are tried one after the other
            case e.SaveRevision(row):
                entry = Entry(logging.INFO, _settings(row))
            case e.DropMovie(name=name, path=path, told=told, by=by):
                text = f"movie {name} ({path}) is forgotten, by {by or 'nobody known'}; {told}"
                entry = Entry(logging.INFO, text, {"movie": name})
            case e.SaveBan(ban):
                text = f"worker {ban.worker} is set aside: {ban.reason}"
                entry = Entry(logging.ERROR, text, {"worker": ban.worker})
            case e.SavePool(told=told, by=by) if told:
                entry = Entry(logging.INFO, f"{told}, by {by or 'nobody known'}")
            case e.SaveChoice(told=told, failed=failed):
                entry = Entry(logging.WARNING if failed else logging.INFO, told)
            case e.Reply(wire.ItemsRetried(retried=retried)) if retried:
                entry = Entry(logging.INFO, f"{retried} movies are to be run again, by a person's word")
            case _:
                entry = None
        if entry is not None:
            yield Entry(entry.level, one_line(entry.text), entry.about)


def shown(found: list[Entry]) -> list[Entry]:
    """As many entries of a round as the log takes, and how many there are beyond."""
    more = len(found) - MOST_ENTRIES
    note = [Entry(logging.WARNING, f"… and {more} more of the same moment")] if more > 0 else []
    return [*found[:MOST_ENTRIES], *note]


def _of_event(topic: str, body: dict[str, Any]) -> Entry | None:
    tell = _EVENTS.get(topic)
    return tell(topic, body) if tell is not None else None


def _of_worker(topic: str, body: dict[str, Any]) -> Entry:
    worker = wire.WorkerEvent.from_body(body).worker
    about = {"worker": worker.id}
    if topic == "worker.registered":
        version = worker.versions.get("warpcore", "?")
        where = f"{worker.device}, process {worker.pid} on {worker.host}, warpcore {version}"
        return Entry(logging.INFO, f"worker {worker.id} is there: {where}", about)
    if worker.reason == registry.ENDED:
        return Entry(logging.INFO, f"worker {worker.id} has ended", about)
    return Entry(logging.WARNING, f"worker {worker.id} is lost: {worker.reason}", about)


def _of_failure(topic: str, body: dict[str, Any]) -> Entry | None:
    if not body["movie"]["failure"]:
        return None
    movie = wire.MovieEvent.from_body(body).movie
    failure = movie.failure
    assert failure is not None
    where = f" on {failure.host}" if failure.host else ""
    text = f"movie {movie.name} has failed in {failure.step}{where} ({failure.kind}): {failure.message}"
    return Entry(logging.WARNING, text, {"movie": movie.name, "step": failure.step})


def _of_alarm(topic: str, body: dict[str, Any]) -> Entry:
    what, alarm = topic.partition(".")[2], wire.AlarmEvent.from_body(body).alarm
    level = logging.ERROR if alarm.severity == Severity.CRITICAL else logging.WARNING
    if what == "raised":
        return Entry(level, f"alarm: {alarm.text}")
    return Entry(logging.INFO, f"alarm {what}: {alarm.title or alarm.text}")


def _of_processing(topic: str, body: dict[str, Any]) -> Entry:
    event = wire.ProcessingEvent.from_body(body)
    if topic == "processing.ordered":
        return Entry(logging.INFO, f"movies are handed out in the order {event.order}")
    if topic == "processing.started":
        return Entry(logging.INFO, "processing goes on")
    until = " until the next movie" if event.paused_by == Pauser.IDLE else ""
    return Entry(logging.INFO, f"processing is paused{until}")


def _of_export(topic: str, body: dict[str, Any]) -> Entry:
    job = wire.ExportEvent.from_body(body).job
    if topic == "export.deleted":
        return Entry(logging.INFO, f"export {job.job} ({job.kind}) is deleted")
    return Entry(logging.INFO, f"export {job.job} ({job.kind}) is {job.state}: {job.done} of {job.total} done")


_EVENTS: dict[str, Callable[[str, dict[str, Any]], Entry | None]] = {
    **dict.fromkeys(("worker.registered", "worker.lost"), _of_worker),
    **dict.fromkeys(("movie.failed", "movie.added"), _of_failure),
    **dict.fromkeys(("processing.started", "processing.paused", "processing.ordered"), _of_processing),
    **dict.fromkeys(("alarm.raised", "alarm.acknowledged", "alarm.cleared"), _of_alarm),
    **dict.fromkeys(("export.started", "export.done", "export.deleted"), _of_export),
}
"""The topics that the log tells of."""


def _settings(row: RevisionRow) -> str:
    """`settings 3, by ada: ctf.cs 2.7 → 2.0, …`."""
    return f"settings {row.revision}, by {row.by or 'nobody known'}: {changed_settings(row, _LONGEST_TEXT)}"
