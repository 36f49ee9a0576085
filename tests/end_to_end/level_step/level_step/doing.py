"""The same step, done."""

from __future__ import annotations

import json
from typing import cast

from level_step import LEVEL as FILE
from level_step import LevelResult, LevelSettings
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.doing import Doing
from warpcore.services.worker.steps.work import AVERAGE, Report, Work


class Level(Doing):
    """Compares an average with the session's first ones; without a choice with itself."""

    def run(self, work: Work, report: Report) -> LevelResult:
        """Measure, and compare."""
        mean = round(float(work.take(AVERAGE).pixels.mean()), 6)
        choice = work.choice("level")
        level = mean if choice is None else choice["level"]
        options = cast(LevelSettings, work.settings.section("level"))
        report("level", 1.0)
        return LevelResult(round(options.scale * mean / level, 6), level, {"mean": mean} if choice is None else None)

    def write(self, work: Work, staging: Staging) -> None:
        """Both figures."""
        figures = {name: work.results["level"][name] for name in ("relative", "level")}
        staging.place("level", FILE).write_text(json.dumps(figures))


LEVEL = Level()
