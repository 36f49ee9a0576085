"""Export jobs: one lease a movie, after all processing; then the tracker makes one file of what particles there are."""

from __future__ import annotations

from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import DONE, ErrorCode, ExportKind, ItemState, JobState, MovieStatus, Selection
from warpcore.services.scheduler.core import rows, views
from warpcore.services.scheduler.core.effects import RemoveExport, SaveExport
from warpcore.services.scheduler.core.export_records import (
    OPEN_ITEMS,
    ExportItem,
    ExportRecord,
    check_names_no_file,
    export_settings,
)
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.allowed import is_output
from warpcore.services.session.paths import job_folder
from warpcore.services.session.settings import Settings, SettingsError, check_size

MOST_ATTEMPTS = 3


@handles(wire.StartExport)
def start(state: State, message: wire.StartExport) -> None:
    """Starts an export job over the movies that are processed now."""
    try:
        settings = export_settings(state.settings, message.kind, message.options)
        check_size(settings)
        check_names_no_file(settings, state.settings)
    except SettingsError as error:
        state.reply(views.refused_settings(error))
        return
    unknown = [name for name in message.names or [] if name not in state.by_name]
    if unknown:
        text = f"no movie is called {unknown[0]!r} ({len(unknown)} unknown names)"
        state.reply(wire.Error(ErrorCode.NOT_FOUND, text))
        return
    movies = _candidates(state, message)
    if not movies:
        what = "processed movie with picks" if message.kind == ExportKind.PARTICLES else "processed movie"
        text = f"nothing to export: there is no {what} among those asked for"
        state.reply(wire.Error(ErrorCode.CONFLICT, text))
        return
    state.last_export += 1
    number = state.last_export
    job = ExportRecord(f"job-{number}", message.kind, message.options, folder=job_folder(message.kind, number))
    job.items = {movie.id: ExportItem() for movie in movies}
    job.count()
    state.exports[job.job] = job
    save(state, job, *job.items)
    tell(state, job, "export.started")
    state.reply(views.export_head(job))


@handles(wire.GetExport, reads=True)
def get(state: State, message: wire.GetExport) -> None:
    """A job as it stands, with a page of its files."""
    job = named(state, message.job)
    if job is not None:
        failed = [id for id, item in job.items.items() if item.state == ItemState.FAILED]
        names = {id: state.name_of(id) for id in failed}
        state.reply(views.export_view(job, names, max(0, message.after)))


@handles(wire.GetExports, reads=True)
def jobs(state: State, message: wire.GetExports) -> None:
    """The jobs in one state, or all, without their files."""
    newest = reversed(state.exports.values())
    heads = views.fitting(views.export_head(job) for job in newest if message.state in (None, job.state))
    state.reply(wire.Exports(heads[::-1]))


@handles(wire.CancelExport)
def cancel(state: State, message: wire.CancelExport) -> None:
    """Gives up what of a job has not begun."""
    job = named(state, message.job)
    if job is None:
        return
    if job.state == JobState.RUNNING:
        dropped = [id for id, item in job.items.items() if item.state in (ItemState.PENDING, ItemState.HELD)]
        for id in dropped:
            move_item(state, job, id, ItemState.DROPPED, "cancelled")
        job.become(JobState.CANCELLED, "by the user")
        save(state, job, *dropped)
        tell(state, job, "export.done")
    state.reply(views.export_head(job))


@handles(wire.ExportCollected)
def collected(state: State, message: wire.ExportCollected) -> None:
    """The tracker has written a job's summary file."""
    job = named(state, message.job)
    if job is None:
        return
    if not is_output(message.file):
        state.reply(wire.Error(ErrorCode.INVALID, f"{message.file[:200]!r} is no file of results"))
        return
    if job.state == JobState.DELETING:
        state.reply(wire.Error(ErrorCode.CONFLICT, f"{job.job} is being deleted"))
        return
    if job.state == JobState.COLLECTING:
        job.become(JobState.DONE, "collected")
        job.file = message.file
        save(state, job)
        tell(state, job, "export.done")
    state.reply(wire.Ok())


def move_item(state: State, job: ExportRecord, movie: int, to: ItemState, why: str) -> None:
    """Change the state of one movie of a job, and note whether the job waits for it. Raises IllegalTransition."""
    job.move(movie, to, why)
    if to == ItemState.HELD:
        state.held_exports.setdefault(movie, {})[job.job] = None
    elif movie in state.held_exports:
        state.held_exports[movie].pop(job.job, None)


def remove_folder(state: State, job: ExportRecord) -> None:
    """Have the folder of a job that is being deleted removed, once nothing is being put into it."""
    if job.state == JobState.DELETING and not leases_of(state, job):
        job.remove_at = None
        state.effects.append(RemoveExport(job.job, job.folder))


def leases_of(state: State, job: ExportRecord) -> list[TaskRecord]:
    """The leases that a job has now."""
    return [task for task in state.tasks.values() if task.purpose == job.job]


def job_settings(state: State, job: ExportRecord) -> Settings:
    """The settings in force with the job's own options."""
    return export_settings(state.settings, job.kind, job.options)


