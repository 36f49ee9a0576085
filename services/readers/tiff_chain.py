"""The chain of pages of a TIFF or BigTIFF (TIFF 6.0): sizes and places, read without decoding any pixel."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES = 256, 257, 258, 259, 277
STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS = 273, 279, 324, 325
SAMPLE_FORMAT = 339
_USED_TAGS = {
    WIDTH,
    LENGTH,
    BITS,
    COMPRESSION,
    SAMPLES,
    STRIP_OFFSETS,
    STRIP_COUNTS,
    TILE_OFFSETS,
    TILE_COUNTS,
    SAMPLE_FORMAT,
}
_FIELD_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""TIFF field types that can hold a count, a size or an offset."""

Tags = dict[int, tuple[int, ...]]
"""The numbers of each tag of a page that is used here."""

_MOST_PAGES = 1_000_000
_MOST_ENTRIES = 4096
_MOST_SEGMENTS = 50_000_000
_BLOCK_BYTES = 4096


class BrokenFileError(ValueError):
    """What is wrong, before the path is known."""


class PositionedFile:
    """Reads at positions, refused outside the file. Keeps the last block, since pages are small and near each other."""

    def __init__(self, handle: int, size: int) -> None:
        self.size = size
        self._handle = handle
        self._start = 0
        self._block = b""

    def read(self, offset: int, length: int, what: str) -> bytes:
        if offset < 0 or offset + length > self.size:
            raise BrokenFileError(f"is truncated: {what} lies beyond its end at {self.size} bytes")
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._block):
            self._start, begin = offset, 0
            self._block = self._read_fully(offset, max(length, _BLOCK_BYTES))
            if len(self._block) < length:
                raise BrokenFileError(f"became shorter while being read: {what} is gone")
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


def page_chain(file: PositionedFile) -> Iterator[Tags]:
    """The tags of each page in turn. Raises BrokenFileError."""
    layout, offset = _header(file)
    visited: set[int] = set()
    while offset:
        number = len(visited) + 1
        if offset in visited:
            raise BrokenFileError(f"is damaged: page {number} is an earlier page again")
        if number > _MOST_PAGES:
            raise BrokenFileError(f"is damaged: it has more than {_MOST_PAGES} pages")
        visited.add(offset)
        tags, offset = _page(file, layout, offset, number)
        yield tags


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


def _header(file: PositionedFile) -> tuple[_Layout, int]:
    start = file.read(0, min(file.size, 16), "the header")
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    if order is None or len(start) < 8:
        raise BrokenFileError(f"is no TIFF: it begins with {start[:8]!r}")
    (magic,) = struct.unpack_from(order + "H", start, 2)
    if magic == 42:
        layout = _Layout(order, big=False)
        return layout, layout.offset(start[4:8])
    if magic == 43 and len(start) == 16 and struct.unpack_from(order + "HH", start, 4) == (8, 0):
        layout = _Layout(order, big=True)
        return layout, layout.offset(start[8:16])
    raise BrokenFileError(f"is no TIFF: it begins with {start[:8]!r}")


def _page(file: PositionedFile, layout: _Layout, offset: int, number: int) -> tuple[Tags, int]:
    """The tags of a page, and the offset of the next one, 0 after the last."""
    what = f"page {number}"
    count_bytes = 8 if layout.big else 2
    count = layout.number("Q" if layout.big else "H", file.read(offset, count_bytes, what))
    if not 0 < count <= _MOST_ENTRIES:
        raise BrokenFileError(f"is damaged: {what} has {count} entries")
    length = count * layout.entry_bytes
    raw = file.read(offset + count_bytes, length + layout.offset_bytes, what)
    tags: Tags = {}
    for begin in range(0, length, layout.entry_bytes):
        tag, kind = struct.unpack_from(layout.order + "HH", raw, begin)
        if tag in _USED_TAGS:
            tags[tag] = _values(file, layout, raw[begin : begin + layout.entry_bytes], kind, what)
    return tags, layout.offset(raw[length:])


def _values(file: PositionedFile, layout: _Layout, entry: bytes, kind: int, what: str) -> tuple[int, ...]:
    code = _FIELD_CODES.get(kind)
    if code is None:
        raise BrokenFileError(f"is damaged: {what} has a size or offset of field type {kind}")
    count = layout.offset(entry[4 : 4 + layout.offset_bytes])
    if count > _MOST_SEGMENTS:
        raise BrokenFileError(f"is damaged: {what} claims {count} strips")
    held = entry[4 + layout.offset_bytes :]
    length = count * struct.calcsize(code)
    raw = held[:length] if length <= len(held) else file.read(layout.offset(held), length, f"the index of {what}")
    return struct.unpack(f"{layout.order}{count}{code}", raw)
