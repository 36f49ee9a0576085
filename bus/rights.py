"""Who may send what: one table of messages, topics and ports. `docs/security.md` shows it.

A new message needs its place here: what stands nowhere is forbidden to all.
"""

from __future__ import annotations

from enum import StrEnum

from warpcore.bus import messages as _messages  # noqa: F401 - registers them
from warpcore.bus.envelope import Envelope
from warpcore.bus.keys import Holder
from warpcore.bus.schema import REGISTRY, Port
from warpcore.bus.vocabulary import Role, ServiceName

Sender = Role | ServiceName
"""A role, or one service of the role `service`."""


class Domain(StrEnum):
    """A socket of the scheduler, by the name that it has in logs and at the handshake."""

    WORKERS = "workers"
    CONTROL = "control"
    EVENTS_IN = "events in"
    EVENTS_OUT = "events out"


_PEOPLE_READ: frozenset[Sender] = frozenset({Role.OPERATOR, Role.OBSERVER, ServiceName.API})
_PEOPLE_CHANGE: frozenset[Sender] = frozenset({Role.OPERATOR, ServiceName.API})
_WORKERS: frozenset[Sender] = frozenset({Role.WORKER})
_DISCOVERER: frozenset[Sender] = frozenset({ServiceName.DISCOVERER})
_TRACKER: frozenset[Sender] = frozenset({ServiceName.TRACKER})
_NOTIFIER: frozenset[Sender] = frozenset({ServiceName.NOTIFIER})
_API: frozenset[Sender] = frozenset({ServiceName.API})
_POOL: frozenset[Sender] = frozenset({ServiceName.POOL})

MAY_SEND: dict[str, frozenset[Sender]] = {
    "worker.register": _WORKERS,
    "worker.heartbeat": _WORKERS,
    "worker.pull": _WORKERS,
    "worker.sees": _WORKERS,
    "worker.compute_died": _WORKERS,
    "worker.log": _WORKERS,
    "worker.goodbye": _WORKERS,
    "task.progress": _WORKERS,
    "task.finished": _WORKERS,
    "task.failed": _WORKERS,
    "files.register": _DISCOVERER,
    "files.known": _PEOPLE_READ | _DISCOVERER,
    "export.collected": _TRACKER,
    "audit.note": _API,
    "audit.get": _PEOPLE_READ,
    "pool.report": _POOL,
    "pool.drain": _POOL,
    "alarms.get": _PEOPLE_READ | _NOTIFIER,
    "changes.get": _PEOPLE_READ | _TRACKER,
    "export.get": _PEOPLE_READ | _TRACKER,
    "exports.get": _PEOPLE_READ | _TRACKER,
    "health.get": _PEOPLE_READ,
    "item.get": _PEOPLE_READ,
    "item.picks.get": _PEOPLE_READ,
    "items.get": _PEOPLE_READ,
    "metrics.get": _PEOPLE_READ,
    "movies.get": _PEOPLE_READ,
    "pools.get": _PEOPLE_READ,
    "processing.get": _PEOPLE_READ | _DISCOVERER | _TRACKER | _NOTIFIER | _POOL,
    "profile.get": _PEOPLE_READ,
    "profiles.get": _PEOPLE_READ,
    "selections.get": _PEOPLE_READ,
    "settings.get": _PEOPLE_READ,
    "settings.history.get": _PEOPLE_READ,
    "settings.in_use.get": _PEOPLE_READ,
    "snapshot.get": _PEOPLE_READ | _TRACKER,
    "summary.get": _PEOPLE_READ,
    "tries.get": _PEOPLE_READ,
    "try.get": _PEOPLE_READ,
    "worker.logs.get": _PEOPLE_READ,
    "workers.get": _PEOPLE_READ | _POOL,
    "alarm.acknowledge": _PEOPLE_CHANGE,
    "export.cancel": _PEOPLE_CHANGE,
    "export.delete": _PEOPLE_CHANGE,
    "export.start": _PEOPLE_CHANGE,
    "item.picks.set": _PEOPLE_CHANGE,
    "item.picks.undo": _PEOPLE_CHANGE,
    "item.prioritise": _PEOPLE_CHANGE,
    "item.retry": _PEOPLE_CHANGE,
    "item.select": _PEOPLE_CHANGE,
    "items.forget": _PEOPLE_CHANGE,
    "items.retry": _PEOPLE_CHANGE,
    "items.select": _PEOPLE_CHANGE,
    "pool.set": _PEOPLE_CHANGE,
    "processing.order": _PEOPLE_CHANGE,
    "processing.pause": _PEOPLE_CHANGE,
    "processing.start": _PEOPLE_CHANGE,
    "profile.delete": _PEOPLE_CHANGE,
    "profile.save": _PEOPLE_CHANGE,
    "selection.undo": _PEOPLE_CHANGE,
    "settings.patch": _PEOPLE_CHANGE,
    "settings.preview": _PEOPLE_CHANGE,
    "settings.put": _PEOPLE_CHANGE,
    "try.delete": _PEOPLE_CHANGE,
    "try.start": _PEOPLE_CHANGE,
}
"""Each message that the scheduler takes, and who may send it. A worker sends it under a name of its key alone."""

MAY_PUBLISH: dict[str, frozenset[Sender]] = {
    "file.": _DISCOVERER,
    "service.": frozenset(ServiceName),
}
"""Beginnings of topics, and who may publish them. What `service.` tells is of the service itself."""

MAY_SUBSCRIBE: frozenset[Sender] = frozenset({Role.OPERATOR, Role.OBSERVER, *ServiceName})
"""Who may listen to events, which tell all that is read."""


def connecting(domain: str) -> frozenset[Sender]:
    """Who may connect to a socket: whoever may send or hear anything there."""
    port = {Domain.WORKERS: Port.WORKER, Domain.CONTROL: Port.CONTROL}.get(Domain(domain))
    if port is not None:
        messages = (senders for type, senders in MAY_SEND.items() if REGISTRY[type].PORT is port)
        return frozenset[Sender]().union(*messages)
    if domain == Domain.EVENTS_IN:
        return frozenset[Sender]().union(*MAY_PUBLISH.values())
    return MAY_SUBSCRIBE


def why_not_send(holder: Holder, envelope: Envelope) -> str:
    """Why this holder may not send this message, "" where it may."""
    if holder.sender not in MAY_SEND.get(envelope.type, ()):
        return f"the key of {holder.name} ({holder.sender}) does not allow {envelope.type[:80]}"
    if holder.role is Role.WORKER:
        name = envelope.body.get("name" if envelope.type == "worker.register" else "worker")
        if not (isinstance(name, str) and holder.speaks_for(name)):
            return f"the key of {holder.name} is for workers called {holder.name} or {holder.name}/…, not {name!r:.140}"
    return ""


def why_not_publish(holder: Holder, envelope: Envelope) -> str:
    """Why this holder may not publish this event, "" where it may."""
    allowed = next((senders for begin, senders in MAY_PUBLISH.items() if envelope.type.startswith(begin)), ())
    if holder.sender not in allowed:
        return f"the key of {holder.name} ({holder.sender}) does not allow the topic {envelope.type[:80]}"
    if envelope.type.startswith("service.") and envelope.body.get("service") != holder.service:
        return f"{holder.service} called itself {envelope.body.get('service')!r:.80}"
    return ""
