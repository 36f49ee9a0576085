"""Alarms: how they come and go by the rules of `alarm_rules`, and what is told of it.

An alarm comes when a finding has held for its rule's `patience_s`, and goes when the rule no longer finds it. It is
told twice, when it comes and when it goes, however often the rule finds it meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from warpcore.bus import messages as wire
from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import ErrorCode, Severity
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.state import State

MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule finds wrong with its subject: a worker, a measured value, a service.

    `key` tells findings of one rule apart, where the subject does not.
    """

    subject: str
    text: str
    severity: Severity = Severity.WARNING
    key: str = ""


Find = Callable[[State], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A function that looks at the state and yields what is wrong."""

    kind: str
    find: Find
    patience_s: float


RULES: dict[str, Rule] = {}
"""All rules by their kind. Importing `alarm_rules` fills it."""


def rule(kind: str, *, patience_s: float = 0.0) -> Callable[[Find], Find]:
    """Decorator: this function finds alarms of this kind; each must hold for `patience_s` before it comes."""

    def register(find: Find) -> Find:
        if kind in RULES:
            raise ValueError(f"two rules are called {kind}: {RULES[kind].find} and {find}")
        RULES[kind] = Rule(kind, find, patience_s)
        return find

    return register


def is_on(state: State, kind: str, subject: str) -> bool:
    """Whether this alarm has come and not gone, for rules that end one later than they begin it."""
    return _id(kind, subject) in state.alarms


def watch(state: State) -> None:
    """Let alarms come and go, and tell it. To be called every second or so."""
    found = _found(state)
    state.suspected = {id: state.suspected.get(id, state.now) for id in found}
    before, state.alarms = state.alarms, _current(state, found)
    state.acknowledged &= state.alarms.keys()
    for id, alarm in before.items():
        if id not in state.alarms:
            state.publish("alarm.cleared", wire.AlarmEvent(alarm), durable=False)
    for id, alarm in state.alarms.items():
        if id not in before:
            state.publish("alarm.raised", wire.AlarmEvent(alarm), durable=False)


@handles(wire.GetAlarms, reads=True)
def alarms(state: State, message: wire.GetAlarms) -> None:
    """The alarms that hold now."""
    _reply(state)


@handles(wire.AcknowledgeAlarm)
def acknowledge(state: State, message: wire.AcknowledgeAlarm) -> None:
    """Notes that someone has seen an alarm."""
    if message.id not in _current(state, _found(state)):  # as GetAlarms lists them: the next `watch` may be to come
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"there is no alarm {message.id[:MOST_TEXT]!r} now"))
        return
    state.acknowledged.add(message.id)
    _reply(state)


def _reply(state: State) -> None:
    held = _current(state, _found(state)).values()
    ordered = sorted(held, key=lambda one: (one.severity != Severity.CRITICAL, one.since))
    state.reply(wire.Alarms(views.fitting(ordered)))


def _found(state: State) -> dict[str, tuple[Rule, Finding]]:
    """What all rules find, by the ids of the alarms."""
    found = ((one, finding) for one in RULES.values() for finding in one.find(state))
    return {_id(one.kind, finding.key or finding.subject): (one, finding) for one, finding in found}


def _current(state: State, found: dict[str, tuple[Rule, Finding]]) -> dict[str, Alarm]:
    """The alarms that hold: those that have come, and findings that have held for long enough."""
    held = {}
    for id, (one, finding) in found.items():
        known = state.alarms.get(id)
        age_s = state.now - state.suspected.get(id, state.now)
        if known is not None or age_s >= one.patience_s:
            since = known.since if known is not None else state.wall - age_s
            seen = id in state.acknowledged
            held[id] = Alarm(id, finding.severity, finding.subject, finding.text[:MOST_TEXT], since, seen)
    return held


def _id(kind: str, subject: str) -> str:
    return f"{kind}:{subject}"
