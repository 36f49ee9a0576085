"""Small raw files of every kind, made byte by byte, for the tests of readers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import tifffile


def eer_bits(events: list[tuple[int, int, int]], pixels: int, skip_bits: int, sub_bits: int = 2) -> bytes:
    """Encode events (pixel index, sub x, sub y; each pixel once) as runs of `skip_bits` and sub-pixel positions."""
    return eer_code(np.array(sorted(events), np.int64).reshape(-1, 3), pixels, skip_bits, sub_bits)


def eer_code(events: np.ndarray, pixels: int, skip_bits: int, sub_bits: int = 2) -> bytes:
    """The same of an array [n, 3] of events in order."""
    found = np.concatenate([events, [(pixels, 0, 0)]])  # the last run ends behind the last pixel
    gaps = np.diff(found[:, 0], prepend=-1) - 1
    whole, rest = np.divmod(gaps, (1 << skip_bits) - 1)  # a run of the longest length goes on in the next code
    ends = np.cumsum(whole * skip_bits + skip_bits + 2 * sub_bits)
    bits = np.zeros(ends[-1], np.uint8)
    for first, width, values in (
        (skip_bits + 2 * sub_bits, skip_bits, rest),
        (2 * sub_bits, sub_bits, found[:, 1]),
        (sub_bits, sub_bits, found[:, 2]),
    ):
        for bit in range(width):
            bits[ends - first + bit] = values >> bit & 1
    begins = np.concatenate([[0], ends[:-1]])
    for number in np.flatnonzero(whole):
        bits[begins[number] : begins[number] + whole[number] * skip_bits] = 1
    return np.packbits(bits, bitorder="little").tobytes()


def write_eer(
    path: Path,
    frames: list[list[tuple[int, int, int]]],
    shape: tuple[int, int],
    compression: int = 65001,
    skip_bits: int = 7,
    metadata: bytes = b"",
) -> None:
    """A BigTIFF with one page of events a frame; compression 65000 (8 bits), 65001 (7 bits) or 65002 (bits in tags)."""
    encoded: dict[int, bytes] = {}
    for events in frames:
        if id(events) not in encoded:  # the same list again is the same frame again
            encoded[id(events)] = eer_bits(events, shape[0] * shape[1], skip_bits)
    write_eer_pages(path, [encoded[id(events)] for events in frames], shape, compression, skip_bits, metadata)


def write_eer_pages(
    path: Path,
    pages: list[bytes],
    shape: tuple[int, int],
    compression: int = 65001,
    skip_bits: int = 7,
    metadata: bytes = b"",
) -> None:
    """The same of events that are encoded already."""
    height, width = shape
    blob = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    link = 8
    for number, data in enumerate(pages):
        place = len(blob)
        blob += data
        tags = [(256, 3, width), (257, 3, height), (258, 3, 1), (259, 3, compression), (262, 3, 1), (273, 16, place)]
        tags += [(277, 3, 1), (278, 3, height), (279, 16, len(data))]
        if metadata and number == 0:
            tags.append((65001, 7, len(blob)))
            blob += metadata
        if compression == 65002:
            tags += [(65007, 3, skip_bits), (65008, 3, 2), (65009, 3, 2)]
        blob[link : link + 8] = struct.pack("<Q", len(blob))
        blob += struct.pack("<Q", len(tags))
        for tag, kind, value in tags:
            count = len(metadata) if tag == 65001 else 1
            blob += struct.pack("<HHQ", tag, kind, count) + struct.pack("<H6x" if kind == 3 else "<Q", value)
        link = len(blob)
        blob += bytes(8)
    path.write_bytes(bytes(blob))


def rendered(frames: list[list[tuple[int, int, int]]], shape: tuple[int, int], upsampling: int) -> np.ndarray:
    """The events as an image. Sub-pixel positions count from the pixel's middle, hence the flipped high bit."""
    height, width = shape
    image = np.zeros((height * upsampling, width * upsampling), np.int64)
    shift = {1: 2, 2: 1, 4: 0}[upsampling]
    for events in frames:
        for pixel, sub_x, sub_y in events:
            y, x = divmod(pixel, width)
            image[y * upsampling + ((sub_y ^ 2) >> shift), x * upsampling + ((sub_x ^ 2) >> shift)] += 1
    return image


