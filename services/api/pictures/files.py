"""Where a movie's outputs lie, and which of them are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import falcon

from warpcore.bus.messages import Movie
from warpcore.services.api.errors import Problem
from warpcore.services.session.allowed import PathOutsideError, inside, served_below
from warpcore.services.session.opening import RefusedFileError, check_place, open_file, within
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.step import Output


@dataclass(frozen=True, slots=True)
class MovieFile:
    """An output of a step for one movie; `path` is relative to the processing directory."""

    step: str
    path: str
    description: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a file from the one that replaces it: outputs are renamed into place, never written there."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @staticmethod
    def of(file: Path | int) -> Identity:
        """Of the file that is there now, or that is open under a descriptor. Raises OSError."""
        found = os.stat(file)
        return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    @property
    def tag(self) -> str:
        """A name for it, for ETags."""
        return f"{self.device:x}-{self.inode:x}-{self.size:x}-{self.mtime_ns:x}"


def output_path(movie: Movie, output: Output) -> str:
    """An output of the movie, relative to the processing directory."""
    picking = movie.results.get("picking") or {}
    return output.path(movie.name, picking.get("suffix", "picks"))


def movie_files(movie: Movie) -> Iterator[MovieFile]:
    """All files of the session that steps may have made of a movie."""
    for step in CHAIN:
        for output in step.outputs:
            yield MovieFile(step.name, output_path(movie, output), output.description)


def located(processing: Path, relative: str) -> Path:
    """A file below the processing directory; it need not exist.

    Raises Problem 404 for a path that leads outside, also by a symbolic link, for warpcore's own files, and for what is
    no regular file: to open a pipe would wait for ever.
    """
    try:
        path = inside(processing, relative)
    except PathOutsideError as error:
        raise Problem(falcon.HTTP_404, str(error)) from None
    try:
        check_place(served_below(processing), path)
    except RefusedFileError as error:
        raise Problem(falcon.HTTP_404, f"{relative} {error.why}") from None
    if os.path.exists(path) and not os.path.isfile(path):
        raise Problem(falcon.HTTP_404, f"{relative} is no file")
    return path


def opened(processing: Path, relative: str) -> BinaryIO:
    """The open file that `located` finds; a link that is put in its place meanwhile is not followed either.

    Raises Problem 404, FileNotFoundError, OSError.
    """
    path = located(processing, relative)
    try:
        with within(served_below(processing)):
            return open_file(path)
    except RefusedFileError:
        raise Problem(falcon.HTTP_404, f"{relative} is no file that is shown") from None


def readable(processing: Path, relative: str) -> Path | None:
    """A regular file below the processing directory; None where there is none, or one that is not shown."""
    try:
        path = located(processing, relative)
    except Problem:
        return None
    return path if path.is_file() else None
