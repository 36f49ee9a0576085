"""TIFF and BigTIFF movies and images: threads decode the pages straight into the output."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from warpcore.services.readers.raw import (
    Decoding,
    MovieHeader,
    RawMovie,
    check_image_size,
    check_size,
    damage_named,
    decoding_pool,
    flip_y,
    frames_in_buffer,
    kept_frames,
    nonfinite_notes,
    replace_all_nonfinite,
)
from warpcore.services.readers.sections import Sections, read_sections
from warpcore.services.readers.tiff_chain import BrokenFileError, Page, PositionedFile, outside, page_chain
from warpcore.services.readers.tiff_stacks import frames_of_lone_page
from warpcore.services.readers.tiff_strips import decode_pages
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import open_file
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

MOST_EXPANSION = {5: 1_400, 8: 1_032, 32946: 1_032, 50000: 32_768}
"""How many bytes a codec can make of one, by TIFF's compression number: LZW, deflate (new and old number), ZSTD.

LZW: its 3 838 codes of at most 12 bits stand for strings of 1, 2, … 3 838 bytes. Deflate: 258 bytes in two bits. ZSTD:
a block of 128 KiB in four bytes.
"""
_MOST_SHARED = 2
"""Strips of all pages hold at most so many times the file's bytes: more are the same bytes again and again."""
_MOST_GROWTH = 4
_MOST_OVERHEAD_BYTES = 2**20
"""Strips hold at most so many times the bytes of their pixels, and so many more: for padding, and for bad codecs."""

# The user is told of a damaged file by an InputError, not by the library's own log.
logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)


def read_tiff_movie(path: Path, settings: ImportSettings, how: Decoding) -> RawMovie:
    """Read a TIFF movie, flipped in Y. Raises InputError where the file is not a whole TIFF of equal 2D pages."""
    with open_tiff(path) as (tiff, chain):
        pages = tiff_pages(path, tiff)
        header = _header(path, pages, chain)
        kept = kept_frames(path, header.frames, settings)
        tiff.filehandle.set_lock(True)
        keep_packed = how.keep_packed and _is_packed(pages[0])
        width = header.width // 2 if keep_packed else header.width
        with frames_in_buffer(how.allocate, len(kept), header.height, width, header.dtype) as (frames, buffer):
            if len(pages) == header.frames:
                decode_pages(path, pages[kept.start : kept.stop], kept.start, frames, how.threads)
            else:
                _read_stack(path, pages[0], header, kept.start, frames, how.threads)
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
    with open_tiff(path) as (tiff, chain):
        header = _header(path, tiff_pages(path, tiff), chain)
    kept = kept_frames(path, header.frames, settings)
    return MovieHeader(len(kept), header.height, header.width, header.dtype, header.pixel_size_angstrom)


def read_tiff_image(path: Path, *, flip: bool = True) -> npt.NDArray[np.generic]:
    """The one page [H, W] of a TIFF (a gain, a defect map), flipped in Y unless told otherwise. Raises InputError."""
    with open_tiff(path) as (tiff, chain):
        pages = tiff_pages(path, tiff)
        header = _header(path, pages, chain)
        check_image_size(path, header.frames, header.height, header.width)
        image = np.empty((header.height, header.width), header.dtype)
        decode_pages(path, pages, 0, image[None], 1, flip=flip)
    return image


@contextmanager
def open_tiff(path: Path) -> Iterator[tuple[tifffile.TiffFile, list[Page]]]:
    """An open TIFF and the pages of its chain, which is whole. Raises InputError otherwise."""
    with open_file(path) as file:
        # Before the library, which believes a header that claims gigabytes of tags.
        chain = _page_list(path, file)
        with damage_named(path):
            tiff = tifffile.TiffFile(file)
        with tiff:
            yield tiff, chain


def _page_list(path: Path, file: BinaryIO) -> list[Page]:
    """The pages of an open TIFF or BigTIFF. Raises InputError where their chain is broken."""
    size = os.fstat(file.fileno()).st_size
    try:
        if size == 0:
            raise BrokenFileError("is empty (0 bytes)")
        pages = list(page_chain(PositionedFile(file.fileno(), size)))
        if not pages:
            raise BrokenFileError("is truncated: it has no pages")
    except BrokenFileError as broken:
        raise InputError(f"{path}: {broken}; copy it again") from None
    return pages


def tiff_pages(path: Path, tiff: tifffile.TiffFile) -> list[Any]:
    """All pages with their tags. Raises InputError."""
    with damage_named(path):
        return list(tiff.pages)


