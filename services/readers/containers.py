"""Whether a movie file is whole, judged from its structure alone: no pixel is decoded.

TIFF 6.0 and BigTIFF (also EER): every page can be reached, every strip or tile lies inside the file. MRC2014 (and
IMOD's 4-bit mode 101): the file is as long as its header says.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_MRC_BITS = {0: 8, 1: 16, 2: 32, 6: 16, 12: 16, 101: 4}
_MRC_FLOATS = (2, 12)
_MRC_HEADER_BYTES = 1024
_MRC_SUFFIXES = (".mrc", ".mrcs", ".map", ".st")
_MOST_PAGES = 1_000_000
_MOST_ENTRIES = 4096
_MOST_SEGMENTS = 50_000_000
_BLOCK_BYTES = 4096

# TIFF tags
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _SAMPLES = 256, 257, 258, 259, 277
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
_SAMPLE_FORMAT, _FLOAT = 339, (3,)
_USED_TAGS = {
    _WIDTH,
    _LENGTH,
    _BITS,
    _COMPRESSION,
    _SAMPLES,
    _STRIP_OFFSETS,
    _STRIP_COUNTS,
    _TILE_OFFSETS,
    _TILE_COUNTS,
    _SAMPLE_FORMAT,
}
_FIELD_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""TIFF field types that can hold a count, a size or an offset."""


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


class _Broken(ValueError):
    """What is wrong, before the path is known."""


def check_container(path: Path) -> Contents:
    """What a whole TIFF, EER or MRC holds. Raises ContainerError where it is none, OSError where it cannot be read."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return _check(handle, path)
    finally:
        os.close(handle)


def _check(handle: int, path: Path) -> Contents:
    file = _File(handle, os.fstat(handle).st_size)
    try:
        if file.size == 0:
            raise _Broken("is empty (0 bytes)")
        return _check_mrc(file) if path.suffix.lower() in _MRC_SUFFIXES else _check_tiff(file)
    except _Broken as broken:
        raise ContainerError(path, str(broken)) from None


class _File:
    """Reads at positions, refused outside the file. Keeps the last block, since pages are small and near each other."""

    def __init__(self, handle: int, size: int) -> None:
        self.size = size
        self._handle = handle
        self._start = 0
        self._block = b""

    def read(self, offset: int, length: int, what: str) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise _Broken(f"is truncated: {what} lies beyond its end at {self.size} bytes")
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._block):
            self._start, begin = offset, 0
            self._block = self._read_fully(offset, max(length, _BLOCK_BYTES))
            if len(self._block) < length:
                raise _Broken(f"became shorter while being read: {what} is gone")
        return self._block[begin : begin + length]

    def _read_fully(self, offset: int, length: int) -> bytes:
        pieces = []
        while length > 0:
            piece = os.pread(self._handle, length, offset)
            if not piece:
                break
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return b"".join(pieces)


# --- MRC ---------------------------------------------------------------------------------------------------------


def _check_mrc(file: _File) -> Contents:
    if file.size < _MRC_HEADER_BYTES:
        raise _Broken(f"is no MRC: {file.size} bytes are less than its header of {_MRC_HEADER_BYTES}")
    header = file.read(0, _MRC_HEADER_BYTES, "the header")
    for order in "<>":
        nx, ny, nz, mode = struct.unpack_from(order + "4i", header)
        (extended,) = struct.unpack_from(order + "i", header, 92)
        if 0 <= mode < 1000 and min(nx, ny, nz) > 0:
            break
    else:
        raise _Broken(f"is no MRC: its header gives {nx}x{ny}x{nz} pixels of mode {mode}")
    if mode not in _MRC_BITS:
        raise _Broken(f"has MRC mode {mode}, which is no movie's; known are {', '.join(map(str, _MRC_BITS))}")
    if extended < 0:
        raise _Broken(f"is no MRC: its extended header has {extended} bytes")
    row_bytes = (nx * _MRC_BITS[mode] + 7) // 8
    expected = _MRC_HEADER_BYTES + extended + row_bytes * ny * nz
    if file.size != expected:
        problem = "is truncated" if file.size < expected else "is too long"
        raise _Broken(f"{problem}: {file.size} bytes, its header ({nx}x{ny}x{nz}, mode {mode}) says {expected}")
    return Contents(frames=nz, height=ny, width=nx, is_float=mode in _MRC_FLOATS)


# --- TIFF --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers are stored: the byte order, and the sizes of classic TIFF or BigTIFF."""

    order: str
    big: bool

    @property
    def offset_bytes(self) -> int:
        return 8 if self.big else 4

    @property
    def entry_bytes(self) -> int:
        return 20 if self.big else 12

    def offset(self, raw: bytes) -> int:
        return self.number("Q" if self.big else "I", raw)

    def number(self, code: str, raw: bytes) -> int:
        value: int = struct.unpack(self.order + code, raw)[0]
        return value


@dataclass(frozen=True, slots=True)
class _Page:
    """The numbers of each tag that is used here. `next` is the offset of the next page, 0 after the last."""

    tags: dict[int, tuple[int, ...]]
    next: int


