"""Peak memory of reading: the decoded stack and little more."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer, write_raw_mrc
from warpcore.services.movies.readers import read_movie
from warpcore.services.movies.settings import ImportSettings

FRAMES, SIDE = 24, 256


@pytest.mark.parametrize(
    "kind", ["lzw.tif", "plain.tif", "float.tif", "int.mrc", "half.mrc", "packed.mrc", "events.eer"]
)
def test_peak_is_at_most_a_quarter_above_the_stack(tmp_path: Path, kind: str) -> None:
    """Measured: 1.00 to 1.15 of the stack, most for LZW (two threads, each with a frame or its half in hand)."""
    random = np.random.default_rng(9)
    frames = random.poisson(1.5, (FRAMES, SIDE, SIDE)).astype(np.uint8)
    path, size = tmp_path / kind, (SIDE, SIDE, FRAMES)
    settings = ImportSettings(eer_groups=None)
    if kind.endswith(".tif"):
        pixels = frames.astype(np.float32) if kind == "float.tif" else frames
        compression = "lzw" if kind == "lzw.tif" else None
        tifffile.imwrite(path, pixels, compression=compression, photometric="minisblack")
    elif kind == "int.mrc":
        write_raw_mrc(path, frames.astype("<u2").tobytes(), size, 6)
    elif kind == "half.mrc":
        write_raw_mrc(path, frames.astype("<f2").tobytes(), size, 12)
    elif kind == "packed.mrc":
        write_raw_mrc(path, frames[:, :, ::2].tobytes(), size, 101)
    else:
        pixels = random.choice(SIDE * SIDE, 800, replace=False)
        write_eer(path, [[(int(pixel), 0, 0) for pixel in pixels]] * FRAMES, (SIDE, SIDE))
    read_movie(path, settings)
    tracemalloc.start()
    try:
        raw = read_movie(path, settings, threads=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert raw.frames.shape == (FRAMES, SIDE, SIDE)
    assert peak <= 1.25 * raw.frames.nbytes
