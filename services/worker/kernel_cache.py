"""The folder of compiled kernels: JAX writes into it in place, and reads what it finds.

An entry that was cut short, by a kill or a full disk, would stay: each start would meet it, warn, and compile again.
"""

from __future__ import annotations

import logging
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

CHECKED = "checked"
"""An empty file: entries of before its time were found whole."""
_ENTRY = "*-cache"
_ZLIB, _ZSTD = b"\x78", b"\x28\xb5\x2f\xfd"
_WRITING_S = 60.0
"""An entry that another process was still writing when all were checked is checked again."""


def drop_damaged(folder: Path) -> int:
    """Delete entries that end too early, and return how many. An OSError is told in the log."""
    began, dropped = time.time(), 0
    try:
        since = _checked_at(folder) - _WRITING_S
        for entry in folder.glob(_ENTRY):
            with suppress(FileNotFoundError):  # another worker that starts has dropped it
                if entry.stat().st_mtime >= since and not _is_whole(entry.read_bytes()):
                    entry.unlink()
                    dropped += 1
        (folder / CHECKED).touch()
        os.utime(folder / CHECKED, (began, began))
    except OSError as error:
        log.warning("compiled kernels in %s could not be checked: %s", folder, error)
    if dropped:
        log.info("compiled kernels in %s: %s were cut short, and are made again", folder, dropped)
    return dropped


def _checked_at(folder: Path) -> float:
    with suppress(FileNotFoundError):
        return (folder / CHECKED).stat().st_mtime
    return 0.0


def _is_whole(content: bytes) -> bool:
    """Whether a stream of zlib or Zstandard, as JAX writes them, has its end. Others are left to JAX."""
    if content.startswith(_ZSTD):
        import imagecodecs

        try:
            imagecodecs.zstd_decode(content)
        except imagecodecs.ZstdError:
            return False
        return True
    if not content.startswith(_ZLIB):
        return bool(content)
    stream = zlib.decompressobj()
    try:
        stream.decompress(content)
    except zlib.error:
        return False
    return stream.eof
