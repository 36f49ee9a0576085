"""Movies of two pixels in a byte, left packed on request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer, write_raw_mrc
from warpcore.services.readers.movies import read_movie
from warpcore.services.readers.raw import RawMovie
from warpcore.services.session.settings import ImportSettings

PLAIN = ImportSettings()


def bits_of(raw: RawMovie) -> int:
    return 4 if raw.packed_width is not None else 8 * raw.frames.dtype.itemsize


def unpacked(raw: RawMovie) -> np.ndarray:
    """The pixels as the docstring of RawMovie says that they lie."""
    both = np.stack([raw.frames & 15, raw.frames >> 4], axis=-1)
    return both.reshape(*raw.frames.shape[:2], -1)[:, :, : raw.width]


@pytest.mark.parametrize("width", [8, 7, 1])
@pytest.mark.parametrize("threads", [1, 8])
def test_mode_101(tmp_path: Path, width: int, threads: int) -> None:
    row_bytes = (width + 1) // 2
    packed = np.random.default_rng(1).integers(0, 256, (5, 9, row_bytes), np.uint8)
    write_raw_mrc(tmp_path / "a.mrc", packed.tobytes(), (width, 9, 5), 101)
    settings = ImportSettings(skip_first=1)
    raw = read_movie(tmp_path / "a.mrc", settings, threads=threads, keep_packed=True)
    np.testing.assert_array_equal(raw.frames, packed[1:])
    assert (bits_of(raw), raw.height, raw.width) == (4, 9, width)
    plain = read_movie(tmp_path / "a.mrc", settings, threads=threads)
    assert (bits_of(plain), plain.height, plain.width) == (8, 9, width)
    np.testing.assert_array_equal(unpacked(raw), plain.frames)


def test_imods_packed_bytes_in_mode_0(tmp_path: Path) -> None:
    packed = np.random.default_rng(2).integers(0, 256, (2, 3, 4), np.uint8)
    write_raw_mrc(tmp_path / "a.mrc", packed.tobytes(), (4, 3, 2), 0, imod_flags=16)
    raw = read_movie(tmp_path / "a.mrc", PLAIN, keep_packed=True)
    assert (bits_of(raw), raw.height, raw.width) == (4, 3, 8)
    np.testing.assert_array_equal(unpacked(raw), read_movie(tmp_path / "a.mrc", PLAIN).frames)


@pytest.mark.parametrize("rows", [7420, 64])
def test_super_resolution_tiff_is_flipped_as_it_is_packed(tmp_path: Path, rows: int) -> None:
    packed = np.tile(np.random.default_rng(3).integers(0, 256, (7420, 2), np.uint8), (1, 1919))
    tifffile.imwrite(tmp_path / "a.tif", packed, photometric="minisblack", compression="lzw", rowsperstrip=rows)
    raw = read_movie(tmp_path / "a.tif", PLAIN, threads=8, keep_packed=True)
    np.testing.assert_array_equal(raw.frames[0], packed[::-1])
    assert (bits_of(raw), raw.height, raw.width) == (4, 7420, 7676)
    np.testing.assert_array_equal(unpacked(raw), read_movie(tmp_path / "a.tif", PLAIN, threads=8).frames)


def test_what_is_not_packed_so_is_read_as_always(tmp_path: Path) -> None:
    """Bytes of one pixel; TIFF's own 4-bit samples, whose first pixel is in the high half; EER."""
    frames = np.random.default_rng(4).integers(0, 256, (3, 10, 16), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", frames[0], photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "b.tif", mode="r+") as tiff:
        tiff.pages[0].tags[256].overwrite(32)
        tiff.pages[0].tags[258].overwrite(4)
    write_raw_mrc(tmp_path / "c.mrc", frames.astype("<u2").tobytes(), (16, 10, 3), 6)
    write_eer(tmp_path / "d.eer", [[(5, 1, 2)]] * 3, (10, 16))
    for name, bits, width in (("a.tif", 8, 16), ("b.tif", 8, 32), ("c.mrc", 16, 16), ("d.eer", 8, 16)):
        raw = read_movie(tmp_path / name, PLAIN, keep_packed=True)
        np.testing.assert_array_equal(raw.frames, read_movie(tmp_path / name, PLAIN).frames)
        assert (bits_of(raw), raw.height, raw.width) == (bits, 10, width)
