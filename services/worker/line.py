"""What a nanny and its compute process say to each other, each a frozen class that is checked on arrival."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from warpcore.bus.messages import AssignTask, Load
from warpcore.bus.vocabulary import FailureKind


class Stage(StrEnum):
    """Where a task stands in its worker."""

    WAITING = "waiting"  # in the nanny, until there is a compute process
    SENT = "sent"
    LOAD = "load"
    COMPUTE = "compute"
    WRITE = "write"
    REPORTED = "reported"  # its end is on the way to the scheduler


# --- the nanny commands ---------------------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True, tag="task"):
    """Work on this task. Tasks of several schedulers can have the same lease, so here it has a number of its own.

    All else on this line names it by that number, in the field `lease`. Where there is none (0), it is the lease.
    """

    task: AssignTask
    job: int = 0

    @property
    def number(self) -> int:
        """The task's number on this line."""
        return self.job or self.task.lease


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Let go of this task; `Dropped` says that it is done."""

    lease: int


Command = Begin | Cancel


# --- the compute process reports ------------------------------------------------------------------------------------


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The device works; tasks can come."""

    device: str
    device_memory_mb: int
    versions: dict[str, str]

    @property
    def at_once(self) -> int:
        """Tasks on their way at a time: on the CPU one is computed while another is loaded or written.

        On an accelerator there is one in each of the three stages.
        """
        return 2 if self.device.startswith("cpu") else 3


class Faulty(msgspec.Struct, frozen=True, tag="faulty"):
    """The device computes wrongly or not at all, so the worker is to be set aside. The compute process ends."""

    device: Ready
    cause: str


class Unusable(msgspec.Struct, frozen=True, tag="unusable"):
    """This host, as it is set up, has no such device; starting again cannot help. The compute process ends."""

    cause: str


class Noticed(msgspec.Struct, frozen=True, tag="noticed"):
    """What the compute process measures of itself, and what a person should know now. It replaces the one before.

    The warnings are about the session with this processing directory, or about all where it is "".
    """

    load: Load = Load()
    warnings: list[str] = []
    processing_directory: str = ""


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far a task is; `fraction` is 0 to 1 of `step`."""

    lease: int
    stage: Stage
    step: str
    fraction: float
    message: str = ""


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The outputs are in the task's own folder, whole. The fields are those of `TaskFinished`."""

    lease: int
    ran: list[str]
    results: dict[str, Any]
    outputs: dict[str, dict[str, int | None]]
    seconds: dict[str, float] = {}


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The movie could not be processed."""

    lease: int
    kind: FailureKind
    step: str
    message: str


class Dropped(msgspec.Struct, frozen=True, tag="dropped"):
    """A cancelled task was let go."""

    lease: int


Report = Ready | Faulty | Unusable | Noticed | Progress | Finished | Failed | Dropped
