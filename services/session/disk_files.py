"""The real file system below a processing directory, as `session/placing.py` sees it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path

from warpcore.services.session import file_operations as do
from warpcore.services.session.file_operations import Operation
from warpcore.services.session.opening import RefusedFileError, read_bytes, result_place
from warpcore.services.session.paths import flush, flush_folder, write_text_whole

_LARGEST_TEXT = 64 << 20
"""Bytes; a manifest of kept outputs has a thousandth of that."""
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}


class DiskFiles:
    """Files below a processing directory. All methods raise OSError.

    Paths are plain text here: with `Path` objects a movie would take three times as long.
    """

    def __init__(self, processing_directory: Path) -> None:
        self._root = str(processing_directory)

    def size(self, path: str) -> int | None:
        """Bytes of a regular file; None where there is none."""
        try:
            info = os.stat(self._at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return info.st_size if stat.S_ISREG(info.st_mode) else None

    def text(self, path: str) -> str | None:
        """What is in a text file; None where there is none, or no text."""
        try:
            return read_bytes(self._at(path), _LARGEST_TEXT).decode()
        except (FileNotFoundError, NotADirectoryError, RefusedFileError, UnicodeDecodeError):
            return None

    def has_folder(self, path: str) -> bool:
        """Whether there is this folder."""
        try:
            return stat.S_ISDIR(os.stat(self._at(path)).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder, the oldest first; none where it is missing."""
        found = []
        try:
            with os.scandir(self._at(path)) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):
                        if entry.is_dir():
                            found.append((entry.stat().st_mtime_ns, entry.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [name for _, name in sorted(found)]

    def carry_out(self, operation: Operation) -> None:
        """Do one operation."""
        match operation:
            case do.MakeFolder(path):
                _make_folder(self._at(path))
            case do.Link(source, target):
                _link(self._at(source), self._at(target))
            case do.Write(path, text, durable):
                write_text_whole(self._at(path), text, durable=durable)
            case do.Move(source, target):
                _move(self._at(source), self._at(target))
            case do.RemoveFile(path):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(self._at(path))
            case do.RemoveFolder(path):
                _remove_folder(self._at(path))
            case do.Renew(path):
                os.utime(self._at(path))
            case do.Flush(path):
                flush_folder(Path(self._at(path)))

    def _at(self, path: str) -> str:
        """Where it lies. Raises PathOutsideError; PermissionError below a link of another user: anything may be there.

        To look at such files, or to delete them, tells or takes away what is somebody else's too.
        """
        return self._root if path == "." else result_place(self._root, path)


def _make_folder(path: str) -> None:
    """Make a folder; most are there, and to look costs a third of what a refused `mkdir` does."""
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)


def _remove_folder(path: str) -> None:
    """Delete a folder with all in it. Of a link to one, the link alone goes: what it leads to may be anybody's."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISLNK(os.lstat(path).st_mode):
            os.unlink(path)
        else:
            shutil.rmtree(path)


def _link(source: str, target: str) -> None:
    """Hard-link, or copy where that cannot be."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(source, target)


def _move(source: str, target: str) -> None:
    """Rename; onto another file system by a copy that is whole before it has the name."""
    try:
        os.replace(source, target)
    except FileNotFoundError:
        if os.path.exists(source):
            raise
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, target)
        os.unlink(source)


def _copy(source: str, target: str) -> None:
    """Copy beside `target`, then rename. The name is always the same, so what a crash leaves is written over."""
    final = Path(target)
    temporary = final.with_name(f".{final.name}.copied")
    try:
        shutil.copy2(source, temporary)
        flush(temporary)
        temporary.replace(final)
    except OSError as error:
        # The user knows the name that it was to have, not that of the copy.
        raise OSError(error.errno, error.strerror, source, None, target) from error
    finally:
        temporary.unlink(missing_ok=True)