def write_raw_mrc(
    path: Path,
    data: bytes,
    size: tuple[int, int, int],
    mode: int,
    *,
    order: str = "<",
    extended: int = 0,
    imod_flags: int | None = None,
    pixel: float = 1.5,
    extrema: tuple[float, float] = (0.0, -1.0),
) -> None:
    """An MRC of `size` (width, height, sections) around bytes given as they are."""
    header = bytearray(1024)
    struct.pack_into(f"{order}4i", header, 0, *size, mode)
    struct.pack_into(f"{order}3i", header, 28, *size)
    struct.pack_into(f"{order}3f", header, 40, *(n * pixel for n in size))
    struct.pack_into(f"{order}2f", header, 76, *extrema)
    struct.pack_into(f"{order}i", header, 92, extended)
    if imod_flags is not None:
        struct.pack_into(f"{order}2i", header, 152, 1146047817, imod_flags)
    header[208:212] = b"MAP "
    path.write_bytes(bytes(header) + bytes(extended) + data)


def write_dm4(path: Path, image: np.ndarray, *, thumbnail: bool = True) -> None:
    """A Digital Micrograph 4 file of float32, with the thumbnail in front that the program itself always writes."""

    def group(*entries: bytes) -> bytes:
        return struct.pack(">2BQ", 0, 0, len(entries)) + b"".join(entries)

    def folder(name: str, content: bytes) -> bytes:
        return struct.pack(">BH", 20, len(name)) + name.encode() + struct.pack(">Q", len(content)) + content

    def value(name: str, info: list[int], data: bytes) -> bytes:
        content = b"%%%%" + struct.pack(f">Q{len(info)}Q", len(info), *info) + data
        return struct.pack(">BH", 21, len(name)) + name.encode() + struct.pack(">Q", len(content)) + content

    def number(name: str, n: int) -> bytes:
        return value(name, [5], struct.pack("<I", n))

    def text(name: str, words: str) -> bytes:
        return value(name, [20, 4, len(words)], words.encode("utf-16-le"))

    def axis() -> bytes:
        scale = [value(one, [6], struct.pack("<f", 1.0)) for one in ("Origin", "Scale")]
        return folder("", group(*scale, text("Units", "nm")))

    def entry(pixels: np.ndarray, element: int, kind: int) -> bytes:
        data = folder(
            "ImageData",
            group(
                folder("Calibrations", group(folder("Dimension", group(axis(), axis())))),
                value("Data", [20, element, pixels.size], pixels.tobytes()),
                number("DataType", kind),
                folder("Dimensions", group(number("", pixels.shape[1]), number("", pixels.shape[0]))),
                number("PixelDepth", 4),
            ),
        )
        return folder("", group(data))

    images = [entry(np.zeros((2, 2), "<i4"), 3, 23)] if thumbnail else []
    images.append(entry(image.astype("<f4"), 6, 2))
    root = group(folder("ImageList", group(*images)))
    path.write_bytes(struct.pack(">IQI", 4, len(root), 1) + root + bytes(8))


def write_tiff(path: Path, frames: np.ndarray, pixel_size_angstrom: float = 1.1) -> None:
    """A TIFF movie [F, H, W] whose resolution tags tell its pixel size."""
    per_cm = 1e8 / pixel_size_angstrom
    how = {"photometric": "minisblack", "metadata": None, "resolution": (per_cm, per_cm)}
    tifffile.imwrite(path, frames, resolutionunit="CENTIMETER", **how)
