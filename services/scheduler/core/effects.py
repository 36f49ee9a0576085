"""What goes into the machine and what comes out: stimuli and effects.

Both are plain data, never live records: effects can be compared, recorded and replayed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from warpcore.bus.messages import Alarm
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import FailureKind, Order, Pauser, StoragePlace
from warpcore.services.scheduler.core.records import Ban
from warpcore.services.scheduler.core.rows import (
    ChoiceRow,
    ExportItemRow,
    ExportRow,
    HandPicksRow,
    MovieRow,
    ProfileRow,
    RevisionRow,
    SelectionRow,
    TaskRow,
    TryRow,
)
from warpcore.services.session.generations import Generation
from warpcore.services.session.placing import Placement
from warpcore.services.session.settings import Settings
from warpcore.services.storage.standing import Look

# --- stimuli -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FromControl:
    """A request on the control port."""

    message: Message


@dataclass(frozen=True, slots=True)
class FromWorker:
    """A message on the worker port; `sender` is the connection that it came by."""

    sender: bytes
    message: Message


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Checked settings to put in force. `references` are the identities of the files that they name.

    `whole`: they replace all settings, so that nothing that was set aside is wanted any more. `dry`: only say what they
    would do. `by` is who asks.
    """

    settings: Settings
    references: str
    whole: bool = False
    dry: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class StartTry:
    """Process a movie aside with these checked settings; `patch` are those of them that were asked for.

    `references` are the identities of the files that they name.
    """

    name: str
    settings: Settings
    references: str
    patch: dict[str, Any]
    by: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The first stimulus of a run: `references` as they are on disk now, None where they could not be read."""

    references: str | None
    paused: bool | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class AssignmentUndelivered:
    """The assignment with this lease could not be sent: the worker's connection is gone."""

    lease: int


@dataclass(frozen=True, slots=True)
class StateFault:
    """The database cannot be relied on: nothing is assigned any more. `text` says what is wrong and what to do."""

    text: str


@dataclass(frozen=True, slots=True)
class StorageLooked:
    """The scheduler has looked at a folder of the session.

    `tokens` are what it has written into the processing directory and what it writes next, if it can. `anchor` is the
    path of a movie that it saw in the data directory, "" for none; `sought`: there was one to look for.
    """

    place: StoragePlace
    path: str
    look: Look
    tokens: tuple[str, ...] = ()
    anchor: str = ""
    sought: bool = False


@dataclass(frozen=True, slots=True)
class OutputsMissing:
    """Files of these steps, made with these fingerprints, are no longer on disk."""

    movie: int
    steps: dict[str, str]


@dataclass(frozen=True, slots=True)
class OutputsRestored:
    """Putting a kept generation back has ended. `keys` name the generations that are kept now.

    `generation` is None where it could not be put back; `untouched` says that then no file has changed.
    """

    movie: int
    generation: Generation | None
    keys: list[str]
    untouched: bool = True


@dataclass(frozen=True, slots=True)
class OutputsPlaced:
    """The outputs of a lease have their names, durably. `kept` are the keys of the generations that are kept now."""

    lease: int
    kept: list[str]


@dataclass(frozen=True, slots=True)
class PlacingFailed:
    """The outputs of a lease could not be placed. `again`: the storage may recover; else the task fails as `fault`."""

    lease: int
    text: str
    again: bool
    fault: FailureKind = FailureKind.RESOURCE


Stimulus = (
    OutputsPlaced
    | PlacingFailed
    | OutputsRestored
    | FromControl
    | FromWorker
    | ChangeSettings
    | StartTry
    | Started
    | Tick
    | AssignmentUndelivered
    | OutputsMissing
    | StateFault
    | StorageLooked
)

# --- effects -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaveMovie:
    """Store a movie."""

    row: MovieRow


