"""Every type that travels between warpcore's processes, in one place.

Requests name their answer in the docstring. `docs/wire.md` shows the conversations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from warpcore.bus.schema import Message, message, part

STEPS = ("motion", "ctf", "picking", "export")

# --- parts -----------------------------------------------------------------------------------------------------


@part
@dataclass(frozen=True, slots=True)
class FoundFile(Message):
    """A whole file on disk. `path` is relative to the data directory, POSIX style; size and mtime are its identity."""

    path: str
    size: int
    mtime_ns: int


@part
@dataclass(frozen=True, slots=True)
class Failure(Message):
    """Why a movie failed. `kind` is one of input, resource, lost_worker, bad_gpu, internal, poisoned, conflict."""

    kind: str
    step: str
    message: str
    host: str


@part
@dataclass(frozen=True, slots=True)
class Movie(Message):
    """A movie's public state: what snapshots, items and `movie.*` events carry.

    `name` is its root (relative path without extension), unique, and the key in REST and CLI. `results` holds one
    summary a step (`services/session/results.py` names the fields), `fingerprints` what each stored result was made with.
    """

    id: int
    name: str
    path: str
    size: int
    mtime_ns: int
    status: str
    selection: str = "auto"
    priority: int = 0
    failure: Failure | None = None
    filter_reasons: list[str] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    worker: str | None = None
    outdated_steps: list[str] = field(default_factory=list)


@part
@dataclass(frozen=True, slots=True)
class Worker(Message):
    """A worker as the registry sees it. `state` is idle, busy, lost or set_aside; ages are seconds by the scheduler's clock.

    `warnings` is what it has noticed that a person should know, one line each, as long as it is so.
    """

    id: str
    host: str
    pid: int
    device: str
    device_memory_mb: int
    versions: dict[str, str]
    state: str
    movies: list[str] = field(default_factory=list)
    silent_s: float = 0.0
    done: int = 0
    failed: int = 0
    load: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    warnings: list[str] = field(default_factory=list)


@part
@dataclass(frozen=True, slots=True)
class Change(Message):
    """One row of the change log: the event that was published with this `seq`."""

    seq: int
    topic: str
    body: dict[str, Any]


# --- generic answers -------------------------------------------------------------------------------------------


@message("ok")
@dataclass(frozen=True, slots=True)
class Ok(Message):
    """Done; nothing more to say."""


@message("error")
@dataclass(frozen=True, slots=True)
class Error(Message):
    """Refused. `code` is one of bad_message, unknown_type, not_found, invalid, conflict, internal; `detail` is one clear line.

    `errors` lists the single faults of an `invalid` (settings: name, value, allowed range).
    """

    code: str
    detail: str
    errors: list[dict[str, Any]] = field(default_factory=list)


# --- control port: discoverer ----------------------------------------------------------------------------------


@message("files.register")
@dataclass(frozen=True, slots=True)
class RegisterFiles(Message):
    """Register whole files, up to 2 000 a message. Answer: files.registered. Known ones with equal identity change nothing."""

    files: list[FoundFile]


@message("files.registered")
@dataclass(frozen=True, slots=True)
class FilesRegistered(Message):
    """How many of the files were new, known already, or replaced in place (other size or mtime)."""

    added: int
    known: int
    replaced: int


@message("files.known")
@dataclass(frozen=True, slots=True)
class GetKnownFiles(Message):
    """The files registered so far, by id > `after`, so that a restarted discoverer need not incubate them again. Answer: files.list."""

    after: int = 0
    limit: int = 2000


@message("files.list")
@dataclass(frozen=True, slots=True)
class KnownFiles(Message):
    """A page of registered files; `next_after` is null on the last page. `settings` is the `import` section in force."""

    files: list[FoundFile]
    next_after: int | None
    settings: dict[str, Any]
    settings_revision: int


# --- control port: state ---------------------------------------------------------------------------------------


@message("snapshot.get")
@dataclass(frozen=True, slots=True)
class GetSnapshot(Message):
    """A page of all state, movies by id > `after`. Answer: snapshot. Replay changes since the first page's seq afterwards."""

    after: int = 0
    limit: int = 500


