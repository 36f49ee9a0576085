"""How much memory a process may still take."""

from __future__ import annotations

from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def free_memory_bytes(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """Bytes that the host still has, swap included, or that the process's control groups leave, if that is less.

    What the system only keeps as a cache of files counts as free.
    """
    host = int(psutil.virtual_memory().available) + int(psutil.swap_memory().free)
    return min([host, *_left_in_groups(cgroups, own)])


def check_free_memory(nbytes: int) -> None:
    """Raise MemoryError where so many bytes cannot be had: the kernel would promise them, and then kill the process."""
    free = free_memory_bytes()
    if nbytes > free:
        raise MemoryError(f"{nbytes / 1e9:.1f} GB are needed, and this host has {free / 1e9:.1f} GB free")


def _left_in_groups(cgroups: Path, own: Path) -> list[int]:
    """What each control group of version 2 that the process is in leaves; none where there is no such limit."""
    try:
        name = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    group = cgroups / name.lstrip("/")
    left = []
    for folder in (group, *group.parents):
        try:
            most, used = int((folder / "memory.max").read_text()), int((folder / "memory.current").read_text())
            words = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):  # "max": no limit
            continue
        left.append(max(0, most - used + int(words.get("inactive_file", 0))))
    return left
