"""The tasks that a nanny holds, which of them a dead compute process takes with it, and what they say of the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.worker.line import Stage


@dataclass
class Held:
    """One task, where it stands, and when it was cancelled, in seconds of the nanny's clock."""

    task: AssignTask
    stage: Stage = Stage.WAITING
    cancelled_at: float | None = None


def in_compute(held: Mapping[int, Held]) -> list[int]:
    """The leases that are in the compute process."""
    return [lease for lease, one in held.items() if one.stage not in (Stage.WAITING, Stage.REPORTED)]


def culprit_of(held: Mapping[int, Held], lost: Sequence[int]) -> int | None:
    """The task of those lost that was being computed; if none was, the only one there was; None where nobody can tell.

    Of several that were being computed each is suspect: the scheduler lets them run alone.
    """
    computing = [lease for lease in lost if held[lease].stage is Stage.COMPUTE]
    suspects = computing or list(lost)
    return suspects[0] if len(suspects) == 1 else None


def state_of(held: Mapping[int, Held], ready: bool, aside: bool) -> WorkerState:
    """What the worker's heartbeat says; `ready` is the compute process, `aside` the worker with a bad device."""
    if aside:
        return WorkerState.SET_ASIDE
    if not ready:
        return WorkerState.STARTING
    return WorkerState.BUSY if held else WorkerState.IDLE