@message("snapshot")
@dataclass(frozen=True, slots=True)
class Snapshot(Message):
    """State as of change `seq`; `next_after` is null on the last page. `epoch` changes when the log does not continue an older one."""

    seq: int
    epoch: str
    movies: list[Movie]
    next_after: int | None
    settings: dict[str, Any]
    settings_revision: int
    paused: bool


@message("changes.get")
@dataclass(frozen=True, slots=True)
class GetChanges(Message):
    """The changes with seq > `since`, oldest first, as many as fit a frame up to `limit`. Answer: changes."""

    since: int
    limit: int = 500


@message("changes")
@dataclass(frozen=True, slots=True)
class Changes(Message):
    """Rows of the change log. `head` is the newest seq there is; `trimmed` says the log no longer reaches back to `since`: take a snapshot."""

    changes: list[Change]
    head: int
    epoch: str
    trimmed: bool = False


@message("settings.get")
@dataclass(frozen=True, slots=True)
class GetSettings(Message):
    """Answer: settings."""


@message("settings.put")
@dataclass(frozen=True, slots=True)
class PutSettings(Message):
    """Replace all settings; what is not named returns to its default. Answer: settings, or error `invalid`."""

    settings: dict[str, Any]


@message("settings.patch")
@dataclass(frozen=True, slots=True)
class PatchSettings(Message):
    """Change the settings named, as nested maps (`{"ctf": {"range_max": 5}}`). Answer: settings, or error `invalid`."""

    settings: dict[str, Any]


@message("settings")
@dataclass(frozen=True, slots=True)
class SettingsReply(Message):
    """The settings in force, nested by section; `revision` grows by one with each change."""

    settings: dict[str, Any]
    revision: int
    outdated: int = 0


@message("processing.start")
@dataclass(frozen=True, slots=True)
class StartProcessing(Message):
    """Answer: processing.status."""


@message("processing.pause")
@dataclass(frozen=True, slots=True)
class PauseProcessing(Message):
    """No new assignment; running tasks finish. Answer: processing.status."""


@message("processing.get")
@dataclass(frozen=True, slots=True)
class GetProcessing(Message):
    """Answer: processing.status."""


@message("processing.status")
@dataclass(frozen=True, slots=True)
class ProcessingStatus(Message):
    """`counts` by movie status; `rate_per_hour` is measured over the last `rate_window_s` seconds, null before the first movie is done.

    `warnings`: stored settings that were set aside, and what living workers have noticed, each once.
    """

    is_processing: bool
    counts: dict[str, int]
    total: int
    rate_per_hour: float | None
    rate_window_s: float
    workers: int
    running: list[dict[str, Any]]
    seq: int
    data_directory: str
    processing_directory: str
    warnings: list[str] = field(default_factory=list)


@message("workers.get")
@dataclass(frozen=True, slots=True)
class GetWorkers(Message):
    """Answer: workers."""


@message("workers")
@dataclass(frozen=True, slots=True)
class Workers(Message):
    """The worker registry, lost ones too until they are forgotten."""

    workers: list[Worker]


@message("worker.logs.get")
@dataclass(frozen=True, slots=True)
class GetWorkerLogs(Message):
    """The last lines of a worker, oldest first, with number > `after`. Answer: worker.logs, or error `not_found`."""

    worker: str
    after: int = 0
    limit: int = 500


@message("worker.logs")
@dataclass(frozen=True, slots=True)
class WorkerLogs(Message):
    """Log lines `{number, level, text, ts}` of one worker."""

    worker: str
    lines: list[dict[str, Any]]


@message("items.get")
@dataclass(frozen=True, slots=True)
class GetItems(Message):
    """A page of movies. `status`: null for all; `sort`: name, added, status or a result field (`ctf.defocus_um`), `-` in front for descending. Answer: items."""

    status: str | None = None
    sort: str = "added"
    page: int = 1
    page_size: int = 100


@message("items")
@dataclass(frozen=True, slots=True)
class Items(Message):
    """A page of movies and how many there are with this status."""

    movies: list[Movie]
    total: int
    page: int
    page_size: int


