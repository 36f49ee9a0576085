"""What users and services ask: movies, status, summary, and the user's own choices."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core import registry, tasks, views
from warpcore.services.scheduler.core.effects import SavePaused
from warpcore.services.scheduler.core.records import DONE, FAILED, LEASED, SELECTIONS, STATUSES, WAITING, MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.sorting import in_order, sortable

HIGHEST_PRIORITY = 1_000_000
LARGEST_PAGE = 1000


def snapshot(state: State, message: wire.GetSnapshot) -> None:
    """A page of everything."""
    after = max(0, message.after)
    last = min(after + min(max(1, message.limit), 2000), len(state.movies))
    page = views.fitting(state.movie_view(state.movies[id]) for id in range(after + 1, last + 1))
    reached = after + len(page)
    state.reply(
        wire.Snapshot(
            seq=state.seq,
            epoch=state.epoch,
            movies=page,
            next_after=reached if reached < len(state.movies) else None,
            settings=state.settings.to_dict(),
            settings_revision=state.revision,
            paused=state.paused,
        )
    )


def items(state: State, message: wire.GetItems) -> None:
    """A sorted page of movies."""
    descending, sort = message.sort.startswith("-"), message.sort.removeprefix("-")
    if message.status is not None and message.status not in STATUSES:
        state.reply(wire.Error(ErrorCode.INVALID, f"status {message.status!r} is none of {', '.join(STATUSES)}"))
    elif not sortable(sort):
        state.reply(
            wire.Error(
                ErrorCode.INVALID, f"cannot sort by {sort[:100]!r}; use name, added, status or like ctf.defocus_um"
            )
        )
    elif message.page < 1 or not 1 <= message.page_size <= LARGEST_PAGE:
        state.reply(wire.Error(ErrorCode.INVALID, f"pages begin at 1 and have 1 to {LARGEST_PAGE} movies"))
    else:
        movies = [movie for movie in state.movies.values() if message.status in (None, movie.status)]
        total = len(movies)
        first = (message.page - 1) * message.page_size
        page = in_order(movies, sort, descending=descending)[first : first + message.page_size]
        shown = views.fitting(state.movie_view(movie) for movie in page)
        if len(shown) < len(page):
            state.reply(
                wire.Error(ErrorCode.INVALID, f"{len(page)} movies do not fit one answer; use pages of {len(shown)}")
            )
        else:
            state.reply(wire.Items(shown, total, message.page, message.page_size))


def item(state: State, message: wire.GetItem) -> None:
    """One movie and its story."""
    movie = _named(state, message.name)
    if movie is not None:
        _reply_item(state, movie)


def retry(state: State, message: wire.RetryItem) -> None:
    """Forget a movie's failures and let it run again; `force` also what is processed."""
    movie = _named(state, message.name)
    if movie is None:
        return
    if movie.failure is not None and movie.failure.kind == "conflict":
        state.reply(wire.Error(ErrorCode.CONFLICT, f"{movie.name}: {movie.failure.message}"))
        return
    task = state.tasks.get(movie.lease) if movie.lease is not None else None
    again = movie.status == FAILED or (movie.status in WAITING and movie.parked_until is not None)
    if movie.restoring:
        state.reply(
            wire.Error(ErrorCode.CONFLICT, f"earlier outputs of {movie.name} are being put back; try again in a moment")
        )
        return
    if movie.status in LEASED:
        state.reply(wire.Error(ErrorCode.CONFLICT, f"{movie.name} is running; wait until it has ended"))
        return
    if message.force and task is not None:
        state.reply(
            wire.Error(ErrorCode.CONFLICT, f"{movie.name} is being exported by {task.purpose}; wait until it has ended")
        )
        return
    if not again and not message.force:
        state.reply(
            wire.Error(ErrorCode.CONFLICT, f"{movie.name} is {movie.status}, not failed; use force to run it again")
        )
        return
    movie.forget_failures()
    if message.force:
        movie.fingerprints, movie.kept = {}, {}
    if movie.results:
        tasks.reconsider(state, movie, "retried by the user")
    else:
        state.move(movie, movie.waiting_status, "retried by the user")
    _reply_item(state, movie)


def select(state: State, message: wire.SelectItem) -> None:
    """The user's own choice."""
    movie = _named(state, message.name)
    if movie is None:
        return
    if message.selection not in SELECTIONS:
        state.reply(
            wire.Error(ErrorCode.INVALID, f"selection {message.selection[:50]!r} is none of {', '.join(SELECTIONS)}")
        )
        return
    if movie.selection != message.selection:
        movie.selection = message.selection
        movie.tell(state.seq, state.wall, f"selection: {message.selection}")
        if movie.status in DONE:
            tasks.settle(state, movie, f"selection {message.selection}")
        else:
            state.changed(movie)
    _reply_item(state, movie)


def prioritise(state: State, message: wire.PrioritiseItem) -> None:
    """A movie's place in the queue."""
    movie = _named(state, message.name)
    if movie is None:
        return
    if abs(message.priority) > HIGHEST_PRIORITY:
        problem = f"priority {message.priority} is not between -{HIGHEST_PRIORITY} and {HIGHEST_PRIORITY}"
        state.reply(wire.Error(ErrorCode.INVALID, problem))
        return
    if movie.priority != message.priority:
        movie.priority = message.priority
        movie.tell(state.seq, state.wall, f"priority: {message.priority}")
        state.changed(movie)
    _reply_item(state, movie)


def pause(state: State, paused: bool) -> None:
    """Pause or start; doing it twice says so once."""
    if state.paused != paused:
        state.paused = paused
        state.effects.append(SavePaused(paused))
        state.publish("processing.paused" if paused else "processing.started", wire.ProcessingEvent(paused))


def status(state: State) -> None:
    """What goes on."""
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
            counts=dict(state.counts),
            total=len(state.movies),
            rate_per_hour=state.rate.per_hour(state.now),
            rate_window_s=state.rate.window_s,
            workers=sum(worker.usable for worker in state.workers.values()),
            running=views.fitting(running) if running else [],
            seq=state.seq,
            data_directory=state.data_directory,
            processing_directory=state.processing_directory,
            warnings=registry.warnings(state),
        )
    )


def summary(state: State) -> None:
    """Counts and the time of the last change."""
    state.reply(
        wire.Summary(dict(state.counts), len(state.movies), state.counts[FAILED], state.last_modified, state.seq)
    )


def workers(state: State) -> None:
    """The registry."""
    shown = [registry.view(state, worker) for worker in state.workers.values() if worker.registered]
    state.reply(wire.Workers(views.fitting(shown) if shown else []))


def _named(state: State, name: str) -> MovieRecord | None:
    movie = state.by_name.get(name)
    if movie is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no movie is called {name[:500]!r}"))
    return movie


def _reply_item(state: State, movie: MovieRecord) -> None:
    story = [{"seq": seq, "at": at, "text": text} for seq, at, text in movie.story]
    state.reply(wire.Item(state.movie_view(movie), story))
