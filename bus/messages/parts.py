"""Parts that stand inside messages and events."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field, to_builtins
from msgspec.structs import replace

from warpcore.bus.messages.acquisition import Acquisition, Header
from warpcore.bus.schema import Message, part
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Selection, Throttling, WorkerState


@part
class FoundFile(Message, frozen=True):
    """A complete file on disk. `path` is relative to the data directory, with slashes; size and mtime identify it.

    `header` is what the file itself says, `acquisition` what its metadata says; None where nothing does.
    """

    path: str
    size: int
    mtime_ns: int
    header: Header | None = None
    acquisition: Acquisition | None = None


@part
class SeenFile(Message, frozen=True):
    """A file by its absolute path on the scheduler's host; size and mtime as seen, null where it is not there."""

    path: str
    size: int | None = None
    mtime_ns: int | None = None


@part
class ResolvedValue(Message, frozen=True):
    """A setting that a movie may tell itself, as it is processed: null where nobody tells it.

    `source` is `setting`, `metadata: FILE`, `header` or `assumed`, "" where nobody tells it; `conflict` says what
    contradicts it, in words.
    """

    name: str
    value: float | None
    source: str
    conflict: str = ""


@part
class Failure(Message, frozen=True):
    """Why a movie failed: whose fault it was, in which step, what happened, and on which host."""

    kind: FailureKind
    step: str
    message: str
    host: str


@part
class Movie(Message, frozen=True):
    """A movie's public state, as snapshots, items and `movie.*` events carry it.

    `name` is the relative path without its extension. It is unique, and the key in REST and on the command line.
    `results` holds one summary per step, under `input` what is known of the raw movie and under `run` how it was
    processed; `fingerprints` holds what each stored result was made with. `hand_picks` names a person's own edits of
    its picks, "" without any. `optics_group` is the number of its optics group in all STAR files.
    """

    id: int
    name: str
    path: str
    size: int
    mtime_ns: int
    status: MovieStatus
    selection: Selection = Selection.AUTO
    priority: int = 0
    failure: Failure | None = None
    filter_reasons: list[str] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    worker: str | None = None
    outdated_steps: list[str] = field(default_factory=list)
    hand_picks: str = ""
    optics_group: int = 1


@part
class Load(Message, frozen=True, omit_defaults=True):
    """What a worker uses of its machine, measured by its nanny or its compute process. Unknown values are left out.

    It travels whole from there to REST, so a new value is declared here and measured there, and nowhere else.
    """

    host_memory_mb: Annotated[int | None, Meta(description="Memory of the compute process, MiB.")] = None
    gpu_memory_mb: Annotated[int | None, Meta(description="Memory of the GPU in use by all its programs, MiB.")] = None
    gpu_temperature_c: Annotated[int | None, Meta(description="Temperature of the GPU, °C.")] = None
    gpu_utilisation_percent: Annotated[
        int | None, Meta(description="Part of the last second or less in which the GPU computed, %.")
    ] = None
    gpu_power_w: Annotated[int | None, Meta(description="Power that the GPU draws, W.")] = None
    gpu_ecc_corrected: Annotated[
        int | None, Meta(description="Memory errors that the GPU has corrected since its driver was loaded.")
    ] = None
    gpu_ecc_uncorrected: Annotated[
        int | None, Meta(description="Memory errors that it could not correct since then; data were wrong.")
    ] = None
    gpu_throttling: Annotated[
        list[Throttling] | None, Meta(description="Why the GPU runs slower than it could; empty where it does not.")
    ] = None

    def to_body(self) -> dict[str, Any]:
        """The known values."""
        body: dict[str, Any] = to_builtins(self)
        return body

    def updated(self, newer: Load) -> Load:
        """These values, and over them those that `newer` knows."""
        return replace(self, **newer.to_body())


@part
class Worker(Message, frozen=True):
    """A worker in the registry. Seconds are measured by the scheduler's clock.

    `warnings` are one line each: what the worker has noticed and a person should know, for as long as it is so. `pool`
    is `POOL/JOB` where a pool has started it. `idle_s` counts since it last had a movie; 0 while it has one.
    """

    id: str
    host: str
    pid: int
    device: str
    device_memory_mb: int
    versions: dict[str, str]
    state: WorkerState
    movies: list[str] = field(default_factory=list)
    silent_s: float = 0.0
    done: int = 0
    failed: int = 0
    load: Load = Load()
    reason: str = ""
    warnings: list[str] = field(default_factory=list)
    pool: str = ""
    idle_s: float = 0.0


@part
class StageTime(Message, frozen=True):
    """How long a stage of processing took for the last `movies` movies: median and 90th percentile, s.

    `stage` is `incubation` and `wait` (until a worker was free), a stage of the worker such as `load`, `motion` or
    `write`, `at_worker` (all of these and the time between them), or `latency` (from a file that was seen to results).
    """

    stage: str
    median_s: float
    p90_s: float
    movies: int


@part
class Learnt(Message, frozen=True):
    """What a step has learnt from the session's first movies, or has learnt so far.

    `movies` are the names of those that it goes by, of the `count` that it asks for. Without an `id` there is no
    choice: not yet, or, where `failed`, not at all; each movie goes by itself. `text` says the choice, or what failed.
    """

    step: str
    count: int
    movies: list[str] = field(default_factory=list)
    id: str = ""
    text: str = ""
    failed: bool = False


@part
class Change(Message, frozen=True):
    """One row of the change log: the event that was published with the number `seq`."""

    seq: int
    topic: str
    body: dict[str, Any]
