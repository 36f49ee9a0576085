"""The credentials as they were a moment ago, in memory: no request waits for the disk, and a revoked one ends soon."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from warpcore.services.access.credentials import Credential, Holder, Kind, RefusedCredentialError, holder_of, identified
from warpcore.services.access.tokens import TokensError, TokenStore, connected, rows

LOOK_EVERY_S = 0.25
"""A token is refused at the latest so long after it was revoked."""
LONGEST_LOOK_S = 2.0

log = logging.getLogger(__name__)


async def _nothing() -> None:
    """For nobody who wants to know."""


class Known:
    """What `tokens.db` holds, read again where it has changed. For use in one event loop.

    `on_change` is called after each change and each end of a credential: streams look then whether they may go on.
    `cookie` is the name of this session's cookie: a browser sends those of all ports of a host to each of them.
    While the file cannot be read, what was known holds, each until its own end; where it is gone nothing holds.
    """

    def __init__(self, store: TokenStore, on_change: Callable[[], None]) -> None:
        self.store = store
        self.cookie = ""
        self._file = _File(store.path)
        self._on_change = on_change
        self._expired = 0
        self._known: dict[str, Credential] = {}
        self._looking = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._fault = ""

    async def start(self) -> None:
        """Read the credentials and follow their changes; call inside the event loop that serves requests."""
        self.cookie = f"warpcore-{await asyncio.to_thread(self.store.session_id)}"
        await self.look()
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no longer."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        self._file.close()

    async def identify(self, text: str, kind: Kind, on_unknown: Callable[[], Awaitable[None]] = _nothing) -> Holder:
        """Who sends this text as a credential of this kind. Raises RefusedCredentialError.

        One that is not known yet may have been made a moment ago, perhaps by another process: the file is looked at,
        after `on_unknown`, which may raise.
        """
        try:
            return identified(text, self._known, time.time(), kind)
        except RefusedCredentialError:
            await on_unknown()
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_LOOK_S):
                    await self.look()
            return identified(text, self._known, time.time(), kind)

    def holds(self, holder: Holder) -> bool:
        """Whether a holder's credential still holds."""
        credential = self._known.get(holder.id)
        try:
            return credential is not None and holder_of(credential, self._known, time.time()) is not None
        except RefusedCredentialError:
            return False

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()
            expired = self._count_expired()
            if expired != self._expired:
                self._expired = expired
                self._on_change()

    async def look(self) -> None:
        """Read the file where it has changed. Whoever stops waiting does not stop the reading, whose result would be
        lost: the file has no news for the next one.
        """
        await asyncio.shield(asyncio.create_task(self._look()))

    async def _look(self) -> None:
        async with self._looking:
            try:
                newer = await asyncio.to_thread(self._file.newer)
                self._fault = ""
            except (TokensError, sqlite3.Error, OSError) as error:
                if str(error) != self._fault:
                    self._fault = str(error)
                    log.warning("the tokens cannot be read; what was known of them holds: %s", error)
                return
            if newer is not None:
                self._known = {one.id: one for one in newer}
                self._on_change()

    def _count_expired(self) -> int:
        now = time.time()
        return sum(one.expires_at is not None and one.expires_at <= now for one in self._known.values())


class _File:
    """Reads the file over one connection, by which SQLite tells whether others have changed it. One call at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._version = -1

    def newer(self) -> list[Credential] | None:
        """All credentials where they have changed since the last call, else None. Raises as `connected`."""
        try:
            inode = os.stat(self._path, follow_symlinks=False).st_ino
        except FileNotFoundError:
            gone, self._inode, self._version = self._version != -2, 0, -2
            return [] if gone else None
        if self._db is None or inode != self._inode:
            self.close()
            self._db, self._inode, self._version = connected(self._path), inode, -1
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return None
        found = rows(self._db)
        self._version = version
        return found

    def close(self) -> None:
        """Close the connection."""
        if self._db is not None:
            self._db.close()
            self._db = None
