"""Frames that lie in a file one behind the other without compression, as in an MRC: read by threads into the output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.raw import decoding_pool, read_at, row_blocks, unpack_4bit
from warpcore.services.session.opening import open_file


@dataclass(frozen=True)
class Sections:
    """Equal frames: their number, size in px, type on disk, whether a byte holds two pixels, and where they begin."""

    frames: int
    height: int
    width: int
    stored: np.dtype[np.generic]
    packed: bool
    data_offset: int

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type in memory: native order, float32 for float16."""
        return np.dtype(np.float32) if self.stored.kind == "f" else self.stored.newbyteorder("=")

    @property
    def row_bytes(self) -> int:
        """Bytes of a row on disk."""
        return (self.width + 1) // 2 if self.packed else self.width * self.stored.itemsize

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame on disk."""
        return self.height * self.row_bytes


def read_sections(
    path: Path, held: Sections, first: int, frames: npt.NDArray[Any], threads: int, *, unpack: bool
) -> None:
    """Fill `frames` [F, H, W] with those from `first` on, unpacked or with two pixels a byte as in the file.

    Rows stay as they lie in the file. Raises InputError where the file ends too early.
    """
    direct = not unpack and held.stored.itemsize == held.dtype.itemsize
    blocks = [(index, rows) for index in range(len(frames)) for rows in row_blocks(held.height, frames.strides[1])]
    with open_file(path, buffering=0) as file:

        def read(index: int, rows: range) -> None:
            block = frames[index, rows.start : rows.stop]
            stored: npt.NDArray[Any] = block if direct else np.empty((len(rows), held.row_bytes), np.uint8)
            offset = held.data_offset + (first + index) * held.frame_bytes + rows.start * held.row_bytes
            read_at(file.fileno(), stored.data.cast("B"), offset, path)
            if unpack:
                unpack_4bit(stored, block)
            elif not direct:
                block[...] = stored.view(held.stored)
            elif not held.stored.isnative:
                block.byteswap(inplace=True)

        aside = 0 if direct else max(len(rows) for _, rows in blocks) * held.row_bytes
        with decoding_pool(threads, frames.nbytes, aside) as pool:
            for _ in pool.map(lambda block: read(*block), blocks):
                pass
