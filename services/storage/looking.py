"""Looks at a session's folders. Each may hang as long as its file system does: call them in a `SideThread`."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from warpcore.bus.vocabulary import FailureKind
from warpcore.services.session.opening import RefusedFileError, read_bytes, result_path
from warpcore.services.session.paths import write_text_whole
from warpcore.services.storage.directories import Identity, Sighting, why_another
from warpcore.services.storage.faults import reason, storage_kind
from warpcore.services.storage.standing import Look

TOKEN = ".warpcore/token"
"""A file that the scheduler renews, relative to the processing directory. Who reads it sees that directory."""
_TOKEN = re.compile(r"[0-9a-f]{1,64}")
_LARGEST_TOKEN = 64  # bytes


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file with size and mtime: one of the data directory by its relative path, a reference by its absolute one."""

    path: str
    size: int
    mtime_ns: int


def looked(look: Callable[[], Look]) -> Look:
    """The look, or what the error says that ended it."""
    try:
        return look()
    except OSError as error:
        if storage_kind(error) is FailureKind.DISK_FULL:
            return Look(full=reason(error))
        return Look(away=reason(error))


def look_at_space(folder: Path) -> Look:
    """How much is left on the file system of a folder. Raises OSError."""
    found = os.statvfs(folder)
    inodes = found.f_favail if found.f_files else None
    return Look(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, inodes)


class DataFolder:
    """Looks at the data directory, and at one of the files that are known to lie in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identity: Identity | None = None

    def look(self, known: Sequence[KnownFile], *, is_needed: bool = True) -> tuple[Look, str]:
        """The look, and the path of the first known file that is there unchanged, "" where none is.

        `is_needed`: movies wait to be read from there, so that it must not be empty when the session begins.
        """
        seen = ""

        def look() -> Look:
            nonlocal seen
            seen = next((one.path for one in known if _is_there(self._folder, one)), "")
            sighting = replace(_sighting(self._folder, bool(seen) if known else None), is_needed=is_needed)
            why = why_another(self._identity, sighting)
            if not why:
                self._identity = sighting.identity
            return Look(away=why)

        return looked(look), seen


class ProcessingFolder:
    """Looks at the processing directory: writes a new token there, which also shows that it can be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identity: Identity | None = None
        self._token = ""
        self._next = secrets.token_hex(8)
        self._told: tuple[str, ...] = ()

    def look(self) -> tuple[Look, tuple[str, ...]]:
        """The look, and the tokens that workers may read: the one written now, and the next one.

        The next one is told before it is written, since a worker may read it before the scheduler hears of that; the
        first time also the one of an earlier run, which a network file system may still show. There are none where
        nothing could be written.
        """
        written: tuple[str, ...] = ()

        def look() -> Look:
            nonlocal written
            found = read_token(self._folder)
            known = found == self._token if self._token else None
            sighting = _sighting(self._folder, known)
            why = why_another(self._identity, sighting)
            if why:
                return Look(away=why)
            self._identity = sighting.identity
            self._token = self._token or found  # what an earlier run has written proves the folder too
            space = look_at_space(self._folder)
            try:
                write_text_whole(result_path(self._folder, TOKEN), self._next)
            except OSError as error:
                if storage_kind(error) is not FailureKind.DISK_FULL:
                    raise
                return replace(space, full=reason(error))
            earlier = (found,) if found and found not in self._told else ()
            self._token, self._next = self._next, secrets.token_hex(8)
            self._told = written = *earlier, self._token, self._next
            return space

        return looked(look), written


class SeenFolders:
    """Folders that files were read from, with their devices: a mount that is gone leaves its folder on another one."""

    def __init__(self) -> None:
        self._devices: dict[Path, int] = {}

    def note(self, folder: Path) -> None:
        """A file was just seen in this folder. Raises OSError."""
        self._devices[folder] = folder.stat().st_dev

    def why_away(self, directory: Path, missing: Path) -> str:
        """Why the storage, not the user, has taken away a file below `directory`; "" where the file alone is gone."""
        try:
            with os.scandir(directory) as entries:
                if next(entries, None) is None:
                    return f"{directory} is empty, as if its file system were not mounted"
        except (FileNotFoundError, NotADirectoryError) as error:
            return f"{directory}: {reason(error)}"
        folder = missing.parent
        known = self._devices.get(folder)
        if known is not None and folder.is_dir() and folder.stat().st_dev != known:
            return f"another file system lies at {folder} than before"
        return ""


def files_seen(paths: Iterable[str]) -> tuple[KnownFile, ...]:
    """Those of the files at these absolute paths that are there now, as they are."""
    seen = []
    for path in paths:
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            continue
        seen.append(KnownFile(path, found.st_size, found.st_mtime_ns))
    return tuple(seen)


def read_token(processing: Path) -> str:
    """The token that lies in a processing directory, "" where there is none. Raises OSError for any other trouble.

    It is sent to the scheduler, so a text of another form counts as none: a link could lead to anything.
    """
    try:
        text = read_bytes(result_path(processing, TOKEN), _LARGEST_TOKEN).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError, RefusedFileError):
        return ""
    return text if _TOKEN.fullmatch(text) else ""


def _sighting(folder: Path, known_is_there: bool | None) -> Sighting:
    found = folder.stat()
    with os.scandir(folder) as entries:
        return Sighting((found.st_dev, found.st_ino), next(entries, None) is None, known_is_there)


def _is_there(folder: Path, known: KnownFile) -> bool:
    """Raises OSError where the storage, not the file, is at fault."""
    try:
        found = (folder / known.path).stat()
    except OSError as error:
        if storage_kind(error) is not None:
            raise
        return False
    return (found.st_size, found.st_mtime_ns) == (known.size, known.mtime_ns)
