"""Where a movie's outputs lie, and which of them are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import falcon

from warpcore.bus.messages import Movie
from warpcore.services.api.errors import Problem
from warpcore.services.session.paths import PathOutsideError, inside
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
    """All files that steps, or export jobs, may have made of a movie."""
    for step in CHAIN:
        for output in step.outputs:
            yield MovieFile(step.name, output_path(movie, output), output.description)


def located(processing: Path, relative: str) -> Path:
    """A file below the processing directory; it need not exist.

    Raises Problem 404 for a path that leads outside, also by a symbolic link, and for what is no regular file: to open
    a pipe would wait for ever.
    """
    try:
        path = inside(processing, relative)
    except PathOutsideError as error:
        raise Problem(falcon.HTTP_404, str(error)) from None
    real = os.path.realpath(path)
    if not Path(real).is_relative_to(os.path.realpath(processing)):
        raise Problem(falcon.HTTP_404, f"{relative} is a link out of the processing directory, which is not followed")
    if os.path.exists(real) and not os.path.isfile(real):
        raise Problem(falcon.HTTP_404, f"{relative} is no file")
    return path


def readable(processing: Path, relative: str) -> Path | None:
    """A regular file below the processing directory; None where there is none, or one that is not shown."""
    try:
        path = located(processing, relative)
    except Problem:
        return None
    return path if path.is_file() else None