@dataclass(frozen=True, slots=True)
class DropMovie:
    """A movie is forgotten, by whom, and what had failed. `last` is the highest number that a movie ever had."""

    movie: int
    name: str
    path: str
    told: str
    by: str
    last: int


@dataclass(frozen=True, slots=True)
class SaveTask:
    """Store a lease."""

    row: TaskRow


@dataclass(frozen=True, slots=True)
class DropTask:
    """The lease no longer holds."""

    lease: int


@dataclass(frozen=True, slots=True)
class SaveSettings:
    """Store the settings in force; `set_aside` are stored ones that this version cannot use, by dotted name."""

    settings: dict[str, Any]
    revision: int
    references: str
    set_aside: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SaveRevision:
    """Add a change of the settings to their history."""

    row: RevisionRow


@dataclass(frozen=True, slots=True)
class SaveProfile:
    """Store a named set of settings."""

    row: ProfileRow


@dataclass(frozen=True, slots=True)
class DropProfile:
    """The named set of settings is forgotten."""

    name: str


@dataclass(frozen=True, slots=True)
class SavePaused:
    """Store who paused processing, None where it goes on."""

    by: Pauser | None


@dataclass(frozen=True, slots=True)
class SaveOrder:
    """Store in which order movies run."""

    order: Order


@dataclass(frozen=True, slots=True)
class SaveAlarms:
    """Store the alarms that hold."""

    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True)
class SaveBan:
    """Store that a worker is set aside."""

    ban: Ban


@dataclass(frozen=True, slots=True)
class LiftBan:
    """The worker is no longer set aside."""

    worker: str


@dataclass(frozen=True, slots=True)
class SaveExport:
    """Store an export job, and those of its movies that changed."""

    row: ExportRow
    items: tuple[ExportItemRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SaveChoice:
    """Store what a step has learnt; `told` is the line for the log, a warning where `failed`."""

    row: ChoiceRow
    told: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class SaveSelection:
    """Store a change of selections that can be taken back."""

    row: SelectionRow


@dataclass(frozen=True, slots=True)
class DropSelection:
    """The change with this number was taken back, or is too old to be."""

    number: int


@dataclass(frozen=True, slots=True)
class SaveHandPicks:
    """Store a person's edits of a movie's picks."""

    row: HandPicksRow


@dataclass(frozen=True, slots=True)
class SaveTry:
    """Store a try."""

    row: TryRow


@dataclass(frozen=True, slots=True)
class DropTry:
    """The try is forgotten; its folder `id` goes."""

    number: int
    id: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish an event; `seq` > 0 is a durable one, also a row of the change log."""

    topic: str
    body: dict[str, Any]
    seq: int = 0


@dataclass(frozen=True, slots=True)
class CutLog:
    """So much changed at once that the change log does not tell it: the log now begins after `seq`."""

    seq: int


@dataclass(frozen=True, slots=True)
class Send:
    """A one-way message to a worker's connection; `lease` is set for an assignment."""

    sender: bytes
    message: Message
    lease: int | None = None


@dataclass(frozen=True, slots=True)
class RestoreOutputs:
    """Put the kept outputs `key` of a movie back. `present` is what is on disk now, empty where that is unknown.

    `path`, `size` and `mtime_ns` are the movie's file, for its record.
    """

    movie: int
    name: str
    key: str
    present: Generation
    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class PlaceOutputs:
    """Place what a task has made, or go on with it."""

    movie: int
    lease: int
    placement: Placement


@dataclass(frozen=True, slots=True)
class DropStaging:
    """A lease has ended: what is left in the folder that its worker wrote to goes."""

    movie: int
    lease: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the stimulus."""

    message: Message


Effect = (
    SaveMovie
    | DropMovie
    | SaveTask
    | DropTask
    | SaveSettings
    | SaveRevision
    | SaveProfile
    | DropProfile
    | SavePaused
    | SaveOrder
    | SaveAlarms
    | SaveBan
    | LiftBan
    | SaveExport
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
