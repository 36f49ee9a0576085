"""What the scheduler keeps of a movie, a lease, a worker and a pool.

A field is stored in the database unless it says `NOT_STORED`; `core/rows.py` finds that out from the dataclass.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from warpcore.bus.messages import (
    Acquisition,
    Failure,
    HandPicks,
    Header,
    Load,
    RegisterWorker,
    ReportPool,
    TaskFinished,
)
from warpcore.bus.vocabulary import DONE, MovieStatus, Purpose, Selection, WorkerState
from warpcore.services.scheduler.core import lives
from warpcore.services.scheduler.core.line_log import LineLog
from warpcore.services.scheduler.core.lives import LeaseState, Life, Living
from warpcore.services.scheduler.core.sight import Sight
from warpcore.services.session.facts import NOTHING_TOLD, Facts, facts_of
from warpcore.services.steps import picking
from warpcore.services.steps.place import place_of

DERIVED = DONE | {MovieStatus.OUTDATED}
"""Statuses that follow from results and settings, so that they can always be decided again."""

NOT_STORED = {"stored": False}
STORY_LENGTH = 20


class StoryLine(NamedTuple):
    """An event of a movie: number of the change before it, time (epoch seconds), what happened and why.

    `worker`, `lease` and `step` say where, as far as a task had to do with it: "" and 0 where none had.
    """

    seq: int
    at: float
    text: str
    worker: str = ""
    lease: int = 0
    step: str = ""


@dataclass(slots=True)
class MovieRecord(Living):
    """A movie. What a new one does not have yet is None or empty.

    `fingerprints` says what each stored result was made with, `outputs` holds its files by step. `failed_wanted` is the
    fingerprint that the failed step should have had. `retries` counts failures by kind, `lost` the workers that the
    movie has cost, `avoid` names the workers where it went wrong. `suspect`: it was one of several movies in a worker
    that was lost, so it now runs alone. `lease` is its only valid lease. `kept` holds the fingerprints of earlier
    outputs that can be put back, by key (`services/session/generations.py`), `kept_results` their summaries, packed;
    `restore_to` is the key that fits the settings in force, `restoring` the one that is being put back now.
    `hand_picks` names the `HandPicksRecord`'s present edits, "" without any. `chosen_in` is the number of the
    `SelectionRecord` that gave it its selection, 0 for one of an earlier version. `found_at` and `ready_at` (epoch
    seconds) say when its file was seen first and registered, `run` how it was processed (`services/steps/run.py`).
    `storage_failed_at`: how many tasks had gone well when the storage failed it last.

    `header` and `acquisition` are what file and metadata say, None where nobody has looked; `facts` is what settings
    follow from, `place` where it was recorded. `waits_for` says what must be set before it can be processed, "" where
    nothing must. `optics_group` is the number of its optics group, `founded_group` the one that it was the first to
    have, 0 for none (`services/session/optics_groups.py`).
    """

    LIFE: ClassVar[Life] = lives.MOVIE

    id: int
    name: str
    path: str
    size: int = 0
    mtime_ns: int = 0
    status: MovieStatus = MovieStatus.UNPROCESSED
    selection: Selection = Selection.AUTO
    priority: int = 0
    failure: Failure | None = None
    failed_wanted: str = ""
    filter_reasons: list[str] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    avoid: list[str] = field(default_factory=list)
    suspect: bool = False
    story: list[StoryLine] = field(default_factory=list)
    outdated_steps: list[str] = field(default_factory=list)
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    kept_results: dict[str, bytes] = field(default_factory=dict)
    restoring: str = ""
    chosen_in: int = 0
    found_at: float = 0.0
    ready_at: float = 0.0
    run: dict[str, Any] = field(default_factory=dict)
    header: Header | None = None
    acquisition: Acquisition | None = None
    optics_group: int = 0
    founded_group: int = 0
    facts: Facts = field(default=NOTHING_TOLD, metadata=NOT_STORED)
    place: dict[str, Any] = field(default_factory=dict, metadata=NOT_STORED)
    waits_for: str = field(default="", metadata=NOT_STORED)
    hand_picks: str = field(default="", metadata=NOT_STORED)
    restore_to: str = field(default="", metadata=NOT_STORED)
    lease: int | None = field(default=None, metadata=NOT_STORED)
    parked_until: float | None = field(default=None, metadata=NOT_STORED)
    storage_failed_at: int | None = field(default=None, metadata=NOT_STORED)

    def __post_init__(self) -> None:
        self.learn(self.header, self.acquisition)

    def learn(self, header: Header | None, acquisition: Acquisition | None) -> None:
        """Take in what the file and its metadata say."""
        self.header, self.acquisition = header, acquisition
        self.facts = facts_of(header, acquisition, is_eer=self.path.lower().endswith(".eer"))
        self.place = place_of(acquisition)

    @property
    def said(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """What header and metadata say, as plain data, for the movie's record."""
        header = None if self.header is None else self.header.to_body()
        return header, None if self.acquisition is None else self.acquisition.to_body()

    @property
    def edits(self) -> dict[str, str]:
        """What names a person's changes of this movie's results, by step; they count in fingerprints."""
        return {picking.STEP.name: self.hand_picks} if self.hand_picks else {}

    @property
    def waiting_status(self) -> MovieStatus:
        """The status of this movie while it waits for a worker."""
        return MovieStatus.OUTDATED if self.results else MovieStatus.UNPROCESSED

    def verdict(self, reasons: list[str]) -> MovieStatus:
        """The status of this movie once it is done, where the filter has these reasons to reject it."""
        passes = not reasons or self.selection == Selection.INCLUDE
        return MovieStatus.PROCESSED if passes else MovieStatus.FILTERED_OUT

    def forget_failures(self) -> None:
        """Count from zero again: after a success, a retry by hand or with another file."""
        self.failure = None
        self.failed_wanted = ""
        self.retries = {}
        self.lost = 0
        self.avoid = []
        self.suspect = False
        self.parked_until = None
        self.storage_failed_at = None

    def tell(self, seq: int, at: float, text: str, task: TaskRecord | None = None) -> None:
        """Add a line to the story; `task` is what it comes from. A long one loses its oldest lines, never the first."""
        line = StoryLine(seq, at, sys.intern(text))  # all movies share the words of the few lines that there are
        if task is not None:
            step = self.failure.step if self.failure is not None else task.step
            line = line._replace(worker=task.worker, lease=task.lease, step=step)
        self.story.append(line)
        if len(self.story) > STORY_LENGTH:
            del self.story[1]

    @property
    def title(self) -> str:
        """Its name."""
        return self.name

    def told(self) -> Iterable[str]:
        """The lines of its story."""
        return (line.text for line in self.story)


