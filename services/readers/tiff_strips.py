"""The pixels of TIFF pages, decoded by threads in pieces of some strips straight into the output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from warpcore.services.readers.raw import (
    Scratch,
    damage_named,
    decoding_pool,
    flip_y,
    read_at,
    row_blocks,
    unpack_4bit,
)
from warpcore.services.session.errors import InputError

_DECODERS: dict[int, Callable[..., Any] | None] = {
    1: None,
    5: imagecodecs.lzw_decode,
    8: imagecodecs.zlib_decode,
    32946: imagecodecs.zlib_decode,
    50000: imagecodecs.zstd_decode,
}
"""Decoders by TIFF's compression number: none, LZW, deflate (new and old number), ZSTD."""


_Strip = tuple[int, int]
"""Offset and number of bytes in the file."""


@dataclass(frozen=True)
class _Piece:
    """Rows of a page; `strips` hold them, None: tifffile decodes the whole page."""

    page: Any
    number: int
    rows: range
    out: npt.NDArray[Any]
    strips: list[_Strip] | None

    @property
    def is_packed(self) -> bool:
        """Whether the page's bytes hold two pixels each that are to be unpacked."""
        return bool(self.out.shape[1] != self.page.shape[1])

    @property
    def held_bytes(self) -> int:
        """Memory that decoding needs beside the output."""
        if self.strips is None:
            return max(int(self.page.nbytes), self.out.nbytes)
        unpacking = len(self.rows) * int(self.page.shape[1]) if self.is_packed else 0
        return _span(self.strips)[1] + unpacking


def decode_pages(
    path: Path, pages: Sequence[Any], first: int, out: npt.NDArray[Any], threads: int, *, flip: bool = True
) -> None:
    """Decode tifffile's `pages` into `out` [F, H, W], flipped in Y unless told otherwise; `first` is pages[0]'s number.

    Where `out` is twice as wide as 8-bit pages, these hold two pixels a byte. Raises InputError for damaged pages.
    """
    pieces = [piece for index, page in enumerate(pages) for piece in _pieces(page, first + index, out[index], path)]
    scratch = Scratch()
    held = max((piece.held_bytes for piece in pieces), default=0)
    with decoding_pool(threads, out.nbytes, held) as pool:
        for _ in pool.map(lambda piece: _decode(path, piece, flip, scratch), pieces):
            pass


def _pieces(page: Any, number: int, out: npt.NDArray[Any], path: Path) -> list[_Piece]:
    with damage_named(path, f"frame {number} is "):
        height, width = page.shape
        packed = out.shape[1] != width
        strips = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        if not _has_usual_strips(page, strips, np.dtype(np.uint8) if packed else out.dtype):
            return [_Piece(page, number, range(height), out, None)]
        rows = page.rowsperstrip
        return [
            _Piece(page, number, block, out, strips[block.start // rows : -(-block.stop // rows)])
            for block in row_blocks(height, out.strides[0], min(rows, height))
        ]


def _has_usual_strips(page: Any, strips: list[_Strip], dtype: np.dtype[Any]) -> bool:
    """Whether the strips are whole rows in a known compression, in the output's own type."""
    plain = page.predictor == 1 and page.fillorder == 1 and page.bitspersample == 8 * dtype.itemsize
    native = dtype.itemsize == 1 or page.parent.byteorder == ("<" if sys.byteorder == "little" else ">")
    return (
        page.dtype == dtype
        and page.compression in _DECODERS
        and plain
        and native
        and not page.is_tiled
        and page.rowsperstrip > 0
        and len(strips) == -(-page.shape[0] // page.rowsperstrip)
        and (0, 0) not in strips
    )


def _decode(path: Path, piece: _Piece, flip: bool, scratch: Scratch) -> None:
    rows = piece.rows
    height, width = piece.page.shape
    top = height - rows.stop if flip else rows.start
    block = piece.out[top : top + len(rows)]
    with damage_named(path, f"frame {piece.number} is "):
        stored = np.empty((len(rows), width), np.uint8) if piece.is_packed else block
        if piece.strips is not None:
            _decode_strips(path, piece, stored, piece.strips, scratch)
        elif piece.page.dtype == stored.dtype:
            piece.page.asarray(out=stored, maxworkers=1)
        else:
            stored[...] = piece.page.asarray(maxworkers=1)
        if piece.is_packed:
            unpack_4bit(stored[::-1] if flip else stored, block)
        elif flip:
            flip_y(block)


def _decode_strips(path: Path, piece: _Piece, out: npt.NDArray[Any], strips: list[_Strip], scratch: Scratch) -> None:
    decode = _DECODERS[piece.page.compression]
    descriptor = piece.page.parent.filehandle.fileno()
    bytes_out = out.reshape(-1).view(np.uint8)
    strip_bytes = int(piece.page.rowsperstrip) * out.strides[0]
    # Some writers round the length of a strip up: then the next one begins behind what is no pixels.
    if decode is None and all(count == strip_bytes == b - a for (a, count), (b, _) in pairwise(strips)):
        strips, strip_bytes = [(strips[0][0], sum(count for _, count in strips))], out.nbytes
    stored = None if decode is None else _read_compressed(path, descriptor, strips, scratch)
    for number, (offset, count) in enumerate(strips):
        target = bytes_out[number * strip_bytes : (number + 1) * strip_bytes]
        if decode is None or stored is None:
            found = min(count, target.size)
            read_at(descriptor, target.data[:found], offset, path)
        else:
            found = len(decode(stored[number], out=target))
        if found != target.size:
            raise InputError(f"{path}: damaged, a strip holds {found} of {target.size} bytes; copy it again")


def _read_compressed(
    path: Path, descriptor: int, strips: list[_Strip], scratch: Scratch
) -> list[npt.NDArray[np.uint8]]:
    """The bytes of strips, by one call where they lie beside each other: there may be a strip for each row."""
    begin, length = _span(strips)
    stored = scratch.take(length)
    if begin is not None:
        read_at(descriptor, stored.data, begin, path)
        return [stored[offset - begin : offset - begin + count] for offset, count in strips]
    found, end = [], 0
    for offset, count in strips:
        read_at(descriptor, stored.data[end : end + count], offset, path)
        found.append(stored[end : end + count])
        end += count
    return found


def _span(strips: list[_Strip]) -> tuple[int | None, int]:
    """Where strips that lie close together begin, else None; and how many bytes are read for all of them."""
    total = sum(count for _, count in strips)
    begin = min(offset for offset, _ in strips)
    length = max(offset + count for offset, count in strips) - begin
    return (begin, length) if length <= 2 * total else (None, total)
