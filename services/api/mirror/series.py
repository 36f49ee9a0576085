"""Columns of many movies as one binary answer, small and fast to read: see docs/rest.md for its layout."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warpcore.services.api.mirror.catalogue import ID, Kind, MovieColumn
from warpcore.services.api.mirror.mirror import Copied

MEDIA_TYPE = "application/vnd.warpcore.series"
MAGIC = b"WCS1"
MISSING = -(2**31)
"""A number that was not measured."""

_ALIGNMENT = 8
_LARGEST = 2**31 - 1


def encode_series(copied: Copied, columns: Sequence[MovieColumn], since: int | None = None) -> bytes:
    """The binary series of these columns: of all movies, or of those that have changed after `since`.

    `since` must belong to the epoch of `copied`. Where the mirror no longer knows what has changed since, all are told.
    """
    full = since is None or since < copied.reset_seq
    rows = slice(None) if full else np.flatnonzero(copied.changed_seq > (since or 0))
    ids = copied.ids[rows]
    body, described = bytearray(), []
    for column in (ID, *(one for one in columns if one is not ID)):
        values, told = _encoded(copied, column, rows)
        body += bytes(-len(body) % _ALIGNMENT)
        described.append({"name": column.name, "kind": column.kind, "offset": len(body), "bytes": len(values), **told})
        body += values
    header = {"seq": copied.seq, "epoch": copied.epoch, "full": full, "count": len(ids), "total": len(copied.ids)}
    return _head({**header, "columns": described}) + bytes(body)


def quantised(values: NDArray[np.float64], digits: int) -> NDArray[np.int32]:
    """Values in units of their last digit; `MISSING` for NaN, and the largest number for what does not fit 32 bits."""
    whole = np.clip(np.rint(values * 10.0**digits), -_LARGEST, _LARGEST)
    return np.where(np.isnan(whole), MISSING, whole).astype("<i4")


def _encoded(copied: Copied, column: MovieColumn, rows: slice | NDArray[np.intp]) -> tuple[bytes, dict[str, Any]]:
    """A column's bytes, and what a reader must know of them."""
    match column.kind:
        case Kind.TEXT:
            names = np.array(copied.names, dtype=object)[rows]
            return "\n".join(name.replace("\n", "\N{REPLACEMENT CHARACTER}") for name in names).encode(), {}
        case Kind.WORD:
            return _words(copied.codes[column.source][rows], copied.words[column.source])
        case Kind.U32:
            return copied.numbers[column.source][rows].astype("<u4").tobytes(), {}
        case Kind.NUMBER:
            whole = quantised(copied.numbers[column.source][rows] * column.factor, column.digits)
            # Byte by byte: the upper bytes of neighbours are alike, and alike bytes beside each other compress well.
            planes = whole.view(np.uint8).reshape(-1, 4).T
            return planes.tobytes(), {"digits": column.digits}


def _words(codes: NDArray[np.int32], words: list[str]) -> tuple[bytes, dict[str, Any]]:
    """Places in the list of words; the largest place stands for no word."""
    width = 1 if len(words) < 0xFF else 2
    none = 0xFF if width == 1 else 0xFFFF
    places = np.where((codes < 0) | (codes >= none), none, codes).astype(f"<u{width}")
    return places.tobytes(), {"width": width, "words": words[:none]}


def _head(header: dict[str, Any]) -> bytes:
    """Magic, length of the header, header, so that the body begins at a multiple of 8 bytes."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % _ALIGNMENT)
    return MAGIC + struct.pack("<I", len(text)) + text
