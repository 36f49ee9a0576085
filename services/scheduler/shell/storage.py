"""Looks at the session's folders beside the running service."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.process.side_thread import SILENT_S, SideThread
from warpcore.services.scheduler.core.stimuli import ReferencesLooked, StorageLooked
from warpcore.services.storage.looking import DataFolder, KnownFile, ProcessingFolder, files_seen, look_at_space, looked
from warpcore.services.storage.standing import Look

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0

Known = Callable[[], tuple[list[KnownFile], bool]]
Named = Callable[[], tuple[str, ...]]


class _References:
    """Looks at the files that settings name: one look after another, in a thread of its own."""

    def __init__(self, named: Named) -> None:
        self.next_at = 0.0
        self._named = named
        self._thread: SideThread[ReferencesLooked] = SideThread("look at reference files")

    def looks(self, wait_s: float = 0.0) -> Iterator[ReferencesLooked]:
        """What the last look has found, once. Files whose storage hangs are not seen."""
        now = time.monotonic()
        is_due = now >= self.next_at
        if is_due:
            self.next_at = now + LOOK_EVERY_S
        if is_due and self._thread.is_free and (named := self._named()):
            self._thread.begin(lambda: ReferencesLooked(named, files_seen(named)))
        if (look := self._thread.taken(wait_s)) is not None:
            yield look
        elif is_due and self._thread.hangs_s(now) > SILENT_S:
            yield ReferencesLooked(self._named(), ())


class StorageWatch:
    """One look after another at each folder, each in a thread of its own; a look that hangs holds up nothing else."""

    def __init__(self, data: Path, processing: Path, state: Path, known: Known, named: Named) -> None:
        """`known` gives movies that should lie in `data`, and whether any waits; `state` is the database's folder.

        `named` gives the files that settings name.
        """
        self._known = known
        self._references = _References(named)
        self._data, self._processing = DataFolder(data), ProcessingFolder(processing)
        self._paths = {StoragePlace.PROCESSING: processing, StoragePlace.DATA: data}
        if not state.is_relative_to(processing):
            self._paths[StoragePlace.STATE] = state
        self._threads: dict[StoragePlace, SideThread[StorageLooked]] = {
            place: SideThread(f"look at {place}") for place in self._paths
        }
        self._next_at = dict.fromkeys(self._paths, 0.0)
        self._held = False

    def first(self, wait_s: float = 1.0) -> Iterator[StorageLooked | ReferencesLooked]:
        """The first looks, waited for up to `wait_s` each: so no worker is taken in before there is a token."""
        self._begin_due(time.monotonic())
        for place, thread in self._threads.items():
            if (look := thread.taken(wait_s)) is not None:
                self._next_at[place] = time.monotonic() + LOOK_EVERY_S
                yield look
        yield from self._references.looks(wait_s)

    def looks(self) -> Iterator[StorageLooked | ReferencesLooked]:
        """What looks have found since the last call, and which folders still give no answer."""
        now = time.monotonic()
        for place, thread in self._threads.items():
            if (look := thread.taken()) is not None:
                self._next_at[place] = now + LOOK_EVERY_S
                yield look
            elif thread.hangs_s(now) > SILENT_S and now >= self._next_at[place]:
                self._next_at[place] = now + LOOK_EVERY_S
                yield StorageLooked(place, str(self._paths[place]), Look(silent_s=thread.hangs_s(now)))
        yield from self._references.looks()
        self._begin_due(now)

    def hurry_references(self) -> None:
        """Look at the files that settings name soon."""
        self._references.next_at = 0.0

    def hurry(self, place: StoragePlace) -> None:
        """Look at a folder soon."""
        self._next_at[place] = 0.0

    def tell(self, holds: list[str]) -> None:
        """Tell the log why the session holds. Its alarm is told once it is stored, which a full disk can delay."""
        if bool(holds) != self._held:
            log.warning("%s", "; ".join(holds) or "storage is well again; processing goes on")
        self._held = bool(holds)

    def _begin_due(self, now: float) -> None:
        for place, thread in self._threads.items():
            if thread.is_free and now >= self._next_at[place]:
                thread.begin(self._look(place))

    def _look(self, place: StoragePlace) -> Callable[[], StorageLooked]:
        path = self._paths[place]
        if place is StoragePlace.DATA:
            known, is_needed = self._known()

            def look_at_data() -> StorageLooked:
                look, anchor = self._data.look(known, is_needed=is_needed)
                return StorageLooked(place, str(path), look, anchor=anchor, sought=bool(known))

            return look_at_data
        if place is StoragePlace.PROCESSING:

            def look_at_processing() -> StorageLooked:
                look, tokens = self._processing.look()
                return StorageLooked(place, str(path), look, tokens)

            return look_at_processing
        return lambda: StorageLooked(place, str(path), looked(lambda: look_at_space(path)))
