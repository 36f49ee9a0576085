"""EER movies (Thermo Fisher): electron events rendered into frames by summing groups of raw frames."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt

from warpcore.services.readers.raw import (
    Decoding,
    MovieHeader,
    RawMovie,
    Scratch,
    check_size,
    damage_named,
    decoding_pool,
    frames_in_buffer,
    kept_frames,
    read_at,
)
from warpcore.services.readers.tiff import open_tiff
from warpcore.services.readers.tiff_chain import COMPRESSION, LENGTH, WIDTH, Page, outside
from warpcore.services.session.errors import InputError
from warpcore.services.session.fractions import fractionation
from warpcore.services.session.opening import open_file
from warpcore.services.session.settings import ImportSettings

COMPRESSIONS = (65000, 65001, 65002)
SUPER_RESOLUTION = {1: 0, 2: 1, 4: 2}

_MOST_SKIP_BITS = 14
"""Of a run length; the decoder takes no longer ones."""
_PIECE_RAW_FRAMES = 5
"""A thread adds so many raw frames to a frame before it takes others, so that cores share the last ones."""


@dataclass(frozen=True)
class _RawFrames:
    """Where in the file the events of each raw frame lie, and how they are coded."""

    segments: list[list[tuple[int, int]]]
    height: int
    width: int
    skip_bits: int
    horizontal_bits: int
    vertical_bits: int
    pixel_size_angstrom: float | None


def read_eer_movie(path: Path, settings: ImportSettings, how: Decoding) -> RawMovie:
    """Render an EER movie, rows as they are in the file. Raises InputError where the file is not a whole EER."""
    raw = _raw_frames(path)
    plan = fractionation(len(raw.segments), settings)
    kept = kept_frames(path, plan.groups, settings)
    upsampling = settings.eer_upsampling
    height, width = raw.height * upsampling, raw.width * upsampling
    with frames_in_buffer(how.allocate, len(kept), height, width, _sum_type(plan.size)) as (frames, buffer):
        _render(path, raw, kept.start * plan.size, plan.size, frames, how.threads, is_zero=buffer.is_zero)
    notes = (f"{plan.unused} of {len(raw.segments)} raw frames at the end left out",) if plan.unused else ()
    return RawMovie(
        frames=frames,
        pixel_size_angstrom=_rendered_pixel_size(raw, upsampling),
        path=path,
        first_frame=kept.start,
        frames_in_file=plan.groups,
        raw_frames_per_frame=plan.size,
        dose_factor=float(plan.size) if settings.eer_dose_per_group is not None else 1.0,
        notes=notes,
        buffer=buffer,
    )


def read_eer_header(path: Path, settings: ImportSettings) -> MovieHeader:
    """What `read_eer_movie` would return, from the page headers alone."""
    raw = _raw_frames(path)
    plan = fractionation(len(raw.segments), settings)
    kept = kept_frames(path, plan.groups, settings)
    upsampling = settings.eer_upsampling
    return MovieHeader(
        frames=len(kept),
        height=raw.height * upsampling,
        width=raw.width * upsampling,
        dtype=np.dtype(_sum_type(plan.size)),
        pixel_size_angstrom=_rendered_pixel_size(raw, upsampling),
    )


def _sum_type(group_size: int) -> type[np.unsignedinteger[Any]]:
    """A pixel has at most one event a raw frame, so a group's sum is at most its size."""
    return np.uint8 if group_size <= 255 else np.uint16


def _rendered_pixel_size(raw: _RawFrames, upsampling: int) -> float | None:
    return None if raw.pixel_size_angstrom is None else raw.pixel_size_angstrom / upsampling


def _raw_frames(path: Path) -> _RawFrames:
    """Where the raw frames lie. Of a thousand pages, the library that reads all their tags sees the first alone."""
    with open_tiff(path) as (tiff, pages):
        numbers = [n for n, page in enumerate(pages) if page.numbers.get(COMPRESSION, (1,))[0] in COMPRESSIONS]
        if not numbers:  # others: an integrated image
            raise InputError(f"{path}: a TIFF without EER frames; is it a movie of another format, named .eer?")
        with damage_named(path):
            first = tiff.pages[numbers[0]]
            skip, horizontal, vertical = _code_bits(first)
            pixel_size = _header_pixel_size_angstrom(first)
            height, width = first.shape
            check_size(path, len(numbers), height, width)
            size = path.stat().st_size
            segments = []
            for index, page in enumerate(pages[number] for number in numbers):
                shape = (*page.numbers[LENGTH], *page.numbers[WIDTH])
                if shape != (height, width) or page.numbers[COMPRESSION] != (first.compression,):
                    raise InputError(f"{path}: frame {index} is {shape}, frame 0 is {first.shape}")
                segments.append(_segments(path, page, index, size))
            _check_codes(path, segments, height * width, skip)
    return _RawFrames(segments, height, width, skip, horizontal, vertical, pixel_size)


