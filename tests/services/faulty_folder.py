"""A folder on a small file system of its own that hangs and errs on demand, as a network mount does.

As a program (`python -m tests.services.faulty_folder BACKING MOUNT FAULT`) it serves the files of BACKING at MOUNT. The
file FAULT says what is wrong: nothing, `hang` (no call returns), the name of an error such as `EIO` (every call fails),
`full` or `quota` (nothing can be written), `inodes` (nothing new can be made).
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_until

try:
    import mfusepy

    WHY_NOT = "" if os.access("/dev/fuse", os.W_OK) and os.geteuid() == 0 else "mounting with /dev/fuse needs root"
except (ImportError, OSError) as error:
    WHY_NOT = f"no FUSE here: {error}"

needs_fuse = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
ROOT = Path(__file__).parents[2]


class FaultyFolder:
    """The mounted folder `path`, over the files of `backing`."""

    def __init__(self, folder: Path) -> None:
        self.path, self.backing, self._fault = folder / "mount", folder / "backing", folder / "fault"
        for one in (self.path, self.backing):
            one.mkdir(parents=True)
        self.is_well()
        command = [sys.executable, "-m", "tests.services.faulty_folder"]
        self._process = subprocess.Popen([*command, str(self.backing), str(self.path), str(self._fault)], cwd=ROOT)

    def wait(self) -> None:
        """Until it is mounted."""

        def is_mounted() -> bool:
            assert self._process.poll() is None, "the file system has ended"
            return self.path.is_mount()

        wait_until(is_mounted, 30, "a mount")

    def has(self, fault: str) -> None:
        """From now on something is wrong."""
        temporary = self._fault.with_suffix(".new")
        temporary.write_text(fault)
        temporary.replace(self._fault)

    def is_well(self) -> None:
        """From now on nothing is."""
        self.has("")

    def close(self) -> None:
        """Let all calls return, unmount, and end the file system."""
        self.is_well()
        subprocess.run(["umount", "--lazy", str(self.path)], check=False)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def faulty_folder(folder: Path) -> Iterator[FaultyFolder]:
    """A mounted folder in a new folder, without faults."""
    mounted = FaultyFolder(folder)
    try:
        mounted.wait()
        yield mounted
    finally:
        mounted.close()


def serve(backing: Path, mount: Path, fault: Path) -> None:
    """Serve until it is unmounted."""

    class Mirror(mfusepy.Operations):  # type: ignore[misc, unused-ignore]
        """The files of `backing`, with its faults. Methods are the system calls of the same names."""

        use_ns = True

        def checked(self, path: str, *, writes: bool = False, makes: bool = False) -> Path:
            while (now := fault.read_text()) == "hang":
                time.sleep(0.02)
            if now.isupper():
                raise mfusepy.FuseOSError(getattr(errno, now))
            if (now == "full" and writes) or (now == "inodes" and makes):
                raise mfusepy.FuseOSError(errno.ENOSPC)
            if now == "quota" and writes:
                raise mfusepy.FuseOSError(errno.EDQUOT)
            return backing / path.lstrip("/")

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            found = self.checked(path).lstat()
            names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid")
            times = {f"st_{one}time": getattr(found, f"st_{one}time_ns") for one in "amc"}
            return {**{name: getattr(found, name) for name in names}, **times}

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", *os.listdir(self.checked(path))]

        def statfs(self, path: str) -> dict[str, int]:
            found = os.statvfs(self.checked(path))
            names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail")
            told = {name: int(getattr(found, name)) for name in names}
            if fault.read_text() == "inodes":
                told |= {"f_ffree": 0, "f_favail": 0}
            return told

        def open(self, path: str, flags: int) -> int:
            return os.open(self.checked(path), flags)

        def create(self, path: str, mode: int, fi: Any = None) -> int:
            return os.open(self.checked(path, writes=True, makes=True), os.O_RDWR | os.O_CREAT, mode)

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            self.checked(path)
            return os.pread(fh, size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            self.checked(path, writes=True)
            return os.pwrite(fh, data, offset)

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            os.truncate(self.checked(path), length)
            return 0

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            self.checked(path)
            return 0

        def release(self, path: str, fh: int) -> int:
            os.close(fh)
            return 0

        def mkdir(self, path: str, mode: int) -> int:
            self.checked(path, writes=True, makes=True).mkdir(mode)
            return 0

        def rmdir(self, path: str) -> int:
            self.checked(path).rmdir()
            return 0

        def unlink(self, path: str) -> int:
            self.checked(path).unlink()
            return 0

        def rename(self, old: str, new: str, flags: int = 0) -> int:
            self.checked(old).rename(self.checked(new))
            return 0

        def link(self, target: str, source: str) -> int:
            os.link(self.checked(source), self.checked(target, writes=True))
            return 0

        def chmod(self, path: str, mode: int) -> int:
            self.checked(path).chmod(mode)
            return 0

        def utimens(self, path: str, times: tuple[int, int]) -> int:
            os.utime(self.checked(path), ns=times)
            return 0

    # Nothing is kept in the kernel, so that each call comes here.
    fresh = {"attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0}
    mfusepy.FUSE(Mirror(), str(mount), foreground=True, allow_other=True, **fresh)


if __name__ == "__main__":
    serve(*map(Path, sys.argv[1:4]))
