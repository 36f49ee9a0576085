"""The tasks that a nanny holds, which of them a dead compute process takes with it, and what they say of the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.worker.line import Progress, Stage


@dataclass
class Held:
    """One task, where it stands, in which compute process, when it came and was cancelled (s, the nanny's clock).

    `untold` is its progress since what was told last, at `told_at`.
    """

    task: AssignTask
    taken_at: float
    stage: Stage = Stage.WAITING
    process: int = 0
    cancelled_at: float | None = None
    told_at: float = float("-inf")
    untold: Progress | None = None


def in_compute(held: Mapping[int, Held], process: int) -> list[int]:
    """The leases that are in a compute process."""
    outside = (Stage.WAITING, Stage.REPORTED)
    return [lease for lease, one in held.items() if one.process == process and one.stage not in outside]


def culprit_of(held: Mapping[int, Held], lost: Sequence[int]) -> int | None:
    """The task of those lost that was being computed; if none was, the only one; None where nobody can tell."""
    computing = [lease for lease in lost if held[lease].stage is Stage.COMPUTE]
    suspects = computing or list(lost)
    return suspects[0] if len(suspects) == 1 else None


def state_of(busy: bool, ready: bool, aside: bool) -> WorkerState:
    """What the worker's heartbeat says; `ready` is any compute process, `aside` the worker with a bad device."""
    if aside:
        return WorkerState.SET_ASIDE
    if not ready:
        return WorkerState.STARTING
    return WorkerState.BUSY if busy else WorkerState.IDLE
