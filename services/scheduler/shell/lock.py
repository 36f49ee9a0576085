"""One scheduler a processing directory: the lock that it holds."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warpcore.services.session.allowed import OWN_FOLDER
from warpcore.services.session.paths import close_to_readers


def state_file(processing_directory: Path, given: Path | None) -> Path:
    """The database of a session: the file that was given, else one beside the results."""
    return given or processing_directory.resolve() / OWN_FOLDER / "state.db"


class SessionError(Exception):
    """A run that cannot begin; the text is one line that says why and what to do."""


class Lock:
    """The lock file of a processing directory, which one scheduler holds."""

    def __init__(self, processing_directory: Path) -> None:
        self._processing_directory = processing_directory
        self._handle: int | None = None

    def take(self) -> None:
        """Hold the directory for this process alone, by a new file where the former is gone. Raises SessionError."""
        where = self._processing_directory
        path = where / OWN_FOLDER / "lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise SessionError(
                f"processing directory {where} cannot be written: {error.strerror}; "
                "give another --processing directory, or the right to write there"
            ) from None
        close_to_readers(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            os.close(handle)
            if isinstance(error, BlockingIOError):
                raise SessionError(
                    f"processing directory {where} is in use by the scheduler of {holder}; "
                    "end that one, or give another --processing directory"
                ) from None
            raise SessionError(
                f"{path} cannot be locked: {error.strerror}; give a --processing directory on a file system with locks"
            ) from None
        with contextlib.suppress(OSError):  # on a full disk nobody can be told who holds it
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self.release()
        self._handle = handle

    def take_again(self) -> None:
        """Hold the directory by its present lock file, which is not the one that was taken. Raises SessionError."""
        held = os.fstat(self._handle) if self._handle is not None else None
        path = self._processing_directory / OWN_FOLDER / "lock"
        if held is None or not path.exists() or not os.path.samestat(held, path.stat()):
            self.take()

    def release(self) -> None:
        """Let others have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def locked(processing_directory: Path) -> Iterator[Lock]:
    """Hold the processing directory for this scheduler alone, until the block or process ends. Raises SessionError."""
    lock = Lock(processing_directory)
    lock.take()
    try:
        yield lock
    finally:
        lock.release()
