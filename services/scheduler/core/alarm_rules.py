"""The rules of alarms that look at workers, services and the flow of movies, one function each.

A new one stands here, or in a module that the machine imports. Those of storage are in `alarm_storage.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from textwrap import shorten

from warpcore.bus.vocabulary import Severity, StorageCondition, StoragePlace, WorkerState
from warpcore.services.scheduler.core import assigning, names, notices, pools, registry, requests
from warpcore.services.scheduler.core.alarms import Finding, come, rule
from warpcore.services.scheduler.core.state import State

NO_WORKER_S = 60.0
"""How long movies wait without a worker before it is told; workers take some time to start."""
NO_WORKER_YET_S = 900.0
"""How long where a pool has handed jobs to a batch system, in whose queue they may wait."""
LOST_TOLD_S = 3600.0
"""How long it is told that a worker is lost, or set aside, which does not come back."""
NAME_TAKEN_S = 20.0
"""A worker that is started again may wait for so long until the one before is known to be gone."""
DISCOVERER_SILENT_S = 45.0
"""The discoverer asks the scheduler for the settings every 10 s."""
LIVE_GAP_S = 2.0
"""Movies that come faster than this, on average, are not those of a running microscope but were there already."""
SILENT_GAPS = 10
"""A pause of so many usual gaps is told; to move to the next square takes a while too."""
FEWEST_WAITING = 25
LONGEST_TITLE = 60


@rule("warning")
def warnings(state: State) -> Iterator[Finding]:
    """What workers and the discoverer have noticed, each text once, and settings that are unlikely or set aside."""
    told = dict.fromkeys((*requests.settings_warnings(state.set_aside), *notices.notices(state)), "settings")
    for worker in state.workers.values():
        told = dict.fromkeys(worker.warnings if worker.alive else (), worker.name) | told
    if state.storage.condition(StoragePlace.DATA) is not StorageCondition.AWAY:  # of which another alarm tells
        told = dict.fromkeys(state.file_warnings, "discoverer") | told
    for text, subject in told.items():
        yield Finding(subject, text, shorten(text, LONGEST_TITLE, placeholder=" …"), key=_short(text))


@rule("state")
def state_at_fault(state: State) -> Iterator[Finding]:
    """The database is damaged or not the one that was opened: nothing is assigned until a person has acted."""
    if state.fault:
        yield Finding("state", state.fault, "the session's state is damaged", Severity.CRITICAL)


@rule("worker-set-aside")
def workers_set_aside(state: State) -> Iterator[Finding]:
    """Workers that are given no movies since their GPU failed."""
    for worker in state.workers.values():
        if worker.state == WorkerState.SET_ASIDE:
            text = f"worker {worker.name} is set aside ({worker.reason}); start it again when its GPU is well"
            yield Finding(worker.name, text, f"worker {worker.name} is set aside", Severity.CRITICAL)
    yield from _unheard(state, "worker-set-aside")


@rule("worker-lost")
def workers_lost(state: State) -> Iterator[Finding]:
    """Workers that are gone without a word, until they are back or forgotten."""
    for worker in state.workers.values():
        if worker.registered and worker.state == WorkerState.LOST and worker.reason != registry.ENDED:
            text = f"worker {worker.name} is lost ({worker.reason}); its movies go to others"
            yield Finding(worker.name, text, f"worker {worker.name} is lost")
    yield from _unheard(state, "worker-lost")


@rule("worker-name")
def names_taken(state: State) -> Iterator[Finding]:
    """Workers that wait because another one has their name."""
    for worker in names.with_rivals(state):
        title = f"two workers are called {worker.name}"
        yield Finding(worker.name, names.name_taken(worker), title, patience_s=NAME_TAKEN_S)


@rule("worker-version")
def other_versions(state: State) -> Iterator[Finding]:
    """Workers of another version of warpcore than the scheduler's: they may compute differently."""
    for worker in state.workers.values():
        version = worker.hello.versions.get("warpcore", "") if worker.alive and worker.hello is not None else ""
        if version and state.version and version != state.version:
            text = (
                f"worker {worker.name} runs warpcore {version}, the scheduler {state.version}, which may compute "
                "differently; install the same version on both hosts"
            )
            yield Finding(worker.name, text, f"worker {worker.name} has another version")


