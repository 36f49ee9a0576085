"""The tracker's files. Each call takes as long as its storage does, so the tracker makes it beside its loop."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from warpcore.services.formats.warp_xml import set_selection
from warpcore.services.session.errors import InputError
from warpcore.services.session.paths import PathOutsideError, inside, sweep_temporaries, write_text_whole
from warpcore.services.steps.export import MOVIE_XML

log = logging.getLogger("warpcore.tracker")

XML_SLICE_S = 0.5
"""Seconds for XML files before other files are written again."""
MOST_XML = 1000

Flags = tuple[bool, bool | None]
Identity = tuple[int, int, int, int]
"""Device, inode, bytes and mtime of a file."""


@dataclass(slots=True)
class Selected:
    """What came of writing selections: those that are left, and what went wrong."""

    left: dict[str, Flags] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Files:
    """The files in one processing directory. One call at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._on_disk: dict[str, str] = {}
        self._identities: dict[str, Identity | None] = {}

    def sweep(self) -> None:
        """Delete what a killed tracker has left."""
        for name in sweep_temporaries(self._directory):
            log.info("%s: half written by a tracker that was killed, deleted", name)

    def write(self, name: str, text: str) -> None:
        """Write the file unless it has this text already, so that its time is that of the last change."""
        path = self._directory / name
        if self._on_disk.get(name) is None and path.is_file():
            self._on_disk[name] = path.read_text(encoding="utf-8", errors="replace")
        if self._on_disk.get(name) != text or not path.is_file():
            write_text_whole(path, text)
        self._on_disk[name] = text
        self._identities[name] = _identity(path)

    def changed(self) -> list[str]:
        """Written files that are other ones by now, or gone: somebody has changed them, or they lie below a mount."""
        try:
            found = [name for name, known in self._identities.items() if _identity(self._directory / name) != known]
        except OSError:
            return []
        for name in found:
            del self._identities[name]
            self._on_disk.pop(name, None)
        return found

    def select(self, selections: dict[str, Flags]) -> Selected:
        """Write selections into the XML files of movies, for a limited time."""
        deadline = time.monotonic() + XML_SLICE_S
        told = Selected(dict(selections))
        while told.left and time.monotonic() < deadline:
            name, flags = next(iter(told.left.items()))
            del told.left[name]
            try:
                set_selection(inside(self._directory, MOVIE_XML.path(name)), *flags)
            except FileNotFoundError:
                log.debug("%s has no XML", name)
            except (OSError, InputError, PathOutsideError) as error:
                told.faults.append(f"{name}: its XML does not get the selection: {error}")
        return told


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
