"""Looks at directories of a session, and tries in the processing directory what services do there."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from warpcore.cli.host.facts import FolderFacts
from warpcore.cli.preflight import data_directory_fault
from warpcore.services.session.allowed import OWN_FOLDER
from warpcore.services.storage.faults import reason
from warpcore.services.storage.looking import look_at_space
from warpcore.services.storage.mounts import mount_of


class _Tried(NamedTuple):
    """What failed in a folder, whether hard links work, and by how much times of files are ahead of the clock (s)."""

    failed: tuple[str, ...] = ()
    has_links: bool = True
    mtime_ahead_s: float | None = None


NOTHING_TRIED = _Tried()


def data_folder(path: Path) -> FolderFacts:
    """The data directory; nothing is written there."""
    path = path.absolute()
    fault = data_directory_fault(path)
    return FolderFacts(str(path), problem=fault) if fault else _found(path)


def processing_folder(path: Path) -> FolderFacts:
    """The processing directory. Where it is missing, the folder that it would be made in is looked at."""
    path = path.absolute()
    there = next(one for one in (path, *path.parents) if one.exists())
    if not there.is_dir():
        return FolderFacts(str(path), problem=f"{there} is not a directory; give another with --processing")
    try:
        with tempfile.TemporaryDirectory(prefix=".warpcore-check-", dir=there) as trials:
            return _found(path, there, _tried(Path(trials)))
    except OSError as error:
        return FolderFacts(str(path), problem=f"{there} cannot be written ({reason(error)}); change its permissions")


def _found(path: Path, there: Path | None = None, tried: _Tried = NOTHING_TRIED) -> FolderFacts:
    there = there or path
    try:
        device, space = there.stat().st_dev, look_at_space(there)
    except OSError as error:
        return FolderFacts(str(path), problem=f"{there}: {reason(error)}; is its file system mounted?")
    own = there / OWN_FOLDER
    mount, kind = mount_of(there)
    return FolderFacts(
        path=str(path),
        exists=there == path,
        mount=mount,
        kind=kind,
        device=device,
        own_device=own.stat().st_dev if there == path and own.is_dir() else None,
        free_bytes=space.free_bytes,
        free_inodes=space.free_inodes,
        failed=tried.failed,
        has_links=tried.has_links,
        mtime_ahead_s=tried.mtime_ahead_s,
    )


def _tried(folder: Path) -> _Tried:
    """What services do in the processing directory, done in a folder there. Raises OSError: no file can be made."""
    file = folder / "file"
    before = time.time()
    file.write_bytes(b"x")
    ahead_s = file.stat().st_mtime - (before + time.time()) / 2
    trials: tuple[tuple[str, Callable[[Path], None], str], ...] = (
        ("locks", _lock, "two sessions could use it at once: mount it with locks, or name another file system"),
        ("renaming over a file", _replace, "files would be seen half written: name another file system"),
        ("flushing", _flush, "a power cut could lose results: name another file system"),
    )
    failed = []
    for what, attempt, advice in trials:
        if why := _why_not(attempt, file):
            failed.append(f"{what}: does not work there ({why}); {advice}")
    return _Tried(tuple(failed), not _why_not(_link, file), ahead_s)


def _why_not(attempt: Callable[[Path], None], file: Path) -> str:
    try:
        attempt(file)
    except OSError as error:
        return reason(error)
    return ""


def _link(file: Path) -> None:
    os.link(file, file.with_suffix(".link"))


def _lock(file: Path) -> None:
    with file.open("rb+") as held, file.open("rb+") as second:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        raise OSError(errno.ENOLCK, "a second lock was given beside the first")


def _replace(file: Path) -> None:
    other = file.with_suffix(".new")
    other.write_bytes(b"y")
    other.replace(file)


def _flush(file: Path) -> None:
    for path in (file, file.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
