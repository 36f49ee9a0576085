"""What the pool knows of its jobs, and what one look at the session and at the batch system finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from warpcore.bus.vocabulary import Word


class QueueState(Word):
    """What the batch system says of a job."""

    QUEUED = "queued", "It waits for a node."
    RUNNING = "running", "It has a node."
    COMPLETED = "completed", "It has ended with exit code 0."
    FAILED = "failed", "It has ended in any other way."


ENDED = frozenset({QueueState.COMPLETED, QueueState.FAILED})


@dataclass(frozen=True, slots=True)
class Guards:
    """How long the pool waits before it believes or repeats something, in seconds.

    `absent_s`: a job counts as gone once it was neither in the queue nor registered for so long. `hour_s`: the span in
    which `TIMES_AN_HOUR` times the pool's largest size may be submitted. `death_s`: a job that lives for less has died.
    `cancel_again_s`: a cancel is repeated after so long. `start_s`: a job that has a node and no registered worker is
    cancelled after so long. `surplus_s`: so is one that waits for a node, where it was one too many for so long.
    `refused_s`, `longest_refused_s`: the first and the longest pause after a refused submission.
    """

    absent_s: float = 120.0
    hour_s: float = 3600.0
    death_s: float = 60.0
    cancel_again_s: float = 15.0
    start_s: float = 900.0
    surplus_s: float = 60.0
    refused_s: float = 15.0
    longest_refused_s: float = 600.0

    def scaled(self, factor: float) -> Guards:
        """All of them times a factor, for a site whose time runs faster."""
        return Guards(*(getattr(self, one.name) * factor for one in fields(self)))


USUAL = Guards()


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A registered worker of the pool: how long it has had nothing to do (s); 0 while it has a movie.

    `aside`: its GPU has failed, and it is given nothing any more.
    """

    idle_s: float = 0.0
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at one moment.

    `workers` are those registered with the scheduler, by the id of their job. `queue` is what the batch system says, by
    its own ids; None where it does not answer, or answers nonsense, and then `queue_fault` says so. `waiting` counts
    movies that wait for a worker, for their own steps, for an export or a try; `in_work` those that the pool's workers
    have in hand, of which one on a GPU has several.
    """

    waiting: int
    in_work: int
    workers: Mapping[str, WorkerSeen]
    queue: Mapping[str, QueueState] | None
    queue_fault: str = ""
    movies_per_hour: float | None = None


@dataclass(slots=True)
class Job:
    """One job, from before it is handed to the batch system until it has ended. Times are monotonic, in seconds.

    `native_id` is the batch system's name for it, None while that is not known. `kept`: its worker stays however long
    it is idle. `seen_at`: when it was last in the queue, or its worker registered. `queued_at`: when it was last seen
    without a node. `worker_at`: when its worker was last registered. `refused`: the batch system said that it has not
    taken it.
    """

    id: str
    submitted_at: float
    kept: bool = False
    native_id: str | None = None
    seen_at: float = 0.0
    queued_at: float = 0.0
    running_at: float | None = None
    registered: bool = False
    cancelled_at: float | None = None
    drained: bool = False
    ended_at: float | None = None
    worker_at: float | None = None
    refused: bool = False

    @property
    def leaves(self) -> bool:
        """Whether it was told to end."""
        return self.drained or self.cancelled_at is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """How many workers there may be. Raises ValueError for limits that contradict each other."""

    minimum: int = 0
    maximum: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum:
            raise ValueError(f"a pool of at least {self.minimum} and at most {self.maximum} workers cannot be")


@dataclass(slots=True)
class Pool:
    """The state of the pool.

    `submissions` are the times of the last hour's, without those that were refused. `deaths` counts jobs in a row that
    died within a minute; `stopped` says why nothing is submitted any more, until a person resumes. `refused_until`: no
    submission before, since the batch system has refused one; `refusal` is what it said. `resumed_at`: when a person
    has last let it go on. `starts`: seconds from submission to registration of the last jobs. `prefix` begins the ids
    of jobs, so that a pool whose record was lost meets no id again. `revision` is that of the limits, 0 for those of
    the pool's file. `died` is the job that died last.
    """

    limits: Limits
    idle_s: float
    jobs: dict[str, Job] = field(default_factory=dict)
    submissions: list[float] = field(default_factory=list)
    next_number: int = 1
    deaths: int = 0
    stopped: str = ""
    refused_until: float = 0.0
    refusals: int = 0
    refusal: str = ""
    resumed_at: float = float("-inf")
    surplus_since: float | None = None
    starts: list[float] = field(default_factory=list)
    frozen: str = ""
    prefix: str = ""
    revision: int = 0
    died: str = ""
    guards: Guards = USUAL

    @property
    def living(self) -> list[Job]:
        """Jobs that have not ended, as far as anybody knows; the oldest first."""
        return [job for job in self.jobs.values() if job.ended_at is None]


@dataclass(frozen=True, slots=True)
class Submit:
    """Hand a job to the batch system; it is in `Pool.jobs` already, and is stored before."""

    job: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask the batch system to end a job."""

    job: str
    native_id: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Ask a worker to end once it has nothing in hand."""

    job: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A job has ended, however; `died` says that it lived for less than a minute. Its key has no rights any more."""

    job: str
    died: bool


Action = Submit | Cancel | Drain | Gone
