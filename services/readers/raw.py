"""A raw movie in memory, and what the readers of all formats share."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

MAX_SIDE_PX = 65_536
MAX_FRAMES = 1_000_000
"""A header with larger numbers is corrupt; no memory is allocated for it."""

MAX_NONFINITE_FRACTION = 0.01
"""A movie with a larger share of NaN or infinite pixels is refused; fewer are replaced."""

_ALIGNMENT_BYTES = 64


@dataclass(frozen=True)
class MovieHeader:
    """What `read_movie` would return, without pixels: frames that are kept, their size in px, their type, Å per px.

    `pixel_size_angstrom` is None where the file does not say it.
    """

    frames: int
    height: int
    width: int
    dtype: np.dtype[np.generic]
    pixel_size_angstrom: float | None


@dataclass(frozen=True)
class RawMovie:
    """A decoded movie: `frames` are [F, H, W], row 0 first as in an MRC, in the file's own integer type or float32.

    `pixel_size_angstrom` is the header's, for these frames (upsampled EER: the finer pixel); None where it has none.
    `first_frame` is the index of frames[0] in the file, `frames_in_file` the number before skipping; for EER both count
    fractions. `raw_frames_per_frame` is more than 1 only for EER. `dose_factor` times `import.dose_per_frame` is the
    dose of one of these frames. `notes` are one-line remarks for the movie's story.
    """

    frames: npt.NDArray[np.generic]
    pixel_size_angstrom: float | None
    path: Path
    first_frame: int = 0
    frames_in_file: int = 0
    raw_frames_per_frame: int = 1
    dose_factor: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def is_eer(self) -> bool:
        """Whether the file is an EER."""
        return self.path.suffix.lower() == ".eer"


def empty_frames(frames: int, height: int, width: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Zeros [frames, height, width] that begin at a multiple of 64 bytes, so that JAX uses them without a copy."""
    size = frames * height * width * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT_BYTES, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT_BYTES
    return memory[first : first + size].view(dtype).reshape(frames, height, width)


def kept_frames(path: Path, count: int, settings: ImportSettings) -> range:
    """Indices of the frames that stay after `skip_first` and `skip_last`. Raises InputError where none does."""
    kept = range(settings.skip_first, count - settings.skip_last)
    if not kept:
        raise InputError(
            f"{path}: {count} frames, none left after import.skip_first = {settings.skip_first} "
            f"and import.skip_last = {settings.skip_last}"
        )
    return kept


def check_size(path: Path, frames: int, height: int, width: int) -> None:
    """Refuse sizes that no camera makes, before memory is allocated. Raises InputError."""
    if not (0 < frames <= MAX_FRAMES and 0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX):
        raise InputError(f"{path}: impossible size of {frames} frames of {width} × {height} px; the file is corrupt")


def decoding_pool(threads: int, frames: int) -> ThreadPoolExecutor:
    """Threads that decode one frame at a time: at most one for each four frames, so that they need little memory."""
    return ThreadPoolExecutor(max(1, min(threads, frames // 4)))


def read_at(descriptor: int, buffer: memoryview, offset: int, path: Path) -> None:
    """Fill `buffer` from `offset` of a file; safe from many threads, since the file's position does not move.

    Raises InputError where the file ends too early.
    """
    done = 0
    while done < len(buffer):
        count = os.preadv(descriptor, [buffer[done:]], offset + done)
        if count == 0:
            raise InputError(f"{path}: truncated, it ends at byte {offset + done}; copy it again")
        done += count


def replace_nonfinite(frame: npt.NDArray[np.generic]) -> int:
    """Replace NaN and infinite pixels of a frame [H, W] in place by the median of the others; returns their number."""
    finite = np.isfinite(frame)
    bad = int(frame.size - np.count_nonzero(finite))
    if bad:
        frame[~finite] = np.median(frame[finite]) if bad < frame.size else 0
    return bad


def nonfinite_notes(path: Path, bad: int, pixels: int) -> tuple[str, ...]:
    """The note on `bad` replaced pixels out of `pixels`. Raises InputError where they are more than 1 %."""
    if bad > MAX_NONFINITE_FRACTION * pixels:
        raise InputError(f"{path}: {bad} of {pixels} pixels are NaN or infinite, more than 1 %; the file is corrupt")
    return (f"{bad} NaN or infinite pixels replaced by their frame's median",) if bad else ()