def ready(state: State, job: ExportRecord, movie: MovieRecord) -> bool:
    """Whether a pending movie can be exported now.

    One that is busy or must be processed again is held until it is ready; a failed or excluded one fails in the job.
    """
    if movie.selection == Selection.EXCLUDE or movie.status == MovieStatus.FAILED:
        _end_item(state, job, movie.id, ItemState.FAILED, message=_why_not(movie))
        return False
    if movie.lease is not None or movie.status not in DONE:
        move_item(state, job, movie.id, ItemState.HELD, f"the movie is {movie.status}")
        return False
    return True


def begun(state: State, job: ExportRecord, movie: MovieRecord) -> None:
    """A movie of the job was assigned."""
    move_item(state, job, movie.id, ItemState.RUNNING, "assigned")
    save(state, job, movie.id)


def finished(state: State, task: TaskRecord, results: dict[str, Any], outputs: dict[str, list[str]]) -> None:
    """A movie of a job is exported."""
    job = state.exports[task.purpose]
    if job.state == JobState.DELETING:
        _end_item(state, job, task.movie, ItemState.DROPPED)
        remove_folder(state, job)
        return
    files = [f"{job.folder}/{file}" for step in outputs.values() for file in step]
    job.count_particles(results.get("export", {}))
    _end_item(state, job, task.movie, ItemState.DONE, files=files)


def failed(state: State, task: TaskRecord, text: str, *, again: bool, counted: bool = True) -> None:
    """A movie of a job went wrong, or its lease was taken back: it is tried again, elsewhere first, or it fails."""
    job = state.exports[task.purpose]
    item = job.items[task.movie]
    if counted:
        item.attempts += 1
        item.avoid = task.worker
    if job.state in (JobState.CANCELLED, JobState.DELETING):
        _end_item(state, job, task.movie, ItemState.DROPPED)
        remove_folder(state, job)
    elif not again or item.attempts >= MOST_ATTEMPTS:
        _end_item(state, job, task.movie, ItemState.FAILED, message=text)
    else:
        move_item(state, job, task.movie, ItemState.PENDING, text)
        save(state, job, task.movie)


def release_held(state: State, movie: MovieRecord) -> None:
    """The movie is free or settled now: jobs that waited for it look at it again."""
    for name in state.held_exports.pop(movie.id, ()):
        move_item(state, state.exports[name], movie.id, ItemState.PENDING, f"the movie is {movie.status}")


def named(state: State, name: str) -> ExportRecord | None:
    """The job of this name; where there is none, that is the answer."""
    job = state.exports.get(name)
    if job is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no export job is called {name!r}"))
    return job


def _candidates(state: State, message: wire.StartExport) -> list[MovieRecord]:
    if message.names is None:
        movies = [movie for movie in state.movies.values() if movie.status == MovieStatus.PROCESSED]
    else:
        named = {state.by_name[name].id for name in message.names}
        movies = [state.movies[id] for id in sorted(named) if state.movies[id].status in DONE]
    movies = [movie for movie in movies if movie.selection != Selection.EXCLUDE]
    if message.kind == ExportKind.PARTICLES:
        movies = [movie for movie in movies if "picking" in views.valid_results(movie.results, state.plan.off)]
    return movies


def save(state: State, job: ExportRecord, *movies: int) -> None:
    """Store a job, and these of its movies."""
    items = tuple(rows.export_item_row(job.job, movie, job.items[movie]) for movie in movies)
    state.effects.append(SaveExport(rows.export_row(job), items))


def _why_not(movie: MovieRecord) -> str:
    if movie.selection == Selection.EXCLUDE:
        return "excluded by the user"
    return f"the movie has failed: {movie.failure.message if movie.failure is not None else ''}"


def _end_item(
    state: State,
    job: ExportRecord,
    movie: int,
    result: ItemState,
    *,
    files: list[str] | None = None,
    message: str = "",
) -> None:
    item = job.items[movie]
    if item.state not in OPEN_ITEMS:
        return
    move_item(state, job, movie, result, message or str(result))
    item.files, item.message = files or [], message
    ended = job.open == 0 and job.state == JobState.RUNNING
    if ended:
        job.become(_ended(job), "its last movie has ended")
    save(state, job, movie)
    if ended:
        tell(state, job, "export.collecting" if job.state == JobState.COLLECTING else "export.done")
    elif job.state == JobState.RUNNING and _percent(job, 0) != _percent(job, 1):
        tell(state, job, "export.progress")
    release_held(state, state.movies[movie])


def _ended(job: ExportRecord) -> JobState:
    """The state of a job whose movies have all ended."""
    if job.done == 0:
        return JobState.FAILED
    return JobState.COLLECTING if job.kind == ExportKind.PARTICLES else JobState.DONE


def _percent(job: ExportRecord, before: int) -> int:
    """How many percent were done `before` movies ago; told once a percent, so that large jobs spare the log."""
    return (job.done + job.failed - before) * 100 // len(job.items)


def tell(state: State, job: ExportRecord, topic: str) -> None:
    """Publish a job as it stands."""
    state.publish(topic, wire.ExportEvent(views.export_head(job)))
