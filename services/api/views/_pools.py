"""Pools of workers on a batch system."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from warpcore.services.api.views._naming import Count, View


class PoolView(View, frozen=True):
    """A pool, as it has reported last."""

    name: str
    executor: Annotated[str, Meta(description="The batch system: `slurm`, `pbs`, `lsf`, `flux`, `local`, `commands`.")]
    minimum: Annotated[Count, Meta(description="It keeps at least so many workers.")]
    maximum: Annotated[Count, Meta(description="It has at most so many workers.")]
    revision: Annotated[Count, Meta(description="Grows with each change of the limits; 0: those of its file hold.")]
    taken_over: Annotated[bool, Meta(description="Whether the pool goes by these limits already.")]
    wanted: Annotated[Count, Meta(description="How many workers it finds right now.")]
    registered: Annotated[Count, Meta(description="Its workers that are there.")]
    queued: Annotated[Count, Meta(description="Its jobs that wait for a node.")]
    running: Annotated[Count, Meta(description="Its jobs that run.")]
    submitted_last_hour: Count
    silent_s: Annotated[float, Meta(description="Since its last report, s.")] = field(name="silentSeconds")
    frozen: Annotated[bool, Meta(description="Whether it submits nothing, not knowing how its jobs are.")]
    stopped: Annotated[bool, Meta(description="Whether it submits nothing until a person resumes: jobs died at once.")]
    submissions: Annotated[Count, Meta(description="Jobs that it has tried to submit since its process began.")]
    cancels: Annotated[Count, Meta(description="Cancels that it has sent since then; one is repeated until seen.")]
    problems: Annotated[list[str], Meta(description="What a person should know, one line each.")]
    log: Annotated[list[str], Meta(description="The last lines of the job that died last.")]


class PoolsView(View, frozen=True):
    """The pools that report."""

    pools: Annotated[list[PoolView], Meta(description="By name.")]
