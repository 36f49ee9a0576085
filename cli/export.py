"""`warpcore export micrographs|particles`: a job over processed movies, with progress; `list`, `cancel`, `delete`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.vocabulary import ErrorCode, ExportKind, JobState, in_words
from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient
    from warpcore.bus.messages import ExportJob

INTERVAL_S = 0.5
ENDED = (JobState.DONE, JobState.CANCELLED, JobState.FAILED, JobState.DELETING)

Names = Annotated[list[str] | None, typer.Argument(help="Movies; without any, all that pass the filter.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="An `export` setting for this job only: box_size=256."),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has ended.")]
Job = Annotated[str, typer.Argument(metavar="JOB", help="A job, as `warpcore export list` names it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help=f"Export processed movies. {in_words(ExportKind)}")
    for command in (micrographs, particles, list_, cancel, delete):
        group.command(command.__name__.rstrip("_"))(command)
    app.add_typer(group, name="export", rich_help_panel="Control")


def micrographs(
    names: Names = None,
    assignments: Assignments = None,
    wait: Wait = True,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Export micrographs into a folder of the job's own, and print its files, relative to the processing directory."""
    _export(ExportKind.MICROGRAPHS, names, assignments, wait, as_json, scheduler, control_port, key)


def particles(
    names: Names = None,
    assignments: Assignments = None,
    wait: Wait = True,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Export particles into a folder of the job's own, and print its files, `particles.star` first."""
    _export(ExportKind.PARTICLES, names, assignments, wait, as_json, scheduler, control_port, key)


def list_(
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """List the jobs, oldest first: state, movies done, particles, folder, and settings of their own."""
    from warpcore.bus.messages import Exports, GetExports

    jobs = remote.ask_once(scheduler, control_port, key, GetExports(), Exports).jobs
    if as_json:
        output.as_json([job.to_body() for job in jobs])
    else:
        output.rows(["job", "kind", "state", "movies", "particles", "folder", "settings"], [_row(job) for job in jobs])


def cancel(
    job: Job, scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081, key: o.Key = None
) -> None:
    """Give up what of a job has not begun; what it has written stays."""
    from warpcore.bus.messages import CancelExport, ExportJob

    ended = remote.ask_once(scheduler, control_port, key, CancelExport(job), ExportJob)
    output.note(f"{ended.job} is {ended.state}: {ended.done} of {ended.total} movies exported")


def delete(
    job: Job,
    wait: Wait = True,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Delete a job with its folder; one that runs is given up. This cannot be undone."""
    from warpcore.bus.messages import DeleteExport, ExportJob

    with remote.client(scheduler, control_port, key) as asking:
        deleted = remote.ask(asking, DeleteExport(job), ExportJob)
        if wait:
            _until_gone(asking, deleted)
    state = "deleted" if wait else "being deleted"
    files = f" with {deleted.folder}" if deleted.folder else "; its files lie among the session's own, and stay"
    output.note(f"{deleted.job} is {state}{files}")


def _until_gone(asking: RequestClient, job: ExportJob) -> None:
    """Wait until a job that is being deleted is no longer known."""
    from warpcore.bus.client import RefusedError
    from warpcore.bus.messages import ExportJob, GetExport, GetProcessing, ProcessingStatus

    told: set[str] = set()
    try:
        while remote.ask(asking, GetExport(job.job), ExportJob).state == JobState.DELETING:
            for warning in remote.ask(asking, GetProcessing(), ProcessingStatus).warnings:
                if warning.startswith(f"export {job.job} ") and warning not in told:
                    told.add(warning)
                    output.fail(warning)
            time.sleep(INTERVAL_S)
    except RefusedError as error:
        if error.error.code != ErrorCode.NOT_FOUND:
            raise


def _row(job: ExportJob) -> list[str]:
    written = "-" if job.particles is None else str(job.particles)
    settings = " ".join(f"{name}={value}" for name, value in job.options.items())
    return [job.job, job.kind, job.state, f"{job.done}/{job.total}", written, job.folder or "-", settings]


def _export(
    kind: ExportKind,
    names: list[str] | None,
    assignments: list[str] | None,
    wait: bool,
    as_json: bool,
    scheduler: str,
    control_port: int,
    key: Path | None,
) -> None:
    from warpcore.bus.messages import ExportJob, StartExport
    from warpcore.cli.initial_settings import merged_assignments

    texts = [text if text.startswith("export.") else f"export.{text}" for text in assignments or []]
    chosen = merged_assignments(texts).get("export", {})
    with remote.client(scheduler, control_port, key) as asking:
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
    where = f" into {job.folder}" if job.files else "; nothing new to write, their averages exist"
    output.note(f"{job.job}: movies exported: {job.done}{where}")
