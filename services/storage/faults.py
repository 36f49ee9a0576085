"""What a failed file call says of the storage. The only place that knows error numbers of storage."""

from __future__ import annotations

import errno
import os

from warpcore.bus.vocabulary import FailureKind

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_AWAY = frozenset(
    {
        *(errno.ESTALE, errno.EIO, errno.EREMOTEIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.ESHUTDOWN, errno.ENODEV),
        *(errno.ENXIO, errno.ENOLINK, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH),
        *(errno.ECONNABORTED, errno.ECONNRESET, errno.ECONNREFUSED, errno.EROFS),
    }
)
"""A file system that was mounted read-only after an error is away too: its server or disk must be looked after."""
_BUSY = frozenset({errno.ENFILE, errno.EMFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN, errno.EBUSY})
"""What a busy host says, and may not say again."""

STORAGE_KINDS = frozenset({FailureKind.DISK_FULL, FailureKind.STORAGE_AWAY})
"""Failures that are never a movie's."""


def storage_kind(error: OSError) -> FailureKind | None:
    """Whether a file call failed for a full disk or for storage that is away; None where the storage is well."""
    if error.errno in _FULL:
        return FailureKind.DISK_FULL
    return FailureKind.STORAGE_AWAY if error.errno in _AWAY else None


def may_pass(error: OSError) -> bool:
    """Whether the storage or a busy host may have recovered when it is tried again."""
    return storage_kind(error) is not None or error.errno in _BUSY


def reason(error: OSError) -> str:
    """The error in the words of the operating system: `Stale file handle`."""
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error))
