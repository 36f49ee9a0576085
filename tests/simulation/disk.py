"""Simulated file systems. They fill up, err, hang and lose their power.

A name leads to an inode, as on a real disk: a process that has a file open writes to it wherever it was moved.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.clock import Simulator

LATENCY_S = 0.004
_numbers = itertools.count(1)


def parent_of(path: str) -> str:
    """The folder that a path lies in."""
    return path.rpartition("/")[0] or "."


@dataclass
class Inode:
    """A file's content and time. `text` stands for the bytes; `size` is what `stat` says."""

    text: str = ""
    mtime_ns: int = 0
    flushed_bytes: int = 0
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.text)


class FileSystem:
    """Files by path. `error` is what each call fails with (an errno), `room_bytes` what is left; None: enough."""

    def __init__(self, simulator: Simulator) -> None:
        self.device = next(_numbers)
        self.files: dict[str, Inode] = {}
        self.folders: dict[str, int] = {".": 0}
        self.error = 0
        self.room_bytes: int | None = None
        self.is_full_for_all = False
        """Whether a database that has space of its own on the disk cannot be written either."""
        self.keeps_journal = False
        """Whether names are remembered as they were since the last flush, so that the power can be cut."""
        self._journal: list[tuple[dict[str, Inode], dict[str, int]]] = []
        self._simulator = simulator
        self._hanging: list[Callable[[], None]] | None = None

    # --- whether it answers ----------------------------------------------------------------------------------------

    def answer(self, action: Callable[[], None]) -> None:
        """Do something once the file system answers: soon, or when it no longer hangs."""
        if self._hanging is not None:
            self._hanging.append(action)
        else:
            self._simulator.after(LATENCY_S, action)

    def hang(self) -> None:
        """Calls do not return any more."""
        self._hanging = self._hanging or []

    def recover(self) -> None:
        """It is well: it answers, has room, and makes no errors."""
        waiting, self._hanging = self._hanging or [], None
        self.error, self.room_bytes = 0, None
        for action in waiting:
            self.answer(action)

    def cut_power(self, chance: random.Random) -> None:
        """Some of the last changes of names since the last flush are lost, and bytes that were not flushed."""
        kept = chance.randint(0, len(self._journal))
        if kept < len(self._journal):
            self.files, self.folders = self._journal[kept]
        self._journal = []
        for inode in self.files.values():
            inode.text = inode.text[: chance.randint(min(inode.flushed_bytes, inode.size), inode.size)]

    # --- calls; all raise OSError ------------------------------------------------------------------------------------

    def at(self, path: str) -> Inode | None:
        """The file of this name."""
        self._check(path)
        return self.files.get(path)

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        self._check(folder)
        inside = "" if folder == "." else f"{folder}/"
        found = {one[len(inside) :].split("/")[0] for one in [*self.files, *self.folders] if one.startswith(inside)}
        return sorted(found - {"."})

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        self._check(path)
        if path not in self.folders:
            self._remember()
            self.make_folder(parent_of(path))
            self.folders[path] = next(_numbers)

    def create(self, path: str) -> Inode:
        """Open a file for writing: a new one, or the present one cut to nothing."""
        self._check(path)
        self._check_name(path)
        self._take(path, 1)
        self._remember()
        inode = self.files.setdefault(path, Inode())
        inode.text, inode.mtime_ns, inode.flushed_bytes = "", self._now_ns(), 0
        return inode

    def append(self, inode: Inode, text: str) -> None:
        """Write to an open file; on a disk that fills up a part of it."""
        self._check("an open file")
        fits = text if self.room_bytes is None else text[: self.room_bytes]
        inode.text, inode.mtime_ns = inode.text + fits, self._now_ns()
        self._take("an open file", len(text))

    def write_whole(self, path: str, text: str) -> None:
        """Write under another name, then rename: readers see the old text or the new one."""
        self.make_folder(parent_of(path))
        self._take(path, len(text))
        self._remember()
        self.files[path] = Inode(text, self._now_ns(), len(text))

    def flush_file(self, inode: Inode) -> None:
        """Make a file's bytes durable."""
        self._check("an open file")
        inode.flushed_bytes = inode.size

    def flush(self, folder: str) -> None:
        """Make names durable: as journals do, all that were changed until now."""
        self._check(folder)
        self._journal = []

    def link(self, source: str, target: str) -> None:
        """Give a file a second name, in place of what has it."""
        self._check(source)
        self._check_name(target)
        self._take(target, 1)
        self._remember()
        self.files[target] = self._known(source)

    def rename(self, source: str, target: str) -> None:
        """Rename a file or a folder with all in it."""
        self._check(source)
        self._check_name(target)
        self._remember()
        if source in self.folders:
            for everything in (self.files, self.folders):
                for path in [path for path in everything if path == source or path.startswith(f"{source}/")]:
                    everything[target + path[len(source) :]] = everything.pop(path)  # type: ignore[index,attr-defined]
        else:
            self.files[target] = self._known(source)
            del self.files[source]

    def remove(self, path: str) -> None:
        """Delete a file, if it is there."""
        self._check(path)
        self._remember()
        self.files.pop(path, None)

    def remove_folder(self, path: str) -> None:
        """Delete a folder with all in it, if it is there."""
        self._check(path)
        self._remember()
        for everything in (self.files, self.folders):
            for one in [one for one in everything if one == path or one.startswith(f"{path}/")]:
                del everything[one]  # type: ignore[attr-defined]

    def renew(self, path: str) -> None:
        """Make a folder the newest of its kind."""
        self._check(path)
        self.folders[path] = next(_numbers)

    def _remember(self) -> None:
        if self.keeps_journal:
            self._journal.append((dict(self.files), dict(self.folders)))

    def _known(self, path: str) -> Inode:
        if path not in self.files:
            raise OSError(errno.ENOENT, "No such file or directory", path)
        return self.files[path]

    def _check(self, path: str) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error), path)

    def _check_name(self, path: str) -> None:
        """A file, or a folder that is renamed, needs a folder to lie in, and takes the place of no folder."""
        if parent_of(path) not in self.folders:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if path in self.folders:
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)

    def _take(self, path: str, size: int) -> None:
        if self.room_bytes is None:
            return
        enough, self.room_bytes = size <= self.room_bytes, max(0, self.room_bytes - size)
        if not enough:
            raise OSError(errno.ENOSPC, "No space left on device", path)

    def _now_ns(self) -> int:
        return int(self._simulator.time() * 1e9)
