"""What lies in the data directory now: files whose names count, their sizes and times, folders that cannot be read."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from warpcore.services.readers.metadata import METADATA_ENDINGS
from warpcore.services.session.allowed import Allowed, allowed_below, folders_of
from warpcore.services.session.image_names import asks_for, matches
from warpcore.services.session.movie_names import name_fault
from warpcore.services.session.named_files import NamedFiles
from warpcore.services.session.opening import RefusedFileError, check_file, within
from warpcore.services.session.paths import EXPORTS
from warpcore.services.session.tables import REFERENCES
from warpcore.services.steps.chain import CHAIN

Identity = tuple[int, int]
"""Size in bytes and mtime in ns: a file with another identity is another file."""

OUTPUT_FOLDERS = (*CHAIN.folders, EXPORTS, REFERENCES, "logs")
"""Top folders of a processing directory that hold files whose names could be those of movies."""

_TEMPORARY_SUFFIXES = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
_EPU_FOLDERS = re.compile(r"Images-Disc\d+(/GridSquare_\d+(/Data)?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Watched:
    """Which files count: names that match `patterns` in any case, in sub-folders too where `recursive`, or EPU's.

    Files in `excluded` folders never count, nor do the `named` ones, which settings name as references. JSON is
    metadata by a `template` alone. Links out of the data directory count where `follow_links` says so.
    """

    patterns: tuple[str, ...]
    recursive: bool
    excluded: frozenset[str] = frozenset()
    named: tuple[Path, ...] = ()
    template: Path | None = None
    follow_links: bool = False

    def allowed(self, directory: Path) -> Allowed:
        """What may be read for movies of this data directory. The scheduler has judged the template when it was set."""
        references = folders_of([str(self.template)]) if self.template else ()
        return allowed_below(directory, directory, references, follow_links=self.follow_links)

    def enters(self, folder: str) -> bool:
        """Whether movies are looked for in a folder: in any, or only where EPU writes them into folders of its own."""
        return self.recursive or _EPU_FOLDERS.fullmatch(folder) is not None

    def name_filter(self) -> Callable[[str], bool]:
        """A function that tells whether a file of this name counts."""
        return lambda name: matches(self.patterns, name) and not is_passing(name)

    def holds(self, relative_path: str) -> bool:
        """Whether a file at this path counts (its folders are taken to exist)."""
        folder, _, name = relative_path.rpartition("/")
        return self._looks_into(folder) and self.name_filter()(name)

    def holds_metadata(self, relative_path: str) -> bool:
        """Whether a file at this path may be metadata of movies."""
        folder, _, name = relative_path.rpartition("/")
        return self._looks_into(folder) and is_metadata(name)

    def _looks_into(self, folder: str) -> bool:
        folders = folder.split("/") if folder else []
        if folders and (not self.enters(folder) or any(is_passing(one) for one in folders)):
            return False
        return not any("/".join(folders[: depth + 1]) in self.excluded for depth in range(len(folders)))

    def asks_for(self, name: str, words: Iterable[str] = ()) -> bool:
        """Whether a pattern asks for just this file, see `image_names`."""
        return asks_for(self.patterns, name, words)


def is_passing(name: str) -> bool:
    """Whether a name is hidden (also rsync's `.name.XXXXXX`) or temporary: such a file is not a movie, or not yet."""
    return name.startswith(".") or name.lower().endswith(_TEMPORARY_SUFFIXES)


def is_metadata(name: str) -> bool:
    """Whether a file of this name may be metadata of a movie."""
    return name.lower().endswith(METADATA_ENDINGS) and not name.startswith(".")


@dataclass(slots=True)
class Listing:
    """What a scan has found, by path relative to the data directory (`.` is the directory itself).

    `files` are movies by their names, `metadata` files that may tell of them. `unreadable` gives the reason; `named`
    are files that would count if no setting named them. `away` says why the whole directory is away, "" where it is
    not: then nothing follows from what was not found.
    """

    files: dict[str, Identity] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    away: str = ""
    metadata: dict[str, Identity] = field(default_factory=dict)


class StoppedError(RuntimeError):
    """The scan was told to stop."""


def list_files(directory: Path, watched: Watched, stopped: Callable[[], bool] = lambda: False) -> Listing:
    """Scan the data directory. Follows links that may be followed, each real folder once. Raises StoppedError only."""
    return _Scan(directory, watched, stopped).run()


class _Scan:
    """One scan, folder by folder."""

    def __init__(self, directory: Path, watched: Watched, stopped: Callable[[], bool]) -> None:
        self._directory = directory
        self._watched = watched
        self._stopped = stopped
        self._counts = watched.name_filter()
        self._named = NamedFiles(watched.named)
        self._allowed = watched.allowed(directory)
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
            counts = self._counts(entry.name) or is_metadata(entry.name)
            if not counts and (not self._watched.enters(prefix + entry.name) or is_passing(entry.name)):
                continue
            path = prefix + entry.name
            try:
                self._list_entry(entry, path)
            except FileNotFoundError:
                continue  # gone since, or a link to nothing (yet)
            except OSError as error:
                self._cannot_read(path, error)

    def _list_entry(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.is_symlink() and (fault := self._allowed.fault(os.path.abspath(entry.path), _real(entry.path))):
            self._listing.unreadable[_shown(path)] = fault
            return
        if entry.is_dir():
            if self._watched.enters(path) and path not in self._watched.excluded and not is_passing(entry.name):
                (self._linked if entry.is_symlink() else self._real).append(path)
            return
        is_movie = self._counts(entry.name)
        if not is_movie and not is_metadata(entry.name):
            return
        info = entry.stat()
        if not stat.S_ISREG(info.st_mode):
            return
        if not is_movie:
            if not name_fault(path):
                self._listing.metadata[path] = (info.st_size, info.st_mtime_ns)
        elif fault := name_fault(path):
            self._listing.unreadable[_shown(path)] = fault
        elif self._named.hold(entry.path, info):
            self._listing.named.add(path)
        else:
            self._listing.files[path] = (info.st_size, info.st_mtime_ns)

    def _cannot_read(self, path: str, error: OSError) -> None:
        self._listing.unreadable[_shown(path)] = error.strerror or str(error)


def look(directory: Path, relative_path: str, allowed: Allowed) -> Identity | None:
    """The identity of one file now; None where there is no regular file, or where a scan will tell why not."""
    try:
        with within(allowed):
            info = check_file(directory / relative_path)
    except (OSError, RefusedFileError):
        return None
    return None if name_fault(relative_path) else (info.st_size, info.st_mtime_ns)


def look_at(directory: Path, paths: Iterable[str], watched: Watched) -> dict[str, Identity | None]:
    """The identities of single files that count, or may be metadata, as `look` gives them; named files are left out."""
    named, allowed = NamedFiles(watched.named), watched.allowed(directory)
    wanted = (path for path in paths if watched.holds(path) or watched.holds_metadata(path))
    return {path: look(directory, path, allowed) for path in wanted if not named.have(directory / path)}


def _real(path: str) -> str:
    """Where a link leads. Raises OSError for one that leads nowhere, or in a circle."""
    return os.path.realpath(path, strict=True)


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


def is_beneath(path: str, folders: Collection[str]) -> bool:
    """Whether a path is, or lies in, one of these; "." is the directory itself."""
    if not folders:
        return False
    if "." in folders or path in folders:
        return True
    parts = path.split("/")
    return any("/".join(parts[:depth]) in folders for depth in range(1, len(parts)))
