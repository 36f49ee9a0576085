"""Export jobs: one task a movie, after all processing tasks; then the tracker collects what particles make one file."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.effects import SaveExport
from warpcore.services.scheduler.core.export_records import (
    DONE,
    DROPPED,
    FAILED,
    HELD,
    OPEN_ITEMS,
    PENDING,
    RUNNING,
    ExportItem,
    ExportRecord,
    export_settings,
)
from warpcore.services.scheduler.core.records import DONE as DONE_STATUSES
from warpcore.services.scheduler.core.records import FAILED as FAILED_STATUS
from warpcore.services.scheduler.core.records import PROCESS, PROCESSED, MovieRecord, TaskRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.settings import Settings, SettingsError

MOST_ATTEMPTS = 3


def start(state: State, message: wire.StartExport) -> None:
    """Begin a job over the movies that are processed now."""
    try:
        export_settings(state.settings, message.kind, message.options)
    except SettingsError as error:
        state.reply(wire.Error(ErrorCode.INVALID, str(error), error.errors))
        return
    unknown = [name for name in message.names or [] if name not in state.by_name]
    if unknown:
        state.reply(
            wire.Error(ErrorCode.NOT_FOUND, f"no movie is called {unknown[0]!r} ({len(unknown)} unknown names)")
        )
        return
    movies = _candidates(state, message)
    if not movies:
        what = "processed movie with picks" if message.kind == "particles" else "processed movie"
        state.reply(wire.Error(ErrorCode.CONFLICT, f"nothing to export: there is no {what} among those asked for"))
        return
    job = ExportRecord(f"{message.kind}-{len(state.exports) + 1}", message.kind, message.options)
    job.items = {movie.id: ExportItem() for movie in movies}
    job.count()
    state.exports[job.job] = job
    state.effects.append(SaveExport(job, list(job.items.items())))
    _tell(state, job, "export.started")
    state.reply(views.export_head(job))


def get(state: State, message: wire.GetExport) -> None:
    """A job as it stands."""
    job = state.exports.get(message.job)
    if job is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no export job is called {message.job!r}"))
        return
    names = {id: state.movies[id].name for id, item in job.items.items() if item.state == FAILED}
    state.reply(views.export_view(job, names, max(0, message.after)))


def names(state: State, message: wire.GetExports) -> None:
    """The jobs in one state, or all."""
    jobs = state.exports.values()
    state.reply(wire.Exports([job.job for job in jobs if message.state in (None, job.state)]))


def cancel(state: State, message: wire.CancelExport) -> None:
    """Give up what has not begun."""
    job = state.exports.get(message.job)
    if job is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no export job is called {message.job!r}"))
        return
    if job.state == "running":
        dropped = [id for id, item in job.items.items() if item.state in (PENDING, HELD)]
        for id in dropped:
            job.set_state(id, DROPPED)
            state.held_exports.get(id, set()).discard(job.job)
        job.state = "cancelled"
        state.effects.append(SaveExport(job, [(id, job.items[id]) for id in dropped]))
        _tell(state, job, "export.done")
    state.reply(views.export_head(job))


def collected(state: State, message: wire.ExportCollected) -> None:
    """The tracker has written the job's summary file; said twice, it is done once."""
    job = state.exports.get(message.job)
    if job is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no export job is called {message.job!r}"))
        return
    if job.state == "collecting":
        job.state, job.file = "done", message.file
        state.effects.append(SaveExport(job, []))
        _tell(state, job, "export.done")
    state.reply(wire.Ok())


def job_settings(state: State, job: ExportRecord) -> Settings:
    """The settings in force with the job's own options."""
    return export_settings(state.settings, job.kind, job.options)


