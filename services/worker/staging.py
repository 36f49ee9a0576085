"""Outputs under temporary names beside their places, put in place together or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from warpcore.services.movies.generations import Generation, keep, same_content
from warpcore.services.movies.paths import file_mode, flush, inside


class Staging:
    """The outputs of one task: ask `place` for a temporary path for each, then `commit` or `discard` all."""

    def __init__(self, processing_directory: Path) -> None:
        self._processing = processing_directory
        self._staged: dict[str, Path] = {}
        self._by_step: dict[str, list[str]] = {}
        self._retained: set[str] = set()

    def place(self, step: str, relative: str) -> Path:
        """A temporary path in the folder of `relative` (below the processing directory, made where missing)."""
        final = inside(self._processing, relative)
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{final.stem}.", suffix=final.suffix, dir=final.parent)
        os.close(handle)
        self._staged[relative] = Path(name)
        self._by_step.setdefault(step, []).append(relative)
        return Path(name)

    def retain(self, step: str, relative: str) -> None:
        """Leave a file of an earlier run where it is, as an output of this run's step."""
        self._by_step.setdefault(step, []).append(relative)
        self._retained.add(relative)

    def settle(self) -> None:
        """Flush everything to disk, so that the commit is renames alone."""
        for temporary in self._staged.values():
            flush(temporary)
            temporary.chmod(file_mode())

    def commit(self, root: str, before: Generation, ran: list[str]) -> tuple[dict[str, list[str]], list[str]]:
        """Rename all into place, after keeping what was there before; outputs of the steps in `ran` that are no longer made go.

        Returns the outputs by step, relative to the processing directory, and the keys of the generations kept.
        """
        kept = keep(self._processing, root, before) if before.fingerprints else []
        for relative, temporary in self._staged.items():
            final = inside(self._processing, relative)
            if same_content(temporary, final):
                # The same bytes stay the same file: kept generations then share its disk space.
                temporary.unlink()
            else:
                temporary.replace(final)
        stale = {path for step in ran for path in before.outputs.get(step, [])} - set(self._staged) - self._retained
        for relative in stale:
            inside(self._processing, relative).unlink(missing_ok=True)
        self._staged = {}
        return self._by_step, kept

    def discard(self) -> None:
        """Delete what was staged."""
        for temporary in self._staged.values():
            temporary.unlink(missing_ok=True)
        self._staged = {}
