"""What the scheduler keeps of an export job, and which settings a job's options make."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from warpcore.services.scheduler.core.queue import OrderedQueue
from warpcore.services.session.settings import Settings, SettingsError, patch_settings

KINDS = ("micrographs", "particles")
PRODUCTS = ("average", "halves", "stack", "deconvolution")

PENDING = "pending"
HELD = "held"
"""Cannot be exported now (it runs, or waits to be processed again); looked at again when it can."""
RUNNING = "running"
DONE = "done"
FAILED = "failed"
DROPPED = "dropped"
OPEN_ITEMS = (PENDING, HELD, RUNNING)


@dataclass(slots=True)
class ExportItem:
    """One movie of a job."""

    state: str = PENDING
    attempts: int = 0
    avoid: str = ""
    files: list[str] = field(default_factory=list)
    message: str = ""


@dataclass(slots=True)
class ExportRecord:
    """A job: `state` is running, collecting, done, cancelled or failed; `file` the summary that the tracker wrote."""

    job: str
    kind: str
    options: dict[str, Any]
    state: str = "running"
    file: str = ""
    items: dict[int, ExportItem] = field(default_factory=dict)
    pending: OrderedQueue = field(default_factory=OrderedQueue)
    open: int = 0
    done: int = 0
    failed: int = 0

    def count(self) -> None:
        """Count the items and queue the pending ones, after they were read or made."""
        states = [item.state for item in self.items.values()]
        self.open = sum(state in OPEN_ITEMS for state in states)
        self.done = states.count(DONE)
        self.failed = states.count(FAILED)
        for movie, item in self.items.items():
            if item.state == PENDING:
                self.pending.put(movie, (movie,))

    def set_state(self, movie: int, state: str) -> ExportItem:
        """Move one movie of the job to another state, counts and queue with it."""
        item = self.items[movie]
        self.open += (state in OPEN_ITEMS) - (item.state in OPEN_ITEMS)
        self.done += (state == DONE) - (item.state == DONE)
        self.failed += (state == FAILED) - (item.state == FAILED)
        item.state = state
        if state == PENDING:
            self.pending.put(movie, (movie,))
        else:
            self.pending.remove(movie)
        return item


def export_settings(settings: Settings, kind: str, options: dict[str, Any]) -> Settings:
    """Settings of a job: only the products asked for (averages where none is named), all else as set. Raises SettingsError.

    `options` are names of the `export` section.
    """
    if kind not in KINDS:
        raise SettingsError([{"name": "kind", "value": kind, "problem": f"must be one of {', '.join(KINDS)}"}])
    products: dict[str, Any] = dict.fromkeys(PRODUCTS, False)
    products["particles"] = kind == "particles"
    if kind == "micrographs" and not any(name in options for name in PRODUCTS):
        products["average"] = True
    made = patch_settings(settings, {"export": {**products, **options}})
    if made.export.particles != (kind == "particles"):
        problem = f"an export of {kind} is asked for; start one of the other kind"
        raise SettingsError([{"name": "export.particles", "value": made.export.particles, "problem": problem}])
    if kind == "micrographs" and not any(getattr(made.export, name) for name in PRODUCTS):
        problem = f"nothing to export; switch on at least one of {', '.join(PRODUCTS)}"
        raise SettingsError([{"name": "export", "value": None, "problem": problem}])
    return made
