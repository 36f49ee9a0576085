"""A file system in memory, as `session/placing.py` sees one, for tests that cut it off between any two operations."""

from __future__ import annotations

from tests.simulation.clock import Simulator
from tests.simulation.disk import FileSystem
from tests.simulation.placing import SimulatedFiles
from warpcore.services.session.placing import STAGING


class CutOffError(Exception):
    """The power went off."""


class MemoryFiles(SimulatedFiles):
    """Files by path. `left` operations are carried out, then each raises CutOffError; None: there is no end."""

    def __init__(self) -> None:
        self._disk = FileSystem(Simulator(0))
        self.left: int | None = None
        super().__init__(lambda: self._disk, self._use_up)

    def write(self, path: str, content: bytes) -> None:
        """Put a file there, with its folders."""
        self._disk.write_whole(path, content.decode("latin-1"))

    def remove(self, path: str) -> None:
        """Delete a file."""
        self._disk.remove(path)

    def stage(self, lease: int, files: dict[str, bytes]) -> None:
        """What a worker has written under a lease, by the names of the files."""
        for name, content in files.items():
            self.write(f"{STAGING}/{lease}/{name}", content)

    @property
    def content(self) -> dict[str, bytes]:
        """What is in each file."""
        return {path: inode.text.encode("latin-1") for path, inode in self._disk.files.items()}

    def outputs(self) -> dict[str, bytes]:
        """All files but our own."""
        return {path: content for path, content in self.content.items() if not path.startswith(".warpcore/")}

    def _use_up(self) -> None:
        if self.left is not None:
            if self.left == 0:
                raise CutOffError
            self.left -= 1