def _header(path: Path, pages: list[Any], chain: list[Page]) -> MovieHeader:
    """Size, type and pixel size. Raises InputError where pages differ, are not 2D, or are not all there."""
    first = pages[0]
    with damage_named(path):
        size, stored_bytes = path.stat().st_size, 0
        for index, (page, stored) in enumerate(zip(pages, chain, strict=False)):
            if page.shape != first.shape or page.dtype != first.dtype:
                raise InputError(
                    f"{path}: page {index} is {page.shape} {page.dtype}, page 0 is {first.shape} {first.dtype}; "
                    "a movie has equal frames"
                )
            stored_bytes += _check_stored(path, index, page, stored, size)
            if stored_bytes > _MOST_SHARED * size:
                raise InputError(f"{path}: damaged, its first {index + 1} pages claim {stored_bytes} of {size} bytes")
    if len(first.shape) != 2:
        raise InputError(f"{path}: pages of shape {first.shape}; a frame is a grey image of rows and columns")
    if first.dtype is None or first.dtype.name not in KEPT_TYPES + WIDENED_TYPES:
        raise InputError(f"{path}: pixel type {first.dtype} is not supported; use 8 or 16 bit integers or float32")
    height, width = first.shape
    dtype = first.dtype if first.dtype.name in KEPT_TYPES else np.dtype(np.float32)
    if _is_packed(first):
        width *= 2
    frames = len(pages) if len(pages) > 1 else _frames_of_lone_page(path, first, chain[0], size)
    check_size(path, frames, height, width)
    with damage_named(path):
        pixel_size = _pixel_size_angstrom(first)
    return MovieHeader(frames, height, width, dtype.newbyteorder("="), pixel_size)


def _frames_of_lone_page(path: Path, page: Any, stored: Page, size: int) -> int:
    """The frames of a file with one page. Raises InputError where several cannot be read as they lie."""
    try:
        frames = frames_of_lone_page(stored, size)
    except BrokenFileError as broken:
        raise InputError(f"{path}: {broken}") from None
    if frames > 1 and (page.dtype.name not in KEPT_TYPES or page.bitspersample != 8 * page.dtype.itemsize):
        kind = f"{page.bitspersample}-bit {page.dtype}"
        raise InputError(f"{path}: {frames} frames of {kind} in one page are not supported; save a page for each frame")
    return frames


def _read_stack(path: Path, page: Any, header: MovieHeader, first: int, frames: npt.NDArray[Any], threads: int) -> None:
    """Fill `frames` [F, H, W], flipped in Y, with those from `first` on, which lie behind each other in one page."""
    stored = page.dtype.newbyteorder(page.parent.byteorder)
    packed = _is_packed(page)
    held = Sections(header.frames, header.height, header.width, stored, packed, page.dataoffsets[0])
    read_sections(path, held, first, frames, threads, unpack=packed and frames.shape[2] == header.width)
    with decoding_pool(threads, frames.nbytes, 0) as pool:
        for _ in pool.map(flip_y, frames):
            pass


def _check_stored(path: Path, index: int, page: Any, stored: Page, size: int) -> int:
    """The bytes of a page's strips.

    Raises InputError where they are not in the file, or where no codec can make the page's pixels of so many.
    """
    offsets, counts = stored.offsets, stored.counts
    if offsets is None or counts is None:
        offsets, counts = np.array(page.dataoffsets, np.uint64), np.array(page.databytecounts, np.uint64)
    if not len(offsets) or len(offsets) != len(counts) or outside(size, offsets, counts):
        raise InputError(f"{path}: truncated TIFF, page {index} lies beyond the end of the file; copy it again")
    if not isinstance(page.bitspersample, int):  # a tuple, which a product would repeat
        raise InputError(f"{path}: damaged, page {index} has samples of several bit depths; a frame is a grey image")
    pixels_bytes = math.prod(page.shape) * page.bitspersample // 8
    stored_bytes = int(counts.sum())
    most = stored_bytes * MOST_EXPANSION.get(page.compression, 1)
    least = stored_bytes // _MOST_GROWTH - _MOST_OVERHEAD_BYTES
    if not least <= pixels_bytes <= most:
        raise InputError(
            f"{path}: damaged, page {index} claims {pixels_bytes} bytes of pixels in {stored_bytes} bytes of strips"
        )
    return stored_bytes


def _is_packed(page: Any) -> bool:
    return page.dtype == np.uint8 and page.bitspersample == 8 and page.shape in PACKED_SHAPES


def _pixel_size_angstrom(page: Any) -> float | None:
    """From the resolution tags, where they are per centimetre and give a size from 0.05 to 50 Å; else None."""
    unit, resolution = page.tags.valueof(296), page.tags.valueof(282)
    if unit != 3 or not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return None
    angstrom = 1e8 * float(resolution[1]) / float(resolution[0])
    return angstrom if 0.05 <= angstrom <= 50 else None
