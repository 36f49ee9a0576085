"""Alarms: what a person should look at now."""

from __future__ import annotations

from warpcore.bus.schema import Message, Port, message, part
from warpcore.bus.vocabulary import Severity


@part
class Alarm(Message, frozen=True):
    """What is wrong, for as long as it is so. `since` is in seconds since the epoch.

    `id` is the same as long as it holds, and when it comes again; `subject` is what it is about: a worker, a measured
    value, a service. `title` says it in few words. `acknowledged`: someone has seen it.
    """

    id: str
    severity: Severity
    subject: str
    text: str
    since: float
    title: str = ""
    acknowledged: bool = False


@message("alarms")
class Alarms(Message, frozen=True):
    """All alarms that hold now, critical ones first, then in the order in which they came."""

    alarms: list[Alarm]


@message("alarms.get", port=Port.CONTROL, answers=(Alarms,))
class GetAlarms(Message, frozen=True):
    """All alarms that hold now."""


@message("alarm.acknowledge", port=Port.CONTROL, answers=(Alarms,))
class AcknowledgeAlarm(Message, frozen=True):
    """Note that someone has seen an alarm; it comes again once it has been well. Unknown id: error `not_found`."""

    id: str
