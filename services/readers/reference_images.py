"""Tells reference images (gains, darks, defect maps) from movies: by name, and by what their pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.raw import RawMovie
from warpcore.services.session.image_names import reference_word

_GAIN_MEANS = (0.8, 1.25)
"""A gain multiplies counts by one on average."""
_ENOUGH_PX = 2**24
"""So many pixels, of a whole image or of rows of it, show what an image is."""


def holds_counts(frame: npt.NDArray[Any]) -> bool:
    """Whether a frame can be counts of a camera: integers, or floats that are whole numbers and not all the same."""
    if frame.dtype.kind in "iub":
        return True
    finite = frame[np.isfinite(frame)]
    return bool(finite.size and np.array_equal(finite, np.rint(finite)) and finite.min() < finite.max())


def is_like_a_gain(frame: npt.NDArray[Any]) -> bool:
    """Whether an image has the values of a gain: no counts, and a mean of about 1. Of a large one some rows decide."""
    frame = frame[:: max(1, frame.size // _ENOUGH_PX)]
    finite = frame[np.isfinite(frame)]
    low, high = _GAIN_MEANS
    return bool(finite.size and not holds_counts(frame) and low <= finite.mean(dtype=np.float64) <= high)


def fault_as_raw(movie: RawMovie) -> str:
    """Why a movie's pixels are no raw counts, which alone show a gain's pattern; "" where they are."""
    if movie.is_eer or movie.frames_in_file > 1:
        return ""
    if word := reference_word(movie.path.name):
        return f"one frame, and {word!r} in its name: it looks like a reference"
    if not holds_counts(movie.frames[0]):
        return "one frame of floats is no raw movie, more likely a gain or an average"
    return ""
