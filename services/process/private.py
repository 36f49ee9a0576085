"""Folders and files of one user, which no other user of the host may change."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def not_private(folder: Path) -> str:
    """Make a folder that this user alone can change. Why it is not such a one, "" where it is.

    Whoever may write there could give this process programs to run: compiled kernels are such.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.stat(folder)
        if found.st_uid != os.geteuid():
            return f"{folder} belongs to another user"
        if found.st_mode & _OTHERS_WRITE:
            os.chmod(folder, stat.S_IMODE(found.st_mode) & ~_OTHERS_WRITE)
    except OSError as error:  # a home that is missing or read-only
        return f"{folder} cannot be made ({error.strerror})"
    return ""
