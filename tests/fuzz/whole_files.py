"""Whole inputs of a few hundred bytes, and files with random headers that agree with their length."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import tifffile

from tests.services.movie_files import write_dm4, write_eer, write_eer_pages, write_raw_mrc

EER_ITEMS = (
    b'<metadata><item name="exposureTime" unit="s">5.5</item><item name="totalDose">20</item>'
    b'<item name="sensorPixelSize.width" unit="m">1.5e-10</item><item name="numberOfFrames">3</item>'
    b'<item name="timestamp">2024-05-06T07:08:09+01:00</item></metadata>'
)


def bytes_of(suffix: str, write: Callable[[Path], object]) -> bytes:
    """What a function writes to the path that it is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{suffix}")
        write(path)
        return path.read_bytes()


def tiff(dtype: str = "u1", frames: int = 3, **how: Any) -> bytes:
    """A TIFF of small frames."""
    pixels = (np.arange(frames * 12 * 10).reshape(frames, 12, 10) % 7).astype(dtype)
    file = io.BytesIO()
    tifffile.imwrite(file, pixels[0] if frames == 1 else pixels, photometric="minisblack", **how)
    return file.getvalue()


def tiffs() -> list[bytes]:
    """Every compression and layout that is read, and some that are refused."""
    return [
        tiff(metadata=None, rowsperstrip=5),
        tiff("u2", compression="lzw", rowsperstrip=4),
        tiff("i2", compression="adobe_deflate", byteorder=">"),
        tiff("f4", compression="zstd", bigtiff=True, metadata=None),
        tiff("f4", frames=1, resolution=(1e8, 1e8), resolutionunit="CENTIMETER"),
        tiff("u1", predictor=True, compression="lzw", metadata=None),
        tiff("u1", tile=(16, 16), metadata=None),
        tiff("u2", imagej=True),
        tiff("f8", compression="packbits", metadata=None),
    ]


def gains() -> list[bytes]:
    """TIFFs of one image."""
    return [tiff("f4", 1), tiff("f4", 1, compression="lzw", metadata=None), tiff("u1", 1, metadata=None)]


