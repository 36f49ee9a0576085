"""What comes out of the machine: plain data, never live records, so that effects can be compared and recorded.

Structs, since a frozen dataclass would take five times as long to make, and each movie makes some 20.
"""

from __future__ import annotations

from typing import Any, get_args

from msgspec import Struct, field

from warpcore.bus.messages import Alarm
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import Order, Pauser
from warpcore.services.scheduler.core.records import Ban
from warpcore.services.scheduler.core.rows import (
    AuditRow,
    ChoiceRow,
    ExportItemRow,
    ExportRow,
    HandPicksRow,
    MovieRow,
    PoolRow,
    ProfileRow,
    RevisionRow,
    SelectionRow,
    TaskRow,
    TryRow,
)
from warpcore.services.session.generations import Generation
from warpcore.services.session.placing import Placement


class SaveMovie(Struct, frozen=True):
    """Store a movie."""

    row: MovieRow


class DropMovie(Struct, frozen=True):
    """A movie is forgotten, by whom, and why. `last` is the highest number that a movie ever had.

    Its `outputs` are deleted, as paths relative to the processing directory.
    """

    movie: int
    name: str
    path: str
    told: str
    by: str
    last: int
    outputs: tuple[str, ...] = ()


class SaveTask(Struct, frozen=True):
    """Store a lease."""

    row: TaskRow


class DropTask(Struct, frozen=True):
    """The lease no longer holds."""

    lease: int


class SaveSettings(Struct, frozen=True):
    """Store the settings in force; `set_aside` are stored ones that this version cannot use, by dotted name."""

    settings: dict[str, Any]
    revision: int
    references: str
    set_aside: dict[str, Any] = field(default_factory=dict)


class SaveRevision(Struct, frozen=True):
    """Add a change of the settings to their history."""

    row: RevisionRow


class SaveAudit(Struct, frozen=True):
    """Store who changed what. It follows from a request and its effects (`core/audit.py`); the machine makes none."""

    row: AuditRow


class SaveProfile(Struct, frozen=True):
    """Store a named set of settings."""

    row: ProfileRow


class DropProfile(Struct, frozen=True):
    """The named set of settings is forgotten."""

    name: str


class SavePaused(Struct, frozen=True):
    """Store who paused processing, None where it goes on."""

    by: Pauser | None


class SaveOrder(Struct, frozen=True):
    """Store in which order movies run."""

    order: Order


class SaveAlarms(Struct, frozen=True):
    """Store the alarms that hold."""

    alarms: tuple[Alarm, ...]


class SavePool(Struct, frozen=True):
    """Store a pool's limits; `told` says what `by` a person has changed, "" for nothing."""

    row: PoolRow
    told: str = ""
    by: str = ""


class DropPool(Struct, frozen=True):
    """The pool is forgotten."""

    name: str


class SaveBan(Struct, frozen=True):
    """Store that a worker is set aside."""

    ban: Ban


class LiftBan(Struct, frozen=True):
    """The worker is no longer set aside."""

    worker: str


class SaveExport(Struct, frozen=True):
    """Store an export job, and those of its movies that changed."""

    row: ExportRow
    items: tuple[ExportItemRow, ...] = ()


class DropExport(Struct, frozen=True):
    """A job is forgotten, with its `movies` (numbers). `last` is the highest number that a job ever had."""

    job: str
    movies: tuple[int, ...]
    last: int


class RemoveExport(Struct, frozen=True):
    """Delete the folder of an export job, relative to the processing directory."""

    job: str
    folder: str


class SaveChoice(Struct, frozen=True):
    """Store what a step has learnt; `told` is the line for the log, a warning where `failed`."""

    row: ChoiceRow
    told: str
    failed: bool = False


class SaveSelection(Struct, frozen=True):
    """Store a change of selections that can be taken back."""

    row: SelectionRow


class DropSelection(Struct, frozen=True):
    """The change with this number was taken back, or is too old to be."""

    number: int


class SaveHandPicks(Struct, frozen=True):
    """Store a person's edits of a movie's picks."""

    row: HandPicksRow


class SaveTry(Struct, frozen=True):
    """Store a try."""

    row: TryRow


class DropTry(Struct, frozen=True):
    """The try is forgotten; its folder `id` goes."""

    number: int
    id: str


class Publish(Struct, frozen=True):
    """Publish an event; `seq` > 0 is a durable one, also a row of the change log."""

    topic: str
    body: dict[str, Any]
    seq: int = 0


class SaveLastGroup(Struct, frozen=True):
    """Store the highest number that an optics group has had: none is given twice."""

    last: int


class CutLog(Struct, frozen=True):
    """So much changed at once that the change log does not tell it: the log now begins after `seq`."""

    seq: int


class Send(Struct, frozen=True):
    """A one-way message to a worker's connection; `lease` is set for an assignment."""

    sender: bytes
    message: Message
    lease: int | None = None


class RestoreOutputs(Struct, frozen=True):
    """Put the kept outputs `key` of a movie back. `present` is what is on disk now, empty where that is unknown.

    `path`, `size` and `mtime_ns` are the movie's file, `said` what it and its metadata say, for its record.
    """

    movie: int
    name: str
    key: str
    present: Generation
    path: str
    size: int
    mtime_ns: int
    said: tuple[dict[str, Any] | None, dict[str, Any] | None] = (None, None)


class PlaceOutputs(Struct, frozen=True):
    """Place what a task has made, or go on with it."""

    movie: int
    lease: int
    placement: Placement


class DropStaging(Struct, frozen=True):
    """A lease has ended: what is left in the folder that its worker wrote to goes."""

    movie: int
    lease: int


class Reply(Struct, frozen=True):
    """The answer to the stimulus."""

    message: Message


Effect = (
    SaveMovie
    | DropMovie
    | SaveTask
    | DropTask
    | SaveSettings
    | SaveRevision
    | SaveAudit
    | SaveProfile
    | DropProfile
    | SavePaused
    | SaveOrder
    | SaveLastGroup
    | SaveAlarms
    | SavePool
    | DropPool
    | SaveBan
    | LiftBan
    | SaveExport
    | DropExport
    | RemoveExport
    | SaveChoice
    | SaveSelection
    | DropSelection
    | SaveHandPicks
    | SaveTry
    | DropTry
    | Publish
    | CutLog
    | Send
    | RestoreOutputs
    | PlaceOutputs
    | DropStaging
    | Reply
)

Outward = Send | Publish | PlaceOutputs | RestoreOutputs | DropStaging | DropMovie | RemoveExport | DropTry
"""What goes out of the scheduler's process once it is stored; a `Reply` is held with its request."""

OUTWARD = frozenset(get_args(Outward))
"""Its types: to look one up costs a tenth of asking the union, and each task has some 20 effects."""
