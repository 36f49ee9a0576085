"""`/api/picker`: what diameter the particles may have, and a network trained on the picks that people have edited."""

from __future__ import annotations

from warpcore.services.api.client import Scheduler
from warpcore.services.api.picker.suggesting import SuggestResource
from warpcore.services.api.picker.training import TrainResource


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this package by their paths."""
    return {"/api/picker/train": TrainResource(scheduler), "/api/picker/suggest": SuggestResource(scheduler)}