@rule("no-worker")
def no_worker(state: State) -> Iterator[Finding]:
    """Movies wait, also for exports or a try, and nobody can take them."""
    if any(worker.usable or (worker.alive and worker.sight.problem) for worker in state.workers.values()):
        return  # of one that does not see the folders another alarm tells
    count = assigning.waiting(state)
    if not count:
        return
    waiting = "1 movie waits" if count == 1 else f"{count} movies wait"
    coming = pools.jobs_to_come(state)
    if coming:
        text = f"{waiting} and no worker runs; {coming} jobs of pools wait for a node, or start"
        yield Finding("workers", text, "no worker runs yet", Severity.CRITICAL, patience_s=NO_WORKER_YET_S)
    else:
        text = f"{waiting} and no worker runs; start one"
        yield Finding("workers", text, "no worker runs", Severity.CRITICAL, patience_s=NO_WORKER_S)


@rule("discoverer-lost")
def discoverer_lost(state: State) -> Iterator[Finding]:
    """The discoverer has been heard once and is silent now."""
    silent_s = _discoverer_silent_s(state)
    if silent_s > DISCOVERER_SILENT_S:
        text = f"the discoverer has been silent for {silent_s / 60:.0f} min; new movies are not found"
        yield Finding("discoverer", text, "the discoverer is silent", Severity.CRITICAL)


@rule("no-new-movie")
def no_new_movie(state: State) -> Iterator[Finding]:
    """A session to which movies came one by one, and none comes any more, by its own rate; until one comes."""
    gap_s, silent_s = state.arrivals.mean_gap_s, state.arrivals.silent_s(state.now)
    minutes = state.settings.alarms.no_movie_minutes
    if gap_s is None or gap_s < LIVE_GAP_S or minutes is None:
        return
    if silent_s > max(60 * minutes, SILENT_GAPS * gap_s):
        text = f"no new movie for {silent_s / 60:.0f} min, and before one every {gap_s:.0f} s; is the microscope well?"
        yield Finding("movies", text, f"no new movie for {silent_s / 60:.0f} min")


@rule("backlog")
def backlog(state: State) -> Iterator[Finding]:
    """Movies come faster than they are processed, and many wait."""
    gap_s, done = state.arrivals.mean_gap_s, state.rate.per_hour(state.now)
    waiting, minutes = len(state.queue) + len(state.parked), state.settings.alarms.backlog_minutes
    if gap_s is None or gap_s < LIVE_GAP_S or done is None or minutes is None:
        return
    if state.paused or waiting < FEWEST_WAITING:
        return
    if state.arrivals.silent_s(state.now) < SILENT_GAPS * gap_s and 3600 / gap_s > done:
        text = f"movies come faster ({3600 / gap_s:.0f}/h) than they are processed ({done:.0f}/h): {waiting} wait"
        yield Finding("movies", f"{text}; add workers", f"{waiting} movies wait", patience_s=60 * minutes)


def _discoverer_silent_s(state: State) -> float:
    """How long the discoverer has been silent, also over a restart of the scheduler; 0 where it was never heard."""
    if state.discoverer_heard_at is not None:
        return state.now - state.discoverer_heard_at
    earlier = come(state, "discoverer-lost")
    return state.wall - earlier[0].since + DISCOVERER_SILENT_S if earlier else 0.0


def _unheard(state: State, kind: str) -> Iterator[Finding]:
    """What was wrong with workers in an earlier run that were not heard in this one, until they would be forgotten."""
    for one in come(state, kind):
        if one.subject not in state.workers and state.wall - one.since < LOST_TOLD_S:
            yield Finding(one.subject, one.text, one.title, one.severity)


def _short(text: str) -> str:
    """A few letters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
