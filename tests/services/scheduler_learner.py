"""Picking as a step that learns from the first movies, and a worker's part in it, for tests of the scheduler."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.services.session.learning import choice_id
from warpcore.services.session.settings import PickingSettings, Settings, parse_settings
from warpcore.services.steps import Learning, Lesson, Section, result
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.ctf import CtfResult
from warpcore.services.steps.picking import PickingResult

COUNT = 3
PICKS: Settings = parse_settings({"picking": {"diameter": 120.0}})


@result
class Taught(PickingResult):
    evidence: dict[str, Any] | None = None


@result
class TaughtCtf(CtfResult):
    evidence: dict[str, Any] | None = None


def count(section: Section) -> int:
    """None where particles are bright."""
    return 0 if isinstance(section, PickingSettings) and section.contrast == "bright" else COUNT


def pool(section: Section, lessons: Sequence[Lesson]) -> dict[str, Any]:
    """All that it was given, in order, so that any difference shows."""
    return {"movies": [lesson.movie for lesson in lessons], "values": [lesson.evidence["value"] for lesson in lessons]}


def describe(choice: Mapping[str, Any]) -> str:
    """The mean."""
    return f"mean {sum(choice['values']) / len(choice['values']):g}"


LEARNING = Learning(count, pool, describe)


@contextmanager
def learners(picking: Learning | None = LEARNING, ctf: Learning | None = None) -> Iterator[None]:
    """The chain with other steps in the place of picking and CTF."""
    steps, by_name = CHAIN.steps, CHAIN.by_name
    changed = {
        "picking": dataclasses.replace(by_name["picking"], result=Taught, learning=picking),
        "ctf": dataclasses.replace(by_name["ctf"], result=TaughtCtf, learning=ctf),
    }
    CHAIN.steps = tuple(changed.get(step.name, step) for step in steps)
    CHAIN.by_name = {step.name: step for step in CHAIN.steps}
    try:
        yield
    finally:
        CHAIN.steps, CHAIN.by_name = steps, by_name


def told(task: wire.AssignTask, step: str, value: float | None) -> dict[str, Any]:
    """What a worker adds to the summary of a step: its evidence, or the choice that it was given."""
    choice = task.choices.get(step)
    if choice is not None:
        return {"evidence": None, "choice": choice_id(choice)}
    return {"evidence": None if value is None else {"value": value}, "choice": None}


def do(world: World, *names: str, value: float | None = 1.0) -> None:
    """The worker has done these movies, each of which tells `value`, or nothing."""
    for name in names:
        task = world.tasks[name]
        world.finish(name, **{step: told(task, step, value) for step in ("picking", "ctf") if step in task.run})
