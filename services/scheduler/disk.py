"""Looks, beside the running service, whether recorded outputs are still on disk."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

from warpcore.services.scheduler.effects import OutputsMissing
from warpcore.services.scheduler.records import DONE
from warpcore.services.scheduler.state import State

log = logging.getLogger(__name__)

Recorded = tuple[int, dict[str, tuple[str, list[str]]]]


def recorded_outputs(state: State) -> list[Recorded]:
    """Of each finished movie: its id and by step the fingerprint and the files, of steps that are switched on."""
    return [
        (
            movie.id,
            {
                step: (movie.fingerprints[step], list(files))
                for step, files in movie.outputs.items()
                if files and step in movie.fingerprints and step not in state.plan.off
            },
        )
        for movie in state.movies.values()
        if movie.status in DONE
    ]


def missing_outputs(recorded: Recorded, processing_directory: Path) -> OutputsMissing | None:
    """What of one movie's outputs is gone, None where all is there."""
    movie, steps = recorded
    gone = {
        step: made_with
        for step, (made_with, files) in steps.items()
        if not all((processing_directory / file).exists() for file in files)
    }
    return OutputsMissing(movie, gone) if gone else None


class OutputCheck:
    """Goes through the outputs once, in a thread: a slow disk holds up nobody."""

    def __init__(self, recorded: list[Recorded], processing_directory: Path) -> None:
        self._found: queue.SimpleQueue[OutputsMissing] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._recorded = recorded
        self._processing_directory = processing_directory
        self._thread = threading.Thread(target=self._run, name="output check", daemon=True)
        self._thread.start()

    def found(self, most: int = 100) -> Iterator[OutputsMissing]:
        """What was found missing since the last call, `most` movies at once."""
        for _ in range(most):
            try:
                yield self._found.get_nowait()
            except queue.Empty:
                return

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
