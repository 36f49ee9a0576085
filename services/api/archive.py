"""Many outputs as one tar file, made while it is sent, so that an export of any size needs neither memory nor disk."""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import Generator, Sequence
from pathlib import Path

from warpcore.services.api.pictures.downloads import CHUNK_BYTES
from warpcore.services.api.pictures.files import located, opened


class Archive:
    """The bytes of a tar file of these outputs, under their paths relative to the processing directory.

    Falcon iterates it, and closes it when the client is gone. A file that vanishes meanwhile breaks the download off.
    """

    def __init__(self, processing: Path, files: Sequence[str]) -> None:
        self._blocks = _blocks(processing, files)

    def __aiter__(self) -> Archive:
        return self

    async def __anext__(self) -> bytes:
        block = await asyncio.to_thread(next, self._blocks, b"")
        if not block:
            raise StopAsyncIteration
        return block

    async def close(self) -> None:
        """Close the file that is being read."""
        await asyncio.to_thread(self._blocks.close)


def missing(processing: Path, files: Sequence[str]) -> str:
    """The first of these outputs that is not there, "" where all are. Raises Problem for what leads outside."""
    return next((file for file in files if not located(processing, file).is_file()), "")


def _blocks(processing: Path, files: Sequence[str]) -> Generator[bytes, None, None]:
    for relative in files:
        with opened(processing, relative) as file:
            found = os.fstat(file.fileno())
            entry = tarfile.TarInfo(relative)
            entry.size, entry.mtime = found.st_size, int(found.st_mtime)
            yield entry.tobuf(tarfile.PAX_FORMAT)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
            if rest := found.st_size % tarfile.BLOCKSIZE:
                yield bytes(tarfile.BLOCKSIZE - rest)
    yield bytes(2 * tarfile.BLOCKSIZE)
