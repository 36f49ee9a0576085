"""Identities and places: a movie's root, its output files, and paths that may not leave their directory."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

_UMASK = os.umask(0)
os.umask(_UMASK)


class PathOutsideError(ValueError):
    """A relative path from outside that would leave the directory it belongs to."""


def movie_root(relative_path: str) -> str:
    """`grid1/a.tif` → `grid1/a`: the movie's name and the stem of all its outputs."""
    return str(PurePosixPath(relative_path).with_suffix(""))


def inside(directory: Path, relative_path: str) -> Path:
    """`directory / relative_path`, refused (PathOutsideError) where it is absolute, climbs out or holds a NUL."""
    pure = PurePosixPath(relative_path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in relative_path or not pure.parts:
        raise PathOutsideError(f"{relative_path!r} is not a path inside {directory}")
    return directory / pure


_TEMPORARY = re.compile(r"\.(?P<target>.+)\.[a-z0-9_]{8}(?P<suffix>\.[^.]+)")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yields a temporary name in `path`'s folder (made where missing); renames it to `path`, flushed, on a clean exit only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        flush(temporary)
        temporary.chmod(file_mode())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep_temporaries(directory: Path) -> list[str]:
    """Deletes what `written_whole` of a killed process left in `directory`; returns the names. Only for the one writer of that directory."""
    swept = []
    for path in directory.glob(".*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and match["target"].endswith(match["suffix"]) and path.is_file():
            path.unlink(missing_ok=True)
            swept.append(path.name)
    return swept


def file_mode() -> int:
    """The mode that a newly created file would have: temporary files are private until they are renamed."""
    return 0o666 & ~_UMASK


def flush(path: Path) -> None:
    """fsync a written file, so that a rename never shows it empty after a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text_whole(path: Path, text: str) -> None:
    """Write a UTF-8 text file that readers see either old or new, never in part."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class OutputPaths:
    """Names of one movie's outputs, relative to the processing directory (FORMATS: a sub-folder stays under each kind)."""

    def __init__(self, root: str, suffix: str = "picks") -> None:
        self.root = root
        self.suffix = suffix

    @property
    def xml(self) -> str:
        """Warp's per-movie metadata."""
        return f"{self.root}.xml"

    @property
    def average(self) -> str:
        """Dose-weighted (where asked for) aligned average."""
        return f"average/{self.root}.mrc"

    @property
    def odd(self) -> str:
        """Average of frames 1, 3, 5, …"""
        return f"average/odd/{self.root}.mrc"

    @property
    def even(self) -> str:
        """Average of frames 2, 4, 6, …"""
        return f"average/even/{self.root}.mrc"

    @property
    def stack(self) -> str:
        """Aligned frames."""
        return f"average/{self.root}_stack.mrcs"

    @property
    def deconvolved(self) -> str:
        """Wiener-filtered average."""
        return f"deconv/{self.root}.mrc"

    @property
    def power_spectrum(self) -> str:
        """CTF diagnostic image: half data, half model."""
        return f"powerspectrum/{self.root}.mrc"

    @property
    def power_spectrum_picture(self) -> str:
        """The same as a picture, the fit resolution ringed."""
        return f"powerspectrum/{self.root}.png"

    @property
    def ctf_json(self) -> str:
        """The whole CTF result with its curves."""
        return f"powerspectrum/{self.root}.json"

    @property
    def motion_star(self) -> str:
        """RELION's per-movie motion metadata."""
        return f"motion/{self.root}.star"

    @property
    def motion_json(self) -> str:
        """The whole motion model."""
        return f"motion/{self.root}.json"

    @property
    def motion_picture(self) -> str:
        """The tracks drawn over the field."""
        return f"motion/{self.root}.png"

    @property
    def coordinates(self) -> str:
        """Picked positions."""
        return f"matching/{self.root}_{self.suffix}.star"

    @property
    def candidates(self) -> str:
        """All scored candidates, for other thresholds."""
        return f"matching/{self.root}_{self.suffix}.json"

    @property
    def overlay(self) -> str:
        """Picture of the average with its picks."""
        return f"matching/{self.root}_{self.suffix}.png"

    @property
    def mask(self) -> str:
        """Junk: carbon, contamination, gold."""
        return f"mask/{self.root}.mrc"

    @property
    def particles(self) -> str:
        """Extracted boxes."""
        return f"particles/{self.root}_{self.suffix}.mrcs"

    @property
    def particles_star(self) -> str:
        """This movie's rows of particles.star."""
        return f"particles/{self.root}_{self.suffix}.star"

    @property
    def thumbnail(self) -> str:
        """Small picture of the average."""
        return f"thumbnails/{self.root}.png"