@dataclass(slots=True)
class TaskRecord(Living):
    """A lease with its task. `wanted` holds the fingerprints that its steps are to have.

    `suffix` is the setting `picking.suffix` that names of its outputs are made with. `report` is what its worker has
    told, once its outputs are being placed; `place_at` (monotonic seconds) is when that is tried again.
    `assigned_at` (epoch seconds) is shown, `active_at` (monotonic seconds) decides: it is the time of its assignment or
    last progress, `unlisted_since` the time since when its worker's heartbeats no longer name it.
    """

    LIFE: ClassVar[Life] = lives.LEASE

    lease: int
    movie: int
    worker: str = ""
    instance: str = ""
    purpose: str = Purpose.PROCESS
    run: list[str] = field(default_factory=list)
    wanted: dict[str, str] = field(default_factory=dict)
    state: LeaseState = LeaseState.ASSIGNED
    assigned_at: float = 0.0
    suffix: str = ""
    report: TaskFinished | None = None
    place_at: float | None = field(default=None, metadata=NOT_STORED)
    active_at: float = field(default=0.0, metadata=NOT_STORED)
    unlisted_since: float | None = field(default=None, metadata=NOT_STORED)
    step: str = field(default="", metadata=NOT_STORED)
    fraction: float = field(default=0.0, metadata=NOT_STORED)
    message: str = field(default="", metadata=NOT_STORED)

    @property
    def processes(self) -> bool:
        """Whether it runs the movie's own steps; otherwise it is for the export job or the try `purpose`."""
        return self.purpose == Purpose.PROCESS

    @property
    def kind(self) -> Purpose:
        """What its purpose stands for."""
        return Purpose.of(self.purpose)

    @property
    def begun(self) -> bool:
        """Whether its worker has shown progress."""
        return self.state in (LeaseState.BEGUN, LeaseState.PLACING)

    @property
    def title(self) -> str:
        """Its number and its worker."""
        return f"lease {self.lease} of {self.worker}"

    def told(self) -> Iterable[str]:
        """What it is for and how far it is."""
        yield f"movie {self.movie}, {self.purpose}: {', '.join(self.run)}"
        if self.step:
            yield f"{self.step} {self.fraction:.0%}"


