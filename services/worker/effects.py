"""What the nanny wants done, as plain data; its shell does it."""

from __future__ import annotations

from dataclasses import dataclass

from warpcore.bus.messages import LookAtFolders
from warpcore.bus.schema import Message
from warpcore.services.worker.line import Command


@dataclass(frozen=True, slots=True)
class ToScheduler:
    """Send this message. A request has the same `id` each time; its answer is matched by it."""

    message: Message
    id: str


@dataclass(frozen=True, slots=True)
class ToCompute:
    """Send this command down the line to a compute process."""

    command: Command
    process: int = 0


@dataclass(frozen=True, slots=True)
class StartCompute:
    """Start a compute process."""

    process: int = 0


@dataclass(frozen=True, slots=True)
class KillCompute:
    """End a compute process; its exit comes back as `compute_exited`."""

    why: str
    process: int = 0


@dataclass(frozen=True, slots=True)
class LookAt:
    """See whether this host has the session's folders, and answer the scheduler."""

    question: LookAtFolders


@dataclass(frozen=True, slots=True)
class LookFor:
    """See whether the process of this instance still runs; where it has ended, `instance_ended` is to be told."""

    instance: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the worker: it cannot run as it is set up."""

    why: str


@dataclass(frozen=True, slots=True)
class End:
    """End the worker in good order: it has nothing in hand, and takes nothing more."""

    why: str


Effect = ToScheduler | ToCompute | StartCompute | KillCompute | LookAt | LookFor | GiveUp | End
