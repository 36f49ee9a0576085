"""What users and services ask: movies, status, settings, workers."""

from __future__ import annotations

import itertools
from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.limits import LARGEST_PAGE, MOST_AT_ONCE, MOST_CHOSEN
from warpcore.bus.vocabulary import ErrorCode, MovieStatus, Pauser
from warpcore.services.scheduler.core import (
    alarm_metadata,
    assigning,
    export_deleting,
    learnt,
    notices,
    placing_outputs,
    pools,
    registry,
    restoring_outputs,
    views,
)
from warpcore.services.scheduler.core.effects import SaveOrder, SavePaused
from warpcore.services.scheduler.core.going import going, sentence
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.addressing import addressed
from warpcore.services.session.settings import SECTIONS
from warpcore.services.session.sorting import in_order, sortable


@handles(wire.GetSnapshot, reads=True)
def snapshot(state: State, message: wire.GetSnapshot) -> None:
    """A page of all movies, with settings and the number of the last change."""
    wanted = itertools.islice(state.movies_after(message.after), min(max(1, message.limit), MOST_AT_ONCE))
    page = views.fitting(map(state.movie_view, wanted))
    state.reply(
        wire.Snapshot(
            seq=state.seq,
            epoch=state.epoch,
            movies=page,
            next_after=next_page(state, page[-1].id if page else None),
            settings=state.settings.to_dict(),
            settings_revision=state.revision,
            paused=state.paused,
        )
    )


def next_page(state: State, reached: int | None) -> int | None:
    """After which movie the next page begins, where this one has `reached` so far; None where there is no more."""
    newest = next(reversed(state.movies), 0)
    return reached if reached is not None and reached < newest else None


@handles(wire.GetItems, reads=True)
def items(state: State, message: wire.GetItems) -> None:
    """A sorted page of movies."""
    descending, sort = message.sort.startswith("-"), message.sort.removeprefix("-")
    if not sortable(sort):
        _invalid(state, f"cannot sort by {sort[:100]!r}; use name, added, status or like ctf.defocus_um")
    elif message.page < 1 or not 1 <= message.page_size <= LARGEST_PAGE:
        _invalid(state, f"pages begin at 1 and have 1 to {LARGEST_PAGE} movies")
    else:
        movies = [movie for movie in state.movies.values() if message.status in (None, movie.status)]
        total = len(movies)
        first = (message.page - 1) * message.page_size
        ordered = in_order(
            movies, sort, descending=descending, results_of=lambda movie: views.shown_results(movie, state.plan.off)
        )
        page = ordered[first : first + message.page_size]
        shown = views.fitting(state.movie_view(movie) for movie in page)
        if len(shown) < len(page):
            _invalid(state, f"{len(page)} movies do not fit one answer; use pages of {len(shown)}")
        else:
            state.reply(wire.Items(shown, total, message.page, message.page_size))


@handles(wire.GetMovies, reads=True)
def movies(state: State, message: wire.GetMovies) -> None:
    """Some movies by their numbers."""
    known = (state.movies[id] for id in message.ids[:MOST_AT_ONCE] if id in state.movies)
    state.reply(wire.Movies(views.fitting(state.movie_view(movie) for movie in known)))


@handles(wire.GetItem, reads=True)
def item(state: State, message: wire.GetItem) -> None:
    """One movie and its story."""
    movie = named(state, message.name)
    if movie is not None:
        reply_item(state, movie)


@handles(wire.StartProcessing)
def start_processing(state: State, message: wire.StartProcessing) -> None:
    """Hands out movies again."""
    pause(state, None)
    _reply_status(state)


@handles(wire.PauseProcessing)
def pause_processing(state: State, message: wire.PauseProcessing) -> None:
    """Hands out no more movies; tasks that run are finished."""
    pause(state, Pauser.PERSON)
    _reply_status(state)


@handles(wire.OrderProcessing)
def order_processing(state: State, message: wire.OrderProcessing) -> None:
    """Sets the order in which waiting movies run; priorities stand above it."""
    if state.order != message.order:
        state.arrange(message.order)
        state.effects.append(SaveOrder(message.order))
        state.publish("processing.ordered", _processing(state))
    _reply_status(state)


@handles(wire.GetSettings, reads=True)
def settings(state: State, message: wire.GetSettings) -> None:
    """All settings as they are now."""
    state.reply(wire.SettingsReply(state.settings.to_dict(), state.revision))


def pause(state: State, by: Pauser | None) -> None:
    """Pause, or start where `by` is None. Where that is so already, nothing is told."""
    state.active_at = state.now
    if state.paused_by is not by:
        state.paused_by = by
        state.effects.append(SavePaused(by))
        state.publish("processing.paused" if state.paused else "processing.started", _processing(state))


def _processing(state: State) -> wire.ProcessingEvent:
    return wire.ProcessingEvent(state.paused, state.order, state.paused_by)


@handles(wire.NoteAudit)
def note_audit(state: State, message: wire.NoteAudit) -> None:
    """Writes into the audit log what was changed or refused by the API itself."""
    state.reply(wire.Ok())  # the entry follows from the request (`core/audit.py`)


@handles(wire.GetProcessing, reads=True)
def status(state: State, message: wire.GetProcessing) -> None:
    """Counts, measured rate, tasks that run, and warnings."""
    _reply_status(state)


