"""Alarms: how they come and go by the rules, and what is told of it.

An alarm comes when a finding has held for its `patience_s`, and goes when its rule no longer finds it. It is told
twice, when it comes and when it goes, however often the rule finds it meanwhile, and also over a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from warpcore.bus import messages as wire
from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import ErrorCode, Severity
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.effects import SaveAlarms
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.state import State

MOST_TEXT = 500
HELD_AFTER_RESTART_S = 30.0
"""So long stored alarms stay after a restart, whatever rules find: until then workers and services come back."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds wrong with its subject: a worker, a measured value, a service.

    `title` says it in few words. It must hold for `patience_s` before it becomes an alarm. `key` tells findings of one
    rule apart, where the subject does not.
    """

    subject: str
    text: str
    title: str
    severity: Severity = Severity.WARNING
    patience_s: float = 0.0
    key: str = ""


Find = Callable[[State], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A function that looks at the state and yields what is wrong."""

    kind: str
    find: Find


RULES: dict[str, Rule] = {}
"""All rules by their kind. Importing the machine fills it."""


def rule(kind: str) -> Callable[[Find], Find]:
    """Decorator: this function finds alarms of this kind."""

    def register(find: Find) -> Find:
        if kind in RULES:
            raise ValueError(f"two rules are called {kind}: {RULES[kind].find} and {find}")
        RULES[kind] = Rule(kind, find)
        return find

    return register


def is_on(state: State, kind: str, subject: str) -> bool:
    """Whether this alarm has come and not gone, for rules that end one later than they begin it."""
    return _id(kind, subject) in state.alarms


def come(state: State, kind: str) -> list[Alarm]:
    """The alarms of this kind that have come and not gone; after a restart some may be of an earlier run."""
    return [alarm for id, alarm in state.alarms.items() if id.startswith(f"{kind}:")]


def restore(state: State, stored: Iterable[Alarm]) -> None:
    """Take up the alarms of an earlier run."""
    state.alarms = {alarm.id: alarm for alarm in stored}
    if state.alarms:
        state.alarms_held_until = state.now + HELD_AFTER_RESTART_S


def watch(state: State) -> None:
    """Let alarms come and go, and tell it. To be called every second or so."""
    found = _found(state)
    state.suspected = {id: state.suspected.get(id, state.now) for id in found}
    before, state.alarms = state.alarms, _current(state, found)
    gone = [alarm for id, alarm in before.items() if id not in state.alarms]
    come = [alarm for id, alarm in state.alarms.items() if id not in before]
    for alarm in gone:
        state.publish("alarm.cleared", wire.AlarmEvent(alarm), durable=False)
    for alarm in come:
        state.publish("alarm.raised", wire.AlarmEvent(alarm), durable=False)
    if gone or come:
        _save(state)


@handles(wire.GetAlarms, reads=True)
def alarms(state: State, message: wire.GetAlarms) -> None:
    """The alarms that hold now."""
    _reply(state)


@handles(wire.AcknowledgeAlarm)
def acknowledge(state: State, message: wire.AcknowledgeAlarm) -> None:
    """Notes that someone has seen an alarm."""
    watch(state)  # so that all that a list shows can be acknowledged
    alarm = state.alarms.get(message.id)
    if alarm is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"there is no alarm {message.id[:MOST_TEXT]!r} now"))
        return
    if not alarm.acknowledged:
        state.alarms[alarm.id] = alarm = replace(alarm, acknowledged=True)
        state.publish("alarm.acknowledged", wire.AlarmEvent(alarm), durable=False)
        _save(state)
    _reply(state)


def current(state: State) -> list[Alarm]:
    """The alarms that hold now, critical ones first, then in the order in which they came."""
    held = _current(state, _found(state)).values()
    return sorted(held, key=lambda one: (one.severity != Severity.CRITICAL, one.since))


def _reply(state: State) -> None:
    state.reply(wire.Alarms(views.fitting(current(state))))


def _save(state: State) -> None:
    state.effects.append(SaveAlarms(tuple(state.alarms.values())))


def _found(state: State) -> dict[str, Finding]:
    """What all rules find, by the ids of the alarms."""
    found = ((one.kind, finding) for one in RULES.values() for finding in one.find(state))
    return {_id(kind, finding.key or finding.subject): finding for kind, finding in found}


def _current(state: State, found: dict[str, Finding]) -> dict[str, Alarm]:
    """The alarms that hold: those that have come, and findings that have held for long enough."""
    held = dict(state.alarms) if state.now < state.alarms_held_until else {}
    for id, finding in found.items():
        known = state.alarms.get(id)
        age_s = state.now - state.suspected.get(id, state.now)
        if known is None and age_s < finding.patience_s:
            continue
        held[id] = Alarm(
            id,
            finding.severity,
            finding.subject,
            finding.text[:MOST_TEXT],
            since=known.since if known is not None else state.wall - age_s,
            title=finding.title[:MOST_TEXT],
            acknowledged=known is not None and known.acknowledged,
        )
    return held


def _id(kind: str, subject: str) -> str:
    return f"{kind}:{subject}"
