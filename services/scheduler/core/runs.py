"""How movies were processed: what is kept of a run, and how long its stages took lately."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from warpcore.bus.messages import StageTime
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.run import AT_WORKER, INCUBATION, LATENCY, WAIT, stage_field, stages
from warpcore.services.steps.step import RUN

Run = Mapping[str, Any]

LATEST = 100
"""Movies that medians are taken over."""

_STAGES = {stage: stage_field(stage) for stage in stages(CHAIN.names)}
_TOLD = (INCUBATION, WAIT, *_STAGES.values(), AT_WORKER, LATENCY)
_DIGITS = 3


def run_of(movie: MovieRecord, task: TaskRecord, seconds: Mapping[str, float], wall: float) -> dict[str, Any]:
    """What a task that has ended at `wall` (epoch seconds) says of its movie's run; `seconds` are the worker's own.

    The times are told where these are the first results of the movie's file.
    """
    run: dict[str, Any] = {"worker": task.worker}
    # A step without a computation of its own has no time: what it writes counts as writing.
    run |= {name: time for stage, name in _STAGES.items() if (time := round(seconds.get(stage, 0.0), _DIGITS))}
    if movie.ready_at and movie.run.get("ready_at") != round(movie.ready_at, _DIGITS):
        times = {
            "found_at": movie.found_at,
            "ready_at": movie.ready_at,
            "assigned_at": task.assigned_at,
            "done_at": wall,
            "age_s": wall - movie.mtime_ns / 1e9,
        }
        run |= {name: round(value, _DIGITS) for name, value in times.items()}
    return run


class LatestRuns:
    """The last runs since the scheduler began."""

    def __init__(self) -> None:
        self._runs: deque[Run] = deque(maxlen=LATEST)

    def count(self, run: Run) -> None:
        """A movie is done."""
        self._runs.append(run)

    def stage_times(self) -> list[StageTime]:
        """How long they took."""
        return stage_times(self._runs)


def stage_times(runs: Iterable[Run]) -> list[StageTime]:
    """Median and 90th percentile of each stage over the runs that had it, in order, the latency last."""
    told = [{RUN: run} for run in runs]
    found = []
    for field in _TOLD:
        column = CHAIN.column[f"{RUN}.{field}"]
        values = sorted(value for run in told if (value := column.value(run)) is not None)
        if values:
            most = values[math.ceil(0.9 * len(values)) - 1]
            median = round(statistics.median(values), _DIGITS)
            found.append(StageTime(field.removesuffix("_s"), median, most, len(values)))
    return found


class LastHour:
    """Which movies were done in the last hour, by the clock (epoch seconds)."""

    LENGTH_S = 3600.0

    def __init__(self) -> None:
        self._done_at: dict[int, float] = {}

    def count(self, movie: int, wall: float) -> None:
        """A movie is done, perhaps once more."""
        self.forget(movie)
        self._done_at[movie] = wall

    def forget(self, movie: int) -> None:
        """It does not count any more."""
        self._done_at.pop(movie, None)

    def movies(self, wall: float) -> list[int]:
        """Their numbers; older ones are forgotten."""
        old = [movie for movie, at in self._done_at.items() if at < wall - self.LENGTH_S]
        for movie in old:
            del self._done_at[movie]
        return list(self._done_at)