@message("item.get")
@dataclass(frozen=True, slots=True)
class GetItem(Message):
    """Answer: item, or error `not_found`."""

    name: str


@message("item")
@dataclass(frozen=True, slots=True)
class Item(Message):
    """One movie and the story of its transitions, oldest first: `{seq, at, text}`."""

    movie: Movie
    story: list[dict[str, Any]] = field(default_factory=list)


@message("item.retry")
@dataclass(frozen=True, slots=True)
class RetryItem(Message):
    """Queue a failed movie again, its count of failures forgotten; `force` also reruns all steps of a processed one. Answer: item; error not_found or conflict."""

    name: str
    force: bool = False


@message("item.select")
@dataclass(frozen=True, slots=True)
class SelectItem(Message):
    """Set the user's own choice: auto, include or exclude. Answer: item, or error not_found or invalid."""

    name: str
    selection: str


@message("item.prioritise")
@dataclass(frozen=True, slots=True)
class PrioritiseItem(Message):
    """Set a waiting movie's priority: higher goes first, 0 is ordinary; `first` puts it ahead of all others.

    Answer: item, or error not_found, invalid or conflict.
    """

    name: str
    priority: int = 0
    first: bool = False


@message("summary.get")
@dataclass(frozen=True, slots=True)
class GetSummary(Message):
    """Answer: summary."""


@message("summary")
@dataclass(frozen=True, slots=True)
class Summary(Message):
    """Counts by status and the time (epoch seconds) and seq of the last change of any movie."""

    counts: dict[str, int]
    total: int
    failed: int
    last_modified: float
    seq: int


@message("export.start")
@dataclass(frozen=True, slots=True)
class StartExport(Message):
    """Start an export job over processed movies (all that pass the filter, or `names`).

    `kind` is micrographs or particles; `options` are names of the `export` settings section that hold for this job only.
    Answer: export.job, or error invalid or conflict.
    """

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    names: list[str] | None = None


@message("export.get")
@dataclass(frozen=True, slots=True)
class GetExport(Message):
    """Answer: export.job with its files beyond the first `after`, or error not_found."""

    job: str
    after: int = 0


@message("exports.get")
@dataclass(frozen=True, slots=True)
class GetExports(Message):
    """The jobs in one state (null: all), so that a restarted tracker finds those that wait for it. Answer: exports."""

    state: str | None = None


@message("exports")
@dataclass(frozen=True, slots=True)
class Exports(Message):
    """Names of export jobs, oldest first."""

    jobs: list[str]


@message("export.cancel")
@dataclass(frozen=True, slots=True)
class CancelExport(Message):
    """Give up what has not begun; running tasks of the job finish. Answer: export.job."""

    job: str


@message("export.job")
@dataclass(frozen=True, slots=True)
class ExportJob(Message):
    """`state` is running, collecting (all movies done, the tracker writes the summary STAR), done, cancelled or failed.

    `files` are paths relative to the processing directory, as many as fit a frame, and where `next_after` is not null there
    are more (`export.get` with `after`); events carry none. `failures` are `{name, message}`, as many as fit.
    """

    job: str
    kind: str
    state: str
    total: int
    done: int
    failed: int
    options: dict[str, Any]
    files: list[str] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    next_after: int | None = None


@message("export.collected")
@dataclass(frozen=True, slots=True)
class ExportCollected(Message):
    """From the tracker: the job's summary file is written (`file` is relative to the processing directory). Answer: ok."""

    job: str
    file: str


@message("health.get")
@dataclass(frozen=True, slots=True)
class GetHealth(Message):
    """Answer: health."""


@message("health")
@dataclass(frozen=True, slots=True)
class Health(Message):
    """The scheduler's own state. `malformed` counts dropped frames by socket."""

    uptime_s: float
    seq: int
    movies: int
    workers: int
    malformed: dict[str, int]
    versions: dict[str, str]


# --- worker port -----------------------------------------------------------------------------------------------


