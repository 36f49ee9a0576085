"""Names of workers: while the instance that has a name lives, another one waits for it."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.records import WorkerRecord
from warpcore.services.scheduler.core.state import State

RIVAL_PATIENCE_S = 10.0
"""After so long a silence, five beats, a worker loses its name to another instance that waits for it."""
RIVAL_FORGOTTEN_S = 10.0
"""An instance that has not asked for so long waits no more; it asks every few seconds."""


def must_wait(state: State, worker: WorkerRecord, rival: wire.RegisterWorker) -> bool:
    """Whether another instance must wait for this worker's name, which it is told then.

    It need not where the worker is lost, or where it has seen that the worker's process has ended.
    """
    if not worker.alive or rival.replaces == worker.instance:
        return False
    worker.rival_at = state.now
    silent_s = round(state.now - worker.heard_at, 3)
    pid = worker.hello.pid if worker.hello is not None else 0
    state.reply(wire.WaitForName(worker.name, worker.instance, worker.host, pid, silent_s))
    return True


def patience_s(state: State, worker: WorkerRecord) -> float:
    """How long a worker may be silent: only for a few beats where another instance of its name waits."""
    longest_s = state.heartbeat_timeout_s
    return min(RIVAL_PATIENCE_S, longest_s) if _is_awaited(state, worker) else longest_s


def with_rivals(state: State) -> list[WorkerRecord]:
    """Living workers for whose name another instance waits."""
    return [worker for worker in state.workers.values() if worker.alive and _is_awaited(state, worker)]


def name_taken(worker: WorkerRecord) -> str:
    """What a person should know of two workers of one name."""
    name = worker.name
    return f"another worker called {name} waits until that one has ended; to run both, give one another --name"


def _is_awaited(state: State, worker: WorkerRecord) -> bool:
    return state.now - worker.rival_at < RIVAL_FORGOTTEN_S
