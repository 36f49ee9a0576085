"""`warpcore tap`: live events, as text or as JSON lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.cli import options as o
from warpcore.cli import output

if TYPE_CHECKING:
    from warpcore.bus.envelope import Envelope


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(tap)


def tap(
    topics: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOPIC…]", help="Beginnings of topics: file, movie.done, task … Without any, all events."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line, for programs.")] = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    events_out_port: o.EventsOutPort = 8083,
    key: o.Key = None,
) -> None:
    """Print events as they happen, until Ctrl-C."""
    prefixes = _prefixes(topics or [""])
    from warpcore.bus.events import Subscriber
    from warpcore.cli.own_keys import key_for
    from warpcore.cli.signals import stop_event

    stop = stop_event()
    endpoint = Endpoints(host=scheduler, events_out_port=events_out_port).events_out
    with Subscriber(endpoint, prefixes, key_for(key, scheduler, events_out_port)) as subscriber:
        output.note(f"listening at {endpoint}; Ctrl-C ends")
        while not stop.is_set():
            envelope = subscriber.receive(0.2)
            if envelope is None:
                continue
            if as_json:
                output.json_line(event_document(envelope))
            else:
                output.data_line(event_line(envelope))


def _prefixes(topics: list[str]) -> list[str]:
    """The prefixes to subscribe to. One that fits no topic is a usage error, since nothing would ever be printed."""
    from warpcore.bus.messages import EVENT_BODIES

    prefixes = [topic.rstrip("*") for topic in topics]
    for prefix in prefixes:
        if not any(topic.startswith(prefix) for topic in EVENT_BODIES):
            known = ", ".join(dict.fromkeys(topic.partition(".")[0] for topic in EVENT_BODIES))
            raise typer.BadParameter(f"no event's topic begins with {prefix!r}; known: {known}, and what `tap` shows")
    return prefixes


def event_document(envelope: Envelope) -> dict[str, Any]:
    """An event as JSON: its topic, change number (0: a passing notice), source, time and body."""
    return {
        "topic": envelope.type,
        "seq": envelope.seq,
        "source": envelope.source,
        "ts": envelope.ts,
        "body": envelope.body,
    }


def event_line(envelope: Envelope) -> str:
    """An event as one line for people."""
    clock = time.strftime("%H:%M:%S", time.localtime(envelope.ts))
    seq = f"#{envelope.seq}" if envelope.seq else ""
    return f"{clock} {envelope.type:<20} {seq:>7} {_told(envelope.type, envelope.body)}".rstrip()


def _told(topic: str, body: dict[str, Any]) -> str:
    kind = topic.partition(".")[0]
    teller = _TELLERS.get(kind)
    return teller(body) if teller is not None else ""


def _movie(body: dict[str, Any]) -> str:
    movie = body["movie"]
    change = f"{body['previous']} → {movie['status']}" if body.get("previous") else movie["status"]
    failure = movie.get("failure")
    because = f": {failure['message']}" if failure else ""
    return f"{movie['name']}: {change}{because}"


def _task(body: dict[str, Any]) -> str:
    steps = ", ".join(body.get("steps") or [])
    at = f"{body['step']} {body.get('fraction', 0.0):.0%}" if body.get("step") else steps
    return " ".join(part for part in (body["movie"], at, f"on {body['worker']}", body.get("message", "")) if part)


def _worker(body: dict[str, Any]) -> str:
    if "lines" in body:
        return f"{body['worker']}: " + " | ".join(str(line.get("text", "")) for line in body["lines"])
    worker = body["worker"]
    because = f" ({worker['reason']})" if worker.get("reason") else ""
    return f"{worker['id']} on {worker['device']}: {worker['state']}{because}"


def _settings(body: dict[str, Any]) -> str:
    return ", ".join(body["changed"])


def _processing(body: dict[str, Any]) -> str:
    return "paused" if body["paused"] else "processing"


def _learning(body: dict[str, Any]) -> str:
    learnt = body["learnt"]
    return f"{learnt['step']}: {learnt['text']}"


def _alarm(body: dict[str, Any]) -> str:
    alarm = body["alarm"]
    return f"{alarm['severity']}: {alarm['text']}"


def _export(body: dict[str, Any]) -> str:
    job = body["job"]
    return f"{job['kind']} {job['job']}: {job['state']}, {job['done']} of {job['total']}, {job['failed']} failed"


def _try(body: dict[str, Any]) -> str:
    attempt = body["attempt"]
    return f"{attempt['name']} {attempt['id']}: {attempt['state']}"


def _file(body: dict[str, Any]) -> str:
    return f"{body['path']} {body.get('detail', '')}".rstrip()


def _service(body: dict[str, Any]) -> str:
    return f"{body['service']} on {body['host']}, process {body['pid']} {body.get('detail', '')}".rstrip()


_TELLERS = {
    "movie": _movie,
    "task": _task,
    "worker": _worker,
    "settings": _settings,
    "processing": _processing,
    "learning": _learning,
    "alarm": _alarm,
    "export": _export,
    "try": _try,
    "file": _file,
    "service": _service,
}
