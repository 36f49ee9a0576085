"""Export jobs."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from warpcore.bus.vocabulary import ExportKind, JobState
from warpcore.services.api.views._naming import Count, View


class ExportFailure(View, frozen=True):
    """A movie that could not be exported."""

    name: str
    message: str


class JobView(View, frozen=True):
    """An export job."""

    job: Annotated[str, Meta(description="Its name, such as `job-3`.")]
    kind: ExportKind
    state: JobState
    total: Annotated[Count, Meta(description="Its movies.")]
    done: Annotated[Count, Meta(description="Movies that are exported.")]
    failed: Annotated[Count, Meta(description="Movies that could not be exported.")]
    folder: Annotated[
        str,
        Meta(
            description="Where its files lie, relative to the processing directory, laid out as the session's outputs "
            "are; empty for a job of an earlier version, whose files lie among those."
        ),
    ]
    options: Annotated[dict[str, Any], Meta(description="Settings of `export` for this job only.")]
    particles: Annotated[int | None, Meta(description="Particles that are written; null for micrographs.")]
    particles_at_edge: Annotated[
        int | None,
        Meta(description="Picks left out because their box would leave the micrograph; null for micrographs."),
    ]
    files: Annotated[list[str], Meta(description="A page of its files, below the processing directory.")]
    failures: list[ExportFailure]
    next_after: Annotated[int | None, Meta(description="The `after` of the next page of files; null on the last.")]


class JobsView(View, frozen=True):
    """All export jobs."""

    jobs: Annotated[list[JobView], Meta(description="The newest last; `files` and `failures` stand in each job alone.")]
