"""How a movie was processed: when, where, and how long each stage took.

No step measures this, no fingerprint stands for it and no output file holds it: equal movies have equal files. The
scheduler keeps it beside the results, under the name `run`, so that it can be listed, sorted and plotted like them.

Times of day and what follows from them belong to the first results of a file: a movie that runs again for other
settings was not late. The worker, and the seconds of each stage, are those of the last run that had that stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from warpcore.services.steps.columns import TIME_OF_DAY, Column, Result, column, columns_of, result
from warpcore.services.steps.step import RUN

INCUBATION, WAIT, AT_WORKER, LATENCY = "incubation_s", "wait_s", "at_worker_s", "latency_s"


@result
class RunResult(Result):
    """Times of day are seconds since 1970 by the scheduler's clock; None for movies of earlier versions."""

    worker: str | None = column("worker", "worker that made the latest results")
    found_at: float | None = column("found", "when the file was seen first", unit=TIME_OF_DAY)
    ready_at: float | None = column("ready", "when the file was whole, and registered", unit=TIME_OF_DAY)
    assigned_at: float | None = column("assigned", "when a worker got the movie", unit=TIME_OF_DAY)
    done_at: float | None = column("done", "when its first results were there", unit=TIME_OF_DAY)
    age_s: float | None = column(
        "age",
        "from the file's own time to its first results; wrong where files are copied with their times",
        unit="s",
        digits=1,
    )


def _between(first: str, last: str) -> Callable[[Mapping[str, Any]], float | None]:
    def compute(run: Mapping[str, Any]) -> float | None:
        begin, end = run.get(first), run.get(last)
        return None if begin is None or end is None else round(float(end) - float(begin), 3)

    return compute


_SPANS = (
    (INCUBATION, "incubation", "from found to ready: until the file was whole and stood still", "found_at", "ready_at"),
    (WAIT, "wait", "from ready to assigned: until a worker was free", "ready_at", "assigned_at"),
    (AT_WORKER, "at worker", "from assigned to done, waiting between stages included", "assigned_at", "done_at"),
    (LATENCY, "latency", "from found to done: how long after a file its first results came", "found_at", "done_at"),
)


_TIME = {
    "load": "time to read and decode the movie",
    "defects": "time to find defects",
    "correct": "time to correct the frames and sum them",
    "write": "time to write the files of all steps",
}


def stages(steps: Iterable[str]) -> tuple[str, ...]:
    """What a worker measures the seconds of: loading, the search for defects, each of these steps, the average."""
    return ("load", "defects", *steps, "correct", "write")


def stage_field(stage: str) -> str:
    """Its name in `run`."""
    return f"{stage}_s"


def run_columns(steps: Iterable[str]) -> tuple[Column, ...]:
    """The columns of `run` in a chain of these steps."""
    spans = tuple(
        Column(RUN, field, heading, said, unit="s", digits=1, compute=_between(first, last), after="age_s")
        for field, heading, said, first, last in _SPANS
    )
    return (*columns_of(RUN, RunResult, spans), *map(_stage_column, stages(steps)))


def _stage_column(stage: str) -> Column:
    heading = f"{stage} time"
    said = _TIME.get(stage, f"time of the {stage} step")
    return Column(RUN, stage_field(stage), heading, said, unit="s", digits=2, noun=heading)