def made_tiff(random: Random) -> bytes:
    """A TIFF or BigTIFF with random tags on random pages; some strips hold what their pages claim."""
    big, order = random.random() < 0.5, random.choice("<>")
    start = b"II" if order == "<" else b"MM"
    blob = bytearray(start + (struct.pack(f"{order}3HQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)))
    link, code = len(blob) - (8 if big else 4), "Q" if big else "I"
    for _ in range(random.choice((1, 2, 3, 20))):
        width, height = random.choice((1, 3, 8, 64, 5000)), random.choice((1, 2, 8, 64, 65535))
        bits, samples = random.choice((1, 4, 8, 8, 16, 32, 64)), random.choice((1, 1, 1, 3))
        data = random.randbytes(random.choice((1, 8, width * height * bits * samples // 8 % 9000)))
        place, rows = len(blob), random.choice((1, height, height, 0, 7))
        blob += data
        compression = random.choice((1, 1, 5, 8, 32773, 32946, 34712, 34925, 50000, 65001, random.randrange(65536)))
        tags = {256: width, 257: height, 258: bits, 259: compression, 262: 1, 273: place, 277: samples, 278: rows}
        tags |= {279: len(data), 284: random.choice((1, 2)), 317: random.choice((1, 2, 3)), 339: random.choice((1, 3))}
        if random.random() < 0.2:
            tags |= {322: 16, 323: 16, 324: place, 325: len(data)}
        for tag in random.sample(sorted(tags), random.choice((0, 0, 1, 2))):
            tags[tag] = random.choice((0, 1, 2**16 - 1, 2**32 - 1, random.randrange(2**20)))
        blob[link : link + (8 if big else 4)] = struct.pack(order + code, len(blob))
        blob += struct.pack(order + ("Q" if big else "H"), len(tags))
        for tag, value in sorted(tags.items()):
            kind, count = random.choice((3, 4, 4, 4, 4)), random.choice((1,) * 12 + (0, 2, 9))
            if kind == 3 and value > 65535:
                kind = 4
            held = struct.pack(order + {3: "H", 4: "I"}[kind], value)
            blob += struct.pack(f"{order}HH{code}", tag, kind, count) + held.ljust(8 if big else 4, b"\0")
        link = len(blob)
        blob += bytes(8 if big else 4)
    return bytes(blob)


def mrc(mode: int = 6, size: tuple[int, int, int] = (10, 8, 3), bits: int = 16, **how: Any) -> bytes:
    """An MRC whose length is that of its header."""
    row_bytes = (size[0] * bits + 7) // 8
    data = bytes(number % 7 for number in range(row_bytes * size[1] * size[2]))
    whole = bytes_of(".mrc", lambda path: write_raw_mrc(path, data, size, mode, **how))
    return whole[:212] + (b"DD" if how.get("order", "<") == "<" else b"\x11\x11") + whole[214:]


def mrcs() -> list[bytes]:
    """Every mode."""
    return [
        mrc(0, bits=8),
        mrc(0, bits=8, imod_flags=1),
        mrc(0, (10, 8, 3), 8, imod_flags=16),
        mrc(1),
        mrc(2, bits=32),
        mrc(6, order=">"),
        mrc(12, extended=128),
        mrc(101, (10, 8, 3), 4),
    ]


def mrc_images() -> list[bytes]:
    """MRCs of one image, one of them square, and a small cube."""
    return [mrc(2, (10, 12, 1), 32), mrc(0, (10, 12, 1), 8), mrc(6, (8, 8, 1)), mrc(2, (8, 8, 8), 32)]


def made_mrc(random: Random) -> bytes:
    """An MRC with a random header and as much behind it as it says."""
    mode = random.choice((0, 0, 1, 2, 6, 12, 101, 3, 4))
    bits = {0: 8, 1: 16, 2: 32, 6: 16, 12: 16, 101: 4, 3: 32, 4: 64}[mode]
    size = (random.choice((1, 7, 8, 33)), random.choice((1, 2, 8, 31)), random.choice((1, 1, 2, 5)))
    data = random.randbytes((size[0] * bits + 7) // 8 * size[1] * size[2])
    how: dict[str, Any] = {"order": random.choice("<>"), "extended": random.choice((0, 0, 1, 1024))}
    how |= {"imod_flags": random.choice((None, None, 0, 1, 16)), "pixel": random.choice((0.0, -1.0, 1.5, 1e30))}
    how["extrema"] = random.choice(((0.0, -1.0), (0.0, 200.0), (-5.0, 5.0), (float("nan"), 1.0)))
    return bytes_of(".mrc", lambda path: write_raw_mrc(path, data, size, mode, **how))


def eers() -> list[bytes]:
    """Every compression, with and without metadata."""
    events = [[(5, 1, 2), (70, 0, 3)], [(0, 0, 0)], []]
    return [
        bytes_of(".eer", lambda path: write_eer(path, events, (12, 10), metadata=EER_ITEMS)),
        bytes_of(".eer", lambda path: write_eer(path, events, (12, 10), compression=65000, skip_bits=8)),
        bytes_of(".eer", lambda path: write_eer(path, events * 4, (12, 10), compression=65002, skip_bits=6)),
    ]


def made_eer(random: Random) -> bytes:
    """An EER whose events are random bits."""
    pages = [random.randbytes(random.choice((1, 2, 7, 40))) for _ in range(random.choice((1, 2, 12)))]
    shape = random.choice(((4, 4), (12, 10), (300, 200), (4096, 4096), (65535, 65535)))
    compression, bits = random.choice((65000, 65001, 65002)), random.choice((0, 1, 4, 7, 8, 15, 40, 65535))
    return bytes_of(".eer", lambda path: write_eer_pages(path, pages, shape, compression, bits, EER_ITEMS))


def dms() -> list[bytes]:
    """Digital Micrograph 4."""
    image = np.arange(120, dtype=np.float32).reshape(12, 10) + 1
    with_thumbnail = bytes_of(".dm4", lambda path: write_dm4(path, image))
    return [with_thumbnail, bytes_of(".dm4", lambda path: write_dm4(path, image, thumbnail=False))]
