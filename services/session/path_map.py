"""Where a host sees the folders that the scheduler names: `--path-map /there=/here`, as text, without links."""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

Pair = tuple[PurePosixPath, PurePosixPath]


class PathMapError(ValueError):
    """A path map that cannot be used; the text names the folders and says what to do."""


@dataclass(frozen=True, slots=True)
class PathMap:
    """`pairs` of a folder as the scheduler's host sees it, and as this host does. What none names is where it is."""

    pairs: tuple[Pair, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> PathMap:
        """The map of texts `/there=/here`. Raises PathMapError, also where two files could be seen at one path."""
        made = cls(tuple(dict.fromkeys(_pair(text) for text in texts)))
        for there, here in made.pairs:
            for other_there, other_here in made.pairs:
                if there == other_there and here != other_here:
                    raise PathMapError(f"{there} is said to be both {here} and {other_here}; give it once")
                if here.is_relative_to(other_here):
                    meant = other_there / here.relative_to(other_here)
                    if meant != there and made.here(str(meant)) == str(here):
                        raise PathMapError(f"{there} and {meant} would both be {here}; mount them apart")
        return made

    def here(self, path: str) -> str:
        """Where this host sees what the scheduler's host sees at `path`: the longest folder that holds it decides."""
        whole = PurePosixPath(_plain(path)) if path.startswith("/") else PurePosixPath(path)
        holding = [pair for pair in self.pairs if whole.is_relative_to(pair[0])]
        if not holding:
            return path
        there, here = max(holding, key=lambda pair: len(pair[0].parts))
        return str(here / whole.relative_to(there))

    def also(self, there: str, here: str) -> PathMap:
        """This map, in which the folder `there` is `here`, whatever it has said of it."""
        folder = PurePosixPath(_plain(there))
        others = (pair for pair in self.pairs if pair[0] != folder)
        return PathMap((*others, (folder, PurePosixPath(_plain(here)))))

    def texts(self) -> list[str]:
        """The pairs as `of` takes them."""
        return [f"{there}={here}" for there, here in self.pairs]


AS_TOLD = PathMap()
"""The map of a host that sees all folders where the scheduler's host does."""


def _pair(text: str) -> Pair:
    there, equals, here = text.partition("=")
    if not equals or "=" in here or "\0" in text:
        raise PathMapError(f"{text!r}: give /folder/there=/folder/here, with one =")
    for folder in (there, here):
        if not folder.startswith("/") or ".." in PurePosixPath(folder).parts:
            raise PathMapError(f"{text!r}: give two absolute paths without .., not {folder!r}")
    return PurePosixPath(_plain(there)), PurePosixPath(_plain(here))


def _plain(path: str) -> str:
    """Without `.`, `..` and doubled slashes; two leading ones, which POSIX keeps, mean one on Linux."""
    return "/" + os.path.normpath(path).lstrip("/")
