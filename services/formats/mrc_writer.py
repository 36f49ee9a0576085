"""MRC files: micrographs and stacks, the same bytes for the same pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FLOAT16_MAX = 65504.0


def write_mrc(path: Path, array: Any, pixel_size_angstrom: float, float16: bool = False) -> None:
    """Write an image [H, W] or a stack [F, H, W] as MRC2014: mode 2, or mode 12 for `float16`.

    Values outside the range of float16 are cut to it. `array` is taken slice by slice, so that a stack on a device
    needs no second copy in memory. Equal pixels give equal bytes (there is no time stamp). Raises ValueError for other
    ranks and for NaN or infinite pixels.
    """
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"an MRC holds an image or a stack, not an array of shape {array.shape}")
    slices = [array] if array.ndim == 2 else array
    height, width = array.shape[-2:]
    count = 1 if array.ndim == 2 else array.shape[0]
    low, high, total, squares = np.inf, -np.inf, 0.0, 0.0
    with path.open("wb") as file:
        file.write(bytes(1024))
        for one in slices:
            pixels = np.asarray(one, dtype=np.float32)
            if not np.isfinite(pixels).all():
                raise ValueError(f"{path}: refusing to write NaN or infinite pixels")
            if float16:
                pixels = np.clip(pixels, -FLOAT16_MAX, FLOAT16_MAX)
            low, high = min(low, float(pixels.min())), max(high, float(pixels.max()))
            total += float(pixels.sum(dtype=np.float64))
            squares += sum(float(np.square(rows, dtype=np.float64).sum()) for rows in _row_blocks(pixels))
            file.write(np.ascontiguousarray(pixels, "<f2" if float16 else "<f4").data)
        mean = total / (count * height * width)
        rms = max(0.0, squares / (count * height * width) - mean * mean) ** 0.5
        file.seek(0)
        file.write(_header(width, height, count, 12 if float16 else 2, pixel_size_angstrom, (low, high, mean, rms)))


def _row_blocks(pixels: np.ndarray[Any, Any]) -> Iterator[np.ndarray[Any, Any]]:
    """A few rows at a time, so that copies of them as float64 are small beside the frame."""
    return (pixels[start : start + 256] for start in range(0, pixels.shape[0], 256))


def _header(
    width: int, height: int, count: int, mode: int, pixel: float, statistics: tuple[float, float, float, float]
) -> bytes:
    """The header, little-endian. An image stack has space group 0 and one section a cell (MRC2014, note on stacks)."""
    low, high, mean, rms = statistics
    raw = bytearray(1024)
    struct.pack_into("<4i", raw, 0, width, height, count, mode)
    struct.pack_into("<3i", raw, 28, width, height, 1)
    struct.pack_into("<3f", raw, 40, width * pixel, height * pixel, pixel)
    struct.pack_into("<3f", raw, 52, 90.0, 90.0, 90.0)
    struct.pack_into("<3i", raw, 64, 1, 2, 3)
    struct.pack_into("<3f", raw, 76, low, high, mean)
    struct.pack_into("<i", raw, 108, 20140)
    raw[208:212] = b"MAP "
    raw[212:216] = b"\x44\x44\x00\x00"
    struct.pack_into("<f", raw, 216, rms)
    struct.pack_into("<i", raw, 220, 1)
    raw[224:304] = b"warpcore".ljust(80)
    return bytes(raw)
