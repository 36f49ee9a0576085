"""`manifest.json`: every file of a processing directory with its bytes and SHA-256.

A run that was killed goes on where it was: the files are compared by size and time with what was written so far.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import cast

import msgspec

from warpcore.services.process.threads import available_threads
from warpcore.services.session.allowed import OWN_FOLDER, results_below
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import RefusedFileError, open_file, read_bytes, within
from warpcore.services.session.paths import is_temporary, written_whole

MANIFEST = "manifest.json"
_LEFT_OUT = (OWN_FOLDER, "logs")
"""Top folders that hold no results."""
_AT_ONCE = 512
_KEEP_EVERY_S = 20.0
_LARGEST = 1 << 31
"""Bytes of a manifest; of 100 000 movies with ten files each it has a tenth of that."""


class Entry(msgspec.Struct, frozen=True):
    """A file: bytes, SHA-256 in hexadecimal, and its time when that was read (ns since 1970)."""

    size: int
    sha256: str
    mtime_ns: int


class Manifest(msgspec.Struct, frozen=True):
    """All files by their path below the processing directory; not `complete` where a run was cut short."""

    made_by: str
    complete: bool
    files: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Differences:
    """How a folder differs from its manifest: paths that are gone, differ, or are not in it."""

    missing: list[str]
    changed: list[str]
    added: list[str]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder. Raises InputError for one that is none, OSError where it cannot be read."""
    path = folder / MANIFEST
    try:
        with within(results_below(folder)):
            content = read_bytes(path, _LARGEST)
        return msgspec.json.decode(content, type=Manifest)
    except (ValueError, RecursionError) as error:  # msgspec's errors, and those of text that is no UTF-8
        raise InputError(f"{path}: not a manifest ({error}); delete it and make it again") from None


def make_manifest(folder: Path, made_by: str, on_progress: Callable[[int, int], None]) -> tuple[Manifest, int]:
    """Write the manifest of a folder; returns it, and how many files had to be read.

    A file of the size and time that a former manifest has is not read again. What is done is written every 20 s.
    `on_progress(done, all)`. Raises OSError.
    """
    try:
        former = read_manifest(folder).files
    except (InputError, FileNotFoundError):
        former = {}
    found = dict(sorted(_files(folder)))
    known = {path: former[path] for path, identity in found.items() if _is_same(former.get(path), identity)}
    to_read = [path for path in found if path not in known]
    kept_at = time.monotonic()
    for done in _hashed(folder, to_read):
        known |= done
        on_progress(len(known), len(found))
        if time.monotonic() - kept_at > _KEEP_EVERY_S:
            _write(folder, Manifest(made_by, False, known))
            kept_at = time.monotonic()
    manifest = Manifest(made_by, True, {path: known[path] for path in found if path in known})
    _write(folder, manifest)
    return manifest, len(to_read)


def verify(folder: Path, manifest: Manifest, on_progress: Callable[[int, int], None]) -> Differences:
    """Compare a folder's files, byte by byte, with a manifest. Raises OSError."""
    found = dict(_files(folder))
    wanted = manifest.files
    changed = [path for path, entry in wanted.items() if path in found and found[path][0] != entry.size]
    same_size = [path for path in wanted if path in found and found[path][0] == wanted[path].size]
    unread = set(same_size)  # what is gone by then, or may not be read, is not as it was
    done = 0
    for read in _hashed(folder, same_size):
        done += len(read)
        unread -= read.keys()
        changed += [path for path, entry in read.items() if entry.sha256 != wanted[path].sha256]
        on_progress(done, len(same_size))
    missing = [path for path in wanted if path not in found]
    return Differences(sorted(missing), sorted({*changed, *unread}), sorted(set(found) - set(wanted)))


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Paths below the folder, with bytes and time."""
    for parent, folders, names in os.walk(folder):
        if parent == str(folder):
            folders[:] = [name for name in folders if name not in _LEFT_OUT]
            names = [name for name in names if name != MANIFEST]
        for name in names:
            path = Path(parent, name)
            if not is_temporary(name) and path.is_file():
                status = path.stat()
                yield path.relative_to(folder).as_posix(), (status.st_size, status.st_mtime_ns)


def _is_same(entry: Entry | None, identity: tuple[int, int]) -> bool:
    return entry is not None and (entry.size, entry.mtime_ns) == identity


def _hashed(folder: Path, paths: list[str]) -> Iterator[dict[str, Entry]]:
    """Entries of files as they are now, some at a time; one that is gone by then, or may not be read, is left out."""
    left = iter(paths)
    with ThreadPoolExecutor(available_threads(), "checksum") as pool:
        while some := list(islice(left, _AT_ONCE)):
            entries = pool.map(lambda path: _entry(folder, path), some)
            yield {path: entry for path, entry in zip(some, entries, strict=True) if entry is not None}


def _entry(folder: Path, name: str) -> Entry | None:
    """Size and time are those of the opened file, so that a file that is replaced meanwhile is read again next time."""
    try:
        with within(results_below(folder)), open_file(folder / name) as file:
            status = os.fstat(file.fileno())
            digest = hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest()
    except (FileNotFoundError, RefusedFileError):
        return None
    return Entry(status.st_size, digest, status.st_mtime_ns)


def _write(folder: Path, manifest: Manifest) -> None:
    with written_whole(folder / MANIFEST) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
