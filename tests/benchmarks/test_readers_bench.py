"""How fast movies are decoded, by the number of threads, into new memory and into buffers that are used again.

The files are in the system's cache: their reading from disk is not measured. A few frames are repeated to make a movie.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer, write_raw_mrc
from warpcore.services.process.threads import available_threads
from warpcore.services.readers.buffers import Allocator, BufferPool, new_buffer
from warpcore.services.readers.movies import read_header, read_movie
from warpcore.services.session.settings import ImportSettings

pytestmark = pytest.mark.bench

K3 = (4092, 5760)
PACKED = (8184, 5760)
FALCON = (4096, 4096)
RAW_FRAMES = 1000
EVENTS_PER_PIXEL = 0.015


@dataclass(frozen=True)
class Movie:
    name: str
    file: str
    write: Callable[[Path], None]
    keep_packed: bool = False


def counts(shape: tuple[int, int], mean: float, seed: int = 3) -> list[np.ndarray]:
    """Two frames of counts. Rows repeat after 512, far beyond what LZW can remember."""
    some = np.random.default_rng(seed).poisson(mean, (512, shape[1])).astype(np.uint8)
    one = np.resize(some, shape)
    return [one, one[::-1]]


def packed(shape: tuple[int, int]) -> list[np.ndarray]:
    return [low | high << 4 for low, high in zip(counts(shape, 0.25), counts(shape, 0.25, 4), strict=True)]


def write_lzw(path: Path, frames: list[np.ndarray], count: int, rows: int) -> None:
    height, width = frames[0].shape
    strips = [
        [imagecodecs.lzw_encode(frame[top : top + rows].tobytes()) for top in range(0, height, rows)]
        for frame in frames
    ]
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for index in range(count):
            writer.write(
                iter(strips[index % 2]),
                shape=(height, width),
                dtype=np.uint8,
                compression="lzw",
                rowsperstrip=rows,
                photometric="minisblack",
            )


def write_mrc(path: Path, frames: list[np.ndarray], count: int, width: int, mode: int) -> None:
    data = b"".join(frames[index % 2].tobytes() for index in range(count))
    write_raw_mrc(path, data, (width, frames[0].shape[0], count), mode)


def write_falcon(path: Path) -> None:
    random = np.random.default_rng(4)
    frames = []
    for _ in range(2):
        pixels = np.flatnonzero(random.random(FALCON[0] * FALCON[1], dtype=np.float32) < EVENTS_PER_PIXEL)
        places = random.integers(0, 4, (2, len(pixels)))
        frames.append(list(zip(pixels.tolist(), *places.tolist(), strict=True)))
    write_eer(path, [frames[index % 2] for index in range(RAW_FRAMES)], FALCON)


MOVIES = [
    Movie("K3 LZW, a strip a page, 40 frames", "a.tif", lambda path: write_lzw(path, counts(K3, 1.0), 40, K3[0])),
    Movie("K3 LZW, a strip a row, 10 frames", "b.tif", lambda path: write_lzw(path, counts(K3, 1.0), 10, 1)),
    Movie("K3 4-bit LZW, 16 frames", "c.tif", lambda path: write_lzw(path, packed(PACKED), 16, PACKED[0])),
    Movie("the same left packed", "c.tif", lambda path: None, keep_packed=True),
    Movie(
        "K3 MRC 16 bits, 10 frames",
        "d.mrc",
        lambda path: write_mrc(path, [one.astype("<u2") for one in counts(K3, 1.0)], 10, K3[1], 6),
    ),
    Movie("K3 MRC 4 bits, 10 frames", "e.mrc", lambda path: write_mrc(path, packed(PACKED), 10, 2 * PACKED[1], 101)),
    Movie("the same left packed", "e.mrc", lambda path: None, keep_packed=True),
    Movie("Falcon EER, 1000 raw frames in 40 groups", "f.eer", write_falcon),
]


def decoded(path: Path, threads: int, allocate: Allocator, keep_packed: bool) -> tuple[float, bytes]:
    """Seconds, and a checksum of each frame."""
    begin = time.perf_counter()
    raw = read_movie(path, ImportSettings(), threads=threads, allocate=allocate, keep_packed=keep_packed)
    seconds = time.perf_counter() - begin
    sums = raw.frames.reshape(len(raw.frames), -1).view(np.uint64).sum(axis=1).tobytes()
    raw.release()
    return seconds, sums


def filled_pool(nbytes: int) -> BufferPool:
    """A pool whose one buffer has all its pages already."""
    pool = BufferPool()
    buffer = pool.take(nbytes)
    buffer.data[:] = 0
    buffer.release()
    return pool


def test_rates(tmp_path: Path) -> None:
    numbers = sorted({1, 2, available_threads()})
    print(f"\n{'movie':42} {'threads':>7}  {'new memory':>16}  {'used again':>16}  raw frames/s")
    for movie in MOVIES:
        path = tmp_path / movie.file
        movie.write(path)
        header = read_header(path, ImportSettings())
        pixels = header.frames * header.height * header.width
        pool = filled_pool(pixels * header.dtype.itemsize)
        found = set()
        for threads in numbers:
            row = []
            for allocate in (new_buffer, pool.take):
                runs = [decoded(path, threads, allocate, movie.keep_packed) for _ in range(1 if threads <= 2 else 3)]
                row.append(min(seconds for seconds, _ in runs))
                found |= {sums for _, sums in runs}
            rates = "  ".join(f"{seconds:6.3f} s {pixels / seconds / 1e9:5.2f}/ns" for seconds in row)
            events = f"{RAW_FRAMES / row[-1]:12.0f}" if movie.file.endswith("eer") else ""
            print(f"{movie.name:42} {threads:7}  {rates}  {events}", flush=True)
        assert len(found) == 1, "threads or used buffers change the pixels"
    print("\n/ns: 10⁹ pixels a second")
