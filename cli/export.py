"""`warpcore export micrographs|particles`: a job over processed movies, with progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.vocabulary import ExportKind, JobState, in_words
from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient
    from warpcore.bus.messages import ExportJob

INTERVAL_S = 0.5
ENDED = (JobState.DONE, JobState.CANCELLED, JobState.FAILED)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(export)


def export(
    kind: Annotated[ExportKind, typer.Argument(help=in_words(ExportKind))],
    names: Annotated[list[str] | None, typer.Argument(help="Movies; without any, all that pass the filter.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An `export` setting for this job only: box_size=256."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the job has ended.")] = True,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
) -> None:
    """Export micrographs or particles, and print the files, relative to the processing directory."""
    from warpcore.bus.messages import ExportJob, StartExport
    from warpcore.cli.initial_settings import merged_assignments

    texts = [text if text.startswith("export.") else f"export.{text}" for text in assignments or []]
    chosen = merged_assignments(texts).get("export", {})
    with remote.client(scheduler, control_port) as asking:
        job = remote.ask(asking, StartExport(kind, chosen, names or None), ExportJob)
        if wait:
            job = _with_all_files(asking, _waited(asking, job))
    if as_json:
        output.as_json(job.to_body())
    elif wait:
        for file in job.files:
            output.data(file)
    else:
        output.data(job.job)
    _judge(job, wait)


def _waited(asking: RequestClient, job: ExportJob) -> ExportJob:

    from warpcore.bus.messages import ExportJob, GetExport

    with output.progress() as progress:
        bar = progress.add_task(f"export {job.kind}", total=max(job.total, 1))
        while job.state not in ENDED:
            progress.update(bar, completed=job.done + job.failed, total=max(job.total, 1))
            time.sleep(INTERVAL_S)
            job = remote.ask(asking, GetExport(job.job), ExportJob)
    return job


def _with_all_files(asking: RequestClient, job: ExportJob) -> ExportJob:
    """The job with its files of all pages."""
    from msgspec.structs import replace

    from warpcore.bus.messages import ExportJob, GetExport

    files, page = list(job.files), job
    while page.next_after is not None:
        page = remote.ask(asking, GetExport(job.job, page.next_after), ExportJob)
        files += page.files
    return replace(job, files=files, next_after=None)


def _judge(job: ExportJob, waited: bool) -> None:
    for failure in job.failures:
        output.fail(f"{failure.get('name')}: {failure.get('message')}")
    if not waited:
        return
    if job.state != JobState.DONE:
        raise CliError(f"export {job.job} {job.state} after {job.done} of {job.total} movies")
    if job.failed:
        raise CliError(f"{job.failed} of {job.total} movies could not be exported")
    nothing = "" if job.files else "; nothing new to write, their averages exist"
    output.note(f"movies exported: {job.done}{nothing}")
