"""The worker's side of a step: the methods that the pipeline calls, in the order in which they stand here."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from warpcore.services.steps.columns import Result
from warpcore.services.steps.step import Step, StepError
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.work import Report, Work


class Doing:
    """Base of all doers: a step that needs nothing but the average, and has nothing to read back.

    One object serves all movies, from several threads: it keeps no state.
    """

    def read_back(self, work: Work, folder: Path) -> bool:
        """Put what an earlier run has left under `folder` (the processing directory); False where it is gone.

        Called where the step does not run. Where its result is gone, it runs, and so do the steps that build on it.
        """
        return True

    def take_up(self, work: Work, folder: Path) -> bool:
        """Put the costly half of an earlier run; False where it must run too.

        Called where only the cheap half has changed.
        """
        return False

    def needs_frames(self, work: Work) -> bool:
        """Whether it runs on the raw frames; otherwise the average of an earlier run will do."""
        return False

    def run(self, work: Work, report: Report) -> Result | None:
        """Compute; the summary, or None where `write` makes it. Runs on the device, one movie after another."""
        return None

    def complete(self, work: Work) -> None:
        """Make what later steps build on, after `run` or `read_back`."""

    def write(self, work: Work, staging: Staging) -> Result | None:
        """Write the outputs to the places that `staging` gives; the summary where it is made, or changed, here.

        Runs beside the computation of the next movie.
        """
        return None


@cache
def doing_of(step: Step) -> Doing:
    """The doer that a step declares. Raises StepError where it cannot be imported."""
    module, _, name = step.doing.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StepError(f"step {step.name!r}: its worker's side {step.doing} cannot be imported: {error}") from error
    if not isinstance(found, Doing):
        raise StepError(f"step {step.name!r}: {step.doing} is not a Doing but {type(found).__name__}")
    return found
