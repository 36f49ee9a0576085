"""The rules of alarms that look at storage: folders that fill up or are away, and workers that do not see them."""

from __future__ import annotations

from collections.abc import Iterator

from warpcore.bus.vocabulary import Severity, StorageCondition
from warpcore.services.scheduler.core.alarms import Finding, rule
from warpcore.services.scheduler.core.state import State

BLIND_S = 5.0
"""A worker may need so long to show that it sees the folders, or to get them mounted."""


@rule("disk")
def disk(state: State) -> Iterator[Finding]:
    """The disk for results or state is full, and processing holds; or it will be soon (`alarms.disk_reserve_gb`)."""
    for place, standing in state.storage.standings.items():
        if standing.condition is StorageCondition.FULL:
            yield Finding(place, standing.text, "disk full", Severity.CRITICAL)
        elif standing.condition is StorageCondition.LOW:
            yield Finding(place, standing.text, "disk nearly full")
    if state.storage.reported:
        yield Finding("worker", state.storage.reported, "disk full", Severity.CRITICAL, patience_s=BLIND_S)


@rule("storage")
def storage(state: State) -> Iterator[Finding]:
    """A folder of the session is gone, has an error, or does not answer; processing holds until it is back."""
    for place, standing in state.storage.standings.items():
        if standing.condition is StorageCondition.AWAY:
            yield Finding(place, standing.text, f"{place} directory away", Severity.CRITICAL)


@rule("worker-blind")
def workers_blind(state: State) -> Iterator[Finding]:
    """Workers that do not see the folders of the session, and are given no movies until they do."""
    if any(standing.condition is StorageCondition.AWAY for standing in state.storage.standings.values()):
        return
    for worker in state.workers.values():
        if worker.alive and (problem := worker.sight.problem or worker.sight.met):
            text = f"worker {worker.name} is given no movies: {problem}"
            yield Finding(worker.name, text, f"worker {worker.name} does not see the folders", patience_s=BLIND_S)
