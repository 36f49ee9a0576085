"""Paths of movies and outputs, and files that readers see whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from warpcore.bus.vocabulary import ExportKind
from warpcore.services.session.allowed import OWN_FOLDER

_GROUP = 0o070

_NO_FLUSH = {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}
"""What file systems say that cannot flush a folder."""


def movie_root(relative_path: str) -> str:
    """`grid1/a.tif` → `grid1/a`: the movie's name and the stem of all its outputs."""
    return str(PurePosixPath(relative_path).with_suffix(""))


def close_to_readers(path: Path) -> None:
    """Take all rights to a file from those who may not write it: who may read one can hold locks of it for ever."""
    with suppress(OSError):  # another one of the group has made it, or it is not there
        mode = path.stat().st_mode
        path.chmod(0o600 | (mode & 0o020) * 3 | (mode & 0o002) * 3)


EXPORTS = "exports"
"""The folder of export jobs of micrographs, relative to the processing directory; those of particles lie in theirs."""

TRIES = f"{OWN_FOLDER}/tries"
"""The folder of all tries, relative to the processing directory."""


def try_folder(id: str) -> str:
    """The folder of a try, relative to the processing directory: its outputs lie there as those of a session."""
    return f"{TRIES}/{id}"


_JOBS = {ExportKind.PARTICLES: "particles", ExportKind.MICROGRAPHS: EXPORTS}
_IN_A_JOB = re.compile(rf"((?:{'|'.join(_JOBS.values())})/job-[0-9]+_*)(/.+)", re.DOTALL)


def job_folder(kind: ExportKind, number: int) -> str:
    """The folder of an export job, relative to the processing directory: laid out as the session's own outputs are."""
    return f"{_JOBS[kind]}/job-{number}"


def outside_jobs(path: str) -> str:
    """An output of the session, in no job's folder: one of a movie in a folder `job-1/` gets a `_` more.

    So no movie and no job have a file in common: `particles/job-1/a` becomes `particles/job-1_/a`, and
    `particles/job-1_/a` becomes `particles/job-1__/a`.
    """
    match = _IN_A_JOB.fullmatch(path)
    return f"{match[1]}_{match[2]}" if match else path


def is_job_folder(path: str) -> bool:
    """Whether a path is one that `job_folder` makes: nothing else is ever deleted with a job."""
    return re.fullmatch(rf"(?:{'|'.join(_JOBS.values())})/job-[0-9]+", path) is not None


def newest_job(processing_directory: Path) -> int:
    """The highest number of a job whose folder is there, 0 without any. Raises OSError."""
    folders = (processing_directory / name for name in _JOBS.values())
    names = (path.name.removeprefix("job-") for folder in folders if folder.is_dir() for path in folder.glob("job-*"))
    return max((int(name) for name in names if name.isdecimal()), default=0)


_TEMPORARY = re.compile(r"\.(?P<target>.+)\.[a-z0-9_]{8}(?P<suffix>\.[^.]+)")


@contextmanager
def written_whole(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on an exit without error flush it, if `durable`, and rename it to `path`.

    The folder is made where it is missing. After an error nothing is left.
    """
    temporary, handle = _created_beside(str(path))
    os.close(handle)
    try:
        yield Path(temporary)
        if durable:
            flush(Path(temporary))
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def create_empty(path: Path) -> None:
    """Make a new, empty file with the modes of the umask, which libraries may lower (SQLite: 0644). Raises OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def _created_beside(path: str) -> tuple[str, int]:
    """A new, empty file in the folder of `path`, which is made where it is missing: its path and its handle."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(4)}{os.path.splitext(name)[1]}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return temporary, os.open(temporary, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
        return temporary, os.open(temporary, flags, 0o666)


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that `written_whole` gives to a file until it is whole."""
    match = _TEMPORARY.fullmatch(name)
    return match is not None and match["target"].endswith(match["suffix"])


def sweep_temporaries(directory: Path) -> list[str]:
    """Delete what `written_whole` of a killed process left in `directory`; returns the names.

    Only for the process that alone writes there.
    """
    swept = []
    for path in directory.glob(".*"):
        if is_temporary(path.name) and path.is_file():
            path.unlink(missing_ok=True)
            swept.append(path.name)
    return swept


def let_group_write() -> None:
    """Let others of its group change the files and folders that this process makes from now on."""
    umask = os.umask(0)
    os.umask(umask & ~_GROUP)


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


def write_text_whole(path: Path | str, text: str, *, durable: bool = True) -> None:
    """Write a UTF-8 text file that readers see either old or new, never in part.

    As `written_whole` does, with one opening of the file: the scheduler writes such a file for each task.
    """
    left = memoryview(text.encode())
    temporary, handle = _created_beside(str(path))
    try:
        try:
            while left:
                left = left[os.write(handle, left) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
