"""Looks at the data directory in threads (scans, watches, looks into files) and tells the incubation what is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from warpcore.services.discoverer.examining import Examined, examine
from warpcore.services.discoverer.incubation import Incubation
from warpcore.services.discoverer.listing import Identity, Listing, StoppedError, Watched, list_files, look_at
from warpcore.services.discoverer.not_taken import Notice
from warpcore.services.discoverer.watcher import Watcher
from warpcore.services.process.side_thread import SILENT_S, SideThread
from warpcore.services.storage.looking import DataFolder, KnownFile

log = logging.getLogger(__name__)

_EXAMINERS = 4
_MOST_EXAMINED = 256
_SCAN_SHARE = 4
"""A scan is followed by a pause this many times as long, so that a slow file system has rest."""


class Finder:
    """The files of one data directory. Nothing is looked at before `watch` has said which files count."""

    def __init__(
        self,
        directory: Path,
        incubation: Incubation,
        *,
        use_watcher: bool,
        scan_interval_s: float,
        stopped: Callable[[], bool],
    ) -> None:
        self.watched: Watched | None = None
        self._directory = directory
        self._incubation = incubation
        self._use_watcher = use_watcher
        self._scan_interval_s = scan_interval_s
        self._stopped = stopped
        self._watcher: Watcher | None = None
        self._pool = ThreadPoolExecutor(_EXAMINERS + 1, thread_name_prefix="files")
        self._next_scan = time.monotonic()
        self._scan: tuple[Future[Listing], Watched, float] | None = None
        self._looking: Future[dict[str, Identity | None]] | None = None
        self._examining: dict[str, tuple[Future[Examined], Watched]] = {}
        self._folder = DataFolder(directory)
        self._looker: SideThread[str] = SideThread("look at the data directory")
        self._next_look = time.monotonic()
        self._back_at = float("-inf")
        self._rewatching: Future[Watcher] | None = None
        self._rewatch = False

    @property
    def is_busy(self) -> bool:
        """Whether something is being looked at."""
        return bool(self._scan or self._looking or self._examining)

    def watch(self, watched: Watched) -> None:
        """These files count from now on."""
        rewatch = self.watched is None or self.watched.recursive != watched.recursive
        self.watched = watched
        self._incubation.narrow(watched.holds)
        self._next_scan = time.monotonic()
        self._rewatch = self._rewatch or (rewatch and self._use_watcher)

    def step(self, now: float) -> Iterator[Notice]:
        """Take what has been found since the last call, and look at what is due."""
        if self.watched is None:
            return
        self._look_at_directory(now)
        self._keep_watching(self.watched)
        yield from self._take_listing(now)
        yield from self._take_looks(now)
        yield from self._take_examined(now)
        if self._scan is None and now >= self._next_scan:
            scan = self._pool.submit(self._list_files, self.watched, self._known_files())
            self._scan = scan, self.watched, now
        if self._looking is None and self._watcher is not None and (hints := self._watcher.hints()):
            self._looking = self._pool.submit(look_at, self._directory, hints, self.watched)
        for path in self._incubation.due(now, _MOST_EXAMINED - len(self._examining)):
            self._examine(path, self.watched)

    def close(self) -> None:
        """End the threads; those that hang are left to themselves."""
        if self._watcher is not None:
            self._watcher.close()
        self._pool.shutdown(wait=self._looker.hangs_s(time.monotonic()) <= SILENT_S, cancel_futures=True)

    def _look_at_directory(self, now: float) -> None:
        """Tell the incubation whether the data directory is there; no answer says that it is not."""
        away = self._looker.taken()
        if away is None and self._looker.hangs_s(now) > SILENT_S:
            away = "it does not answer"
        if away is not None and bool(away) != bool(self._incubation.away):
            log.warning("data directory %s is %s", self._directory, f"away: {away}" if away else "back")
            self._rewatch = self._use_watcher and not away  # the watch has gone with the file system
            self._back_at = now if not away else self._back_at
        if away is not None:
            self._incubation.away = away and f"data directory {self._directory} is away: {away}; waiting for it"
        if self._looker.is_free and now >= self._next_look:
            self._next_look = now + self._scan_interval_s
            known = self._known_files()
            self._looker.begin(lambda: self._folder.look(known, is_needed=False)[0].away)

    def _keep_watching(self, watched: Watched) -> None:
        """Begin to watch in a thread, since that walks through all folders."""
        if self._rewatching is not None and self._rewatching.done():
            self._watcher, self._rewatching = self._rewatching.result(), None
        if self._rewatch and self._rewatching is None:
            self._rewatch = False
            former, self._watcher = self._watcher, None
            self._rewatching = self._pool.submit(_watch, former, self._directory, watched.recursive)

    def _known_files(self) -> list[KnownFile]:
        return [KnownFile(file.path, file.size, file.mtime_ns) for file in self._incubation.some_present()]

    def _list_files(self, watched: Watched, known: list[KnownFile]) -> Listing:
        """A scan. A directory that is away afterwards may have been so while it was scanned."""
        listing = list_files(self._directory, watched, self._stopped)
        listing.away = self._folder.look(known, is_needed=False)[0].away
        return listing

    def _take_listing(self, now: float) -> Iterable[Notice]:
        if self._scan is None or not self._scan[0].done():
            return ()
        (future, watched, begun), self._scan = self._scan, None
        if watched != self.watched:
            return ()
        try:
            listing = future.result()
        except StoppedError:
            return ()
        has_hung = self._back_at >= begun  # then the time that the scan took says nothing
        self._next_scan = now + max(self._scan_interval_s, 0.0 if has_hung else _SCAN_SHARE * (now - begun))
        return self._incubation.listed(listing, now)

    def _take_looks(self, now: float) -> Iterable[Notice]:
        if self._looking is None or not self._looking.done():
            return ()
        future, self._looking = self._looking, None
        return self._incubation.looked(future.result(), now)

    def _take_examined(self, now: float) -> Iterator[Notice]:
        for path in [path for path, (future, _) in self._examining.items() if future.done()]:
            future, watched = self._examining.pop(path)
            if self.watched is not None and watched != self.watched:
                self._examine(path, self.watched)
            else:
                yield from self._incubation.examined(path, future.result(), now)

    def _examine(self, path: str, watched: Watched) -> None:
        metadata = self._incubation.awaiting.pairing.of(path)
        self._examining[path] = self._pool.submit(examine, self._directory, path, watched, metadata), watched


def _watch(former: Watcher | None, directory: Path, recursive: bool) -> Watcher:
    if former is not None:
        former.close()
    return Watcher(directory, recursive)
