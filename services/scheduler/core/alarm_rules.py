"""The rules of alarms, one function each. A new one stands here, or in a module that the machine imports."""

from __future__ import annotations

from collections.abc import Iterator

from warpcore.bus.vocabulary import DONE, ENDED, MovieStatus, Selection, Severity, WorkerState
from warpcore.services.scheduler.core import registry, requests, views
from warpcore.services.scheduler.core.alarms import Finding, is_on, rule
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.filtering import bounds_in_words, limited, within

FEWEST_MOVIES = 12
"""So many movies of the window must have a value before anything is said of it."""
FEWEST_FAILURES = 5
NO_WORKER_S = 60.0
"""How long movies wait without a worker before it is told; workers take some time to start."""
DISCOVERER_SILENT_S = 45.0
"""The discoverer asks the scheduler for the settings every 10 s."""
LIVE_GAP_S = 2.0
"""Movies that come faster than this, on average, are not those of a running microscope but were there already."""
SILENT_S = 600.0
SILENT_GAPS = 10
"""A pause of `SILENT_S` and of so many usual gaps is told; to move to the next square takes a while too."""
FEWEST_WAITING = 25
BACKLOG_S = 600.0
"""How long movies must come faster than they are processed before it is told."""


@rule("warning")
def warnings(state: State) -> Iterator[Finding]:
    """What workers and the discoverer have noticed, each text once, and stored settings that were set aside."""
    told = dict.fromkeys(requests.settings_warnings(state.set_aside), "settings")
    for worker in state.workers.values():
        told = dict.fromkeys(worker.warnings if worker.alive else (), worker.name) | told
    told = dict.fromkeys(state.file_warnings, "discoverer") | told
    for text, subject in told.items():
        yield Finding(subject, text, key=text)


@rule("worker-set-aside")
def workers_set_aside(state: State) -> Iterator[Finding]:
    """Workers that are given no movies since their GPU failed."""
    for worker in state.workers.values():
        if worker.state == WorkerState.SET_ASIDE:
            text = f"worker {worker.name} is set aside ({worker.reason}); start it again when its GPU is well"
            yield Finding(worker.name, text, Severity.CRITICAL)


@rule("worker-lost")
def workers_lost(state: State) -> Iterator[Finding]:
    """Workers that are gone without a word, until they are back or forgotten."""
    for worker in state.workers.values():
        if worker.registered and worker.state == WorkerState.LOST and worker.reason != registry.ENDED:
            yield Finding(worker.name, f"worker {worker.name} is lost ({worker.reason}); its movies go to others")


@rule("no-worker", patience_s=NO_WORKER_S)
def no_worker(state: State) -> Iterator[Finding]:
    """Movies wait and nobody can take them."""
    waiting = len(state.queue)
    if waiting and not state.paused and not any(worker.usable for worker in state.workers.values()):
        yield Finding("workers", f"{waiting} movies wait and no worker runs; start one", Severity.CRITICAL)


@rule("discoverer-lost")
def discoverer_lost(state: State) -> Iterator[Finding]:
    """The discoverer has been heard once and is silent now."""
    if state.discoverer_heard_at is not None:
        silent_s = state.now - state.discoverer_heard_at
        if silent_s > DISCOVERER_SILENT_S:
            text = f"the discoverer has been silent for {silent_s / 60:.0f} min; new movies are not found"
            yield Finding("discoverer", text, Severity.CRITICAL)


@rule("no-new-movie")
def no_new_movie(state: State) -> Iterator[Finding]:
    """A session to which movies came one by one, and none comes any more, by its own rate; until one comes."""
    gap_s, silent_s = state.arrivals.mean_gap_s, state.arrivals.silent_s(state.now)
    if gap_s is not None and gap_s >= LIVE_GAP_S and silent_s > max(SILENT_S, SILENT_GAPS * gap_s):
        text = f"no new movie for {silent_s / 60:.0f} min, and before one every {gap_s:.0f} s; is the microscope well?"
        yield Finding("movies", text)


@rule("backlog", patience_s=BACKLOG_S)
def backlog(state: State) -> Iterator[Finding]:
    """Movies come faster than they are processed, and many wait."""
    gap_s, done = state.arrivals.mean_gap_s, state.rate.per_hour(state.now)
    waiting = len(state.queue) + len(state.parked)
    if gap_s is None or gap_s < LIVE_GAP_S or done is None or state.paused or waiting < FEWEST_WAITING:
        return
    if state.arrivals.silent_s(state.now) < SILENT_GAPS * gap_s and 3600 / gap_s > done:
        text = f"movies come faster ({3600 / gap_s:.0f}/h) than they are processed ({done:.0f}/h): {waiting} wait"
        yield Finding("movies", f"{text}; add workers")


@rule("failures")
def failures(state: State) -> Iterator[Finding]:
    """Of the last movies half or more have failed; until fewer than a quarter have."""
    ended = [movie for movie in _recent(state) if movie.status in ENDED]
    failed = [movie for movie in ended if movie.status == MovieStatus.FAILED]
    share = 0.25 if is_on(state, "failures", "movies") else 0.5
    if len(failed) >= max(FEWEST_FAILURES, share * len(ended)):
        last = failed[-1].failure
        why = f"; the last one: {last.message}" if last is not None else ""
        yield Finding("movies", f"{len(failed)} of the last {len(ended)} movies have failed{why}", Severity.CRITICAL)


@rule("limits")
def beyond_limits(state: State) -> Iterator[Finding]:
    """Of the last movies fewer than a quarter are within the filter's limits of a value; until half are."""
    done = [movie for movie in _recent(state) if movie.status in DONE]
    results = [views.valid_results(movie, state.plan.off) for movie in done]
    for column in limited(state.settings.filter):
        values = [value for one in results if (value := column.value(one)) is not None]
        good = sum(within(column, value, state.settings.filter) for value in values)
        share = 0.5 if is_on(state, "limits", column.name) else 0.25
        if len(values) >= FEWEST_MOVIES and good < share * len(values):
            bounds = bounds_in_words(column, state.settings.filter)
            text = f"{column.noun}: {good} of the last {len(values)} movies are within the filter's limits ({bounds})"
            yield Finding(column.name, text)


def _recent(state: State) -> list[MovieRecord]:
    movies = (state.movies[id] for id in state.recent)
    return [movie for movie in movies if movie.selection != Selection.EXCLUDE]
