"""The session: how far it is, what it has learnt, what a change of its settings does."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from msgspec import Meta, field

from warpcore.bus.messages import Health, ProcessingStatus, Summary
from warpcore.bus.vocabulary import MovieStatus, Order, Pauser
from warpcore.services.api.views._naming import Count, Seq, Time, View, utc

Counts = Annotated[dict[str, int], Meta(description="Movies by status.")]


class LiveView(View, frozen=True):
    """That the API itself runs. It tells nothing of the session, so that anyone may ask."""

    status: Literal["ok"] = "ok"


class TaskView(View, frozen=True):
    """A task that runs now."""

    movie: Annotated[str, Meta(description="The movie's name.")]
    worker: str
    lease: int
    purpose: Annotated[str, Meta(description="`process`, or the export job or try that it belongs to.")]
    step: Annotated[str, Meta(description="The present step; empty before the first.")]
    fraction: Annotated[float, Meta(description="How much of the step is done, 0 to 1.")]
    message: str


class LearntView(View, frozen=True):
    """What a step has learnt from the session's first movies, or has learnt so far."""

    step: str
    count: Annotated[int, Meta(description="From how many movies it learns.")]
    movies: Annotated[list[str], Meta(description="Names of those that it goes by.")]
    id: Annotated[str, Meta(description="The choice; empty: none yet, or none at all where `failed`.")]
    text: Annotated[str, Meta(description="The choice in words, or what failed.")]
    failed: bool


class StageTimeView(View, frozen=True):
    """How long a stage of processing took for the movies done last."""

    stage: Annotated[
        str,
        Meta(
            description="`incubation`, `wait` (for a worker), a stage of the worker such as `load` or `motion`, "
            "`at_worker` (all of these and the time between them), or `latency` (from found to results)."
        ),
    ]
    median_s: Annotated[float, Meta(description="s.")] = field(name="medianSeconds")
    p90_s: Annotated[float, Meta(description="90th percentile, s.")] = field(name="p90Seconds")
    movies: Annotated[Count, Meta(description="How many movies had it.")]


class StatusView(View, frozen=True):
    """How far the session is."""

    summary: Annotated[str, Meta(description="How the session goes, in one sentence.")]
    holds: Annotated[
        list[str], Meta(description="Why no movies are given to workers although nobody paused: full or lost storage.")
    ]
    is_processing: Annotated[bool, Meta(description="Whether movies are given to workers.")]
    order: Annotated[Order, Meta(description="Which waiting movie is next.")]
    paused_by: Annotated[Pauser | None, Meta(description="Who paused; null: nobody.")]
    total_items: Annotated[Count, Meta(description="All movies.")]
    items_left: Annotated[Count, Meta(description="Movies that run or wait; excluded ones do not count.")]
    backlog: Annotated[
        Count,
        Meta(
            description="What workers are needed for: movies that run, and those that wait and could be given to one, "
            "also for exports and tries."
        ),
    ]
    counts: Counts
    rate_per_hour: Annotated[float | None, Meta(description="Measured movies per hour; null before the first is done.")]
    reruns_per_hour: Annotated[
        float | None, Meta(description="Movies per hour of which only some steps ran again; null before the first.")
    ]
    rate_window_seconds: Annotated[float, Meta(description="Over how long the rate is measured, s.")]
    workers: Annotated[Count, Meta(description="Workers that can be given movies.")]
    running: list[TaskView]
    data_directory: str
    processing_directory: str
    warnings: Annotated[list[str], Meta(description="What a person should know, for as long as it holds.")]
    notes: Annotated[list[str], Meta(description="Those of the warnings that are no alarms: usual, or gone by itself.")]
    pools: Annotated[list[str], Meta(description="How each pool of workers is, in words.")]
    learnt: list[LearntView]
    latency: Annotated[list[StageTimeView], Meta(description="By stage, in order; empty before a movie is done.")]
    seq: Seq

    @classmethod
    def of_status(cls, status: ProcessingStatus) -> Self:
        """The view of the session's status."""
        return cls.of(
            status,
            total_items=status.total,
            items_left=status.left,
            backlog=_backlog(status),
            rate_window_seconds=status.rate_window_s,
        )


def _backlog(status: ProcessingStatus) -> int:
    """Movies that are with workers or wait for one; an older scheduler does not count exports and tries that wait."""
    if status.waiting is not None:
        return len(status.running) + status.waiting
    in_work = sum(status.counts.get(word, 0) for word in (MovieStatus.QUEUED, MovieStatus.PROCESSING))
    return status.left if status.is_processing and not status.holds else in_work


class SettingsEffectView(View, frozen=True):
    """What a change of settings does, counted in movies that have results."""

    changed: Annotated[list[str], Meta(description="Names of the settings that differ.")]
    runs: Annotated[dict[str, int], Meta(description="By step, how many movies run it.")]
    movies: Annotated[Count, Meta(description="Movies that run again.")]
    kept: Annotated[Count, Meta(description="Movies that get earlier results back and do not run.")]
    rejected: Annotated[Count, Meta(description="Movies that the filter takes out.")]
    accepted: Annotated[Count, Meta(description="Movies that the filter lets in again.")]
    retried: Annotated[Count, Meta(description="Failed movies that are tried again.")]


class TimestampView(View, frozen=True):
    """When anything changed last, for clients that ask often."""

    last_modified: Time
    seq: Seq

    @classmethod
    def of_summary(cls, summary: Summary) -> Self:
        """The view of the last change."""
        return cls(last_modified=utc(summary.last_modified), seq=summary.seq)


class SummaryView(View, frozen=True):
    """Counts by status, and when any movie changed last."""

    total_items: Annotated[Count, Meta(description="All movies.")]
    failed_items: Annotated[Count, Meta(description="Movies that have failed.")]
    counts: Counts
    last_modified: Time
    seq: Seq

    @classmethod
    def of_summary(cls, summary: Summary) -> Self:
        """The view of the counts."""
        modified = utc(summary.last_modified)
        return cls.of(summary, total_items=summary.total, failed_items=summary.failed, last_modified=modified)


Versions = Annotated[dict[str, str], Meta(description="Versions by package.")]


class ApiHealth(View, frozen=True):
    """The API's own state."""

    versions: Versions


class SchedulerHealth(View, frozen=True):
    """The scheduler's own state."""

    uptime_seconds: Annotated[float, Meta(description="Since it was started, s.")]
    seq: Seq
    movies: Count
    workers: Count
    malformed: Annotated[dict[str, int], Meta(description="Dropped frames by socket.")]
    versions: Versions


class HealthView(View, frozen=True):
    """The API's and the scheduler's own state."""

    status: Annotated[str, Meta(description="`ok`.")]
    api: ApiHealth
    scheduler: SchedulerHealth

    @classmethod
    def of_health(cls, health: Health, versions: dict[str, str]) -> Self:
        """The view of the scheduler's health beside the API's versions."""
        scheduler = SchedulerHealth.of(health, uptime_seconds=health.uptime_s)
        return cls(status="ok", api=ApiHealth(versions=versions), scheduler=scheduler)
