"""Requests that need more than the machine: new settings, whose files are checked, and what store and shell know.

Handlers with `Place.PREPARED` return what looks at the files, which runs in another thread.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec
import psutil
import zmq
from msgspec import structs

from warpcore.bus import messages as wire
from warpcore.bus.limits import LONGEST_BY
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import Severity, Word, WorkerState
from warpcore.services.scheduler.core import assigning, pools, registry
from warpcore.services.scheduler.core.handlers import Place, handles
from warpcore.services.scheduler.core.requests import counts_by_status, movies_left, warnings
from warpcore.services.scheduler.core.stimuli import ChangeSettings, StartTry
from warpcore.services.scheduler.core.views import fitting
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.session.settings import parse_settings, patch_settings

MOST_WORKERS_TOLD = 200
"""Workers of which metrics tell each one's load; all are counted."""


@dataclass(slots=True)
class Shell:
    """What the running service knows: its session, how long it runs, dropped frames by socket."""

    session: Session
    uptime_s: float = 0.0
    malformed: dict[str, int] = field(default_factory=dict)


def signed(message: Message, source: str) -> Message:
    """The message with who asks, where it has a place for that: whom it names, else its sender."""
    by = getattr(message, "by", None)
    return message if by is None else msgspec.structs.replace(message, by=(by or source)[:LONGEST_BY])


@handles(wire.PutSettings, place=Place.PREPARED)
def put_settings(shell: Shell, message: wire.PutSettings) -> Callable[[], ChangeSettings]:
    """Replaces all settings; what is not named returns to its default."""
    return shell.session.checking(parse_settings(message.settings), whole=True, by=message.by)


@handles(wire.PatchSettings, place=Place.PREPARED)
def change_settings(shell: Shell, message: wire.PatchSettings) -> Callable[[], ChangeSettings]:
    """Changes the settings that are named."""
    settings = patch_settings(shell.session.state.settings, message.settings)
    return shell.session.checking(settings, by=message.by)


@handles(wire.PreviewSettings, place=Place.PREPARED, reads=True)
def preview_settings(shell: Shell, message: wire.PreviewSettings) -> Callable[[], ChangeSettings]:
    """Says what a change of the named settings would do; changes nothing."""
    present = shell.session.state.settings
    settings = parse_settings(message.settings) if message.whole else patch_settings(present, message.settings)
    check = shell.session.checking(settings, whole=message.whole)
    return lambda: structs.replace(check(), dry=True)


@handles(wire.StartTry, place=Place.PREPARED)
def start_try(shell: Shell, message: wire.StartTry) -> Callable[[], StartTry]:
    """Processes a movie aside with other settings; nothing of the session changes."""
    check = shell.session.checking(patch_settings(shell.session.state.settings, message.settings))

    def look() -> StartTry:
        checked = check()
        return StartTry(message.name, checked.settings, checked.references, message.settings, message.by)

    return look


@handles(wire.GetChanges, place=Place.STORED, reads=True)
def changes(shell: Shell, message: wire.GetChanges) -> wire.Changes:
    """A page of the change log."""
    store = shell.session.store
    found, trimmed = store.changes(message.since, message.limit)
    return wire.Changes(found, store.head, store.epoch, trimmed)


@handles(wire.GetSettingsHistory, place=Place.STORED, reads=True)
def settings_history(shell: Shell, message: wire.GetSettingsHistory) -> wire.SettingsHistory:
    """A page of the changes of the settings, newest first."""
    return wire.SettingsHistory(shell.session.store.settings_history(message.before, message.limit))


@handles(wire.GetAudit, place=Place.STORED, reads=True)
def audit(shell: Shell, message: wire.GetAudit) -> wire.Audit:
    """A page of who changed what, newest first."""
    return shell.session.store.audit(message)


@handles(wire.GetMetrics, place=Place.STORED, reads=True)
def metrics(shell: Shell, message: wire.GetMetrics) -> wire.Metrics:
    """Figures for monitoring."""
    state, meters = shell.session.state, shell.session.meters
    workers = [worker for worker in state.workers.values() if worker.registered]
    return wire.Metrics(
        uptime_s=shell.uptime_s,
        seq=shell.session.store.head,
        memory_bytes=psutil.Process().memory_info().rss,
        counts=counts_by_status(state),
        left=movies_left(state),
        is_processing=not state.paused,
        holds=len(state.storage.holds),
        warnings=len(warnings(state)),
        rate_per_hour=state.rate.per_hour(state.now),
        reruns_per_hour=state.reruns.per_hour(state.now),
        failures=dict(meters.failures),
        tasks_lost=meters.tasks_lost,
        alarms=_counted(Severity, (alarm.severity for alarm in state.alarms.values())),
        workers=_counted(WorkerState, (worker.state for worker in workers)),
        step_s=[tally.histogram for tally in meters.steps.values()],
        commit_s=meters.commits.histogram,
        disk_free_bytes=dict(meters.disk_free_bytes),
        malformed=shell.malformed,
        worker_list=fitting(registry.view(state, worker) for worker in workers[:MOST_WORKERS_TOLD]),
        pools=[structs.replace(pool, problems=[], log=[]) for pool in pools.shown(state)],
        waiting=assigning.waiting(state),
    )


def _counted(words: type[Word], found: Iterable[Word]) -> dict[str, int]:
    """How often each of the words was found, those that were not too."""
    counts = Counter(found)
    return {str(word): counts[word] for word in words}


@handles(wire.GetHealth, place=Place.STORED, reads=True)
def health(shell: Shell, message: wire.GetHealth) -> wire.Health:
    """Up time, counts and versions of the scheduler."""
    state = shell.session.state
    return wire.Health(
        uptime_s=shell.uptime_s,
        seq=shell.session.store.head,
        movies=len(state.movies),
        workers=sum(worker.usable for worker in state.workers.values()),
        malformed=shell.malformed,
        versions={
            "warpcore": importlib.metadata.version("warpcore"),
            "python": platform.python_version(),
            "pyzmq": zmq.__version__,
        },
    )
