"""Plain operations on files: what placing outputs is made of, on a disk and in a simulation of one.

All paths are relative to the processing directory. Each operation can be done again after it was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class _OnPath:
    path: str


@dataclass(frozen=True, slots=True)
class _FromTo:
    source: str
    target: str


class MakeFolder(_OnPath):
    """Make a folder and those above it, where they are missing."""


class RemoveFile(_OnPath):
    """Delete a file, if it is there."""


class RemoveFolder(_OnPath):
    """Delete a folder with all in it, if it is there."""


class Renew(_OnPath):
    """Make a folder the newest of its kind."""


class Flush(_OnPath):
    """Make the names in a folder durable."""


class Link(_FromTo):
    """Give a file a second name, in place of what has it; a copy where the file system has no links."""


class Move(_FromTo):
    """Rename a file or a folder, a file in place of what has its name. A source that is gone was moved before."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write a text file, whole or not at all, and make its folder where that is missing.

    One that is not `durable` may be lost with the host's power.
    """

    path: str
    text: str
    durable: bool = True


Operation = MakeFolder | RemoveFile | RemoveFolder | Renew | Flush | Link | Move | Write


class Files(Protocol):
    """A file system below a processing directory. All methods raise OSError."""

    def size(self, path: str) -> int | None:
        """Bytes of a regular file; None where there is none."""

    def text(self, path: str) -> str | None:
        """What is in a text file; None where there is none."""

    def has_folder(self, path: str) -> bool:
        """Whether there is this folder."""

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder, the oldest first; none where it is missing."""

    def carry_out(self, operation: Operation) -> None:
        """Do it."""
