"""What the scheduler keeps of an export job, and which settings a job's options make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from warpcore.bus.vocabulary import ExportKind, ItemState, JobState
from warpcore.services.scheduler.core import lives
from warpcore.services.scheduler.core.lives import IllegalTransition, Life, Living
from warpcore.services.scheduler.core.queue import OrderedQueue
from warpcore.services.scheduler.core.records import NOT_STORED
from warpcore.services.session.named_files import named_paths
from warpcore.services.session.settings import Settings, SettingsError, patch_settings

PRODUCTS = ("average", "halves", "stack", "deconvolution")
OPEN_ITEMS = frozenset({ItemState.PENDING, ItemState.HELD, ItemState.RUNNING})


@dataclass(slots=True)
class ExportItem(Living):
    """One movie of a job: how often it went wrong, on which worker last, its files or its failure."""

    LIFE: ClassVar[Life] = lives.ITEM

    state: ItemState = ItemState.PENDING
    attempts: int = 0
    avoid: str = ""
    files: list[str] = field(default_factory=list)
    message: str = ""

    @property
    def title(self) -> str:
        """What it is."""
        return "a movie of an export"

    def told(self) -> Iterable[str]:
        """What is known of earlier attempts."""
        if self.attempts:
            yield f"went wrong {self.attempts} times, on {self.avoid} last"
        if self.message:
            yield self.message


@dataclass(slots=True)
class ExportRecord(Living):
    """A job. `file` is the summary that the tracker wrote; `open`, `done` and `failed` count its items.

    `folder` is its own, relative to the processing directory; "" for one that an earlier version has ended: its files
    lie among the session's. `remove_at` (monotonic seconds) is when its folder is deleted again, `problem` why it could
    not be. `particles` were written and `particles_at_edge` left out, because their box would leave the micrograph;
    None where no movie has told.
    """

    LIFE: ClassVar[Life] = lives.JOB

    job: str
    kind: ExportKind = ExportKind.MICROGRAPHS
    options: dict[str, Any] = field(default_factory=dict)
    state: JobState = JobState.RUNNING
    file: str = ""
    particles: int | None = None
    particles_at_edge: int | None = None
    folder: str = ""
    items: dict[int, ExportItem] = field(default_factory=dict, metadata=NOT_STORED)
    pending: OrderedQueue = field(default_factory=OrderedQueue, metadata=NOT_STORED)
    open: int = field(default=0, metadata=NOT_STORED)
    done: int = field(default=0, metadata=NOT_STORED)
    failed: int = field(default=0, metadata=NOT_STORED)
    remove_at: float | None = field(default=None, metadata=NOT_STORED)
    problem: str = field(default="", metadata=NOT_STORED)

    def count(self) -> None:
        """Count the items and queue the pending ones, after they were read or made."""
        states = [item.state for item in self.items.values()]
        self.open = sum(state in OPEN_ITEMS for state in states)
        self.done = states.count(ItemState.DONE)
        self.failed = states.count(ItemState.FAILED)
        for movie, item in self.items.items():
            if item.state == ItemState.PENDING:
                self.pending.put(movie, (movie,))

    def move(self, movie: int, state: ItemState, why: str) -> ExportItem:
        """Change the state of one movie of the job, with counts and queue. Raises IllegalTransition."""
        item = self.items[movie]
        before = item.state
        if before != state and (before, state) not in lives.ITEM:
            raise IllegalTransition(f"movie {movie} of {self.job}", before, state, why, [*self.told(), *item.told()])
        item.become(state, why)
        self.open += (state in OPEN_ITEMS) - (before in OPEN_ITEMS)
        self.done += (state == ItemState.DONE) - (before == ItemState.DONE)
        self.failed += (state == ItemState.FAILED) - (before == ItemState.FAILED)
        if state == ItemState.PENDING:
            self.pending.put(movie, (movie,))
        else:
            self.pending.remove(movie)
        return item

    def count_particles(self, summary: Mapping[str, Any]) -> None:
        """Add what the export of one more movie tells of its particles."""
        self.particles = _plus(self.particles, summary.get("particle_count"))
        self.particles_at_edge = _plus(self.particles_at_edge, summary.get("particles_at_edge"))

    @property
    def shown_folder(self) -> str:
        """Its folder; "" once it has ended and written nothing, since then there is none."""
        is_made = self.file or any(item.files for item in self.items.values())
        return self.folder if is_made or self.state not in (JobState.DONE, JobState.CANCELLED) else ""

    @property
    def number(self) -> int:
        """The number in its name."""
        return int(self.job.rpartition("-")[2])

    @property
    def title(self) -> str:
        """Its name."""
        return f"export {self.job}"

    def told(self) -> Iterable[str]:
        """How far it is."""
        yield f"{self.kind}, {self.done} done, {self.failed} failed, {self.open} open of {len(self.items)}"


def _plus(count: int | None, told: object) -> int | None:
    """The count with what a worker tells; None while none has told a number."""
    return (count or 0) + told if isinstance(told, int) else count


def export_settings(settings: Settings, kind: ExportKind, options: dict[str, Any]) -> Settings:
    """Settings of a job: only the products asked for (averages where none is named), all else as in force.

    `options` are names of the `export` section. Raises SettingsError.
    """
    products: dict[str, Any] = dict.fromkeys(PRODUCTS, False)
    products["particles"] = kind == ExportKind.PARTICLES
    if kind == ExportKind.MICROGRAPHS and not any(name in options for name in PRODUCTS):
        products["average"] = True
    made = patch_settings(settings, {"export": {**products, **options}})
    if made.export.particles != (kind == ExportKind.PARTICLES):
        problem = f"an export of {kind} is asked for; start one of the other kind"
        raise SettingsError([{"name": "export.particles", "value": made.export.particles, "problem": problem}])
    if kind == ExportKind.MICROGRAPHS and not any(getattr(made.export, name) for name in PRODUCTS):
        problem = f"nothing to export; switch on at least one of {', '.join(PRODUCTS)}"
        raise SettingsError([{"name": "export", "value": None, "problem": problem}])
    return made


def check_names_no_file(job: Settings, session: Settings) -> None:
    """Raises SettingsError where the settings of a job name files that the session's do not: nobody has judged them."""
    judged = named_paths(session)
    problem = "a job names no file of its own; set it for the session"
    own = [(name, path) for name, path in named_paths(job).items() if judged.get(name) != path]
    if own:
        raise SettingsError([{"name": name, "value": path, "problem": problem} for name, path in own])
