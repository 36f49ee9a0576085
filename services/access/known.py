"""The keys that may connect, read again when their file changes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from warpcore.bus.guard import Guard
from warpcore.bus.keys import Holder
from warpcore.services.access.keys import init, known_keys, server_key
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError

log = logging.getLogger("warpcore.access")

LOOK_EVERY_S = 0.5

_Stamp = tuple[int, int, int] | None
"""What changes with the file; None where there is none."""


class Known:
    """Gives the present holders by public key. A thread looks at the file, so that a disk that hangs delays nobody.

    Where the file cannot be read any more, those of before stay, and the log says so.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._stamp = _stamp(access.known)
        self._holders = _holders(access)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="known keys", daemon=True)
        self._thread.start()

    def __call__(self) -> Mapping[str, Holder]:
        """The holders."""
        return self._holders

    def close(self) -> None:
        """End the thread; one that hangs on the disk is left to itself."""
        self._stop.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        told = ""
        while not self._stop.wait(LOOK_EVERY_S):
            stamp = _stamp(self._access.known)
            if stamp == self._stamp:
                continue
            try:
                before, self._holders = self._holders, _holders(self._access)
            except (AccessError, OSError) as error:
                if str(error) != told:
                    log.error("%s; the keys of before stay in force until it can be read", error)
                told = str(error)
            else:
                self._stamp, told = stamp, ""
                _tell(before, self._holders)


@contextmanager
def guard_of(folder: Path | None) -> Iterator[Guard | None]:
    """The guard of a scheduler with this access directory, which is made where it is missing; None without one.

    Raises AccessError and OSError.
    """
    if folder is None:
        yield None
        return
    access = Access(folder)
    init(access)
    with closing(Known(access)) as known, Guard(server_key(access), known) as guard:
        yield guard


def _tell(before: Mapping[str, Holder], after: Mapping[str, Holder]) -> None:
    """Log what has changed."""
    for public in after.keys() - before.keys():
        log.info("the key of %s (%s) may connect", after[public].name, after[public].sender)
    for public in before.keys() - after.keys():
        log.info("the key of %s (%s) is revoked", before[public].name, before[public].sender)


def _holders(access: Access) -> dict[str, Holder]:
    return {key.public: key.holder for key in known_keys(access)}


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
