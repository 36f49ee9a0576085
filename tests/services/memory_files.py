"""A file system in memory, as `session/placing.py` sees one, for tests that cut it off between any two operations."""

from __future__ import annotations

from pathlib import PurePosixPath

from warpcore.services.session.file_operations import (
    Flush,
    Link,
    MakeFolder,
    Move,
    Operation,
    RemoveFile,
    RemoveFolder,
    Renew,
    Write,
)
from warpcore.services.session.placing import STAGING


class CutOffError(Exception):
    """The power went off."""


class MemoryFiles:
    """Files by path. `left` operations are carried out, then each raises `error`; None: there is no end."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.times: dict[str, int] = {}
        self.left: int | None = None
        self.error: Exception = CutOffError()
        self._clock = 0

    def write(self, path: str, content: bytes) -> None:
        """Put a file there, with its folders."""
        self._make(str(PurePosixPath(path).parent))
        self.content[path] = content

    def stage(self, lease: int, files: dict[str, bytes]) -> None:
        """What a worker has written under a lease, by the names of the files."""
        for name, content in files.items():
            self.write(f"{STAGING}/{lease}/{name}", content)

    def outputs(self) -> dict[str, bytes]:
        """All files but our own."""
        return {path: content for path, content in self.content.items() if not path.startswith(".warpcore/")}

    # --- as `Files` ------------------------------------------------------------------------------------------------

    def size(self, path: str) -> int | None:
        return len(self.content[path]) if path in self.content else None

    def text(self, path: str) -> str | None:
        return self.content[path].decode() if path in self.content else None

    def has_folder(self, path: str) -> bool:
        return path in self.times

    def folders(self, path: str) -> list[str]:
        inside = [one for one in self.times if str(PurePosixPath(one).parent) == path and one != path]
        return [PurePosixPath(one).name for one in sorted(inside, key=lambda one: self.times[one])]

    def carry_out(self, operation: Operation) -> None:
        if self.left is not None:
            if self.left == 0:
                raise self.error
            self.left -= 1
        match operation:
            case MakeFolder(path):
                self._make(path)
            case Link(source, target):
                self._put(target, self.content[source])
            case Write(path, text):
                self._put(path, text.encode())
            case Move(source, target) if source in self.times:
                assert target not in self.times, f"{target} is there"
                self._rename(source, target)
            case Move(source, target):
                if source in self.content:
                    self._put(target, self.content.pop(source))
            case RemoveFile(path):
                self.content.pop(path, None)
            case RemoveFolder(path):
                self._rename(path, None)
            case Renew(path):
                self._touch(path)
            case Flush(path):
                assert path in self.times, f"{path} is no folder"

    def _put(self, path: str, content: bytes) -> None:
        assert str(PurePosixPath(path).parent) in self.times, f"the folder of {path} is missing"
        assert path not in self.times, f"{path} is a folder"
        self.content[path] = content

    def _make(self, path: str) -> None:
        for folder in (path, *map(str, PurePosixPath(path).parents)):
            if folder not in self.times:
                self._touch(folder)

    def _touch(self, path: str) -> None:
        self._clock += 1
        self.times[path] = self._clock

    def _rename(self, source: str, target: str | None) -> None:
        """Rename a folder with all in it; None: delete it."""
        for everything in (self.content, self.times):
            for path in [path for path in everything if path == source or path.startswith(f"{source}/")]:
                value = everything.pop(path)  # type: ignore[attr-defined]
                if target is not None:
                    everything[target + path.removeprefix(source)] = value  # type: ignore[index]
