"""Outputs are written into a folder of the task's own; whoever holds the truth places them (`session/placing.py`)."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable
from pathlib import Path

from warpcore.services.session.declared import staged_name
from warpcore.services.session.paths import flush, flush_folder, inside
from warpcore.services.session.placing import STAGING
from warpcore.services.steps.step import Output


class Staging:
    """The outputs of one task: ask `place` where to write each, then `settle`, or `discard` all.

    `folder` is the name of the task's folder, `path_of` gives the final path of an output for its movie.
    """

    def __init__(self, processing_directory: Path, folder: str, path_of: Callable[[Output], str]) -> None:
        self._processing = processing_directory
        self._folder = processing_directory / STAGING / folder
        self._path_of = path_of
        self._staged: dict[tuple[str, Output], Path] = {}
        self.outputs: dict[str, dict[str, int | None]] = {}
        """By step and pattern the bytes of each file, None for one that is in place with the same bytes."""

    def place(self, step: str, output: Output) -> Path:
        """Where to write an output that the step declares (else UndeclaredError); an empty file is there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / staged_name(step, output)
        path.touch()
        self._staged[step, output] = path
        self.outputs.setdefault(step, {})[output.pattern] = 0
        return path

    def retain(self, step: str, output: Output) -> None:
        """Leave a file of an earlier run where it is, as an output of this run's step."""
        staged_name(step, output)
        self.outputs.setdefault(step, {})[output.pattern] = None

    def settle(self) -> None:
        """Flush what was written. The same bytes stay the same file: kept generations then share its disk space."""
        for (step, output), path in self._staged.items():
            if _same_content(path, inside(self._processing, self._path_of(output))):
                path.unlink()
                self.outputs[step][output.pattern] = None
            else:
                flush(path)
                self.outputs[step][output.pattern] = path.stat().st_size
        if self._staged:
            flush_folder(self._folder)

    def discard(self) -> None:
        """Delete what was staged."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; False where one is missing."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