def _check_tiff(file: _File) -> Contents:
    layout, offset = _tiff_header(file)
    visited: set[int] = set()
    tags: dict[int, tuple[int, ...]] = {}
    while offset:
        number = len(visited) + 1
        if offset in visited:
            raise _Broken(f"is damaged: page {number} is an earlier page again")
        if number > _MOST_PAGES:
            raise _Broken(f"is damaged: it has more than {_MOST_PAGES} pages")
        visited.add(offset)
        page = _read_page(file, layout, offset, number)
        _check_segments(file, page, number)
        tags, offset = page.tags, page.next
    if not visited:
        raise _Broken("has no pages (yet)")
    return Contents(len(visited), tags[_LENGTH][0], tags[_WIDTH][0], tags.get(_SAMPLE_FORMAT) == _FLOAT)


def _tiff_header(file: _File) -> tuple[_Layout, int]:
    start = file.read(0, min(file.size, 16), "the header")
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        raise _Broken(f"is no TIFF: it begins with {start[:8]!r}")
    (magic,) = struct.unpack_from(order + "H", start, 2)
    if magic == 42:
        layout = _Layout(order, big=False)
        return layout, layout.offset(start[4:8])
    if magic == 43 and len(start) == 16 and struct.unpack_from(order + "HH", start, 4) == (8, 0):
        layout = _Layout(order, big=True)
        return layout, layout.offset(start[8:16])
    raise _Broken(f"is no TIFF: it begins with {start[:8]!r}")


def _read_page(file: _File, layout: _Layout, offset: int, number: int) -> _Page:
    what = f"page {number}"
    count_bytes = 8 if layout.big else 2
    count = layout.number("Q" if layout.big else "H", file.read(offset, count_bytes, what))
    if not 0 < count <= _MOST_ENTRIES:
        raise _Broken(f"is damaged: {what} has {count} entries")
    length = count * layout.entry_bytes
    raw = file.read(offset + count_bytes, length + layout.offset_bytes, what)
    tags: dict[int, tuple[int, ...]] = {}
    for begin in range(0, length, layout.entry_bytes):
        tag, kind = struct.unpack_from(layout.order + "HH", raw, begin)
        if tag in _USED_TAGS:
            tags[tag] = _values(file, layout, raw[begin : begin + layout.entry_bytes], kind, what)
    return _Page(tags, layout.offset(raw[length:]))


def _values(file: _File, layout: _Layout, entry: bytes, kind: int, what: str) -> tuple[int, ...]:
    code = _FIELD_CODES.get(kind)
    if code is None:
        raise _Broken(f"is damaged: {what} has a size or offset of field type {kind}")
    count = layout.offset(entry[4 : 4 + layout.offset_bytes])
    if count > _MOST_SEGMENTS:
        raise _Broken(f"is damaged: {what} claims {count} strips")
    held = entry[4 + layout.offset_bytes :]
    length = count * struct.calcsize(code)
    raw = held[:length] if length <= len(held) else file.read(layout.offset(held), length, f"the index of {what}")
    return struct.unpack(f"{layout.order}{count}{code}", raw)


def _check_segments(file: _File, page: _Page, number: int) -> None:
    tags = page.tags
    offsets = tags.get(_TILE_OFFSETS) or tags.get(_STRIP_OFFSETS)
    counts = tags.get(_TILE_COUNTS) or tags.get(_STRIP_COUNTS)
    if not offsets or not tags.get(_WIDTH) or not tags.get(_LENGTH):
        raise _Broken(f"is damaged: page {number} has no image")
    image_bytes = _image_bytes(tags)
    if counts is None and len(offsets) == 1 and image_bytes is not None:
        counts = (image_bytes,)  # old writers leave the count out where there is no compression
    if counts is None or len(counts) != len(offsets):
        raise _Broken(f"is damaged: page {number} does not say how long its {len(offsets)} strips are")
    if _first_outside(file.size, zip(offsets, counts, strict=True)):
        raise _Broken(f"is truncated: page {number}'s pixels are not (all) inside its {file.size} bytes")
    if image_bytes is not None and sum(counts) < image_bytes:
        raise _Broken(f"is truncated: page {number} has {sum(counts)} of {image_bytes} bytes")


def _first_outside(size: int, segments: Iterable[tuple[int, int]]) -> bool:
    return any(count == 0 or offset == 0 or offset + count > size for offset, count in segments)


def _image_bytes(tags: dict[int, tuple[int, ...]]) -> int | None:
    """Bytes of a page without compression, None where it has one."""
    if tags.get(_COMPRESSION, (1,)) != (1,):
        return None
    bits = tags.get(_BITS) or (1,)
    samples = (tags.get(_SAMPLES) or (1,))[0]
    per_pixel = sum(bits) if len(bits) == samples else bits[0] * samples
    return (tags[_WIDTH][0] * per_pixel + 7) // 8 * tags[_LENGTH][0]
