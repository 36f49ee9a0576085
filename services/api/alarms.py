"""`/api/alarms`: what a person should look at now."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.bus.messages import AcknowledgeAlarm, Alarms, GetAlarms
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.views import AlarmView


class AcknowledgeBody(Body, frozen=True):
    """Which alarm was seen."""

    id: Annotated[str, Meta(description="The alarm's `id`.")]


class AlarmsResource:
    """`/api/alarms`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> list[AlarmView]:
        """All alarms that hold now, critical ones first; each comes once and stays until all is well again."""
        return _views(await ask(self._scheduler, GetAlarms(), Alarms))


class AcknowledgeResource:
    """`/api/alarms/acknowledge`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(errors={404: "This alarm does not hold now."})
    async def on_post(self, body: AcknowledgeBody) -> list[AlarmView]:
        """Note that someone has seen an alarm. It comes again once it has been well."""
        return _views(await ask(self._scheduler, AcknowledgeAlarm(body.id), Alarms))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/alarms": AlarmsResource(scheduler),
        "/api/alarms/acknowledge": AcknowledgeResource(scheduler),
    }


def _views(reply: Alarms) -> list[AlarmView]:
    return [AlarmView.of_alarm(alarm) for alarm in reply.alarms]
