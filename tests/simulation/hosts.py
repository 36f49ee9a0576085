"""Hosts that have both folders of the session mounted, and their paths as the product's looks at storage use them."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from unittest import mock

from tests.simulation.clock import Simulator
from tests.simulation.disk import FileSystem, parent_of
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.session.opening import RefusedFileError
from warpcore.services.storage import looking

ROOTS = {"data": StoragePlace.DATA, "processing": StoragePlace.PROCESSING}
_TERABYTE = 10**12


class Host:
    """A machine with both folders of the session mounted."""

    def __init__(self, simulator: Simulator, name: str, mounts: dict[StoragePlace, FileSystem]) -> None:
        self.name = name
        self._simulator = simulator
        self._right = mounts
        self.mounts = dict(mounts)

    def unmount(self, place: StoragePlace) -> None:
        """The mount is gone: its folder is an empty one of the host's own disk, which can be written."""
        self.mounts[place] = FileSystem(self._simulator)

    def mount(self, place: StoragePlace) -> None:
        """The mount is back."""
        self.mounts[place] = self._right[place]

    def path(self, path: str) -> SeenPath:
        """A path as this host sees it."""
        return SeenPath(self, path)


@dataclass(frozen=True)
class SeenPath:
    """A path on a host, with the few methods of `Path` by which the product looks at storage."""

    host: Host
    text: str

    @property
    def _place(self) -> tuple[FileSystem, str]:
        root, _, path = self.text[1:].partition("/")
        return self.host.mounts[ROOTS[root]], path or "."

    @property
    def parent(self) -> SeenPath:
        """The folder that it lies in."""
        return SeenPath(self.host, parent_of(self.text))

    def __truediv__(self, other: str) -> SeenPath:
        return SeenPath(self.host, f"{self.text}/{other}")

    def __str__(self) -> str:
        return self.text

    def resolve(self) -> SeenPath:
        """As `Path.resolve`: there are no symlinks."""
        return self

    absolute = resolve

    def is_relative_to(self, other: SeenPath) -> bool:
        """Whether it lies below another path."""
        return self.text.startswith(f"{other.text}/")

    def mkdir(self, **_: object) -> None:
        """As `Path.mkdir`, with the folders above it."""
        files, path = self._place
        files.make_folder(path)

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        files, path = self._place
        return path in files.folders

    def exists(self) -> bool:
        """Whether there is such a file."""
        files, path = self._place
        return files.at(path) is not None

    def is_file(self) -> bool:
        """Whether there is such a file."""
        return self.exists()

    def stat(self) -> SimpleNamespace:
        """As `os.stat`."""
        files, path = self._place
        if (inode := files.at(path)) is not None:
            return SimpleNamespace(
                st_dev=files.device, st_ino=inode.number, st_size=inode.size, st_mtime_ns=inode.mtime_ns
            )
        if path not in files.folders:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(self))
        return SimpleNamespace(st_dev=files.device, st_ino=files.folders[path], st_size=0, st_mtime_ns=0)

    def read_text(self) -> str:
        """As `Path.read_text`."""
        files, path = self._place
        inode = files.at(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(self))
        return inode.text

    def read_bytes(self, most: int) -> bytes:
        """As `opening.read_bytes`."""
        data = self.read_text().encode()
        if len(data) > most:
            raise RefusedFileError(str(self), f"has more than {most} bytes")
        return data

    def write_text(self, text: str) -> None:
        """Write it whole."""
        files, path = self._place
        files.write_whole(path, text)

    def names(self) -> list[str]:
        """What lies in the folder."""
        files, path = self._place
        if path not in files.folders:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(self))
        return files.names(path)

    def space(self) -> SimpleNamespace:
        """As `os.statvfs`."""
        files, path = self._place
        files.at(path)
        free = _TERABYTE if files.room_bytes is None else files.room_bytes
        return SimpleNamespace(f_bavail=free, f_frsize=1, f_blocks=10 * _TERABYTE, f_files=10**7, f_favail=10**6)


@contextmanager
def looked_at() -> Iterator[None]:
    """Within, the product's looks at storage (`services/storage/looking.py`) are looks at simulated file systems."""

    @contextmanager
    def scandir(folder: SeenPath) -> Iterator[Iterator[str]]:
        yield iter(folder.names())

    calls = SimpleNamespace(scandir=scandir, statvfs=SeenPath.space)
    with (
        mock.patch.object(looking, "os", calls),
        mock.patch.object(looking, "read_bytes", SeenPath.read_bytes),
        mock.patch.object(looking, "result_path", SeenPath.__truediv__),
        mock.patch.object(looking, "write_text_whole", SeenPath.write_text),
    ):
        yield
