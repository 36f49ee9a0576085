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

from warpcore.services.scheduler.core.effects import StateFault
from warpcore.services.scheduler.shell.lock import SessionError
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.scheduler.store.backups import back_up, damage, hourly_backups, ways_back
from warpcore.services.scheduler.store.schema import StateError

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
    """When the database is looked at, checked and backed up next (monotonic seconds). No clock, no files."""

    check_at: float
    backup_at: float

    def checks(self, now: float) -> bool:
        """Whether to check it now; counts as done."""
        due = now >= self.check_at
        if due:
            self.check_at = now + CHECK_EVERY_S
        return due

    def backs_up(self, now: float) -> bool:
        """Whether to back it up now; counts as done."""
        due = now >= self.backup_at
        if due:
            self.backup_at = now + BACKUP_EVERY_S
        return due


class Keeper:
    """A thread with a connection of its own. Each fault is told once."""

    def __init__(self, state: Path, look_every_s: float = LOOK_EVERY_S) -> None:
        self._state = state
        self._look_every_s = look_every_s
        self._due = Due(check_at=time.monotonic() + CHECK_EVERY_S, backup_at=time.monotonic() + _until_backup_s(state))
        self._found: queue.SimpleQueue[Found] = queue.SimpleQueue()
        self._told: set[Fault] = set()
        self._stop = threading.Event()
        self._inode = _inode(state)
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
            if fault:
                log.error("%s; no movie is given to a worker any more", fault)
                yield StateFault(fault)

    def _mended(self, session: Session) -> str:
        try:
            session.save_again()
        except (StateError, SessionError) as error:
            return f"{self._state} was deleted while in use, and {error}"
        self._inode = _inode(self._state)
        self._told.discard(Fault.GONE)
        log.warning("%s was deleted while in use; it is there again, with all that it held", self._state)
        return ""

    def close(self) -> None:
        """End the thread; one that hangs on the disk is left to itself."""
        self._stop.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._stop.wait(self._look_every_s):
            try:
                self._look()
            except (OSError, sqlite3.Error) as error:
                log.warning("%s cannot be checked or backed up now: %s", self._state, error)

    def _look(self) -> None:
        now, inode = time.monotonic(), _inode(self._state)
        if inode is None:
            self._tell(Found(Fault.GONE))
        elif inode != self._inode:
            self._tell(Found(Fault.REPLACED))
        elif self._due.checks(now) and (text := damage(self._state)):
            self._tell(Found(Fault.DAMAGED, text))
        elif self._due.backs_up(now) and not self._told:
            log.info("backed up the state as %s", back_up(self._state, time.time()))

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
    """Which file a path is now; None where there is none. Raises OSError where that cannot be told."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
