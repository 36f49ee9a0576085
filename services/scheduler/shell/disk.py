"""Outputs on disk: threads check them, and delete those of forgotten tries, beside the running service."""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from warpcore.bus.vocabulary import DONE
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import OutputsMissing
from warpcore.services.session.movie_record import steps_without_files
from warpcore.services.session.paths import TRIES

log = logging.getLogger(__name__)

T = TypeVar("T")


class Recorded(NamedTuple):
    """A finished movie's id, with fingerprints and files by step; `off` are the steps that are switched off.

    These are the record's own maps, of which 100 000 are not copied: a record gets others, and never changes one.
    """

    movie: int
    fingerprints: dict[str, str]
    outputs: dict[str, list[str]]
    off: frozenset[str]

    @property
    def files(self) -> dict[str, list[str]]:
        """The files of each step that has some, has a result and is switched on."""
        return {
            step: files
            for step, files in self.outputs.items()
            if files and step in self.fingerprints and step not in self.off
        }


def recorded_outputs(state: State) -> list[Recorded]:
    """What is recorded of each finished movie."""
    off = state.plan.off
    finished = (movie for movie in state.movies.values() if movie.status in DONE)
    return [Recorded(movie.id, movie.fingerprints, movie.outputs, off) for movie in finished]


def missing_outputs(recorded: Recorded, processing_directory: Path) -> OutputsMissing | None:
    """The steps of one movie whose files are gone, None where all files exist."""
    gone = steps_without_files(recorded.files, processing_directory)
    made_with = {step: fingerprint for step, fingerprint in recorded.fingerprints.items() if step in gone}
    return OutputsMissing(recorded.movie, made_with) if gone else None


def taken(source: queue.SimpleQueue[T], most: int) -> Iterator[T]:
    """What is in a queue now, at most `most`."""
    for _ in range(most):
        try:
            yield source.get_nowait()
        except queue.Empty:
            return


class TryFolders:
    """Deletes folders of tries that are forgotten, in a thread. It begins with those that an earlier run has left."""

    def __init__(self, processing_directory: Path, kept: Iterable[str]) -> None:
        self._folder = processing_directory / TRIES
        self._asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for id in {path.name for path in self._folder.glob("*")} - set(kept):
            self.remove(id)
        self._thread = threading.Thread(target=self._run, name="remove tries", daemon=True)
        self._thread.start()

    def remove(self, id: str) -> None:
        """Have the folder of a try deleted."""
        self._asked.put(id)

    def close(self) -> None:
        """End the thread after what it was asked for, or soon; the next run does the rest."""
        self._asked.put(None)
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        while (id := self._asked.get()) is not None:
            folder = self._folder / id
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                log.warning("%s cannot be deleted; the next start of the scheduler tries again", folder)


class OutputCheck:
    """Checks all outputs once, in a thread, so that a slow disk delays nothing."""

    def __init__(self, recorded: list[Recorded], processing_directory: Path) -> None:
        self._found: queue.SimpleQueue[OutputsMissing] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._recorded = recorded
        self._processing_directory = processing_directory
        self._thread = threading.Thread(target=self._run, name="output check", daemon=True)
        self._thread.start()

    def found(self, most: int = 100) -> Iterator[OutputsMissing]:
        """Movies with missing files found since the last call, at most `most`."""
        return taken(self._found, most)

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        missing = 0
        for recorded in self._recorded:
            if self._stop.is_set():
                return
            try:
                stimulus = missing_outputs(recorded, self._processing_directory)
            except OSError as error:
                log.warning("outputs under %s cannot be looked at: %s", self._processing_directory, error)
                return
            if stimulus is not None:
                missing += 1
                self._found.put(stimulus)
        if missing:
            log.warning("outputs of %d movies are no longer on disk; their steps run again", missing)
