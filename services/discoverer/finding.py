"""Looks at the data directory in threads (scans, watches, looks into files) and tells the incubation what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from warpcore.services.discoverer.examining import Examined, examine
from warpcore.services.discoverer.incubation import Incubation, Notice
from warpcore.services.discoverer.listing import Identity, Listing, StoppedError, Watched, list_files, look_at
from warpcore.services.discoverer.watcher import Watcher

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
        if rewatch and self._use_watcher:
            self._end_watcher()
            self._watcher = Watcher(self._directory, watched.recursive)

    def step(self, now: float) -> Iterator[Notice]:
        """Take what has been found since the last call, and look at what is due."""
        if self.watched is None:
            return
        yield from self._take_listing(now)
        yield from self._take_looks(now)
        yield from self._take_examined(now)
        if self._scan is None and now >= self._next_scan:
            scan = self._pool.submit(list_files, self._directory, self.watched, self._stopped)
            self._scan = scan, self.watched, now
        if self._looking is None and self._watcher is not None and (hints := self._watcher.hints()):
            self._looking = self._pool.submit(look_at, self._directory, hints, self.watched)
        for path in self._incubation.due(now, _MOST_EXAMINED - len(self._examining)):
            self._examine(path, self.watched)

    def close(self) -> None:
        """End the threads."""
        self._end_watcher()
        self._pool.shutdown(cancel_futures=True)

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
        self._next_scan = now + max(self._scan_interval_s, _SCAN_SHARE * (now - begun))
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
        self._examining[path] = self._pool.submit(examine, self._directory, path, watched), watched

    def _end_watcher(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
