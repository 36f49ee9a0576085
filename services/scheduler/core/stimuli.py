"""What goes into the machine: plain data, never live records, so that a run can be recorded and replayed.

Structs, since a frozen dataclass would take five times as long to make.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import FailureKind, StoragePlace
from warpcore.services.session.generations import Generation
from warpcore.services.session.settings import Settings
from warpcore.services.storage.looking import KnownFile
from warpcore.services.storage.standing import Look


class FromControl(Struct, frozen=True):
    """A request on the control port."""

    message: Message


class FromWorker(Struct, frozen=True):
    """A message on the worker port; `sender` is the connection that it came by."""

    sender: bytes
    message: Message


class ChangeSettings(Struct, frozen=True):
    """Checked settings to put in force. `references` are the identities of the files that they name.

    `whole`: they replace all settings, so that nothing that was set aside is wanted any more. `dry`: only say what they
    would do. `by` is who asks.
    """

    settings: Settings
    references: str
    whole: bool = False
    dry: bool = False
    by: str = ""


class StartTry(Struct, frozen=True):
    """Process a movie aside with these checked settings; `patch` are those of them that were asked for.

    `references` are the identities of the files that they name.
    """

    name: str
    settings: Settings
    references: str
    patch: dict[str, Any]
    by: str = ""


class Started(Struct, frozen=True):
    """The first stimulus of a run: `references` as they are on disk now, None where they could not be read.

    `last_export` is the highest number of an export job whose folder is there: a state that was lost knows of none.
    """

    references: str | None
    paused: bool | None = None
    last_export: int = 0


class Tick(Struct, frozen=True):
    """Time has passed."""


class AssignmentUndelivered(Struct, frozen=True):
    """The assignment with this lease could not be sent: the worker's connection is gone."""

    lease: int


class StateFault(Struct, frozen=True):
    """The database cannot be relied on: nothing is assigned any more. `text` says what is wrong and what to do."""

    text: str


class StorageLooked(Struct, frozen=True):
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


class ReferencesLooked(Struct, frozen=True):
    """The scheduler has looked for these files, which settings name, and seen some of them, by absolute paths."""

    sought: tuple[str, ...]
    found: tuple[KnownFile, ...]


class OutputsMissing(Struct, frozen=True):
    """Files of these steps, made with these fingerprints, are no longer on disk."""

    movie: int
    steps: dict[str, str]


class OutputsRestored(Struct, frozen=True):
    """Putting a kept generation back has ended. `keys` name the generations that are kept now.

    `generation` is None where it could not be put back; `untouched` says that then no file has changed.
    """

    movie: int
    generation: Generation | None
    keys: list[str]
    untouched: bool = True


class RestoringFailed(Struct, frozen=True):
    """Kept outputs of a movie could not be put back now; the storage may recover."""

    movie: int
    text: str


class OutputsPlaced(Struct, frozen=True):
    """The outputs of a lease have their names, durably. `kept` are the keys of the generations that are kept now."""

    lease: int
    kept: list[str]


class PlacingFailed(Struct, frozen=True):
    """The outputs of a lease could not be placed. `again`: the storage may recover; else the task fails as `fault`."""

    lease: int
    text: str
    again: bool
    fault: FailureKind = FailureKind.RESOURCE


class ExportRemoved(Struct, frozen=True):
    """The folder of an export job is gone; or, where `problem` says why, it could not be deleted."""

    job: str
    problem: str = ""


Stimulus = (
    OutputsPlaced
    | ExportRemoved
    | PlacingFailed
    | OutputsRestored
    | RestoringFailed
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
    | ReferencesLooked
)
