"""Paths of movies and outputs, and files that readers see whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

_UMASK = os.umask(0)
os.umask(_UMASK)

_NO_FLUSH = {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}
"""What file systems say that cannot flush a folder."""


class PathOutsideError(ValueError):
    """A relative path that leads out of the directory it belongs to."""


def movie_root(relative_path: str) -> str:
    """`grid1/a.tif` → `grid1/a`: the movie's name and the stem of all its outputs."""
    return str(PurePosixPath(relative_path).with_suffix(""))


def inside(directory: Path, relative_path: str) -> Path:
    """`directory / relative_path`. Raises PathOutsideError where that is absolute, leads outside or holds a NUL."""
    pure = PurePosixPath(relative_path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in relative_path or not pure.parts:
        raise PathOutsideError(f"{relative_path!r} is not a path inside {directory}")
    return directory / pure


OWN_FOLDER = ".warpcore"
"""The folder of our own files below the processing directory; nothing in it is ever an output."""


def is_output(relative_path: str) -> bool:
    """Whether a path can be that of an output: inside the processing directory, and outside our own folder."""
    try:
        parts = inside(Path("/"), relative_path).parts
    except PathOutsideError:
        return False
    return parts[1] != OWN_FOLDER


TRIES = f"{OWN_FOLDER}/tries"
"""The folder of all tries, relative to the processing directory."""


def try_folder(id: str) -> str:
    """The folder of a try, relative to the processing directory: its outputs lie there as those of a session."""
    return f"{TRIES}/{id}"


_TEMPORARY = re.compile(r"\.(?P<target>.+)\.[a-z0-9_]{8}(?P<suffix>\.[^.]+)")


@contextmanager
def written_whole(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on an exit without error flush it, if `durable`, and rename it to `path`.

    The folder is made where it is missing. After an error nothing is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            flush(temporary)
        temporary.chmod(file_mode())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep_temporaries(directory: Path) -> list[str]:
    """Delete what `written_whole` of a killed process left in `directory`; returns the names.

    Only for the process that alone writes there.
    """
    swept = []
    for path in directory.glob(".*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and match["target"].endswith(match["suffix"]) and path.is_file():
            path.unlink(missing_ok=True)
            swept.append(path.name)
    return swept


def file_mode() -> int:
    """The mode of a newly created file; temporary files are private until they are renamed."""
    return 0o666 & ~_UMASK


def flush(path: Path) -> None:
    """fsync a written file, so that a rename never shows it empty after a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(path: Path) -> None:
    """Make the names in a folder durable. Where the file system cannot, a rename is as durable as it makes it."""
    try:
        flush(path)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def write_text_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a UTF-8 text file that readers see either old or new, never in part."""
    with written_whole(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")
