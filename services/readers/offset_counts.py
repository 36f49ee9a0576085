"""16-bit counts that a program without unsigned numbers stored less 32 768: they are counts again once read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from warpcore.services.readers.raw import RawMovie, decoding_pool
from warpcore.services.session.errors import InputError

OFFSET = 32_768
_MOST_SAMPLES = 2**16
_SURELY_BELOW = -OFFSET // 2
_LEAST_OF_COUNTS = -1000
"""Counts less a dark image scatter about zero; none lie so far below."""


def with_offset_added(movie: RawMovie, threads: int) -> RawMovie:
    """The movie with 32 768 added where its int16 frames lack that, as uint16 in the same memory, and with a note.

    Raises InputError where frames lie below zero otherwise: a gain would make another image of them.
    """
    frames = movie.frames
    if frames.dtype != np.int16:
        return movie
    first = frames[0].reshape(-1)
    middle = float(np.median(first[:: max(1, first.size // _MOST_SAMPLES)]))
    if middle >= _LEAST_OF_COUNTS:
        return movie
    if middle >= _SURELY_BELOW:
        raise InputError(
            f"{movie.path}: its pixels are about {middle:.0f}, which counts cannot be; write it with unsigned 16-bit "
            "pixels that begin at zero"
        )
    counts = frames.view(np.uint16)
    with decoding_pool(threads, counts.nbytes, 0) as pool:
        for _ in pool.map(_add_offset, counts):
            pass
    return replace(movie, frames=counts, notes=(*movie.notes, f"counts were stored less {OFFSET}, which was added"))


def _add_offset(counts: np.ndarray) -> None:
    """In place; in 16 bits without a sign this is the highest bit."""
    np.bitwise_xor(counts, OFFSET, out=counts)
