"""Takes up what commands have changed of keys and tokens, for the audit log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from warpcore.services.access.changes import AccessChange, drop, noted
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError
from warpcore.services.process.side_thread import SideThread

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
MOST_AT_ONCE = 100
"""Changes taken up together, since each is looked for in the whole audit log."""


class AccessChanges:
    """The changes that wait in an access directory. Its disk may hang, so a thread reads and writes there.

    A change leaves its file once it is read back from the store: so none is lost, and none is told twice.
    """

    def __init__(self, folder: Path | None) -> None:
        """Without a folder there is nothing to take up."""
        self._access = None if folder is None else Access(folder)
        self._thread: SideThread[list[AccessChange]] = SideThread("look at changes of keys and tokens")
        self._look_at = 0.0
        self._fault = ""

    def found(self, is_stored: Callable[[AccessChange], bool]) -> Sequence[AccessChange]:
        """The changes that are to be stored now. Those that are stored already are dropped from their file."""
        if self._access is None:
            return ()
        now = time.monotonic()
        changes = self._taken()
        stored = [one for one in changes if is_stored(one)]
        if stored:
            self._thread.begin(partial(_dropped, self._access, stored))
        elif self._thread.is_free and now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._thread.begin(partial(noted, self._access))
        return [one for one in changes if one not in stored]

    def _taken(self) -> list[AccessChange]:
        try:
            changes = self._thread.taken()
        except (AccessError, OSError) as error:
            if str(error) != self._fault:
                log.error("%s; changes of keys and tokens are not in the audit log until it can be used", error)
            self._fault = str(error)
            return []
        if changes is None:
            return []
        self._fault = ""
        return changes[:MOST_AT_ONCE]


def _dropped(access: Access, stored: list[AccessChange]) -> list[AccessChange]:
    drop(access, stored)
    return []


NO_ACCESS = AccessChanges(None)
"""Of a session without an access directory."""
