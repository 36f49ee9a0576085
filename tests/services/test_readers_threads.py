"""The same pixels from any number of threads, of files whose frames are decoded in several pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import rendered, write_eer, write_raw_mrc
from warpcore.services.readers.movies import read_movie
from warpcore.services.readers.raw import PIECE_BYTES
from warpcore.services.session.settings import ImportSettings

FRAMES, HEIGHT, WIDTH = 4, 2201, 2000  # 1.05 pieces of bytes, and the memory for 3 threads


def movie() -> np.ndarray:
    one = np.random.default_rng(8).poisson(1.2, (HEIGHT, WIDTH)).astype(np.uint8)
    return np.stack([np.roll(one, 37 * index, 0) for index in range(FRAMES)])


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        ("uint8", {"compression": "lzw", "rowsperstrip": HEIGHT}),
        ("uint8", {"compression": "lzw", "rowsperstrip": 7}),
        ("uint8", {"compression": "zstd", "rowsperstrip": 1}),
        ("uint8", {"rowsperstrip": 100}),
        ("uint16", {"compression": "adobe_deflate", "rowsperstrip": 64}),
        ("uint16", {"byteorder": ">"}),
        ("float32", {"compression": "lzw", "rowsperstrip": 300}),
        ("float16", {}),
        ("uint8", {"tile": (256, 256)}),
    ],
    ids=str,
)
def test_tiff(tmp_path: Path, dtype: str, options: dict[str, object]) -> None:
    frames = movie().astype(dtype)
    assert frames[0].nbytes > PIECE_BYTES
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack", **options)
    for threads in (1, 8):
        raw = read_movie(tmp_path / "a.tif", ImportSettings(), threads=threads)
        np.testing.assert_array_equal(raw.frames, frames[:, ::-1])


def test_strips_in_any_order(tmp_path: Path) -> None:
    """Strips need not follow each other: here those of each page change places, and other data lies between them."""
    frames = movie()
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames, photometric="minisblack", rowsperstrip=1101)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for page in tiff.pages:
            (first, second), counts = page.dataoffsets, page.databytecounts
            end = tiff.filehandle.seek(0, 2)
            for place, number in ((end + 5_000_000, 0), (end, 1)):
                tiff.filehandle.seek((first, second)[number])
                strip = tiff.filehandle.read(counts[number])
                tiff.filehandle.seek(place)
                tiff.filehandle.write(strip)
            page.tags[273].overwrite((end + 5_000_000, end))
    for threads in (1, 8):
        np.testing.assert_array_equal(read_movie(path, ImportSettings(), threads=threads).frames, frames[:, ::-1])


@pytest.mark.parametrize(("mode", "stored"), [(0, "i1"), (1, ">i2"), (2, "<f4"), (6, "<u2"), (12, "<f2"), (12, ">f2")])
def test_mrc(tmp_path: Path, mode: int, stored: str) -> None:
    frames = movie().astype(stored)
    order = ">" if stored[0] == ">" else "<"
    write_raw_mrc(tmp_path / "a.mrc", frames.tobytes(), (WIDTH, HEIGHT, FRAMES), mode, order=order)
    for threads in (1, 8):
        raw = read_movie(tmp_path / "a.mrc", ImportSettings(), threads=threads)
        np.testing.assert_array_equal(raw.frames, frames)


def test_eer(tmp_path: Path) -> None:
    """13 raw frames a group: threads add to each in pieces of 5. 8 threads for 3 groups meet at the same frame."""
    shape, random = (40, 50), np.random.default_rng(12)
    events = [[(int(pixel), 2, 2) for pixel in random.choice(2000, 300, replace=False)] for _ in range(39)]
    write_eer(tmp_path / "a.eer", events, shape)
    expected = [rendered(events[first : first + 13], shape, 1) for first in (0, 13, 26)]
    for threads in (1, 8):
        raw = read_movie(tmp_path / "a.eer", ImportSettings(eer_groups=3), threads=threads)
        np.testing.assert_array_equal(raw.frames, expected)
