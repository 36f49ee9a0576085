"""What the steps of processing are, without running them: settings, results, columns, files, and their order.

A site adds its own step by a package with a `Step` under the entry point `warpcore.steps`; CONTRIBUTING.md shows how.
The steps themselves are in `steps/chain.py`, which is not imported here: installed steps import this package.
"""

from __future__ import annotations

from warpcore.services.steps.columns import Column, Limit, Result, Star, column, result
from warpcore.services.steps.fields import Reach, Section, setting
from warpcore.services.steps.learning import Learning, Lesson
from warpcore.services.steps.step import INPUT, CheapHalf, Output, Step, StepError

__all__ = [
    "INPUT",
    "CheapHalf",
    "Column",
    "Learning",
    "Lesson",
    "Limit",
    "Output",
    "Reach",
    "Result",
    "Section",
    "Star",
    "Step",
    "StepError",
    "column",
    "result",
    "setting",
]
