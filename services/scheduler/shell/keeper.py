"""Watches over the database beside the running service: checks it, backs it up, and sees when it is gone."""

from __future__ import annotations

import enum
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warpcore.services.scheduler.core.stimuli import StateFault
from warpcore.services.scheduler.shell.lock import SessionError
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.scheduler.store.backups import back_up, damage, hourly_backups, ways_back
from warpcore.services.scheduler.store.schema import StateError
from warpcore.services.storage.directories import Identity

log = logging.getLogger(__name__)

BACKUP_EVERY_S = 3600.0
CHECK_EVERY_S = 600.0
LOOK_EVERY_S = 2.0


class Fault(enum.Enum):
    """What can be wrong with a database that is in use."""

    GONE = "gone"
    REPLACED = "replaced"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Found:
    """A fault of the database; `text` says what SQLite said."""

    fault: Fault
    text: str = ""


@dataclass(slots=True)
class Due:
    """Something that is done every `every_s`, and next `at` (monotonic seconds)."""

    every_s: float
    at: float

    def comes(self, now: float) -> bool:
        """Whether to do it now; counts as done."""
        if now < self.at:
            return False
        self.at = now + self.every_s
        return True


class Keeper:
    """A thread with a connection of its own. Each fault is told once.

    `folder` is one above the database that nobody deletes while its file system is there. Where another lies at its
    place, the file system has gone with the database in it: to write that anew there would part it from the real one.
    """

    def __init__(self, state: Path, folder: Path) -> None:
        self._state, self._folder = state, folder
        now = time.monotonic()
        self._check = Due(CHECK_EVERY_S, now + CHECK_EVERY_S)
        self._backup = Due(BACKUP_EVERY_S, now + _until_backup_s(state))
        self._found: queue.SimpleQueue[Found] = queue.SimpleQueue()
        self._told: set[Fault] = set()
        self._stop = threading.Event()
        self._known, self._known_folder = _inode(state), _identity(folder)
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._thread.start()

    def faults(self, session: Session) -> Iterator[StateFault]:
        """What was found since the last call and cannot be mended. A deleted database is written anew.

        Only for the thread that the session belongs to.
        """
        while True:
            try:
                found = self._found.get_nowait()
            except queue.Empty:
                return
            fault = self._mended(session) if found.fault is Fault.GONE else _told(self._state, found)
            if fault and fault != session.state.fault:
                log.error("%s; no movie is given to a worker any more", fault)
                yield StateFault(fault)

    def _mended(self, session: Session) -> str:
        try:
            if self._is_there():
                session.save_again()
                self._known = _inode(self._state)
                log.warning("%s was deleted while in use; it is there again, with all that it held", self._state)
        except (StateError, SessionError) as error:
            return f"{self._state} was deleted while in use, and {error}"
        except OSError:
            return ""  # the look at the storage tells that it is away
        finally:
            self._told.discard(Fault.GONE)
        return ""

    def close(self) -> None:
        """End the thread; one that hangs on the disk is left to itself."""
        self._stop.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        trouble = ""
        while not self._stop.wait(LOOK_EVERY_S):
            before, trouble = trouble, ""
            try:
                self._look()
            except (OSError, sqlite3.Error) as error:
                trouble = str(error)
                if trouble != before:
                    log.warning("%s cannot be checked or backed up now: %s", self._state, trouble)

    def _look(self) -> None:
        if Fault.GONE in self._told:
            return  # it is being written anew, as another file
        now, found = time.monotonic(), _inode(self._state)
        if found == self._known:
            # A file system that comes back may have another device number.
            self._known_folder = _identity(self._folder)
        elif not self._is_there():
            return  # the look at the storage tells that it is away
        if found is None:
            self._tell(Found(Fault.GONE))
        elif found != self._known:
            self._tell(Found(Fault.REPLACED))
        elif self._check.comes(now) and (text := damage(self._state)):
            self._tell(Found(Fault.DAMAGED, text))
        elif self._backup.comes(now) and not self._told:
            log.info("backed up the state as %s", back_up(self._state, time.time()))

    def _is_there(self) -> bool:
        return _identity(self._folder) == self._known_folder

    def _tell(self, found: Found) -> None:
        if found.fault not in self._told:
            self._told.add(found.fault)
            self._found.put(found)


def _told(state: Path, found: Found) -> str:
    if found.fault is Fault.REPLACED:
        return f"{state} is another file than the one in use: start the session again to use it"
    return f"{state} is damaged ({found.text}): end the session, then {ways_back(state)}"


def _until_backup_s(state: Path) -> float:
    """Seconds until the newest backup is an hour old; a restart each half hour must not mean that there is none."""
    last = hourly_backups(state)
    return BACKUP_EVERY_S - (time.time() - last[-1].stat().st_mtime) if last else 0.0


def _inode(path: Path) -> int | None:
    """Which file of its file system a path is now; None where there is none. Raises OSError as `_identity` does."""
    identity = _identity(path)
    return identity[1] if identity is not None else None


def _identity(path: Path) -> Identity | None:
    """Which file or folder a path is now; None where there is none. Raises OSError where that cannot be told."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