def _segments(path: Path, page: Page, index: int, size: int) -> list[tuple[int, int]]:
    """Offsets and lengths of the pieces of a raw frame in a file of `size` bytes."""
    if page.offsets is None or page.counts is None or not len(page.offsets) or len(page.offsets) != len(page.counts):
        raise InputError(f"{path}: damaged, frame {index} does not say where its events lie; copy it again")
    if outside(size, page.offsets, page.counts):
        raise InputError(f"{path}: truncated EER, frame {index} lies beyond the end; copy it again")
    if int(page.counts.sum()) > size:
        raise InputError(f"{path}: damaged, frame {index} claims more bytes than the file has; copy it again")
    return list(zip(page.offsets.tolist(), page.counts.tolist(), strict=True))


def _check_codes(path: Path, segments: list[list[tuple[int, int]]], frame_px: int, skip_bits: int) -> None:
    """Refuse frames with more pixels than their codes can tell of, before memory is allocated. Raises InputError.

    A code of n bits stands for at most 2^n - 1 pixels, and the codes of a frame reach its last pixel (Thermo Fisher's
    format of EER files). All frames count together, and twice as many pixels pass, for writers that end a little early.
    """
    if not 0 < skip_bits <= _MOST_SKIP_BITS:
        raise InputError(f"{path}: damaged, run lengths of {skip_bits} bits; at most {_MOST_SKIP_BITS} can be read")
    stored_bytes = sum(count for pieces in segments for _, count in pieces)
    most_px = 8 * stored_bytes // skip_bits * ((1 << skip_bits) - 1)
    if len(segments) * frame_px > 2 * most_px:
        claim = f"{len(segments)} frames of {frame_px} pixels in {stored_bytes} bytes of events"
        raise InputError(f"{path}: damaged, it claims {claim}; copy it again")


def _code_bits(page: Any) -> tuple[int, int, int]:
    """Bits of the run length and of the sub-pixel position in x and y, from the compression or tags 65007 to 65009."""
    if page.compression == 65002:
        tags = page.tags
        return int(tags.valueof(65007, 7)), int(tags.valueof(65008, 2)), int(tags.valueof(65009, 2))
    return (7, 2, 2) if page.compression == 65001 else (8, 2, 2)


def _header_pixel_size_angstrom(page: Any) -> float | None:
    """The pixel size in the acquisition metadata (there in metres); None where it is missing."""
    metadata = page.eer_tags or {}
    metres = metadata.get("sensorPixelSize.width")
    return float(metres) * 1e10 if isinstance(metres, (int, float)) and metres > 0 else None


def _render(
    path: Path, raw: _RawFrames, first: int, size: int, frames: npt.NDArray[Any], threads: int, *, is_zero: bool
) -> None:
    """Add `size` raw frames to each of `frames` [F, H, W], beginning with raw frame `first`.

    Threads take a few raw frames of each frame in turn. Those that meet at one frame wait for each other; the order of
    adding changes nothing, since counts are integers.
    """
    scratch = Scratch()
    locks = [threading.Lock() for _ in frames]
    blank = [not is_zero for _ in frames]
    super_resolution = SUPER_RESOLUTION[frames.shape[1] // raw.height]
    with open_file(path, buffering=0) as file:

        def add(index: int, begin: int) -> None:
            with locks[index]:
                if blank[index]:
                    frames[index] = 0
                    blank[index] = False
                for number in range(
                    first + index * size + begin, first + index * size + min(begin + _PIECE_RAW_FRAMES, size)
                ):
                    _add_events(file.fileno(), path, raw, number, super_resolution, frames[index], scratch)

        pieces = [(index, begin) for begin in range(0, size, _PIECE_RAW_FRAMES) for index in range(len(frames))]
        held = max(sum(count for _, count in segments) for segments in raw.segments)
        with decoding_pool(min(threads, len(frames)), frames.nbytes, held) as pool:
            for _ in pool.map(lambda piece: add(*piece), pieces):
                pass


def _add_events(
    descriptor: int,
    path: Path,
    raw: _RawFrames,
    number: int,
    super_resolution: int,
    out: npt.NDArray[Any],
    scratch: Scratch,
) -> None:
    with damage_named(path, f"raw frame {number} is "):
        pieces = raw.segments[number]
        size = sum(count for _, count in pieces)
        data: Any = scratch.take(size + size % 2)  # the decoder takes whole 16-bit words
        data[size:] = 0
        start = 0
        for offset, count in pieces:
            read_at(descriptor, data.data[start : start + count], offset, path)
            start += count
        imagecodecs.eer_decode(
            data,
            out.shape,
            raw.skip_bits,
            raw.horizontal_bits,
            raw.vertical_bits,
            superres=super_resolution,
            out=out,
        )