def movies_left(state: State) -> int:
    """How many movies wait for a worker or are with one; of the excluded ones only those that run already."""
    running = sum(task.processes for task in state.tasks.values())
    return len(state.queue) + len(state.parked) + running


def _reply_status(state: State) -> None:
    left = movies_left(state)
    running = [
        {
            "movie": state.movies[task.movie].name,
            "worker": task.worker,
            "lease": task.lease,
            "purpose": task.purpose,
            "step": task.step,
            "fraction": task.fraction,
            "message": task.message[:200],
        }
        for task in state.tasks.values()
    ]
    state.reply(
        wire.ProcessingStatus(
            is_processing=not state.paused,
            counts=counts_by_status(state),
            total=len(state.movies),
            left=left,
            rate_per_hour=state.rate.per_hour(state.now),
            reruns_per_hour=state.reruns.per_hour(state.now),
            rate_window_s=state.rate.window_s,
            workers=sum(worker.usable for worker in state.workers.values()),
            running=views.fitting(running) if running else [],
            seq=state.seq,
            data_directory=state.data_directory,
            processing_directory=state.processing_directory,
            warnings=warnings(state),
            notes=notes(state),
            learnt=learnt.views_of(state),
            order=state.order,
            paused_by=state.paused_by,
            latency=state.latest_runs.stage_times(),
            summary=sentence(going(state, left)),
            holds=state.storage.holds,
            pools=pools.lines(state),
            waiting=assigning.waiting(state),
        )
    )


@handles(wire.GetSummary, reads=True)
def summary(state: State, message: wire.GetSummary) -> None:
    """Counts by status, and the time of the last change."""
    counts = counts_by_status(state)
    state.reply(wire.Summary(counts, len(state.movies), counts[MovieStatus.FAILED], state.last_modified, state.seq))


@handles(wire.GetWorkers, reads=True)
def workers(state: State, message: wire.GetWorkers) -> None:
    """The registry of workers."""
    shown = [registry.view(state, worker) for worker in state.workers.values() if worker.registered]
    state.reply(wire.Workers(views.fitting(shown) if shown else []))


def warnings(state: State) -> list[str]:
    """What a person should know now, one line each."""
    return [
        *settings_warnings(state.set_aside),
        *alarm_metadata.warnings(state),
        *notices.notices(state),
        *registry.warnings(state),
        *notes(state),
    ]


def notes(state: State) -> list[str]:
    """Those of the warnings that are no alarms: what passes by itself, and what is usual."""
    return [
        *placing_outputs.warnings(state),
        *restoring_outputs.warnings(state),
        *export_deleting.warnings(state),
        *state.file_notes,
        *notices.notes(state),
    ]


def settings_warnings(set_aside: dict[str, Any]) -> list[str]:
    """One line for each stored setting that this version cannot use."""
    return [
        f"setting {name} = {value!r} is stored and was set aside: {_why_aside(name)}; it has no effect "
        "(`settings import` of all settings removes it)"
        for name, value in list(set_aside.items())[: registry.MOST_WARNINGS]
    ]


def _why_aside(name: str) -> str:
    """What is wrong with a stored setting, as far as its name tells."""
    section = name.partition(".")[0]
    return "this version cannot use it" if section in SECTIONS else f"no step {section!r} is installed here"


def named(state: State, name: str) -> MovieRecord | None:
    """The movie of this name, or of an address such as `~12`; an unknown one is answered with an error."""
    movie = addressed(name, state.by_name, state.movies)
    if movie is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no movie is called {name[:500]!r}"))
    return movie


def named_many(state: State, ids: list[int], names: list[str], most: int = MOST_CHOSEN) -> list[MovieRecord] | None:
    """The movies of these ids and names, each once; unknown ones or more than `most` are answered with an error."""
    unknown: list[object] = [id for id in ids if id not in state.movies]
    found = {name: addressed(name, state.by_name, state.movies) for name in names}
    unknown += [name for name, movie in found.items() if movie is None]
    if unknown:
        text = f"no movie is called {str(unknown[0])[:500]!r} ({len(unknown)} unknown)"
        state.reply(wire.Error(ErrorCode.NOT_FOUND, text))
        return None
    wanted = dict.fromkeys([*ids, *(movie.id for movie in found.values() if movie is not None)])
    if len(wanted) > most:
        _invalid(state, f"{len(wanted)} movies in one message; send at most {most}")
        return None
    return [state.movies[id] for id in wanted]


def reply_item(state: State, movie: MovieRecord) -> None:
    """Answer with a movie and its story."""
    story = [line._asdict() for line in movie.story]
    resolved = state.learning.of(movie.facts).resolved
    state.reply(
        wire.Item(
            state.movie_view(movie),
            story,
            learnt.gone_by(state, movie),
            views.resolved_values(resolved, movie.acquisition),
            movie.waits_for,
            movie.acquisition,
        )
    )


def counts_by_status(state: State) -> dict[str, int]:
    """How many movies have each status."""
    return {str(status): count for status, count in state.counts.items()}


def _invalid(state: State, problem: str) -> None:
    state.reply(wire.Error(ErrorCode.INVALID, problem))
