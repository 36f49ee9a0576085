"""Workers, what they use of their machines, and their log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_type_hints

import msgspec
from msgspec import Meta

from warpcore.bus.messages import Load
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.api.views._naming import Count, View, camel

if TYPE_CHECKING:
    LoadView = Load
else:
    # A value of a load is declared on the wire type and nowhere else; here it only gets its name in camelCase.
    LoadView = msgspec.defstruct(
        "LoadView",
        [(name, hint, None) for name, hint in get_type_hints(Load, include_extras=True).items() if name.islower()],
        rename=camel,
        frozen=True,
        omit_defaults=True,
        namespace={"__doc__": "What a worker uses of its machine, measured every 2 s. Unknown values are left out."},
    )


class WorkerView(View, frozen=True):
    """One worker."""

    id: Annotated[str, Meta(description="Its name: the host, a slash, and its number or device there.")]
    host: str
    pid: Annotated[int, Meta(description="Its process on that host.")]
    device: Annotated[str, Meta(description="`cpu`, or the GPU that it computes on.")]
    device_memory_mb: Annotated[int, Meta(description="Memory of the device, MiB.")]
    versions: Annotated[dict[str, str], Meta(description="Versions by package.")]
    state: WorkerState
    movies: Annotated[list[str], Meta(description="Names of the movies that it holds.")]
    silent_s: Annotated[float, Meta(description="Since it was last heard, s.")] = msgspec.field(name="silentSeconds")
    done: Annotated[Count, Meta(description="Movies done since it registered.")]
    failed: Annotated[Count, Meta(description="Movies failed since it registered.")]
    load: LoadView
    reason: Annotated[str, Meta(description="Why it is lost, set aside, or given no movies.")]
    warnings: Annotated[list[str], Meta(description="What it has noticed, for as long as it holds.")]
    pool: Annotated[str, Meta(description="`POOL/JOB` where a pool has started it; empty elsewhere.")]
    idle_s: Annotated[float, Meta(description="Since it last had a movie, s; 0 while it has one.")] = msgspec.field(
        name="idleSeconds"
    )


class WorkersView(View, frozen=True):
    """The registry of workers."""

    workers: Annotated[list[WorkerView], Meta(description="Lost ones stay listed for 10 min, ended ones for 1 min.")]


class LogLine(View, frozen=True):
    """A line of a log."""

    number: Annotated[int, Meta(description="Its number; `after` asks for those that follow it.")]
    level: str
    text: str
    ts: Annotated[float, Meta(description="Seconds since 1970-01-01, UTC, by the worker's clock.")]


class LogsView(View, frozen=True):
    """A worker's log lines, oldest first."""

    worker: str
    lines: list[LogLine]
