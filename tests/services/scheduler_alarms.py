"""What tests ask of a scheduler's alarms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.messages import Alarm

MOVIES = [f"m{number}.tif" for number in range(60)]


def alarms(world: World) -> list[Alarm]:
    reply = world.ask(wire.GetAlarms())
    assert isinstance(reply, wire.Alarms)
    return reply.alarms


def kinds(world: World) -> list[str]:
    return [alarm.id.partition(":")[0] for alarm in alarms(world)]


def told(world: World) -> list[tuple[str, str]]:
    """The events of alarms: topic and id."""
    return [(topic, body["alarm"]["id"]) for topic, body in world.events if topic.startswith("alarm.")]


def end(world: World, numbers: Iterable[int], **results: Any) -> None:
    """Finish movies with these results of steps, or let them fail where there are none."""
    for number in numbers:
        if results:
            world.finish(f"m{number}", **results)
        else:
            world.fail(f"m{number}", "input")
        world.wait(1.0, "w")