@dataclass(slots=True)
class WorkerRecord(Living):
    """A worker of this run of the scheduler.

    `hello` is its registration, None until it has registered with this run, and `sender` the connection to send to.
    `reason` says why it is lost or set aside, `sight` what it has shown of the shared folders. `heard_at`, `idle_since`
    and `rival_at` (monotonic seconds) say when it was heard last, since when it has had no movie where it has none, and
    when another instance last asked for its name.
    """

    LIFE: ClassVar[Life] = lives.WORKER

    name: str
    instance: str
    hello: RegisterWorker | None = None
    sender: bytes = b""
    state: WorkerState = WorkerState.IDLE
    reason: str = ""
    credit: int = 0
    serves_another: bool = False
    """Whether it works for another session, as its last heartbeat says: busy, and with none of our tasks."""
    leases: list[int] = field(default_factory=list)
    heard_at: float = 0.0
    idle_since: float = 0.0
    rival_at: float = float("-inf")
    done: int = 0
    failed: int = 0
    load: Load = field(default_factory=Load)
    warnings: list[str] = field(default_factory=list)
    log: LineLog = field(default_factory=LineLog)
    sight: Sight = field(default_factory=Sight)
    story: deque[str] = field(default_factory=lambda: deque(maxlen=STORY_LENGTH))

    @property
    def registered(self) -> bool:
        """Whether it has registered with this run; otherwise it is known from a lease of an earlier run alone."""
        return self.hello is not None

    @property
    def host(self) -> str:
        """Its host, "" until it has registered."""
        return self.hello.host if self.hello is not None else ""

    @property
    def alive(self) -> bool:
        """Whether it is not lost."""
        return self.state != WorkerState.LOST

    @property
    def usable(self) -> bool:
        """Whether it can be given tasks at all."""
        return self.registered and self.state in (WorkerState.IDLE, WorkerState.BUSY) and not self.sight.problem

    @property
    def asks(self) -> int:
        """How many more tasks it asks for."""
        return self.credit - len(self.leases)

    @property
    def room(self) -> int:
        """How many more tasks it may have now."""
        return self.asks if self.usable else 0

    def become(self, to: Any, why: str) -> None:
        """Change the state and remember why."""
        before = self.state
        Living.become(self, to, why)
        if before != to:
            self.story.append(f"{before} → {to}: {why}")

    @property
    def title(self) -> str:
        """Its name."""
        return self.name

    def told(self) -> Iterable[str]:
        """The last changes of its state."""
        return self.story


@dataclass(frozen=True, slots=True)
class ChoiceRecord:
    """What a step has learnt from `movies` (names), under the key that `services/session/learning.py` explains.

    `text` says the choice in words, or, where `choice` is None, why there is none.
    """

    key: str
    step: str
    choice: dict[str, Any] | None
    movies: list[str]
    text: str


@dataclass(frozen=True, slots=True)
class SelectionRecord:
    """A change of selections that can be taken back.

    `number` is that of the first event of the change. `undo` is the number of the first of several records that are
    taken back together. `former` holds, by movie, the selection before and the number of the record that had given it.
    """

    number: int
    undo: int
    at: float = 0.0
    by: str = ""
    selection: Selection = Selection.AUTO
    former: dict[int, tuple[Selection, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandPicksRecord:
    """A person's edits of a movie's picks, and those before, oldest first, which can be brought back."""

    movie: int
    present: HandPicks = field(default_factory=HandPicks)
    former: list[HandPicks] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """A named set of settings. `migration` is the last one that they have been through."""

    name: str
    at: float = 0.0
    by: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    migration: str = ""


@dataclass(slots=True)
class PoolRecord:
    """A pool, and how many workers a person allows it.

    At `revision` 0 nobody has set its limits. `resumed_in` is the revision in which a person last asked it to submit
    again. `ended`: it said so, or was silent for so long that nobody waits for it. `report` is the last of this run,
    heard `heard_at` (monotonic seconds), None until there is one; `troubled` counts those with problems in a row.
    """

    name: str
    minimum: int = 0
    maximum: int = 0
    revision: int = 0
    resumed_in: int = 0
    ended: bool = False
    report: ReportPool | None = field(default=None, metadata=NOT_STORED)
    heard_at: float = field(default=0.0, metadata=NOT_STORED)
    troubled: int = field(default=0, metadata=NOT_STORED)


@dataclass(frozen=True, slots=True)
class Ban:
    """A worker set aside, until another instance of it registers."""

    worker: str
    instance: str
    reason: str
