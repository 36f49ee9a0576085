"""Which file of metadata belongs to which movie, by their names alone. No files, sockets or clocks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from warpcore.services.discoverer.listing import Identity
from warpcore.services.readers.metadata import chosen_metadata, metadata_candidates

_MICROSCOPES = re.compile(r"(FoilHole_|GridSquare_).*\.xml|.*\.mdoc", re.IGNORECASE)
"""Files that EPU and SerialEM write beside movies, and nobody else does."""
_MOST_TOLD = 3


class Pairing:
    """The files of metadata that are there, what was read of them, and for which movies.

    A movie *seeks* until it has a file. Names that its file may have are indexed for those that seek alone, and only
    once there is a file at all: so neither 100 000 movies without metadata nor as many with them take much memory.
    """

    def __init__(self) -> None:
        self._files: dict[str, Identity] = {}
        self._by_name: dict[str, set[str]] = {}
        self._read: dict[str, tuple[str, int]] = {}
        self._movies_of: dict[str, set[str]] = {}
        self._seekers: dict[str, set[str]] = {}
        self._seeking: set[str] = set()
        self._is_indexed = False
        self._of_microscopes = 0
        self._faults: dict[str, str] = {}

    @property
    def is_expected(self) -> bool:
        """Whether this session's movies have metadata: some had, or files lie there that only microscopes write."""
        return bool(self._movies_of) or self._of_microscopes > 0

    @property
    def warnings(self) -> list[str]:
        """The files that are of no use, the first few by name."""
        told = [f"metadata of no use, {path}: {fault}" for path, fault in sorted(self._faults.items())]
        more = len(told) - _MOST_TOLD
        return told if more <= 0 else [*told[:_MOST_TOLD], f"{more} more files of metadata are of no use"]

    def note_fault(self, path: str, fault: str) -> None:
        """What is wrong with a file that was read, "" where nothing is."""
        if fault:
            self._faults[path] = fault
        else:
            self._faults.pop(path, None)

    def of(self, movie: str) -> str:
        """The path of a movie's metadata that is there now, "" where there is none."""
        return chosen_metadata(movie, self._by_name) or ""

    def seek(self, movie: str) -> None:
        """A movie without metadata: whatever may be its own is looked out for."""
        if movie not in self._seeking:
            self._leave(movie)
            self._seeking.add(movie)
            if self._is_indexed:
                self._index(movie)

    def read(self, movie: str, source: str, mtime_ns: int) -> None:
        """A movie's metadata are those of this file as it was at `mtime_ns`."""
        self._leave(movie)
        self._read[movie] = source, mtime_ns
        self._movies_of.setdefault(source, set()).add(movie)

    def forget(self, movie: str) -> None:
        """The movie is gone."""
        self._leave(movie)

    def clear(self) -> None:
        """Nothing is known of any movie's metadata any more; the files stay."""
        self._read, self._movies_of, self._seekers, self._seeking, self._is_indexed = {}, {}, {}, set(), False

    def listed(self, found: Mapping[str, Identity]) -> set[str]:
        """All files of metadata that are there now; returns the movies for which one is new or another."""
        changed = [path for path, _ in found.items() - self._files.items()]
        for path in self._files.keys() - found.keys():
            self._drop(path)
        return self._take(changed, found)

    def looked(self, path: str, identity: Identity | None) -> set[str]:
        """A look at one file of metadata; returns the movies for which it is new or another."""
        if identity is None:
            self._drop(path)
            return set()
        return self._take([path] if self._files.get(path) != identity else [], {path: identity})

    def _take(self, changed: Sequence[str], found: Mapping[str, Identity]) -> set[str]:
        movies: set[str] = set()
        if changed and not self._is_indexed:
            self._is_indexed = True
            for movie in self._seeking:
                self._index(movie)
        for path in changed:
            name = path.rpartition("/")[2]
            if path not in self._files:
                self._of_microscopes += _MICROSCOPES.fullmatch(name) is not None
                self._by_name.setdefault(name, set()).add(path)
            self._files[path] = found[path]
            mtime_ns = found[path][1]
            movies |= {one for one in self._movies_of.get(path, ()) if self._read[one] != (path, mtime_ns)}
            movies |= {one for one in self._seekers.get(name, ()) if self.of(one) == path}
        return movies

    def _drop(self, path: str) -> None:
        """A file is gone: what was read of it stays true of its movies."""
        if self._files.pop(path, None) is not None:
            name = path.rpartition("/")[2]
            self._of_microscopes -= _MICROSCOPES.fullmatch(name) is not None
            self._faults.pop(path, None)
            _take_out(self._by_name, name, path)

    def _index(self, movie: str) -> None:
        for name in metadata_candidates(movie):
            self._seekers.setdefault(name, set()).add(movie)

    def _leave(self, movie: str) -> None:
        if movie in self._seeking:
            self._seeking.discard(movie)
            for name in metadata_candidates(movie):
                _take_out(self._seekers, name, movie)
        before = self._read.pop(movie, None)
        if before is not None:
            _take_out(self._movies_of, before[0], movie)


def _take_out(sets: dict[str, set[str]], name: str, member: str) -> None:
    members = sets.get(name)
    if members is not None:
        members.discard(member)
        if not members:
            del sets[name]
