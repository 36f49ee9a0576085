"""Tasks on their way through a compute process, and what is told of how far they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from warpcore.bus.messages import AssignTask
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.failures import CancelledError, sendable
from warpcore.services.worker.line import Command, Progress, Report, Stage

PROGRESS_EVERY_S = 0.25


@dataclass
class Job:
    """One task on its way through the stages, waiting for the next unless it is `in_stage`. `seconds` measures each.

    `number` names it on the line to the nanny.
    """

    task: AssignTask
    number: int
    cancelled: threading.Event = field(default_factory=threading.Event)
    seconds: dict[str, float] = field(default_factory=dict)
    payload: Any = None
    step: str = "load"
    in_stage: bool = False


class Told:
    """Tells the nanny of the progress of `jobs`, by their numbers."""

    def __init__(self, line: Channel[Report, Command], jobs: Mapping[int, Job]) -> None:
        self._line = line
        self._jobs = jobs
        self._reported: dict[tuple[int, str], float] = {}

    def progress_of(self, job: Job, stage: Stage) -> Callable[..., None]:
        """The callback of a stage: raises CancelledError once the task is cancelled, else reports now and then."""

        def report(step: str, fraction: float, message: str = "") -> None:
            if job.cancelled.is_set():
                raise CancelledError
            begins = step != job.step
            job.step = step
            key, now = (job.number, step), time.monotonic()
            if not begins and fraction < 1 and now - self._reported.get(key, 0.0) < PROGRESS_EVERY_S:
                return
            self._reported = {k: t for k, t in self._reported.items() if k[0] in self._jobs} | {key: now}
            self._line.send(Progress(job.number, stage, step, float(fraction), sendable(message)))

        return report
