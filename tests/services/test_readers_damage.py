"""Damaged files of every format end in a movie or in an InputError, never in anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer, write_raw_mrc
from warpcore.services.readers.movies import read_header, read_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings


def whole(path: Path, random: np.random.Generator) -> bytes:
    frames = random.integers(0, 9, (3, 24, 20)).astype(np.uint16)
    if path.suffix == ".mrc":
        write_raw_mrc(path, frames.tobytes(), (20, 24, 3), 6)
    elif path.suffix == ".eer":
        write_eer(path, [[(5, 1, 2), (70, 0, 3)]] * 3, (24, 20))
    else:
        compression = {"l": "lzw", "z": "zstd", "d": "adobe_deflate"}.get(path.stem)
        tifffile.imwrite(path, frames, compression=compression, photometric="minisblack", rowsperstrip=8)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["plain.tif", "l.tif", "z.tif", "d.tif", "a.mrc", "a.eer"])
def test_bytes_changed_at_random(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    random = np.random.default_rng(10)
    data = whole(path, random)
    refused: list[str] = []
    for _ in range(60):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 6)):
            damaged[place] = random.integers(0, 256)
        # Most damage is done to headers: half of it goes there.
        if random.random() < 0.5:
            damaged[random.integers(0, min(250, len(data)))] = random.integers(0, 256)
        path.write_bytes(damaged)
        for read in (read_header, read_movie):
            try:
                read(path, ImportSettings())
            except InputError as error:
                refused.append(str(error))
    assert refused
    assert all(str(path) in text and "\n" not in text for text in refused)
