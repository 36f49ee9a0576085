"""Alarms."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import Severity
from warpcore.services.api.views._naming import Time, View, utc


class AlarmView(View, frozen=True):
    """What a person should look at, for as long as it is so."""

    id: Annotated[str, Meta(description="The same as long as it holds, and when it comes again.")]
    severity: Severity
    subject: Annotated[str, Meta(description="What it is about: a worker, a measured value, a service.")]
    title: Annotated[str, Meta(description="What is wrong, in few words.")]
    text: Annotated[str, Meta(description="What is wrong, and what to do.")]
    since: Annotated[Time, Meta(description="Since when it is so.")]
    acknowledged: Annotated[bool, Meta(description="Whether someone has seen it.")]

    @classmethod
    def of_alarm(cls, alarm: Alarm) -> Self:
        """The view of an alarm."""
        return cls.of(alarm, since=utc(alarm.since))
