"""The microscope: it writes movies into the data directory, slowly, and some of them badly."""

from __future__ import annotations

from tests.simulation.clock import Simulator
from tests.simulation.disk import FileSystem
from warpcore.bus.messages import Header

WHOLE = "\n"
"""What a file ends with once it is written."""
DAMAGED = "damaged"
"""A movie that begins so cannot be read, although it is whole."""
HEADER = Header(8, 512, 512, 1.1)
"""What each of its movies says of itself."""


def metadata_name(movie: str) -> str:
    """The file of a movie's metadata."""
    return f"{movie.rpartition('.')[0]}.xml"


class Microscope:
    """Movies by file name. `lasting` are those that were written and are there, with their version.

    Every other movie has metadata, which come before or after it, and some change later.
    """

    def __init__(self, simulator: Simulator, files: FileSystem, names: list[str]) -> None:
        self._simulator, self._files = simulator, files
        self._chance = simulator.stream("microscope")
        self.damaged = {name for name in names if self._chance.random() < 0.12}
        self.lasting: dict[str, int] = {}
        self._writing: dict[str, int] = {}
        for name in names:
            simulator.after(self._chance.uniform(0.0, 25.0), lambda name=name: self.record(name, 1))  # type: ignore[misc]
        chance = simulator.stream("metadata")
        for name in names[::2]:
            for voltage in chance.sample((200, 300, 120), chance.choice((1, 1, 2))):
                simulator.after(
                    chance.uniform(0.0, 40.0),
                    lambda name=name, voltage=voltage: self.describe(name, voltage),  # type: ignore[misc]
                )

    def record(self, name: str, version: int) -> None:
        """Write a movie in pieces; a later version takes the place of an earlier one."""
        if version > 1 and name not in self.lasting:
            return
        self.lasting[name] = self._writing[name] = version
        self._files.files.pop(name, None)
        inode = self._files.create(name) if not self._files.error else None
        if inode is None:  # the camera cannot write now, it tries again
            self._simulator.after(2.0, lambda: self.record(name, version))
            return
        pieces = self._chance.randint(1, 4)
        for piece in range(1, pieces + 1):
            self._simulator.after(piece * self._chance.uniform(0.1, 0.8), lambda: self._append(name, version, pieces))

    def describe(self, name: str, voltage_kv: int) -> None:
        """Write a movie's metadata, in two pieces; tried again while the disk errs."""
        path = metadata_name(name)
        inode = self._files.create(path) if not self._files.error else None
        if inode is None:
            self._simulator.after(2.0, lambda: self.describe(name, voltage_kv))
            return
        inode.text = "epu"

        def end() -> None:
            inode.text += f" {voltage_kv}{WHOLE}"
            inode.mtime_ns = int(self._simulator.time() * 1e9)

        self._simulator.after(0.5, end)

    def remove(self, name: str) -> None:
        """Delete a movie."""
        self._writing.pop(name, None)
        self.lasting.pop(name, None)
        self._files.files.pop(name, None)

    def _append(self, name: str, version: int, pieces: int) -> None:
        if self._writing.get(name) != version:
            return
        inode = self._files.files[name]
        inode.text = (inode.text or (DAMAGED if name in self.damaged else "movie")) + f" {version}"
        inode.mtime_ns = int(self._simulator.time() * 1e9)
        if inode.text.count(" ") == pieces:
            inode.text += WHOLE
