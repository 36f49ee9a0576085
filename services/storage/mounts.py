"""On what kind of file system a path lies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil

_OF_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs")
"""Whose locks and shared memory a database cannot rely on."""


def database_advice(state: Path, mounts: Iterable[tuple[str, str]] | None = None) -> str:
    """What to tell of the place of a database, "" where nothing. `mounts` are mount points and their types."""
    if mounts is None:
        mounts = [(one.mountpoint, one.fstype) for one in psutil.disk_partitions(all=True)]
    where = state.resolve()
    above = [(point, kind) for point, kind in mounts if where.is_relative_to(point)]
    point, kind = max(above, key=lambda one: len(Path(one[0]).parts), default=("", ""))
    if kind not in _OF_NETWORK:
        return ""
    return (
        f"the session's state is kept in {state}, and {point} is a network file system ({kind}), where a database is "
        "slow and may be damaged: give --state FILE on a disk of this host"
    )
