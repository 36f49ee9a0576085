"""What the scheduler keeps of a movie, a task and a worker, and which changes of a movie's status are legal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from warpcore.bus.messages import Failure, Load

UNPROCESSED = "unprocessed"
OUTDATED = "outdated"
QUEUED = "queued"
PROCESSING = "processing"
PROCESSED = "processed"
FILTERED_OUT = "filtered_out"
FAILED = "failed"

STATUSES = (UNPROCESSED, OUTDATED, QUEUED, PROCESSING, PROCESSED, FILTERED_OUT, FAILED)
WAITING = frozenset({UNPROCESSED, OUTDATED})
LEASED = frozenset({QUEUED, PROCESSING})
DONE = frozenset({PROCESSED, FILTERED_OUT})
DERIVED = DONE | {OUTDATED}
"""What results and settings decide, so that it can always be found again from them."""

SELECTIONS = ("auto", "include", "exclude")
PROCESS = "process"
"""The purpose of a task that is no export; all others are an export job's id."""

TRANSITIONS = frozenset(
    {
        (UNPROCESSED, QUEUED),
        (OUTDATED, QUEUED),
        (QUEUED, PROCESSING),
        *((leased, end) for leased in LEASED for end in (PROCESSED, FILTERED_OUT, OUTDATED, UNPROCESSED, FAILED)),
        *((done, OUTDATED) for done in DONE),
        (PROCESSED, FILTERED_OUT),
        (FILTERED_OUT, PROCESSED),
        *((OUTDATED, done) for done in DONE),  # settings back to what they were
        *((FAILED, after) for after in (UNPROCESSED, OUTDATED, PROCESSED, FILTERED_OUT)),
    }
)
"""Every legal change of a movie's status."""

STORY_LENGTH = 20


class IllegalTransition(RuntimeError):
    """A change of status that is not in the table; the text tells the movie's story."""

    def __init__(self, movie: MovieRecord, to: str, why: str) -> None:
        story = "; ".join(text for _, _, text in movie.story)
        super().__init__(f"{movie.name}: {movie.status} → {to} ({why}) is not a legal transition. Story: {story}")


@dataclass(slots=True)
class MovieRecord:
    """A movie. What a newly added one has not got yet is None or empty.

    `fingerprints` is what each stored result was made with, `outputs` its files by step. `failed_wanted` is the fingerprint
    of the failed step when it failed. `retries` counts failures by kind, `lost` the workers that the movie has cost, `avoid`
    names the workers where it went wrong; `suspect` says that it was one of several in a lost worker, so that it now
    runs alone. `lease` is that of its only valid task. `kept` are the fingerprints of earlier outputs that can be put back,
    by key (`services/session/generations.py`); `restore_to` is the key that fits the settings in force, `restoring` the one that is
    being put back, "" where there is none.
    """

    id: int
    name: str
    path: str
    size: int
    mtime_ns: int
    status: str = UNPROCESSED
    selection: str = "auto"
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
    story: list[tuple[int, float, str]] = field(default_factory=list)
    outdated_steps: list[str] = field(default_factory=list)
    lease: int | None = None
    parked_until: float | None = None
    kept: dict[str, dict[str, str]] = field(default_factory=dict)
    restore_to: str = ""
    restoring: str = ""

    @property
    def waiting_status(self) -> str:
        """The status of this movie while it waits for a worker."""
        return OUTDATED if self.results else UNPROCESSED

    def forget_failures(self) -> None:
        """Start counting from nothing: after a success, a retry by hand or with another file."""
        self.failure = None
        self.failed_wanted = ""
        self.retries = {}
        self.lost = 0
        self.avoid = []
        self.suspect = False
        self.parked_until = None

    def tell(self, seq: int, at: float, text: str) -> None:
        """Add a line to the story; the oldest but the first goes when it gets long."""
        self.story.append((seq, at, text))
        if len(self.story) > STORY_LENGTH:
            del self.story[1]


@dataclass(slots=True)
class TaskRecord:
    """A leased task. `committed`: its worker may rename outputs. `active_at` (monotonic seconds) is its assignment or last progress, `unlisted_since` when its worker ceased to name it."""

    lease: int
    movie: int
    worker: str
    instance: str
    purpose: str
    run: list[str]
    wanted: dict[str, str]
    begun: bool = False
    committed: bool = False
    active_at: float = 0.0
    unlisted_since: float | None = None
    step: str = ""
    fraction: float = 0.0
    message: str = ""


@dataclass(slots=True)
class WorkerRecord:
    """A worker of this run of the scheduler; `sender` is where to send to, empty until it has registered with this run."""

    name: str
    instance: str
    sender: bytes = b""
    host: str = ""
    pid: int = 0
    device: str = ""
    device_memory_mb: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    alive: bool = True
    set_aside: str = ""
    reason: str = ""
    credit: int = 0
    leases: list[int] = field(default_factory=list)
    heard_at: float = 0.0
    done: int = 0
    failed: int = 0
    load: Load = field(default_factory=Load)
    warnings: list[str] = field(default_factory=list)
    log: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1000))
    log_number: int = 0

    @property
    def registered(self) -> bool:
        """Known to this run of the scheduler, not only from a lease of an earlier one."""
        return bool(self.sender)

    @property
    def usable(self) -> bool:
        """Whether it can be given tasks at all."""
        return self.alive and self.registered and not self.set_aside

    @property
    def room(self) -> int:
        """How many more tasks it asks for."""
        return self.credit - len(self.leases) if self.usable else 0


@dataclass(frozen=True, slots=True)
class Ban:
    """A worker set aside, until another instance of it registers."""

    worker: str
    instance: str
    reason: str
