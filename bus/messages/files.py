"""Between the discoverer and the scheduler: which files are movies."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus import limits
from warpcore.bus.messages.parts import FoundFile
from warpcore.bus.schema import Message, Port, message


@message("files.registered")
class FilesRegistered(Message, frozen=True):
    """How many of the files were new, were known, or have replaced a file of other size or mtime."""

    added: int
    known: int
    replaced: int


@message("files.register", port=Port.CONTROL, answers=(FilesRegistered,))
class RegisterFiles(Message, frozen=True):
    """Register complete files, at most 2 000 in a message.

    One known with the same size and mtime changes nothing, but for what its header and metadata say now.

    `warnings` are all that a person should know of the files that are there now, one line each; `notes` are the same of
    what is usual and calls for nothing: they are shown, and are no alarms. `seen_s` says how many seconds ago each of
    the files was seen first, by the sender's clock; where it is empty, they were seen now.
    """

    files: list[FoundFile]
    warnings: list[str] = field(default_factory=list)
    seen_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@message("files.list")
class KnownFiles(Message, frozen=True):
    """A page of registered files; `next_after` is null on the last page. `settings` are all current ones.

    Of a file's `acquisition` it tells where that comes from alone, and nothing of its header.

    `forgotten` counts movies that were forgotten in this run of the scheduler: with another number than before, files
    that were registered may not be any more.
    """

    files: list[FoundFile]
    next_after: int | None
    settings: dict[str, Any]
    settings_revision: int
    forgotten: int = 0


@message("files.known", port=Port.CONTROL, answers=(KnownFiles,))
class GetKnownFiles(Message, frozen=True):
    """The registered files with id > `after`, which a restarted discoverer need not check again."""

    after: int = 0
    limit: int = limits.MOST_AT_ONCE
