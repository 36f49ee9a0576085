"""Files for their owner alone: of mode 0600 in folders of mode 0700; where others could write nothing is read."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warpcore.services.session.paths import flush

FOLDER_MODE = 0o700
LARGEST_BYTES = 1024 * 1024


class AccessError(Exception):
    """Keys or tokens that cannot be used; the text is one line that names the file and says what to do."""


def make_private(folder: Path) -> Path:
    """Make a folder of mode 0700 where it is missing. Raises AccessError where it is not this user's alone, OSError."""
    folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    check_folder(folder)
    return folder


def check_folder(folder: Path) -> None:
    """Raises AccessError where a folder is a link, is another user's, or lets others in; OSError without one."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise AccessError(f"{folder} is a link or a file; give the folder itself, as links are not followed")
    _check_owner(folder, found, f"chmod 700 {folder}")


def read_private(path: Path) -> str:
    """The text of a file that is its owner's alone. Raises AccessError for any other and for a link; OSError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise AccessError(f"{path} is a link; give the file itself") from None
        raise
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)  # a folder could not even be made a file of Python's
        raise AccessError(f"{path} is not a file; give the file itself")
    with os.fdopen(handle, "rb") as file:
        _check_owner(path, found, f"chmod 600 {path}")
        content = file.read(LARGEST_BYTES + 1)
    try:
        if len(content) <= LARGEST_BYTES:
            return content.decode()
    except UnicodeDecodeError:
        pass
    raise AccessError(f"{path} is not a text file of ours")


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 that readers see either old or new, never in part. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # its mode is 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within, no other process changes what lies in this folder. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _check_owner(path: Path, found: os.stat_result, mend: str) -> None:
    if found.st_uid != os.geteuid():
        raise AccessError(f"{path} belongs to another user; give one of your own")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise AccessError(f"{path} is open to other users; {mend}")
