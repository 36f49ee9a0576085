"""What lies in the data directory now: files whose names count, their sizes and times, folders that cannot be read."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from warpcore.services.formats.star_text import UNWRITABLE, is_writable
from warpcore.services.session.named_files import NamedFiles
from warpcore.services.steps.chain import CHAIN

Identity = tuple[int, int]
"""Size in bytes and mtime in ns: a file with another identity is another file."""

OUTPUT_FOLDERS = (*CHAIN.folders, "logs")
"""Top folders of a processing directory that hold files whose names could be those of movies."""

_TEMPORARY_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
_WILDCARDS = re.compile(r"[*?\[]")
_NOT_UTF8 = "its name is not UTF-8; rename it"


@dataclass(frozen=True, slots=True)
class Watched:
    """Which files count: names that match `patterns` in any case, in sub-folders too where `recursive`.

    Files in `excluded` folders never count, nor do the `named` ones, which settings name as references.
    """

    patterns: tuple[str, ...]
    recursive: bool
    excluded: frozenset[str] = frozenset()
    named: tuple[Path, ...] = ()

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

    def asks_for(self, name: str, word: str = "") -> bool:
        """Whether a pattern asks for just this file: it has no wildcards, or it says `word` itself (`dark_*.mrc`)."""
        return any(
            _expression((pattern,)).match(name)
            and (not _WILDCARDS.search(pattern) or (word and word.lower() in pattern.lower()))
            for pattern in self.patterns
        )


@lru_cache(maxsize=16)
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns), re.IGNORECASE)


def is_passing(name: str) -> bool:
    """Whether a name is hidden (also rsync's `.name.XXXXXX`) or temporary: such a file is not a movie, or not yet."""
    return name.startswith(".") or name.lower().endswith(_TEMPORARY_SUFFIXES)


@dataclass(slots=True)
class Listing:
    """What a scan has found, by path relative to the data directory (`.` is the directory itself).

    `unreadable` gives the reason; `named` are files that would count if no setting named them. `away` says why the
    whole directory is away, "" where it is not: then nothing follows from what was not found.
    """

    files: dict[str, Identity] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    away: str = ""


class StoppedError(RuntimeError):
    """The scan was told to stop."""


def list_files(directory: Path, watched: Watched, stopped: Callable[[], bool] = lambda: False) -> Listing:
    """Scan the data directory. Follows symbolic links, each real folder once. Raises StoppedError only."""
    return _Scan(directory, watched, stopped).run()


class _Scan:
    """One scan, folder by folder."""

    def __init__(self, directory: Path, watched: Watched, stopped: Callable[[], bool]) -> None:
        self._directory = directory
        self._watched = watched
        self._stopped = stopped
        self._counts = watched.name_filter()
        self._named = NamedFiles(watched.named)
        self._listing = Listing()
        # Linked folders come last, so that a file is listed under its real path where that lies in the data directory.
        self._real: deque[str] = deque([""])
        self._linked: deque[str] = deque()
        self._visited: set[tuple[int, int]] = set()

    def run(self) -> Listing:
        """All folders."""
        while self._real or self._linked:
            if self._stopped():
                raise StoppedError
            folder = self._real.popleft() if self._real else self._linked.popleft()
            try:
                if self._is_new(folder):
                    with os.scandir(self._directory / folder) as entries:
                        self._list_folder(entries, folder)
            except OSError as error:
                if not folder or not isinstance(error, FileNotFoundError):
                    self._cannot_read(folder or ".", error)
        return self._listing

    def _is_new(self, folder: str) -> bool:
        """Whether a folder was not scanned yet, under this path or another."""
        if self._watched.recursive:
            info = os.stat(self._directory / folder)
            if (info.st_dev, info.st_ino) in self._visited:
                return False
            self._visited.add((info.st_dev, info.st_ino))
        return True

    def _list_folder(self, entries: Iterable[os.DirEntry[str]], folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        for number, entry in enumerate(entries):
            if number % 500 == 499 and self._stopped():
                raise StoppedError
            if not self._counts(entry.name) and (not self._watched.recursive or is_passing(entry.name)):
                continue
            path = prefix + entry.name
            try:
                self._list_entry(entry, path)
            except FileNotFoundError:
                continue  # gone since, or a link to nothing (yet)
            except OSError as error:
                self._cannot_read(path, error)

    def _list_entry(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_dir():
            if self._watched.recursive and path not in self._watched.excluded and not is_passing(entry.name):
                (self._linked if entry.is_symlink() else self._real).append(path)
            return
        if not self._counts(entry.name):
            return
        info = entry.stat()
        if not stat.S_ISREG(info.st_mode):
            return
        if fault := _name_fault(path):
            self._listing.unreadable[_shown(path)] = fault
        elif self._named.hold(entry.path, info):
            self._listing.named.add(path)
        else:
            self._listing.files[path] = (info.st_size, info.st_mtime_ns)

    def _cannot_read(self, path: str, error: OSError) -> None:
        self._listing.unreadable[_shown(path)] = error.strerror or str(error)


def look(directory: Path, relative_path: str) -> Identity | None:
    """The identity of one file now; None where there is no regular file, or where a scan will tell why not."""
    try:
        info = os.stat(directory / relative_path)
    except OSError:
        return None
    counts = stat.S_ISREG(info.st_mode) and not _name_fault(relative_path)
    return (info.st_size, info.st_mtime_ns) if counts else None


def look_at(directory: Path, paths: Iterable[str], watched: Watched) -> dict[str, Identity | None]:
    """The identities of single files that count, as `look` gives them; named files are left out."""
    named = NamedFiles(watched.named)
    return {path: look(directory, path) for path in paths if watched.holds(path) and not named.have(directory / path)}


def _name_fault(path: str) -> str:
    """Why a file of this name cannot be a movie, "" where it can."""
    if not _is_utf8(path):
        return _NOT_UTF8
    return "" if is_writable(path) else f"its name {UNWRITABLE}"


def _is_utf8(path: str) -> bool:
    return path.isascii() or not any("\udc80" <= character <= "\udcff" for character in path)


def _shown(path: str) -> str:
    """A path in a form that can be sent and printed, whatever its bytes are."""
    text = path.encode("utf-8", "backslashreplace").decode()
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def output_folders(directory: Path, processing_directory: Path) -> frozenset[str]:
    """Folders below the data directory that hold results (averages are `.mrc` as movies are), as relative paths."""
    try:
        relative = processing_directory.resolve().relative_to(directory.resolve())
    except ValueError:
        return frozenset()
    return frozenset([str(relative)] if relative.parts else OUTPUT_FOLDERS)
