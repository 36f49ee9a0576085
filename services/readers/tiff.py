"""TIFF and BigTIFF movies and images: threads decode the pages straight into the output."""

from __future__ import annotations

import logging
import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile

from warpcore.services.readers.raw import (
    MovieHeader,
    RawMovie,
    check_size,
    decoding_pool,
    empty_frames,
    kept_frames,
    nonfinite_notes,
    read_at,
    replace_nonfinite,
)
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

KEPT_TYPES = ("uint8", "int8", "uint16", "int16", "float32")
WIDENED_TYPES = ("float16", "int32", "uint32", "float64")

_STRIP_DECODERS: dict[int, Callable[..., Any] | None] = {
    1: None,
    5: imagecodecs.lzw_decode,
    8: imagecodecs.zlib_decode,
    32946: imagecodecs.zlib_decode,
    50000: imagecodecs.zstd_decode,
}
"""Decoders by TIFF's compression number: none, LZW, deflate (new and old number), ZSTD."""
_FLIPPED_ROWS = 64

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


def read_tiff_movie(path: Path, settings: ImportSettings, threads: int) -> RawMovie:
    """Read a TIFF movie, flipped in Y. Raises InputError where the file is not a whole TIFF of equal 2D pages."""
    with open_tiff(path) as tiff:
        pages = tiff_pages(path, tiff)
        header = _header(path, pages)
        kept = kept_frames(path, header.frames, settings)
        frames = empty_frames(len(kept), header.height, header.width, header.dtype)
        tiff.filehandle.set_lock(True)

        def decode(index: int) -> int:
            frame = frames[index]
            _decode(path, pages[kept[index]], kept[index], frame)
            flip_y(frame)
            return replace_nonfinite(frame) if header.dtype.kind == "f" else 0

        with decoding_pool(threads, len(kept)) as pool:
            bad = sum(pool.map(decode, range(len(kept))))
    return RawMovie(
        frames=frames,
        pixel_size_angstrom=header.pixel_size_angstrom,
        path=path,
        first_frame=kept.start,
        frames_in_file=header.frames,
        notes=nonfinite_notes(path, bad, frames.size),
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
        _decode(path, page, 0, image)
    if flip:
        flip_y(image)
    return image


def flip_y(image: npt.NDArray[np.generic]) -> None:
    """Turn an image [H, W] upside down in place, with a copy of a few rows at a time."""
    height = len(image)
    for top in range(0, height // 2, _FLIPPED_ROWS):
        rows = min(_FLIPPED_ROWS, height // 2 - top)
        upper, lower = image[top : top + rows], image[height - top - rows : height - top]
        kept = upper.copy()
        upper[...] = lower[::-1]
        lower[...] = kept[::-1]


def unpack_4bit(packed: npt.NDArray[np.uint8], out: npt.NDArray[Any]) -> None:
    """Unpack two pixels a byte, the first in the low four bits: `packed` [H, (W+1)//2] into `out` [H, W]."""
    np.bitwise_and(packed, 15, out=out[:, 0::2])
    np.right_shift(packed[:, : out.shape[1] // 2], 4, out=out[:, 1::2])


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


@contextmanager
def damage_named(path: Path, where: str = "") -> Iterator[None]:
    """Turn any exception that a library raises for damaged data into an InputError that names the file.

    MemoryError and OSError pass unchanged.
    """
    try:
        yield
    except (InputError, MemoryError, OSError):
        raise
    except Exception as error:  # noqa: BLE001  tags and codecs fail in ways that nobody documents
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: {where}damaged, it cannot be decoded ({reason})") from None


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


def _decode(path: Path, page: Any, index: int, out: npt.NDArray[np.generic]) -> None:
    """Decode one page into `out` [H, W]."""
    with damage_named(path, f"frame {index} is "):
        if _is_packed(page):
            packed = np.empty(page.shape, np.uint8)
            _decode_as_stored(path, page, packed)
            unpack_4bit(packed, out)
        elif page.dtype == out.dtype:
            _decode_as_stored(path, page, out)
        else:
            out[...] = page.asarray(maxworkers=1)


def _decode_as_stored(path: Path, page: Any, out: npt.NDArray[np.generic]) -> None:
    """Decode one page into `out`, which has its shape and type: usual strips directly, anything else by tifffile."""
    decode = _STRIP_DECODERS.get(page.compression)
    strips = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    rows = page.rowsperstrip
    plain = page.predictor == 1 and page.fillorder == 1 and page.bitspersample == 8 * out.dtype.itemsize
    native = out.dtype.itemsize == 1 or page.parent.byteorder == ("<" if sys.byteorder == "little" else ">")
    if (
        page.compression not in _STRIP_DECODERS
        or not (plain and native)
        or page.is_tiled
        or len(strips) != -(-len(out) // rows)
        or (0, 0) in strips
    ):
        page.asarray(out=out, maxworkers=1)
        return
    descriptor = page.parent.filehandle.fileno()
    for number, (offset, count) in enumerate(strips):
        target = out[number * rows : (number + 1) * rows].reshape(-1).view(np.uint8)
        if decode is None:
            found = min(count, target.size)
            read_at(descriptor, target.data[:found], offset, path)
        else:
            stored = bytearray(count)
            read_at(descriptor, memoryview(stored), offset, path)
            found = len(decode(stored, out=target))
        if found != target.size:
            raise InputError(f"{path}: damaged, a strip holds {found} of {target.size} bytes; copy it again")


def _pixel_size_angstrom(page: Any) -> float | None:
    """From the resolution tags, where they are per centimetre and give a size from 0.05 to 50 Å; else None."""
    unit, resolution = page.tags.valueof(296), page.tags.valueof(282)
    if unit != 3 or not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return None
    angstrom = 1e8 * float(resolution[1]) / float(resolution[0])
    return angstrom if 0.05 <= angstrom <= 50 else None
