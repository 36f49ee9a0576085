"""A raw movie in memory, and what the readers of all formats share."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.buffers import Allocator, Buffer, new_buffer
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

MAX_SIDE_PX = 65_536
MAX_FRAMES = 1_000_000
"""A header with larger numbers is corrupt; no memory is allocated for it."""
MAX_IMAGE_PX = 2**28
"""Pixels of one image that is read whole: an EER gain at the finest upsampling. No camera has more."""

MAX_NONFINITE_FRACTION = 0.01
"""A movie with a larger share of NaN or infinite pixels is refused; fewer are replaced."""

_FLIPPED_ROWS = 64

PIECE_BYTES = 4 * 2**20
"""Threads decode a frame in pieces of about so many bytes: cores share the last frames, and Python's part is small."""


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

    Of a movie with two pixels in each byte, `frames` may be left packed, [F, H, (W + 1) // 2], the first pixel in the
    low four bits; `packed_width` is then W. `buffer` holds the memory of `frames`.
    """

    frames: npt.NDArray[np.generic]
    pixel_size_angstrom: float | None
    path: Path
    first_frame: int = 0
    frames_in_file: int = 0
    raw_frames_per_frame: int = 1
    dose_factor: float = 1.0
    notes: tuple[str, ...] = ()
    packed_width: int | None = None
    buffer: Buffer | None = None

    @property
    def height(self) -> int:
        """Rows of a frame, px."""
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        """Columns of a frame, px, also where two of them share a byte."""
        return int(self.frames.shape[2]) if self.packed_width is None else self.packed_width

    def release(self) -> None:
        """Let the memory of `frames` be used for another movie, where it comes from a pool; else do nothing.

        Only once no transfer reads it; `frames` must not be read any more.
        """
        if self.buffer is not None:
            self.buffer.release()

    @property
    def is_eer(self) -> bool:
        """Whether the file is an EER."""
        return self.path.suffix.lower() == ".eer"


@dataclass(frozen=True)
class Decoding:
    """How a movie is decoded: by how many threads, into whose memory, and whether packed pixels are left packed."""

    threads: int = 1
    allocate: Allocator = new_buffer
    keep_packed: bool = False


@contextmanager
def frames_in_buffer(
    allocate: Allocator, frames: int, height: int, width: int, dtype: npt.DTypeLike
) -> Iterator[tuple[npt.NDArray[Any], Buffer]]:
    """Frames [F, H, W] in an allocated buffer, to be filled; an error inside releases the buffer."""
    buffer = allocate(frames * height * width * np.dtype(dtype).itemsize)
    try:
        yield buffer.data.view(dtype).reshape(frames, height, width), buffer
    except BaseException:
        buffer.release()
        raise


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


def check_image_size(path: Path, frames: int, height: int, width: int) -> None:
    """Refuse a movie where one image belongs, and an image that is larger than any camera's. Raises InputError."""
    if frames != 1:
        raise InputError(f"{path}: holds {frames} frames, so it is a movie; give a file of one image")
    if height * width > MAX_IMAGE_PX:
        raise InputError(f"{path}: {width} × {height} px; no camera makes so large an image")


def decoding_pool(threads: int, stack_bytes: int, held_bytes: int) -> ThreadPoolExecutor:
    """As many of `threads` as hold, with `held_bytes` each, at most a fifth of the decoded stack; at least one.

    The process then stays below a quarter more than the stack: threads also need memory of their own.
    """
    return ThreadPoolExecutor(max(1, min(threads, stack_bytes // (5 * max(1, held_bytes)))))


def row_blocks(height: int, row_bytes: int, multiple: int = 1) -> list[range]:
    """Rows of a frame in blocks of about PIECE_BYTES, each but the last a multiple of so many rows."""
    rows = max(1, PIECE_BYTES // (row_bytes * multiple)) * multiple
    return [range(top, min(top + rows, height)) for top in range(0, height, rows)]


class Scratch(threading.local):
    """Memory of each thread for what it reads before decoding.

    It is kept from piece to piece: threads that ask the system for memory wait for each other.
    """

    def __init__(self) -> None:
        self._memory: npt.NDArray[np.uint8] = np.empty(0, np.uint8)

    def take(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """So many bytes with any content; what was taken before is overwritten."""
        if len(self._memory) < nbytes:
            self._memory = np.empty(nbytes, np.uint8)
        return self._memory[:nbytes]


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


def replace_all_nonfinite(frames: npt.NDArray[Any], threads: int) -> int:
    """Replace NaN and infinite pixels of frames [F, H, W] of floats in place, see `replace_nonfinite`."""
    with decoding_pool(threads, frames.nbytes, frames[0].nbytes) as pool:
        return sum(pool.map(replace_nonfinite, frames))


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


def flip_y(image: npt.NDArray[np.generic]) -> None:
    """Turn an image [H, W] upside down in place, with a copy of a few rows at a time."""
    height = len(image)
    for top in range(0, height // 2, _FLIPPED_ROWS):
        rows = min(_FLIPPED_ROWS, height // 2 - top)
        upper, lower = image[top : top + rows], image[height - top - rows : height - top]
        kept = upper.copy()
        upper[...] = lower[::-1]
        lower[...] = kept[::-1]


def unpack_4bit(packed: npt.NDArray[np.uint8], out: npt.NDArray[Any]) -> None:
    """Unpack two pixels a byte, the first in the low four bits: `packed` [H, (W+1)//2] into `out` [H, W]."""
    np.bitwise_and(packed, 15, out=out[:, 0::2])
    np.right_shift(packed[:, : out.shape[1] // 2], 4, out=out[:, 1::2])


@contextmanager
def damage_named(path: Path, where: str = "") -> Iterator[None]:
    """Turn any exception that a library raises for damaged data into an InputError that names the file.

    MemoryError and OSError pass unchanged.
    """
    try:
        yield
    except (InputError, MemoryError, OSError):
        raise
    except Exception as error:  # noqa: BLE001  tags and codecs fail in ways that nobody documents
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path}: {where}damaged, it cannot be decoded ({reason})") from None
