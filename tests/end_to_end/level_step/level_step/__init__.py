"""A step of a site's own that learns, declared: how bright an average is beside the first ones of the session."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from warpcore.services.steps import Learning, Lesson, Output, Result, Section, Step, column, result, setting


class LevelSettings(Section):
    """Brightness beside the session's first movies."""

    enabled: bool = setting(True, "off: brightness is not compared")
    movies: int = setting(3, "first movies whose brightness is the measure for all", ge=0, le=100)
    scale: float = setting(1.0, "what a brightness like that of the first movies counts as", gt=0)


@result
class LevelResult(Result):
    """What was found. `level` is what it was compared with, in electrons a pixel."""

    relative: float = column("brightness", "mean of the average beside the first movies", digits=4, json="Brightness")
    level: float
    evidence: dict[str, Any] | None = None


def _pool(section: LevelSettings, lessons: Sequence[Lesson]) -> dict[str, Any]:
    return {"level": statistics.median(lesson.evidence["mean"] for lesson in lessons)}


def _describe(choice: Mapping[str, Any]) -> str:
    return f"usual brightness {choice['level']:.4f} e⁻/px"


LEVEL = Output("level/{movie}.json", "brightness, and what it was compared with")

STEP = Step(
    name="level",
    version=1,
    parents=("motion",),
    section=LevelSettings,
    result=LevelResult,
    doing="level_step.doing:LEVEL",
    description="compares the brightness of averages",
    outputs=(LEVEL,),
    learning=Learning(count=lambda section: section.movies, pool=_pool, describe=_describe),
)
