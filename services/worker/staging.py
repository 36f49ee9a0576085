"""Outputs are written into a folder of their own under `.warpcore/staging` and put in place together or not at all.

Beside a task's folder stands a lock file, which its process holds. A folder without a held lock was left by a killed
process, on whatever host; it is deleted when the next task begins.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from warpcore.services.session.generations import Generation, keep, same_content
from warpcore.services.session.paths import file_mode, flush, inside

_FOLDER = ".warpcore/staging"


class Staging:
    """The outputs of one task: ask `place` for a temporary path for each, then `commit` or `discard` all."""

    def __init__(self, processing_directory: Path) -> None:
        self._processing = processing_directory
        self._staged: dict[str, Path] = {}
        self._by_step: dict[str, list[str]] = {}
        self._retained: set[str] = set()
        self._lock: int | None = None
        self._folder: Path | None = None

    def place(self, step: str, relative: str) -> Path:
        """A temporary path for `relative` (below the processing directory, its folder made where missing)."""
        final = inside(self._processing, relative)
        final.parent.mkdir(parents=True, exist_ok=True)
        folder = self._folder or self._open()
        if folder.stat().st_dev == final.parent.stat().st_dev:
            temporary = folder / f"{len(self._staged)}{final.suffix}"
            temporary.touch()
        else:
            # The output's folder lies on another file system, so a rename from the staging folder would fail.
            handle, name = tempfile.mkstemp(prefix=f".{final.stem}.", suffix=final.suffix, dir=final.parent)
            os.close(handle)
            temporary = Path(name)
        self._staged[relative] = temporary
        self._by_step.setdefault(step, []).append(relative)
        return temporary

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
        """Keep the outputs that are there, then rename the new ones into place.

        Outputs in `before` that the steps in `ran` no longer make are deleted. Returns the outputs by step, relative to
        the processing directory, and the keys of the generations kept. Nothing that was staged is left after an error.
        """
        try:
            return self._by_step, self._commit(root, before, ran)
        except BaseException:
            self.discard()
            raise

    def _commit(self, root: str, before: Generation, ran: list[str]) -> list[str]:
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
        self._close()
        return kept

    def discard(self) -> None:
        """Delete what was staged."""
        for temporary in self._staged.values():
            temporary.unlink(missing_ok=True)
        self._close()

    def _open(self) -> Path:
        base = self._processing / _FOLDER
        base.mkdir(parents=True, exist_ok=True)
        _sweep(base)
        while True:
            handle, name = tempfile.mkstemp(suffix=".lock", dir=base)
            _try_lock(handle)
            if os.path.exists(name):
                break
            # The sweep of another process deleted it before it was locked.
            os.close(handle)
        self._lock, self._folder = handle, Path(name).with_suffix("")
        self._folder.mkdir()
        return self._folder

    def _close(self) -> None:
        self._staged = {}
        if self._folder is not None and self._lock is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.with_suffix(".lock").unlink(missing_ok=True)
            os.close(self._lock)
        self._lock = self._folder = None


def _try_lock(handle: int) -> bool:
    """Whether the lock is ours now. A file system without locks gives none: nothing is swept there."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(base: Path) -> None:
    """Delete the folders whose process has ended."""
    for lock in base.glob("*.lock"):
        try:
            handle = os.open(lock, os.O_RDWR)
        except OSError:
            continue
        try:
            if _try_lock(handle):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        finally:
            os.close(handle)
