"""MRC and MRCS movies and images: frames read by threads straight into the output."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mrcfile.mrcinterpreter import MrcInterpreter

from warpcore.services.readers.mrc_bytes import sampled_bytes, signed_by_header, signed_by_pixels
from warpcore.services.readers.raw import (
    MAX_SIDE_PX,
    Decoding,
    MovieHeader,
    RawMovie,
    check_image_size,
    check_size,
    frames_in_buffer,
    kept_frames,
    nonfinite_notes,
    replace_all_nonfinite,
)
from warpcore.services.readers.sections import Sections, read_sections
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import open_file
from warpcore.services.session.settings import ImportSettings

HEADER_BYTES = 1024
IMOD_STAMP = 1146047817
IMOD_PACKED_4BIT = 16

STORED_TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", 101: "u1"}
"""numpy type of the bytes on disk by MRC mode; 101 holds two pixels a byte."""


@dataclass(frozen=True)
class MrcHeader(Sections):
    """What an MRC header says of its sections, and their pixel size, None where it has none."""

    pixel_size_angstrom: float | None


def read_mrc_movie(path: Path, settings: ImportSettings, how: Decoding) -> RawMovie:
    """Read an MRC movie, rows as they are in the file.

    Raises InputError where the file is not as long as its header says, or where the mode is unknown.
    """
    header = parse_mrc_header(path)
    kept = kept_frames(path, header.frames, settings)
    keep_packed = how.keep_packed and header.packed
    width = header.row_bytes if keep_packed else header.width
    with frames_in_buffer(how.allocate, len(kept), header.height, width, header.dtype) as (frames, buffer):
        read_sections(path, header, kept.start, frames, how.threads, unpack=header.packed and not keep_packed)
        bad = replace_all_nonfinite(frames, how.threads) if header.dtype.kind == "f" else 0
        notes = nonfinite_notes(path, bad, frames.size)
    return RawMovie(
        frames=frames,
        pixel_size_angstrom=header.pixel_size_angstrom,
        path=path,
        first_frame=kept.start,
        frames_in_file=header.frames,
        notes=notes,
        packed_width=header.width if keep_packed else None,
        buffer=buffer,
    )


def read_mrc_header(path: Path, settings: ImportSettings) -> MovieHeader:
    """What `read_mrc_movie` would return, from the header alone."""
    header = parse_mrc_header(path)
    kept = kept_frames(path, header.frames, settings)
    return MovieHeader(len(kept), header.height, header.width, header.dtype, header.pixel_size_angstrom)


def read_mrc_image(path: Path) -> npt.NDArray[np.generic]:
    """The one section [H, W] of an MRC (a gain, a defect map), with its non-finite pixels. Raises InputError."""
    header = parse_mrc_header(path)
    check_image_size(path, header.frames, header.height, header.width)
    image = np.empty((header.height, header.width), header.dtype)
    read_sections(path, header, 0, image[None], 1, unpack=header.packed)
    return image


def read_mrc_whole(path: Path) -> tuple[npt.NDArray[np.generic], float]:
    """The array that an MRC of results or templates holds, and its pixel size in Å, 0 without one.

    Raises OSError, ValueError.
    """
    parse_mrc_header(path)  # mrcfile believes a header that is longer than the file
    with open_file(path) as opened:
        file = MrcInterpreter(opened)
        return np.asarray(file.data), float(file.voxel_size.x)


def parse_mrc_header(path: Path) -> MrcHeader:
    """Read and check an MRC header (MRC2014 with IMOD's flags).

    Raises InputError, also where the file is longer or shorter than its header says.
    """
    with open_file(path) as file:
        raw = file.read(HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise InputError(f"{path}: is empty (0 bytes)")
    if len(raw) < HEADER_BYTES:
        raise InputError(f"{path}: not an MRC, {size} bytes are less than its header of {HEADER_BYTES}")
    order = _byte_order(path, raw)
    width, height, sections, mode = struct.unpack_from(f"{order}4i", raw, 0)
    (cell_width,) = struct.unpack_from(f"{order}f", raw, 40)
    (intervals,) = struct.unpack_from(f"{order}i", raw, 28)
    (extended_bytes,) = struct.unpack_from(f"{order}i", raw, 92)
    stamp, flags = struct.unpack_from(f"{order}2i", raw, 152)
    flags = flags if stamp == IMOD_STAMP else None
    if mode not in STORED_TYPES:
        raise InputError(f"{path}: MRC mode {mode} is not supported; use 0, 1, 2, 6, 12 or 101")
    packed = mode == 101 or (mode == 0 and flags is not None and bool(flags & IMOD_PACKED_4BIT))
    if packed and mode == 0:
        width *= 2
    check_size(path, sections, height, width)
    stored = np.dtype(np.uint8 if packed else order + STORED_TYPES[mode])
    pixel_size = cell_width / intervals if intervals > 0 and cell_width > 0 else None
    header = MrcHeader(sections, height, width, stored, packed, HEADER_BYTES + extended_bytes, pixel_size)
    expected = header.data_offset + sections * header.frame_bytes
    if extended_bytes < 0 or size != expected:
        what = "truncated or still being written" if size < expected else "longer than its header says"
        stated = f"{sections} sections of {width} × {height} px in mode {mode}"
        raise InputError(f"{path}: {what}: {size} bytes, but {stated} make {expected}")
    if mode == 0 and not packed and not _are_signed(path, header, flags, *struct.unpack_from(f"{order}2f", raw, 76)):
        return replace(header, stored=np.dtype(np.uint8))
    return header


def _are_signed(path: Path, header: MrcHeader, flags: int | None, minimum: float, maximum: float) -> bool:
    """Whether bytes have a sign, by the header or, where that does not say, by the pixels. Raises InputError."""
    told = signed_by_header(flags, minimum, maximum)
    if told is None:
        told = signed_by_pixels(sampled_bytes(path, header))
    if told is None:
        raise InputError(
            f"{path}: nothing says whether its bytes are signed or counts up to 255, and its pixels could be either; "
            "write it in mode 1 or 6, or set minimum and maximum in its header (IMOD: alterheader -mmm)"
        )
    return told


def _byte_order(path: Path, raw: bytes) -> str:
    """The byte order in which size and mode are small numbers; machine stamps are often wrong."""
    for order in "<>":
        width, height, _, mode = struct.unpack_from(f"{order}4i", raw, 0)
        if 0 <= mode <= 255 and 0 <= width <= MAX_SIDE_PX and 0 <= height <= MAX_SIDE_PX:
            return order
    raise InputError(f"{path}: not an MRC, its header holds no possible size and mode")