def ready(state: State, job: ExportRecord, movie: MovieRecord) -> bool:
    """Whether a pending movie can be exported now; one that cannot is held until it is free and processed, or fails in the job."""
    if movie.selection == "exclude" or movie.status == FAILED_STATUS:
        _end_item(state, job, movie.id, FAILED, message=_why_not(movie))
        return False
    if movie.lease is not None or movie.status not in DONE_STATUSES:
        job.set_state(movie.id, HELD)
        state.held_exports.setdefault(movie.id, set()).add(job.job)
        return False
    return True


def begun(state: State, job: ExportRecord, movie: MovieRecord) -> None:
    """A movie of the job was assigned."""
    item = job.set_state(movie.id, RUNNING)
    state.effects.append(SaveExport(job, [(movie.id, item)]))


def finished(state: State, task: TaskRecord, outputs: dict[str, list[str]]) -> None:
    """A movie of a job is exported."""
    job = state.exports[task.purpose]
    files = [file for step in outputs.values() for file in step]
    _end_item(state, job, task.movie, DONE, files=files)


def failed(state: State, task: TaskRecord, text: str, *, again: bool, counted: bool = True) -> None:
    """A movie of a job went wrong or its lease was taken back: again, elsewhere first, or failed in the job."""
    job = state.exports[task.purpose]
    item = job.items[task.movie]
    if counted:
        item.attempts += 1
        item.avoid = task.worker
    if job.state == "cancelled":
        _end_item(state, job, task.movie, DROPPED)
    elif not again or item.attempts >= MOST_ATTEMPTS:
        _end_item(state, job, task.movie, FAILED, message=text)
    else:
        job.set_state(task.movie, PENDING)
        state.effects.append(SaveExport(job, [(task.movie, item)]))
    release_held(state, state.movies[task.movie])


def hold(state: State, task: TaskRecord) -> None:
    """The lease of an export was taken back since its movie changed: its turn comes when it is processed again."""
    if task.purpose != PROCESS:
        failed(state, task, "the file was replaced", again=True, counted=False)


def release_held(state: State, movie: MovieRecord) -> None:
    """The movie is free or settled now: jobs that waited for it look at it again."""
    for name in state.held_exports.pop(movie.id, ()):
        state.exports[name].set_state(movie.id, PENDING)


def _candidates(state: State, message: wire.StartExport) -> list[MovieRecord]:
    if message.names is None:
        movies = [movie for movie in state.movies.values() if movie.status == PROCESSED]
    else:
        named = {state.by_name[name].id for name in message.names}
        movies = [state.movies[id] for id in sorted(named) if state.movies[id].status in DONE_STATUSES]
    movies = [movie for movie in movies if movie.selection != "exclude"]
    if message.kind == "particles":
        movies = [movie for movie in movies if "picking" in views.valid_results(movie, state.plan.off)]
    return movies


def _why_not(movie: MovieRecord) -> str:
    if movie.selection == "exclude":
        return "excluded by the user"
    return f"the movie has failed: {movie.failure.message if movie.failure is not None else ''}"


def _end_item(
    state: State, job: ExportRecord, movie: int, result: str, *, files: list[str] | None = None, message: str = ""
) -> None:
    item = job.items[movie]
    if item.state not in OPEN_ITEMS:
        return
    item = job.set_state(movie, result)
    item.files, item.message = files or [], message
    ended = job.open == 0 and job.state == "running"
    if ended:
        job.state = "failed" if job.done == 0 else "collecting" if job.kind == "particles" else "done"
    state.effects.append(SaveExport(job, [(movie, item)]))
    if ended:
        _tell(state, job, "export.collecting" if job.state == "collecting" else "export.done")
    elif job.state == "running" and _percent(job, 0) != _percent(job, 1):
        _tell(state, job, "export.progress")
    release_held(state, state.movies[movie])


def _percent(job: ExportRecord, before: int) -> int:
    """Whole percents done, `before` movies ago: progress is told once a percent, so that large jobs do not flood the log."""
    return (job.done + job.failed - before) * 100 // len(job.items)


def _tell(state: State, job: ExportRecord, topic: str) -> None:
    state.publish(topic, wire.ExportEvent(views.export_head(job)))
