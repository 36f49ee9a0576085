"""A tmpfs of a test's own, which can be unmounted while it is in use and mounted again with the same files."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_mounts = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


class Mount:
    """A file system that is mounted at `path`; its files also lie at `files`, whether it is mounted or not."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.path, self.files = folder / "mount", folder / "files"
        for one in (self.path, self.files):
            one.mkdir(parents=True)
        options = f"size={megabytes}m"
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.files)], capture_output=True, text=True
        )
        if made.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
        self.come()

    def come(self) -> None:
        """Mount it."""
        subprocess.run(["mount", "--bind", str(self.files), str(self.path)], check=True)

    def go(self) -> None:
        """Unmount it, whoever uses it: its folder is empty now."""
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)

    def close(self) -> None:
        """Unmount all, mounted or not."""
        for path in (self.path, self.files):
            subprocess.run(["umount", "--lazy", str(path)], check=False, capture_output=True)


def fill(path: Path) -> None:
    """Write a file that takes all that is left."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))


@contextmanager
def mounted(folder: Path, megabytes: int = 64) -> Iterator[Mount]:
    """A mounted file system in a new folder."""
    mount = Mount(folder, megabytes)
    try:
        yield mount
    finally:
        mount.close()
