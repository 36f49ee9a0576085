"""Whether a movie file is whole, judged from its structure alone: no pixel is decoded.

TIFF 6.0 and BigTIFF (also EER): every page can be reached, every strip or tile lies inside the file. MRC2014 (and
IMOD's 4-bit mode 101): the file is as long as its header says.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from warpcore.services.readers.tiff_chain import (
    LENGTH,
    SAMPLE_FORMAT,
    WIDTH,
    BrokenFileError,
    Page,
    PositionedFile,
    outside,
    page_chain,
)
from warpcore.services.readers.tiff_stacks import frames_of_lone_page, uncompressed_bytes
from warpcore.services.session.opening import open_file

_MRC_BITS = {0: 8, 1: 16, 2: 32, 6: 16, 12: 16, 101: 4}
_MRC_FLOATS = (2, 12)
_MRC_HEADER_BYTES = 1024
_MRC_SUFFIXES = (".mrc", ".mrcs", ".map", ".st")
_FLOAT = (3,)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a whole file holds, by its structure: frames, their size in stored pixels, and whether these are floats."""

    frames: int
    height: int
    width: int
    is_float: bool


class ContainerError(ValueError):
    """A file that is not a whole movie, or not yet. The text is one line with its path; `reason` has no path."""

    def __init__(self, path: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path}: {reason}")


def check_container(path: Path) -> Contents:
    """What a whole TIFF, EER or MRC holds. Raises ContainerError where it is none, and as `open_file`."""
    with open_file(path, buffering=0) as file:
        return _check(file.fileno(), path)


def _check(handle: int, path: Path) -> Contents:
    file = PositionedFile(handle, os.fstat(handle).st_size)
    try:
        if file.size == 0:
            raise BrokenFileError("is empty (0 bytes)")
        return _check_mrc(file) if path.suffix.lower() in _MRC_SUFFIXES else _check_tiff(file)
    except BrokenFileError as broken:
        raise ContainerError(path, str(broken)) from None


# --- MRC ---------------------------------------------------------------------------------------------------------


def _check_mrc(file: PositionedFile) -> Contents:
    if file.size < _MRC_HEADER_BYTES:
        raise BrokenFileError(f"is no MRC: {file.size} bytes are less than its header of {_MRC_HEADER_BYTES}")
    header = file.read(0, _MRC_HEADER_BYTES, "the header")
    for order in "<>":
        nx, ny, nz, mode = struct.unpack_from(order + "4i", header)
        (extended,) = struct.unpack_from(order + "i", header, 92)
        if 0 <= mode < 1000 and min(nx, ny, nz) > 0:
            break
    else:
        raise BrokenFileError("is no MRC: its header gives no possible size and mode")
    if mode not in _MRC_BITS:
        raise BrokenFileError(f"has MRC mode {mode}, which is no movie's; known are {', '.join(map(str, _MRC_BITS))}")
    if extended < 0:
        raise BrokenFileError(f"is no MRC: its extended header has {extended} bytes")
    row_bytes = (nx * _MRC_BITS[mode] + 7) // 8
    expected = _MRC_HEADER_BYTES + extended + row_bytes * ny * nz
    if file.size != expected:
        problem = "is truncated" if file.size < expected else "is too long"
        raise BrokenFileError(f"{problem}: {file.size} bytes, its header ({nx}x{ny}x{nz}, mode {mode}) says {expected}")
    return Contents(frames=nz, height=ny, width=nx, is_float=mode in _MRC_FLOATS)


# --- TIFF --------------------------------------------------------------------------------------------------------


def _check_tiff(file: PositionedFile) -> Contents:
    count = 0
    page = Page()
    for count, page in enumerate(page_chain(file), 1):
        _check_segments(file, page, count)
    if not count:
        raise BrokenFileError("has no pages (yet)")
    numbers = page.numbers
    frames = frames_of_lone_page(page, file.size) if count == 1 else count
    return Contents(frames, numbers[LENGTH][0], numbers[WIDTH][0], numbers.get(SAMPLE_FORMAT) == _FLOAT)


def _check_segments(file: PositionedFile, page: Page, number: int) -> None:
    offsets, counts = page.offsets, page.counts
    if offsets is None or not len(offsets) or not page.numbers.get(WIDTH) or not page.numbers.get(LENGTH):
        raise BrokenFileError(f"is damaged: page {number} has no image")
    image_bytes = uncompressed_bytes(page)
    if counts is None and len(offsets) == 1 and image_bytes is not None and image_bytes <= file.size:
        counts = np.array([image_bytes], np.uint64)  # old writers leave the count out where there is no compression
    if counts is None or len(counts) != len(offsets):
        raise BrokenFileError(f"is damaged: page {number} does not say how long its {len(offsets)} strips are")
    if outside(file.size, offsets, counts):
        raise BrokenFileError(f"is truncated: page {number}'s pixels are not (all) inside its {file.size} bytes")
    stored_bytes = int(counts.sum())
    if image_bytes is not None and stored_bytes < image_bytes:
        raise BrokenFileError(f"is truncated: page {number} has {stored_bytes} of {image_bytes} bytes")
