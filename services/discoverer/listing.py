"""What lies in the data directory now: names that count, their sizes and times, folders that cannot be read."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from warpcore.services.steps.chain import CHAIN

Identity = tuple[int, int]
"""Size in bytes and mtime in ns: a file with another identity is another file."""

_TEMPORARY_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
_NOT_UTF8 = "its name is not UTF-8; rename it"


@dataclass(frozen=True, slots=True)
class Watched:
    """Which names count: `patterns` (any case), in sub-folders too where `recursive`, but never in `excluded` ones."""

    patterns: tuple[str, ...]
    recursive: bool
    excluded: frozenset[str] = frozenset()

    def name_filter(self) -> Callable[[str], bool]:
        """A function that tells whether a file of this name counts."""
        expression = _expression(self.patterns)
        return lambda name: expression.match(name) is not None and not is_passing(name)

    def holds(self, relative_path: str) -> bool:
        """Whether a file at this path counts (its folders are taken to exist)."""
        folder, _, name = relative_path.rpartition("/")
        folders = folder.split("/") if folder else []
        if folders and (not self.recursive or any(is_passing(one) for one in folders)):
            return False
        if any("/".join(folders[: depth + 1]) in self.excluded for depth in range(len(folders))):
            return False
        return self.name_filter()(name)


@lru_cache(maxsize=16)
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns), re.IGNORECASE)


def is_passing(name: str) -> bool:
    """Hidden (also rsync's `.name.XXXXXX`) and temporary names: not a file yet, or none of ours."""
    return name.startswith(".") or name.lower().endswith(_TEMPORARY_SUFFIXES)


@dataclass(slots=True)
class Listing:
    """`files` by path relative to the data directory; `unreadable` paths (`.` is the directory itself) with the reason."""

    files: dict[str, Identity] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


class StoppedError(RuntimeError):
    """The scan was told to stop."""


def list_files(directory: Path, watched: Watched, stopped: Callable[[], bool] = lambda: False) -> Listing:
    """Scan the data directory. Follows symbolic links, each real folder once; raises StoppedError only."""
    listing = Listing()
    counts = watched.name_filter()
    # Linked folders come last, so that a file is listed under its real path where it has one inside the directory.
    real: deque[str] = deque([""])
    linked: deque[str] = deque()
    visited: set[tuple[int, int]] = set()
    while real or linked:
        if stopped():
            raise StoppedError
        folder = real.popleft() if real else linked.popleft()
        try:
            if watched.recursive:
                info = os.stat(directory / folder)
                if (info.st_dev, info.st_ino) in visited:
                    continue
                visited.add((info.st_dev, info.st_ino))
            with os.scandir(directory / folder) as entries:
                _list_folder(_until(entries, stopped), folder, watched, counts, listing, real, linked)
        except OSError as error:
            if not folder or not isinstance(error, FileNotFoundError):
                listing.unreadable[_shown(folder or ".")] = error.strerror or str(error)
    return listing


def _until(entries: Iterable[os.DirEntry[str]], stopped: Callable[[], bool]) -> Iterator[os.DirEntry[str]]:
    for number, entry in enumerate(entries):
        if number % 500 == 499 and stopped():
            raise StoppedError
        yield entry


def _list_folder(
    entries: Iterable[os.DirEntry[str]],
    folder: str,
    watched: Watched,
    counts: Callable[[str], bool],
    listing: Listing,
    real: deque[str],
    linked: deque[str],
) -> None:
    prefix = f"{folder}/" if folder else ""
    for entry in entries:
        name = entry.name
        if not counts(name) and (not watched.recursive or is_passing(name)):
            continue
        path = prefix + name
        try:
            if entry.is_dir():
                if watched.recursive and path not in watched.excluded and not is_passing(name):
                    (linked if entry.is_symlink() else real).append(path)
                continue
            if not counts(name):
                continue
            info = entry.stat()
        except FileNotFoundError:
            continue  # gone since, or a link to nothing (yet)
        except OSError as error:
            listing.unreadable[_shown(path)] = error.strerror or str(error)
            continue
        if not stat.S_ISREG(info.st_mode):
            continue
        if not _is_utf8(path):
            listing.unreadable[_shown(path)] = _NOT_UTF8
            continue
        listing.files[path] = (info.st_size, info.st_mtime_ns)


def look(directory: Path, relative_path: str) -> Identity | None:
    """The identity of one file now, None where there is no such regular file (or it cannot be asked: the scan will tell)."""
    try:
        info = os.stat(directory / relative_path)
    except OSError:
        return None
    return (info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) and _is_utf8(relative_path) else None


def _is_utf8(path: str) -> bool:
    return path.isascii() or not any("\udc80" <= character <= "\udcff" for character in path)


def _shown(path: str) -> str:
    """A path that can be sent and printed whatever its bytes are."""
    return path.encode("utf-8", "backslashreplace").decode()


def output_folders(directory: Path, processing_directory: Path) -> frozenset[str]:
    """Folders below the data directory that hold our own results (averages are `.mrc` too), as relative paths."""
    try:
        relative = processing_directory.resolve().relative_to(directory.resolve())
    except ValueError:
        return frozenset()
    return frozenset([str(relative)] if relative.parts else (*CHAIN.folders, "logs"))