@message("worker.register")
@dataclass(frozen=True, slots=True)
class RegisterWorker(Message):
    """First message of a nanny, and its answer to worker.unknown. Answer: worker.registered.

    `name` stays the same over restarts of the nanny, `instance` does not: a new instance under a known name means that
    the old one is dead. `leases` are the tasks that it still holds.
    """

    name: str
    instance: str
    host: str
    pid: int
    device: str
    device_memory_mb: int
    versions: dict[str, str]
    leases: list[int] = field(default_factory=list)


@message("worker.registered")
@dataclass(frozen=True, slots=True)
class WorkerRegistered(Message):
    """`leases` are those of the offered ones that still hold; the worker drops all others."""

    worker: str
    heartbeat_s: float
    leases: list[int]


@message("worker.heartbeat")
@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """Each 2 s, one way. `load` may hold gpu_memory_mb, gpu_temperature_c, host_memory_mb. An unknown worker is sent worker.unknown.

    `warnings` are all that hold now, so that they need not be kept anywhere: one line each.
    """

    worker: str
    state: str
    leases: list[int] = field(default_factory=list)
    load: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@message("worker.unknown")
@dataclass(frozen=True, slots=True)
class UnknownWorker(Message):
    """One way, to a worker that the scheduler does not know: register again."""


@message("worker.pull")
@dataclass(frozen=True, slots=True)
class PullTasks(Message):
    """One way: the worker can take `credit` tasks in all (0 to 2); what it holds counts against it. Repeated with each change."""

    worker: str
    credit: int


@message("worker.compute_died")
@dataclass(frozen=True, slots=True)
class ComputeDied(Message):
    """The nanny's compute process is gone; `leases` are lost with it, `culprit` the one that was computing. Answer: ok.

    `kind` is lost_worker, resource (OOM kill), or bad_gpu, which sets the worker aside.
    """

    worker: str
    leases: list[int]
    culprit: int | None
    kind: str
    cause: str


@message("worker.log")
@dataclass(frozen=True, slots=True)
class WorkerLog(Message):
    """One way: lines `{level, text, ts}` of a worker, forwarded to logs and subscribers."""

    worker: str
    lines: list[dict[str, Any]]


@message("worker.goodbye")
@dataclass(frozen=True, slots=True)
class Goodbye(Message):
    """An orderly end: its leases go back to the queue without counting as a failure. Answer: ok."""

    worker: str


@message("task.assign")
@dataclass(frozen=True, slots=True)
class AssignTask(Message):
    """One way, to a worker: one movie, the steps to run, all settings. `lease` fences it.

    `purpose` is "process" or an export job's id. `wanted` holds the fingerprint of each step; `stored`, `results` and
    `outputs` are the fingerprints, summaries and files by step of what is on disk now. `settings` are whole (already with
    the job's options for exports).
    """

    lease: int
    purpose: str
    name: str
    path: str
    size: int
    mtime_ns: int
    run: list[str]
    wanted: dict[str, str]
    settings: dict[str, Any]
    results: dict[str, Any]
    data_directory: str
    processing_directory: str
    selection: str = "auto"
    stored: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)


@message("task.cancel")
@dataclass(frozen=True, slots=True)
class CancelTask(Message):
    """One way, to a worker: stop work on this lease, it no longer holds."""

    lease: int
    reason: str


@message("task.progress")
@dataclass(frozen=True, slots=True)
class TaskProgress(Message):
    """One way: `step` is load, one of the steps, or write; `fraction` 0 to 1 of that step."""

    worker: str
    lease: int
    movie: str
    step: str
    fraction: float
    message: str = ""


@message("task.commit")
@dataclass(frozen=True, slots=True)
class CommitTask(Message):
    """May the worker rename this lease's outputs into place? Answer: task.committed."""

    worker: str
    lease: int


@message("task.committed")
@dataclass(frozen=True, slots=True)
class CommitAnswer(Message):
    """`granted` false: the lease no longer holds; delete the temporary outputs."""

    lease: int
    granted: bool


