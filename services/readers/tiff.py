"""TIFF and BigTIFF movies and images: threads decode the pages straight into the output."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from warpcore.services.readers.raw import (
    Decoding,
    MovieHeader,
    RawMovie,
    check_size,
    damage_named,
    frames_in_buffer,
    kept_frames,
    nonfinite_notes,
    replace_all_nonfinite,
)
from warpcore.services.readers.tiff_strips import decode_pages
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

KEPT_TYPES = ("uint8", "int8", "uint16", "int16", "float32")
WIDENED_TYPES = ("float16", "int32", "uint32", "float64")

PACKED_SHAPES = frozenset(
    shape
    for width, height in ((5760, 8184), (4092, 11520), (3710, 7676), (3838, 7420))
    for shape in ((height, width), (width, height))
)
"""[H, W] of 8-bit pages that hold two 4-bit pixels a byte, as IMOD and SerialEM pack K3 and K2 super-resolution.

No tag says so, so they are known by their size alone.
"""

# The user is told of a damaged file by an InputError, not by the library's own log.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)


def read_tiff_movie(path: Path, settings: ImportSettings, how: Decoding) -> RawMovie:
    """Read a TIFF movie, flipped in Y. Raises InputError where the file is not a whole TIFF of equal 2D pages."""
    with open_tiff(path) as tiff:
        pages = tiff_pages(path, tiff)
        header = _header(path, pages)
        kept = kept_frames(path, header.frames, settings)
        tiff.filehandle.set_lock(True)
        keep_packed = how.keep_packed and _is_packed(pages[0])
        width = header.width // 2 if keep_packed else header.width
        with frames_in_buffer(how.allocate, len(kept), header.height, width, header.dtype) as (frames, buffer):
            decode_pages(path, pages[kept.start : kept.stop], kept.start, frames, how.threads)
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


def read_tiff_header(path: Path, settings: ImportSettings) -> MovieHeader:
    """What `read_tiff_movie` would return, from the page headers alone."""
    with open_tiff(path) as tiff:
        header = _header(path, tiff_pages(path, tiff))
    kept = kept_frames(path, header.frames, settings)
    return MovieHeader(len(kept), header.height, header.width, header.dtype, header.pixel_size_angstrom)


def read_tiff_image(path: Path, *, flip: bool = True) -> npt.NDArray[np.generic]:
    """The first page [H, W] of a TIFF (a gain, a defect map), flipped in Y unless told otherwise. Raises InputError."""
    with open_tiff(path) as tiff:
        page = tiff_pages(path, tiff)[0]
        header = _header(path, [page])
        image = np.empty((header.height, header.width), header.dtype)
        decode_pages(path, [page], 0, image[None], 1, flip=flip)
    return image


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """An open TIFF whose chain of pages is whole. Raises InputError otherwise."""
    check_page_chain(path)
    with damage_named(path):
        tiff = tifffile.TiffFile(path)
    with tiff:
        yield tiff


def tiff_pages(path: Path, tiff: tifffile.TiffFile) -> list[Any]:
    """All pages with their tags. Raises InputError."""
    with damage_named(path):
        return list(tiff.pages)


def check_page_chain(path: Path) -> int:
    """Follow the pages of a TIFF or BigTIFF to the last one; returns their number.

    Raises InputError where the chain of pages is broken.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise InputError(f"{path}: is empty (0 bytes)")
        start = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(start[:2])
        version = struct.unpack(f"{order}H", start[2:4])[0] if order and len(start) >= 8 else None
        if version == 42:
            offset, count_format, entry_bytes, offset_format = struct.unpack(f"{order}I", start[4:8])[0], "H", 12, "I"
        elif version == 43 and len(start) == 16:
            offset, count_format, entry_bytes, offset_format = struct.unpack(f"{order}Q", start[8:16])[0], "Q", 20, "Q"
        else:
            raise InputError(f"{path}: not a TIFF, its first bytes are {start[:8]!r}")
        count_bytes, offset_bytes = struct.calcsize(count_format), struct.calcsize(offset_format)
        seen: set[int] = set()
        while offset:
            if offset in seen:
                raise InputError(f"{path}: corrupt, its list of pages runs in a circle")
            seen.add(offset)
            entries = os.pread(file.fileno(), count_bytes, offset) if offset < size else b""
            if len(entries) < count_bytes:
                raise InputError(_truncated(path, len(seen) - 1))
            count = struct.unpack(f"{order}{count_format}", entries)[0]
            if count > 4096:
                raise InputError(f"{path}: corrupt, page {len(seen) - 1} claims {count} tags")
            link = os.pread(file.fileno(), offset_bytes, offset + count_bytes + count * entry_bytes)
            if len(link) < offset_bytes:
                raise InputError(_truncated(path, len(seen) - 1))
            offset = struct.unpack(f"{order}{offset_format}", link)[0]
    if not seen:
        raise InputError(f"{path}: truncated, it has no pages; copy it again")
    return len(seen)


def _truncated(path: Path, page: int) -> str:
    return f"{path}: truncated TIFF, page {page} lies beyond the end of the file; copy it again"


def _header(path: Path, pages: list[Any]) -> MovieHeader:
    """Size, type and pixel size. Raises InputError where pages differ, are not 2D, or do not lie inside the file."""
    first = pages[0]
    with damage_named(path):
        size = path.stat().st_size
        for index, page in enumerate(pages):
            if page.shape != first.shape or page.dtype != first.dtype:
                raise InputError(
                    f"{path}: page {index} is {page.shape} {page.dtype}, page 0 is {first.shape} {first.dtype}; "
                    "a movie has equal frames"
                )
            ends = (offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False))
            if max(ends, default=size + 1) > size:
                raise InputError(_truncated(path, index))
    if len(first.shape) != 2:
        raise InputError(f"{path}: pages of shape {first.shape}; a frame is a grey image of rows and columns")
    if first.dtype is None or first.dtype.name not in KEPT_TYPES + WIDENED_TYPES:
        raise InputError(f"{path}: pixel type {first.dtype} is not supported; use 8 or 16 bit integers or float32")
    height, width = first.shape
    dtype = first.dtype if first.dtype.name in KEPT_TYPES else np.dtype(np.float32)
    if _is_packed(first):
        width *= 2
    check_size(path, len(pages), height, width)
    return MovieHeader(len(pages), height, width, dtype.newbyteorder("="), _pixel_size_angstrom(first))


def _is_packed(page: Any) -> bool:
    return page.dtype == np.uint8 and page.bitspersample == 8 and page.shape in PACKED_SHAPES


def _pixel_size_angstrom(page: Any) -> float | None:
    """From the resolution tags, where they are per centimetre and give a size from 0.05 to 50 Å; else None."""
    unit, resolution = page.tags.valueof(296), page.tags.valueof(282)
    if unit != 3 or not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return None
    angstrom = 1e8 * float(resolution[1]) / float(resolution[0])
    return angstrom if 0.05 <= angstrom <= 50 else None
