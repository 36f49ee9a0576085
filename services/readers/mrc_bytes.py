"""Whether the bytes of an MRC in mode 0 have a sign: MRC2014 says so, older programs write counts up to 255."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.raw import read_at
from warpcore.services.readers.sections import Sections
from warpcore.services.session.opening import open_file

IMOD_SIGNED_BYTES = 1
_SECTIONS, _ROWS = 16, 32
"""So many rows of so many sections, spread over the file, show which bytes there are: 2 MB of a camera of 4096 px."""
_RARE = 100
_CLEARLY = 10


def signed_by_header(imod_flags: int | None, minimum: float, maximum: float) -> bool | None:
    """What the header says: IMOD's flag where there is one, else the extrema, where they were set (IMOD's rule).

    None where it does not say.
    """
    if imod_flags is not None:
        return bool(imod_flags & IMOD_SIGNED_BYTES)
    if not minimum < maximum:
        return None
    if minimum < 0 and maximum < 128:
        return True
    return False if minimum >= 0 and maximum > 127 else None


def signed_by_pixels(seen: npt.NDArray[np.integer]) -> bool | None:
    """What a histogram [256] of bytes, taken as unsigned, says; None where it does not tell.

    Numbers with a sign go on from 0 to -1 (255) without a gap, counts from 127 to 128. A raw movie has no number below
    zero, so that a few high ones, hot pixels, are counts.
    """
    if int(seen[128:].sum()) * _RARE < int(seen.sum()):
        return False
    above, below = int(seen[1:4].sum()), int(seen[252:255].sum())  # 255 itself may be a count that was cut off
    across_zero, across_128 = min(above, below), min(int(seen[124:128].sum()), int(seen[128:132].sum()))
    if not below or across_128 > _CLEARLY * across_zero:
        return False
    return True if across_zero > _CLEARLY * across_128 else None


def sampled_bytes(path: Path, held: Sections) -> npt.NDArray[np.int64]:
    """How often each byte occurs in rows spread over a file. Raises InputError where it ends too early."""
    seen = np.zeros(256, np.int64)
    row = np.empty(held.row_bytes, np.uint8)
    with open_file(path, buffering=0) as file:
        for section in range(0, held.frames, -(-held.frames // _SECTIONS)):
            for y in range(0, held.height, -(-held.height // _ROWS)):
                offset = held.data_offset + section * held.frame_bytes + y * held.row_bytes
                read_at(file.fileno(), row.data, offset, path)
                seen += np.bincount(row, minlength=256)
    return seen
