"""Figures of a session for monitoring: one message, cheap to make, of bounded size."""

from __future__ import annotations

from msgspec import field

from warpcore.bus.messages.parts import Worker
from warpcore.bus.messages.pools import Pool
from warpcore.bus.schema import Message, Port, message, part


@part
class Histogram(Message, frozen=True):
    """How often a value was at most each of `bounds` and above the one before; the last count is of larger ones.

    `total` is the sum of all values, `name` what was measured.
    """

    name: str
    bounds: list[float]
    counts: list[int]
    total: float


@message("metrics")
class Metrics(Message, frozen=True):
    """Figures of the scheduler. Those that only grow are counted since it began `uptime_s` ago.

    `counts` are movies by status, `failures` movies that failed by kind, `tasks_lost` tasks that ended without a
    result, `step_s` seconds of each stage of a task, `commit_s` seconds of a commit of the database. `alarms` are
    counted by severity, `workers` by state, `worker_list` holds the first 200 of them, `pools` those that report.
    `waiting` counts movies that workers could be given now (see `ProcessingStatus`). `disk_free_bytes` is by place,
    `malformed` dropped frames by socket.
    """

    uptime_s: float
    seq: int
    memory_bytes: int
    counts: dict[str, int]
    left: int
    is_processing: bool
    holds: int
    warnings: int
    rate_per_hour: float | None
    reruns_per_hour: float | None
    failures: dict[str, int]
    tasks_lost: int
    alarms: dict[str, int]
    workers: dict[str, int]
    step_s: list[Histogram]
    commit_s: Histogram
    disk_free_bytes: dict[str, int]
    malformed: dict[str, int]
    worker_list: list[Worker] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    waiting: int | None = None


@message("metrics.get", port=Port.CONTROL, answers=(Metrics,))
class GetMetrics(Message, frozen=True):
    """Figures for monitoring."""
