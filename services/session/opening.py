"""Opens files to read: without waiting, regular ones alone, and only those that the session may read.

Says where results are to be written, too. Python's audit event `warpcore.judged` (access, path) tells of each judgement
of `allowed`, so that a test sees which files were opened without one.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from warpcore.services.session.allowed import OWN_FOLDER, Access, Allowed, inside, results_below
from warpcore.services.session.errors import InputError

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MOST_LOOKS = 10
JUDGED = "warpcore.judged"
_DESCRIPTORS = "/proc/self/fd"
_DELETED = " (deleted)"
"""What Linux says of an open file in whose place another one was put since."""
_REPLACED = "was replaced while it was opened; try again"

_allowed: ContextVar[Allowed | None] = ContextVar("allowed", default=None)


class RefusedFileError(InputError):
    """A file that is not read: it may not be, or it is a folder, a pipe or a device.

    `path` is the file, `why` says what is wrong, with nothing of what is in it; the text is both.
    """

    def __init__(self, path: str | os.PathLike[str], why: str) -> None:
        super().__init__(f"{os.fspath(path)}: {why}")
        self.path, self.why = os.fspath(path), why

    def __reduce__(self) -> tuple[type[RefusedFileError], tuple[str, str]]:
        return RefusedFileError, (self.path, self.why)


@contextmanager
def within(allowed: Allowed) -> Iterator[None]:
    """What this thread opens by `open_file` in the block must be allowed."""
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def open_file(path: str | os.PathLike[str], buffering: int = -1) -> BinaryIO:
    """An open regular file. Raises RefusedFileError, OSError.

    It is judged once more when it is open, by its descriptor, so that nobody can put a link in its place in between.
    Devices are looked at before, since opening one may already do something.
    """
    check_file(path)
    return open(path, "rb", buffering, opener=_open)


def _open(path: str, _: int) -> int:
    descriptor = os.open(path, _FLAGS)
    try:
        _check_kind(path, os.fstat(descriptor))
        if (allowed := _allowed.get()) is not None:
            _check_place(allowed, path, _real_path(path, descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_file(path: str | os.PathLike[str]) -> os.stat_result:
    """The status of a regular file that may be read. Raises RefusedFileError, OSError."""
    if (allowed := _allowed.get()) is not None:
        check_place(allowed, path)
    found = os.stat(path)
    _check_kind(path, found)
    return found


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """The content of a file of at most `most` bytes. Raises RefusedFileError for a larger one, and as `open_file`."""
    with open_file(path, 0) as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > most else file.read(size + 1)  # no more: memory for all that is asked for is taken
    if max(size, len(data)) > most:
        raise RefusedFileError(path, f"has more than {most} bytes")
    return data


def _looked_up(path: str | os.PathLike[str]) -> str:
    """Where a path leads. One that is a link no more when it is to be read is looked up again. Raises OSError."""
    for _ in range(_MOST_LOOKS - 1):
        try:
            return os.path.realpath(path)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
    return os.path.realpath(path)


def result_path(root: str | os.PathLike[str], name: str) -> Path:
    """Where a result, or a file of our own, lies by its name below the processing directory `root`: to write it there.

    Raises PathOutsideError, PermissionError, as `result_place`.
    """
    return Path(result_place(os.fspath(root), name))


def result_place(root: str, name: str) -> str:
    """`root/name`, judged with the folders on the way; what it leads to itself is replaced, never written through.

    Plain text, since with `Path` objects to place a movie's outputs would take three times as long. Raises
    PathOutsideError for a name that is a path, PermissionError for what may not be written.
    """
    path = str(inside(Path(root), name)) if name.startswith("/") or ".." in name or "\0" in name else f"{root}/{name}"
    access = Access.OWN if name.partition("/")[0] == OWN_FOLDER else Access.RESULT
    folder = os.path.dirname(path)
    links = list(_links(root, folder))
    if links:
        allowed, real = results_below(root, access), f"{os.path.realpath(folder)}/{os.path.basename(path)}"
        path = f"{allowed.home}{path[len(root) :]}"
    else:
        allowed, real = Allowed(root, (root,), access=access), path
    sys.audit(JUDGED, access, path)
    foreign = _foreign(links)
    if fault := allowed.fault(path, real, foreign):
        raise PermissionError(errno.EPERM, fault, foreign or path)
    return path


def check_place(allowed: Allowed, path: str | os.PathLike[str]) -> None:
    """Raises RefusedFileError where a file may not be read or sent, OSError."""
    _check_place(allowed, path, _looked_up(path))


def _check_place(allowed: Allowed, path: str | os.PathLike[str], real: str) -> None:
    absolute, links = os.path.abspath(path), list[tuple[str, int]]()
    is_result = allowed.access in (Access.RESULT, Access.OWN)
    if is_result:
        links += _links(allowed.home, absolute)
    sys.audit(JUDGED, allowed.access, absolute)
    if fault := allowed.fault(absolute, real, _foreign(links)):
        raise RefusedFileError(path, fault)
    # A link that was there for the opening alone: in the processing directory others of the group may make some.
    if (
        is_result
        and not links
        and real.removesuffix(_DELETED) != f"{allowed.folders[0]}{absolute[len(allowed.home) :]}"
    ):
        raise RefusedFileError(path, _REPLACED)


def _links(root: str, path: str) -> Iterator[tuple[str, int]]:
    """The links between `root` and `path`, that itself included, with their owners."""
    while len(path) > len(root):
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            found = None
        if found is not None and stat.S_ISLNK(found.st_mode):
            yield path, found.st_uid
        path = os.path.dirname(path)


def _foreign(links: Iterable[tuple[str, int]]) -> str:
    """A link that neither this user nor root has made; "" without one."""
    return next((path for path, owner in links if owner not in (0, os.geteuid())), "")


def _check_kind(path: str | os.PathLike[str], found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
        raise RefusedFileError(path, f"is {kind}, not a file")


def _real_path(path: str | os.PathLike[str], descriptor: int) -> str:
    """Where an open file lies. Without /proc it is looked up again, and must still be the same file."""
    try:
        return os.readlink(f"{_DESCRIPTORS}/{descriptor}")
    except FileNotFoundError:
        real = _looked_up(path)
        if not os.path.samestat(os.stat(real), os.fstat(descriptor)):
            raise RefusedFileError(path, _REPLACED) from None
        return real