@message("task.finished")
@dataclass(frozen=True, slots=True)
class TaskFinished(Message):
    """Outputs are in place. `ran` names the steps that ran, `results` their summaries, `outputs` files by step relative to the processing directory.

    `kept` are the keys of the generations of earlier outputs that can be restored (`services/session/generations.py`). Answer: ok,
    also for an old lease.
    """

    worker: str
    lease: int
    ran: list[str]
    results: dict[str, Any]
    outputs: dict[str, list[str]]
    seconds: dict[str, float] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


@message("task.failed")
@dataclass(frozen=True, slots=True)
class TaskFailed(Message):
    """The movie could not be done. `kind` is input, resource, bad_gpu or internal. Answer: ok, also for an old lease."""

    worker: str
    lease: int
    kind: str
    step: str
    message: str


# --- bodies of events (topic -> body; the topic is the envelope's type) ------------------------------------------


@part
@dataclass(frozen=True, slots=True)
class MovieEvent(Message):
    """Body of movie.added, movie.status, movie.done, movie.failed: the whole new state, and the status before."""

    movie: Movie
    previous: str | None = None


@part
@dataclass(frozen=True, slots=True)
class TaskEvent(Message):
    """Body of task.assigned, task.finished, task.lost (durable) and task.progress (not): `steps` are those run or to run."""

    movie: str
    lease: int
    worker: str
    purpose: str = "process"
    steps: list[str] = field(default_factory=list)
    step: str = ""
    fraction: float = 0.0
    message: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


@part
@dataclass(frozen=True, slots=True)
class WorkerEvent(Message):
    """Body of worker.registered, worker.lost (durable), worker.heartbeat, worker.idle, worker.busy (not)."""

    worker: Worker


@part
@dataclass(frozen=True, slots=True)
class WorkerLogEvent(Message):
    """Body of worker.log."""

    worker: str
    lines: list[dict[str, Any]]


@part
@dataclass(frozen=True, slots=True)
class SettingsEvent(Message):
    """Body of settings.changed (durable): all settings in force, and the dotted names that changed."""

    settings: dict[str, Any]
    revision: int
    changed: list[str]


@part
@dataclass(frozen=True, slots=True)
class ProcessingEvent(Message):
    """Body of processing.started and processing.paused (durable)."""

    paused: bool


@part
@dataclass(frozen=True, slots=True)
class ExportEvent(Message):
    """Body of export.started, export.progress, export.collecting, export.done (durable)."""

    job: ExportJob


@part
@dataclass(frozen=True, slots=True)
class FileEvent(Message):
    """Body of file.seen, file.incubating, file.ready, file.vanished, file.unreadable: `path` relative to the data directory."""

    path: str
    detail: str = ""


@part
@dataclass(frozen=True, slots=True)
class ServiceEvent(Message):
    """Body of service.started, service.stopping, service.heartbeat. The scheduler's heartbeat, each 2 s, carries `head`, its newest seq."""

    service: str
    host: str
    pid: int
    head: int | None = None
    epoch: str = ""
    detail: str = ""


EVENT_BODIES: dict[str, type[Message]] = {
    **dict.fromkeys(("movie.added", "movie.status", "movie.done", "movie.failed"), MovieEvent),
    **dict.fromkeys(("task.assigned", "task.progress", "task.finished", "task.lost"), TaskEvent),
    **dict.fromkeys(
        ("worker.registered", "worker.heartbeat", "worker.idle", "worker.busy", "worker.lost"), WorkerEvent
    ),
    "worker.log": WorkerLogEvent,
    "settings.changed": SettingsEvent,
    **dict.fromkeys(("processing.started", "processing.paused"), ProcessingEvent),
    **dict.fromkeys(("export.started", "export.progress", "export.collecting", "export.done"), ExportEvent),
    **dict.fromkeys(("file.seen", "file.incubating", "file.ready", "file.vanished", "file.unreadable"), FileEvent),
    **dict.fromkeys(("service.started", "service.stopping", "service.heartbeat"), ServiceEvent),
}
"""Every topic there is and the type of its body."""

FORWARDED_TOPICS = ("file.", "service.")
"""Prefixes of topics that other services may publish into the hub; all others are the scheduler's own."""
