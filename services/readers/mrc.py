"""MRC and MRCS movies and images: frames read by threads straight into the output."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.raw import (
    MAX_SIDE_PX,
    Decoding,
    MovieHeader,
    RawMovie,
    check_image_size,
    check_size,
    decoding_pool,
    frames_in_buffer,
    kept_frames,
    nonfinite_notes,
    read_at,
    replace_all_nonfinite,
    row_blocks,
    unpack_4bit,
)
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

HEADER_BYTES = 1024
IMOD_STAMP = 1146047817
IMOD_SIGNED_BYTES = 1
IMOD_PACKED_4BIT = 16

STORED_TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", 101: "u1"}
"""numpy type of the bytes on disk by MRC mode; 101 holds two pixels a byte."""


@dataclass(frozen=True)
class MrcHeader:
    """What an MRC header says: number of sections, their size in px, the type on disk, where the pixels begin."""

    frames: int
    height: int
    width: int
    stored: np.dtype[np.generic]
    packed: bool
    data_offset: int
    pixel_size_angstrom: float | None

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
        """Bytes of a section on disk."""
        return self.height * self.row_bytes


def read_mrc_movie(path: Path, settings: ImportSettings, how: Decoding) -> RawMovie:
    """Read an MRC movie, rows as they are in the file.

    Raises InputError where the file is not as long as its header says, or where the mode is unknown.
    """
    header = parse_mrc_header(path)
    kept = kept_frames(path, header.frames, settings)
    keep_packed = how.keep_packed and header.packed
    width = header.row_bytes if keep_packed else header.width
    with frames_in_buffer(how.allocate, len(kept), header.height, width, header.dtype) as (frames, buffer):
        _read_sections(path, header, kept.start, frames, how.threads, unpack=header.packed and not keep_packed)
        bad = replace_all_nonfinite(frames, how.threads) if header.dtype.kind == "f" else 0
        notes = nonfinite_notes(path, bad, frames.size)
    return RawMovie(
        frames=frames,
        pixel_size_angstrom=header.pixel_size_angstrom,
        path=path,
        first_frame=kept.start,
        frames_in_file=header.frames,
        notes=notes,
        packed_width=header.width if keep_packed else None,
        buffer=buffer,
    )


def read_mrc_header(path: Path, settings: ImportSettings) -> MovieHeader:
    """What `read_mrc_movie` would return, from the header alone."""
    header = parse_mrc_header(path)
    kept = kept_frames(path, header.frames, settings)
    return MovieHeader(len(kept), header.height, header.width, header.dtype, header.pixel_size_angstrom)


def read_mrc_image(path: Path) -> npt.NDArray[np.generic]:
    """The first section [H, W] of an MRC (a gain, a defect map), with its non-finite pixels. Raises InputError."""
    header = parse_mrc_header(path)
    check_image_size(path, header.height, header.width)
    image = np.empty((header.height, header.width), header.dtype)
    _read_sections(path, header, 0, image[None], 1, unpack=header.packed)
    return image


def parse_mrc_header(path: Path) -> MrcHeader:
    """Read and check an MRC header (MRC2014 with IMOD's flags).

    Raises InputError, also where the file is longer or shorter than its header says.
    """
    with path.open("rb") as file:
        raw = file.read(HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise InputError(f"{path}: is empty (0 bytes)")
    if len(raw) < HEADER_BYTES:
        raise InputError(f"{path}: not an MRC, {size} bytes are less than its header of {HEADER_BYTES}")
    order = _byte_order(path, raw)
    width, height, sections, mode = struct.unpack_from(f"{order}4i", raw, 0)
    (cell_width,) = struct.unpack_from(f"{order}f", raw, 40)
    (intervals,) = struct.unpack_from(f"{order}i", raw, 28)
    (extended_bytes,) = struct.unpack_from(f"{order}i", raw, 92)
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    flags = flags if stamp == IMOD_STAMP else None
    if mode not in STORED_TYPES:
        raise InputError(f"{path}: MRC mode {mode} is not supported; use 0, 1, 2, 6, 12 or 101")
    packed = mode == 101 or (mode == 0 and flags is not None and bool(flags & IMOD_PACKED_4BIT))
    if packed and mode == 0:
        width *= 2
    check_size(path, sections, height, width)
    stored = np.dtype(order + STORED_TYPES[mode])
    if mode == 0 and (packed or not _signed_bytes(flags, raw, order)):
        stored = np.dtype(np.uint8)
    pixel_size = cell_width / intervals if intervals > 0 and cell_width > 0 else None
    header = MrcHeader(sections, height, width, stored, packed, HEADER_BYTES + extended_bytes, pixel_size)
    expected = header.data_offset + sections * header.frame_bytes
    if extended_bytes < 0 or size != expected:
        what = "truncated or still being written" if size < expected else "longer than its header says"
        stated = f"{sections} sections of {width} × {height} px in mode {mode}"
        raise InputError(f"{path}: {what}: {size} bytes, but {stated} make {expected}")
    return header


def _byte_order(path: Path, raw: bytes) -> str:
    """The byte order in which size and mode are small numbers; machine stamps are often wrong."""
    for order in "<>":
        width, height, _, mode = struct.unpack_from(f"{order}4i", raw, 0)
        if 0 <= mode <= 255 and 0 <= width <= MAX_SIDE_PX and 0 <= height <= MAX_SIDE_PX:
            return order
    raise InputError(f"{path}: not an MRC, its header holds no possible size and mode")


def _signed_bytes(flags: int | None, raw: bytes, order: str) -> bool:
    """Whether bytes are signed: by IMOD's flag where there is one, else as MRC2014 says.

    A maximum above 127 in the header shows an older, unsigned file.
    """
    if flags is not None:
        return bool(flags & IMOD_SIGNED_BYTES)
    minimum, maximum = struct.unpack_from(f"{order}2f", raw, 76)
    return not (minimum >= 0 and maximum > 127)


def _read_sections(
    path: Path, header: MrcHeader, first: int, frames: npt.NDArray[Any], threads: int, *, unpack: bool
) -> None:
    """Fill `frames` [F, H, W] with the sections from `first` on, unpacked or with two pixels a byte as in the file."""
    direct = not unpack and header.stored.itemsize == header.dtype.itemsize
    blocks = [(index, rows) for index in range(len(frames)) for rows in row_blocks(header.height, frames.strides[1])]
    with path.open("rb", buffering=0) as file:

        def read(index: int, rows: range) -> None:
            block = frames[index, rows.start : rows.stop]
            stored: npt.NDArray[Any] = block if direct else np.empty((len(rows), header.row_bytes), np.uint8)
            offset = header.data_offset + (first + index) * header.frame_bytes + rows.start * header.row_bytes
            read_at(file.fileno(), stored.data.cast("B"), offset, path)
            if unpack:
                unpack_4bit(stored, block)
            elif not direct:
                block[...] = stored.view(header.stored)
            elif not header.stored.isnative:
                block.byteswap(inplace=True)

        held = 0 if direct else max(len(rows) for _, rows in blocks) * header.row_bytes
        with decoding_pool(threads, frames.nbytes, held) as pool:
            for _ in pool.map(lambda block: read(*block), blocks):
                pass
