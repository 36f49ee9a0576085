"""Workers: the registry, and what a nanny tells of itself."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from warpcore.bus import limits
from warpcore.bus.messages.common import Ok, Short
from warpcore.bus.messages.parts import Load, SeenFile, Worker
from warpcore.bus.schema import Message, Port, message
from warpcore.bus.vocabulary import FailureKind, WorkerState


@message("workers")
class Workers(Message, frozen=True):
    """The worker registry. Lost workers stay in it for 10 min, ended ones for 1 min."""

    workers: list[Worker]


@message("workers.get", port=Port.CONTROL, answers=(Workers,))
class GetWorkers(Message, frozen=True):
    """The worker registry."""


@message("worker.logs")
class WorkerLogs(Message, frozen=True):
    """Lines `{number, level, text, ts}` of one worker's log."""

    worker: str
    lines: list[dict[str, Any]]


@message("worker.logs.get", port=Port.CONTROL, answers=(WorkerLogs,))
class GetWorkerLogs(Message, frozen=True):
    """The last lines of a worker's log with number > `after`, oldest first. Unknown worker: error `not_found`."""

    worker: str
    after: int = 0
    limit: int = limits.USUAL_AT_ONCE


@message("worker.registered")
class WorkerRegistered(Message, frozen=True):
    """`leases` are those of the offered ones that are still valid; the worker drops all others."""

    worker: str
    heartbeat_s: float
    leases: list[int]


@message("worker.wait")
class WaitForName(Message, frozen=True):
    """Another `instance` of this name lives (process `pid` on `host`, heard `silent_s` ago): ask again in seconds."""

    worker: str
    instance: str
    host: str
    pid: int
    silent_s: float


@message("worker.register", port=Port.WORKER, answers=(WorkerRegistered, WaitForName))
class RegisterWorker(Message, frozen=True):
    """A nanny introduces itself: its first message, its reply to `worker.unknown`, and now and then while it is idle.

    `name` stays the same when the nanny is restarted, `instance` does not. While an instance of a name lives, another
    one is told to wait, unless it `replaces` that instance, of which it has seen that its process has ended. `leases`
    are the tasks that it still holds. `pool` is `POOL/JOB` where a pool has started it, "" elsewhere.
    """

    name: Short
    instance: Short
    host: Short
    pid: int
    device: Short
    device_memory_mb: int
    versions: Annotated[dict[Short, Short], Meta(max_length=limits.MOST_VERSIONS)]
    leases: list[int] = field(default_factory=list)
    replaces: Short = ""
    pool: Short = ""


@message("worker.unknown")
class UnknownWorker(Message, frozen=True):
    """To a worker that the scheduler does not know: register again."""


@message("worker.drain")
class DrainWorker(Message, frozen=True):
    """To a worker: take no more movies, finish those in hand, and end. It may come more than once."""

    reason: Short


@message("worker.heartbeat", port=Port.WORKER)
class Heartbeat(Message, frozen=True):
    """Sent every 2 s. The scheduler sends `worker.unknown` to a worker that it does not know.

    A worker that works for another session alone is `busy` without `leases`.

    `warnings` are all that are true now, one line each, so nobody has to store or withdraw them. `credit` is that of
    the last `worker.pull`, which may have been lost.
    """

    worker: str
    state: WorkerState
    leases: list[int] = field(default_factory=list)
    load: Load = Load()
    warnings: list[str] = field(default_factory=list)
    credit: int | None = None


@message("worker.pull", port=Port.WORKER)
class PullTasks(Message, frozen=True):
    """The worker can hold `credit` tasks in all (0 to 7), those that it has included. Sent whenever that changes."""

    worker: str
    credit: int


@message("worker.look")
class LookAtFolders(Message, frozen=True):
    """To a worker: say whether you see these folders. `movie` is a file of the data directory, "" for none.

    `references` are the absolute paths of files that settings name, as the scheduler's host sees them.
    """

    processing_directory: str
    data_directory: str
    movie: str = ""
    references: list[str] = field(default_factory=list)


@message("worker.sees", port=Port.WORKER)
class WorkerSees(Message, frozen=True):
    """What the worker sees: the token that lies in the processing directory, size and mtime of the movie.

    A token that is not there is "", a movie that is not there has null. `problem` says in one line what kept the worker
    from looking, or from writing into the processing directory. A worker with a map of paths tells in `looked_in` for
    each folder and file that it was asked about where it has looked.
    """

    worker: str
    token: str
    movie: str = ""
    size: int | None = None
    mtime_ns: int | None = None
    problem: str = ""
    looked_in: dict[str, str] = field(default_factory=dict)
    references: list[SeenFile] = field(default_factory=list)


@message("worker.compute_died", port=Port.WORKER, answers=(Ok,))
class ComputeDied(Message, frozen=True):
    """The nanny's compute process is gone and with it `leases`; `culprit` is the one that it was computing.

    It is null where any of them may be to blame, and 0 where none is: a worker that serves several sessions knows that.

    `kind` is `lost_worker`, `resource` (the kernel killed it for memory), or `bad_gpu`, which sets the worker aside.
    """

    worker: str
    leases: list[int]
    culprit: int | None
    kind: FailureKind
    cause: str


@message("worker.log", port=Port.WORKER)
class WorkerLog(Message, frozen=True):
    """Log lines `{number, level, text, ts}` of a worker, passed on to subscribers.

    A worker numbers its lines from 1, and tells those that it keeps again when it has registered.
    """

    worker: str
    lines: list[dict[str, Any]]


@message("worker.goodbye", port=Port.WORKER, answers=(Ok,))
class Goodbye(Message, frozen=True):
    """An orderly end. The worker's tasks go back to the queue, which does not count as a failure."""

    worker: str
