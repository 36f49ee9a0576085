"""On what kind of file system a path lies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil

_OF_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs")
"""Whose locks and shared memory a database cannot rely on."""
_SHARED = (*_OF_NETWORK, "lustre", "gpfs", "beegfs", "ceph", "fuse.ceph", "glusterfs", "fuse.glusterfs", "afs", "9p")
"""Which several hosts may have mounted, and which report no host's writes to another one."""


def mount_of(path: Path, mounts: Iterable[tuple[str, str]] | None = None) -> tuple[str, str]:
    """The mount point that a path lies below and its file system, both "" where that is unknown.

    `mounts` are mount points and their types; those of this host where left out.
    """
    if mounts is None:
        mounts = [(one.mountpoint, one.fstype) for one in psutil.disk_partitions(all=True)]
    where = path.resolve()
    above = [(point, kind) for point, kind in mounts if where.is_relative_to(point)]
    return max(above, key=lambda one: len(Path(one[0]).parts), default=("", ""))


def is_shared(kind: str) -> bool:
    """Whether a file system of this type may be that of other hosts too."""
    return kind in _SHARED


def database_advice(state: Path, mounts: Iterable[tuple[str, str]] | None = None) -> str:
    """What to tell of the place of a database, "" where nothing. `mounts` as those of `mount_of`."""
    point, kind = mount_of(state, mounts)
    if kind not in _OF_NETWORK:
        return ""
    return (
        f"the session's state is kept in {state}, and {point} is a network file system ({kind}), where a database is "
        "slow and may be damaged: give --state FILE on a disk of this host"
    )
