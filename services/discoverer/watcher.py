"""Hints of the operating system that something changed: they make discovery quicker, never possible."""

from __future__ import annotations

import logging
import os
import queue
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

log = logging.getLogger(__name__)

_TELLING = frozenset({"created", "modified", "moved", "deleted", "closed"})
_MOST_HINTS = 20_000


class Watcher:
    """Collects paths that changed, relative to the data directory. Silent where the system cannot watch."""

    def __init__(self, directory: Path, recursive: bool) -> None:
        self._hints: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._directory = directory
        observer = Observer()
        try:
            observer.schedule(_Handler(directory, self._hints), str(directory), recursive=recursive)
            observer.start()
        except OSError as error:  # no inotify left, or a file system without it
            log.warning("%s is not watched (%s); the periodic scan finds its files all the same", directory, error)
            self._observer = None
        else:
            self._observer = observer

    def hints(self) -> set[str]:
        """The paths that changed since the last call, as many as one round should look at."""
        paths: set[str] = set()
        for _ in range(min(self._hints.qsize(), _MOST_HINTS)):
            paths.add(self._hints.get_nowait())
        return paths

    def close(self) -> None:
        """Stop watching."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(5.0)


class _Handler(FileSystemEventHandler):
    def __init__(self, directory: Path, hints: queue.SimpleQueue[str]) -> None:
        self._directory = str(directory)
        self._hints = hints

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called in watchdog's thread."""
        if event.is_directory or event.event_type not in _TELLING:
            return
        for path in (event.src_path, getattr(event, "dest_path", "")):
            if path:
                self._hints.put(os.path.relpath(os.fsdecode(path), self._directory))
