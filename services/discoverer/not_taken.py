"""Files that are not taken: unreadable ones, and those that look like no movie; and what a person is told of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from warpcore.services.discoverer.judging import Kind, NotTaken
from warpcore.services.discoverer.listing import Identity
from warpcore.services.session.paths import movie_root

_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to publish: its topic is one of the `file.*` topics."""

    topic: str
    path: str
    detail: str = ""


class Unreadable(dict[str, str]):
    """Why files and folders cannot be read, by path."""

    def report(self, found: Mapping[str, str], still: Collection[str]) -> list[Notice]:
        """Take in what a look has found: each path is told once for as long as it cannot be read.

        Files in `still`, which could be listed but not opened, stay reported.
        """
        notices = [
            Notice("file.unreadable", path, reason) for path, reason in found.items() if self.get(path) != reason
        ]
        kept = {path: reason for path, reason in self.items() if path in still}
        self.clear()
        self.update({**kept, **found})
        return notices

    @property
    def told(self) -> list[str]:
        """What a person should know."""
        told = [f"not taken: {path}: {reason}" for path, reason in sorted(self.items()) if path != "."]
        more = len(told) - _MOST_TOLD
        return told if more <= 0 else [*told[:_MOST_TOLD], f"{more} more files or folders are not taken; see its log"]


@dataclass(slots=True)
class Aside:
    """A file that looks like no movie; its identity is None where it must be looked into again."""

    identity: Identity | None
    no_movie: NotTaken


class SetAside(dict[str, Aside]):
    """The files that look like no movie, by path."""

    def add(self, path: str, identity: Identity, no_movie: NotTaken) -> list[Notice]:
        """Set a file aside. A reference is told once, of the other kinds the first one."""
        before = self.get(path)
        kinds = {one.no_movie.kind for other, one in self.items() if other != path}
        is_told = before is not None and before.no_movie == no_movie
        self[path] = Aside(identity, no_movie)
        if is_told or (no_movie.kind is not Kind.REFERENCE and no_movie.kind in kinds):
            return []
        return [Notice("file.reference", path, _told(path, no_movie))]

    @property
    def usual(self) -> list[str]:
        """A line for all averages, and one for all images of atlas and squares: they call for nothing."""
        first: dict[Kind, str] = {}
        for path, one in self.items():
            first.setdefault(one.no_movie.kind, path)
        kinds = (Kind.AVERAGE, Kind.OVERVIEW)
        return [_told(first[kind], self[first[kind]].no_movie) for kind in kinds if kind in first]

    @property
    def references(self) -> list[str]:
        """References by name, as they may be movies after all."""
        paths = sorted(path for path, one in self.items() if one.no_movie.kind is Kind.REFERENCE)
        if len(paths) <= _MOST_TOLD:
            return [_told(path, self[path].no_movie) for path in paths]
        shown = ", ".join(paths[:_MOST_TOLD])
        return [
            f"{len(paths)} files look like references, not taken: {shown}, …; "
            "if they are movies, add a pattern with the word in their names to import.patterns"
        ]


def _told(path: str, no_movie: NotTaken) -> str:
    name = path.rpartition("/")[2]
    told = f"not taken: {path} ({no_movie.reason})"
    if no_movie.kind is Kind.REFERENCE:
        return f"looks like a reference, {told}; if it is a movie, add {name!r} to import.patterns"
    return f"{no_movie.kind.value} are {told}; if one is a movie, add its name to import.patterns"


def misregistered(path: str) -> str:
    """What is told of a registered movie that a setting names as something else."""
    return (
        f"a setting names {path}, which was registered as a movie before; it stays in the list, "
        f"to take it out: warpcore select exclude {movie_root(path)}"
    )
