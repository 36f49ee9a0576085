"""Export jobs."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus.messages.common import Ok
from warpcore.bus.schema import Message, Port, message
from warpcore.bus.vocabulary import ExportKind, JobState


@message("export.job")
class ExportJob(Message, frozen=True):
    """An export job and how far it is.

    `files` are paths relative to the processing directory, as many as fit a frame. Where `next_after` is not null,
    there are more (`export.get` with `after`). Events carry no files. They lie in `folder`, which is the job's own and
    laid out as the session's outputs are; "" for jobs that have ended without a file of their own, and for those of
    versions that made no folders. `failures` are `{name, message}`, as many as fit.
    `particles` were written so far, `particles_at_edge` left out because their box would leave the micrograph; null
    where no movie has told.
    """

    job: str
    kind: ExportKind
    state: JobState
    total: int
    done: int
    failed: int
    options: dict[str, Any]
    files: list[str] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    next_after: int | None = None
    particles: int | None = None
    particles_at_edge: int | None = None
    folder: str = ""


@message("export.start", port=Port.CONTROL, answers=(ExportJob,))
class StartExport(Message, frozen=True):
    """Start an export job over processed movies: all that pass the filter, or `names`.

    `options` are names of the `export` settings section; they hold for this job only.
    """

    kind: ExportKind
    options: dict[str, Any] = field(default_factory=dict)
    names: list[str] | None = None


@message("export.get", port=Port.CONTROL, answers=(ExportJob,))
class GetExport(Message, frozen=True):
    """An export job with its files after the first `after`. Unknown job: error `not_found`."""

    job: str
    after: int = 0


@message("export.cancel", port=Port.CONTROL, answers=(ExportJob,))
class CancelExport(Message, frozen=True):
    """Give up what has not begun; running tasks of the job finish."""

    job: str


@message("export.delete", port=Port.CONTROL, answers=(ExportJob,))
class DeleteExport(Message, frozen=True):
    """Forget a job and delete its folder; what runs of it is given up. The job is listed until its files are gone."""

    job: str


@message("exports")
class Exports(Message, frozen=True):
    """Export jobs without their files and failures, oldest first; the newest of them, as many as fit a frame."""

    jobs: list[ExportJob]


@message("exports.get", port=Port.CONTROL, answers=(Exports,))
class GetExports(Message, frozen=True):
    """The jobs in one state (null: all). With it a restarted tracker finds the jobs that wait for it."""

    state: JobState | None = None


@message("export.collected", port=Port.CONTROL, answers=(Ok,))
class ExportCollected(Message, frozen=True):
    """From the tracker: the job's summary `file` (relative to the processing directory) is written."""

    job: str
    file: str
