"""The chain of pages of a TIFF or BigTIFF (TIFF 6.0): sizes and places, read without decoding any pixel.

A header may lie, and a sparse file may claim any length: what is read of it has a bound.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES, SAMPLE_FORMAT = 256, 257, 258, 259, 277, 339
_DESCRIPTION = 270
_NUMBER_TAGS = {WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES, SAMPLE_FORMAT}
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
_INDEX_TAGS = {_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS}
_FIELD_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""TIFF field types that can hold a count, a size or an offset."""
_FIELD_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}

Index = npt.NDArray[np.uint64]
"""Offsets or numbers of bytes of the strips or tiles of a page."""

_MOST_PAGES = 1_000_000
_MOST_ENTRIES = 4096
_MOST_NUMBERS = 64
"""Numbers of one tag that is no index: a page has one bit depth for each of its samples."""
_MOST_SEGMENTS = 65_536
"""Strips or tiles of a page: one for each of the most rows that an image may have."""
_MOST_METADATA_BYTES = 128 * 2**20
"""Tags of all pages together. 1 000 frames of 5 760 rows, each row a strip with two 8-byte numbers, have 92 MB."""
_BLOCK_BYTES = 4096
_LONGEST_DESCRIPTION = 65_536


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

    def read_some(self, offset: int, length: int) -> bytes:
        """As many of these bytes as the file has, past the kept block."""
        return self._read_fully(offset, min(length, self.size - offset)) if offset < self.size else b""

    def _read_fully(self, offset: int, length: int) -> bytes:
        pieces = []
        while length > 0:
            piece = os.pread(self._handle, length, offset)
            if not piece:
                break
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return b"".join(pieces)


@dataclass(slots=True)
class Page:
    """A page: the numbers of each tag that is used here, and where its strips or tiles lie.

    `counts` is None where the file does not say how long they are. `metadata_bytes` is what all tags occupy.
    `description` is that of the first page; the others' is not read.
    """

    numbers: dict[int, tuple[int, ...]] = field(default_factory=dict)
    offsets: Index | None = None
    counts: Index | None = None
    metadata_bytes: int = 0
    description: str = ""


def page_chain(file: PositionedFile) -> Iterator[Page]:
    """Each page in turn. Raises BrokenFileError, also where the tags are longer than those of any movie."""
    layout, offset = _header(file)
    metadata_bytes = 0
    visited: set[int] = set()
    while offset:
        number = len(visited) + 1
        if offset in visited:
            raise BrokenFileError(f"is damaged: page {number} is an earlier page again")
        if number > _MOST_PAGES:
            raise BrokenFileError(f"is damaged: it has more than {_MOST_PAGES} pages")
        visited.add(offset)
        page, offset = _page(file, layout, offset, number)
        metadata_bytes += page.metadata_bytes
        if metadata_bytes > _MOST_METADATA_BYTES:
            raise BrokenFileError(f"is damaged: the tags of its first {number} pages claim {metadata_bytes} bytes")
        yield page


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers are stored: the byte order, and the sizes of classic TIFF or BigTIFF."""

    order: Literal["<", ">"]
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
    orders: dict[bytes, Literal["<", ">"]] = {b"II": "<", b"MM": ">"}
    order = orders.get(start[:2])
    if order is None or len(start) < 8:
        raise BrokenFileError("is no TIFF: it does not begin as one")
    (magic,) = struct.unpack_from(order + "H", start, 2)
    if magic == 42:
        layout = _Layout(order, big=False)
        return layout, layout.offset(start[4:8])
    if magic == 43 and len(start) == 16 and struct.unpack_from(order + "HH", start, 4) == (8, 0):
        layout = _Layout(order, big=True)
        return layout, layout.offset(start[8:16])
    raise BrokenFileError("is no TIFF: it does not begin as one")


def _page(file: PositionedFile, layout: _Layout, offset: int, number: int) -> tuple[Page, int]:
    """A page, and the offset of the next one, 0 after the last."""
    what = f"page {number}"
    count_bytes = 8 if layout.big else 2
    count = layout.number("Q" if layout.big else "H", file.read(offset, count_bytes, what))
    if not 0 < count <= _MOST_ENTRIES:
        raise BrokenFileError(f"is damaged: {what} has {count} entries")
    length = count * layout.entry_bytes
    raw = file.read(offset + count_bytes, length + layout.offset_bytes, what)
    page = Page(metadata_bytes=length)
    index: dict[int, Index] = {}
    for begin in range(0, length, layout.entry_bytes):
        tag, kind = struct.unpack_from(layout.order + "HH", raw, begin)
        entry = raw[begin : begin + layout.entry_bytes]
        values_bytes = layout.offset(entry[4 : 4 + layout.offset_bytes]) * _FIELD_BYTES.get(kind, 1)
        page.metadata_bytes += values_bytes
        if page.metadata_bytes > _MOST_METADATA_BYTES:
            raise BrokenFileError(f"is damaged: {what} claims {values_bytes} bytes for its tag {tag}")
        if tag in _NUMBER_TAGS:
            values = _values(file, layout, entry, kind, what, most=_MOST_NUMBERS)
            if len(values):  # a tag without a value counts as not there
                page.numbers[tag] = tuple(int(value) for value in values)
        elif tag == _DESCRIPTION and number == 1:
            page.description = _text(file, layout, entry)
        elif tag in _INDEX_TAGS:
            index[tag] = _values(file, layout, entry, kind, what, most=_MOST_SEGMENTS)
    for offsets, counts in ((_STRIP_OFFSETS, _STRIP_COUNTS), (_TILE_OFFSETS, _TILE_COUNTS)):
        page.offsets, page.counts = index.get(offsets, page.offsets), index.get(counts, page.counts)
    return page, layout.offset(raw[length:])


def _text(file: PositionedFile, layout: _Layout, entry: bytes) -> str:
    """The beginning of a text; "" where it lies outside the file: pixels may be whole without it."""
    length = layout.offset(entry[4 : 4 + layout.offset_bytes])
    held = entry[4 + layout.offset_bytes :]
    if length > len(held):
        held = file.read_some(layout.offset(held), min(length, _LONGEST_DESCRIPTION))
    return held[:length].partition(b"\0")[0].decode("utf-8", "replace")


def _values(file: PositionedFile, layout: _Layout, entry: bytes, kind: int, what: str, *, most: int) -> Index:
    code = _FIELD_CODES.get(kind)
    if code is None:
        raise BrokenFileError(f"is damaged: {what} has a size or offset of field type {kind}")
    count = layout.offset(entry[4 : 4 + layout.offset_bytes])
    if count > most:
        raise BrokenFileError(f"is damaged: {what} claims {count} strips or numbers in one tag")
    held = entry[4 + layout.offset_bytes :]
    stored = np.dtype(code).newbyteorder(layout.order)
    length = count * stored.itemsize
    raw = held[:length] if length <= len(held) else file.read(layout.offset(held), length, f"the index of {what}")
    return np.frombuffer(raw, stored).astype(np.uint64)


def outside(size: int, offsets: Index, counts: Index) -> bool:
    """Whether one of the segments is empty or does not lie inside a file of `size` bytes."""
    # Neither side can overflow: an offset beyond the end is found first.
    beyond = (offsets == 0) | (counts == 0) | (offsets > size)
    return bool(beyond.any() or (counts > np.uint64(size) - offsets).any())
