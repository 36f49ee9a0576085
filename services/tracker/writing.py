"""The tracker's files. Each call takes as long as its storage does, so the tracker makes it beside its loop."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from warpcore.services.formats.warp_xml import set_selection
from warpcore.services.session.allowed import PathOutsideError, results_below
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import RefusedFileError, read_bytes, result_path, within
from warpcore.services.session.paths import sweep_temporaries, write_text_whole
from warpcore.services.session.tables import PARTICLES
from warpcore.services.steps.export import MOVIE_XML
from warpcore.services.tracker.particles import collect_particles

log = logging.getLogger("warpcore.tracker")

XML_SLICE_S = 0.5
"""Seconds for XML files before other files are written again."""
MOST_XML = 1000
_LARGEST_LIST = 1 << 30
"""Bytes; of 100 000 movies it has a tenth of that."""

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
        self._known: dict[str, tuple[Identity | None, str]] = {}
        """Files as they were written, with their texts: their identity tells whether they are still those.

        particles.star has no text here, since it may have millions of rows.
        """

    def sweep(self) -> None:
        """Delete what a killed tracker has left."""
        for name in sweep_temporaries(self._directory):
            log.info("%s: half written by a tracker that was killed, deleted", name)

    def write(self, name: str, text: str) -> None:
        """Write the file unless it has this text already, so that its time is that of the last change."""
        path = result_path(self._directory, name)
        identity, known = _identity(path), self._known.get(name)
        if identity is None:
            present = None
        elif known is not None and known[0] == identity:
            present = known[1]
        else:
            present = self._present(path)
        if present != text:
            write_text_whole(path, text)
            identity = _identity(path)
        self._known[name] = identity, text

    def _present(self, path: Path) -> str | None:
        """What is in a file of before; None where something else has been put in its place."""
        try:
            with within(results_below(self._directory)):
                return read_bytes(path, _LARGEST_LIST).decode(errors="replace")
        except RefusedFileError:
            return None

    def collect(self, files: Sequence[str], target: str, groups: Mapping[str, int]) -> int:
        """Write the particles of single movies' files into `target`; returns the number of rows. Raises OSError."""
        rows = collect_particles(self._directory, files, target, groups)
        if target == PARTICLES:
            self._known[target] = _identity(self._directory / target), ""
        return rows

    def withdraw(self, name: str) -> None:
        """Delete a file that was written for a job which is gone, and its folder where nothing else is in it.

        Raises OSError.
        """
        path = result_path(self._directory, name)
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # what else is in it, whoever deletes the job deletes
            path.parent.rmdir()

    def changed(self) -> list[str]:
        """Written files that are other ones by now, or gone: somebody has changed them, or they lie below a mount."""
        try:
            found = [name for name, (former, _) in self._known.items() if _identity(self._directory / name) != former]
        except OSError:
            return []
        for name in found:
            del self._known[name]
        return found

    def select(self, selections: dict[str, Flags]) -> Selected:
        """Write selections into the XML files of movies, for a limited time."""
        deadline = time.monotonic() + XML_SLICE_S
        told = Selected(dict(selections))
        while told.left and time.monotonic() < deadline:
            name, flags = next(iter(told.left.items()))
            del told.left[name]
            try:
                with within(results_below(self._directory)):
                    set_selection(result_path(self._directory, MOVIE_XML.path(name)), *flags)
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
