"""TIFF movies: every compression and type, flipped in Y, errors in one line."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from warpcore.services.readers.movies import pixel_size_angstrom, read_header, read_movie
from warpcore.services.readers.raw import flip_y
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

PLAIN = ImportSettings()


def movie(dtype: str, shape: tuple[int, int, int] = (3, 20, 31)) -> np.ndarray:
    values = np.random.default_rng(1).integers(0, 100, shape)
    return (values / 3).astype(dtype) if dtype.startswith("f") else values.astype(dtype)


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "float32"])
def test_movie_is_read_flipped_in_y_in_its_own_type(tmp_path: Path, compression: str | None, dtype: str) -> None:
    frames = movie(dtype)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames, compression=compression, photometric="minisblack", rowsperstrip=7)
    raw = read_movie(path, PLAIN)
    assert raw.frames.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(raw.frames, frames[:, ::-1])
    header = read_header(path, PLAIN)
    assert (header.frames, header.height, header.width, header.dtype) == (3, 20, 31, np.dtype(dtype))


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "zstd"])
@pytest.mark.parametrize(
    "layout",
    [{"byteorder": ">"}, {"predictor": True}, {"tile": (16, 16)}, {"rowsperstrip": 1}, {"rowsperstrip": 20}],
    ids=str,
)
def test_every_layout_of_pages_is_read(tmp_path: Path, compression: str | None, layout: dict[str, object]) -> None:
    frames = movie("uint16", (2, 20, 31))
    if compression is None:  # a predictor belongs to a compression
        layout = {name: value for name, value in layout.items() if name != "predictor"}
    tifffile.imwrite(tmp_path / "a.tif", frames, compression=compression, photometric="minisblack", **layout)
    np.testing.assert_array_equal(read_movie(tmp_path / "a.tif", PLAIN).frames, frames[:, ::-1])


def test_deflate_by_its_old_number(tmp_path: Path) -> None:
    frames = movie("uint8")
    tifffile.imwrite(tmp_path / "a.tif", frames, compression=32946, photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages[0].compression == 32946
    np.testing.assert_array_equal(read_movie(tmp_path / "a.tif", PLAIN).frames, frames[:, ::-1])


@pytest.mark.parametrize("compression", ["lzw", "zstd", None])
def test_a_strip_that_ends_early_is_damage_and_not_old_memory(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in movie("uint8", (3, 64, 64)):
            writer.write(frame, compression=compression, photometric="minisblack", contiguous=False)
    shorter = {None: bytes(100), "lzw": imagecodecs.lzw_encode(bytes(100)), "zstd": imagecodecs.zstd_encode(bytes(100))}
    with tifffile.TiffFile(path, mode="r+") as tiff:
        page = tiff.pages[1]
        tiff.filehandle.seek(page.dataoffsets[0])
        tiff.filehandle.write(shorter[compression])
        page.tags[279].overwrite(len(shorter[compression]))
    with pytest.raises(InputError, match=r"a\.tif: .*damaged"):
        read_movie(path, PLAIN)


@pytest.mark.parametrize("rows", [1, 2, 3, 127, 128, 129, 300])
def test_flipping_is_done_in_place_for_any_height(rows: int) -> None:
    image = np.arange(rows * 3).reshape(rows, 3)
    flipped = image.copy()
    flip_y(flipped)
    np.testing.assert_array_equal(flipped, image[::-1])


@pytest.mark.parametrize(("byteorder", "bigtiff"), [(">", False), ("<", True), (">", True)])
def test_byte_orders_and_bigtiff(tmp_path: Path, byteorder: str, bigtiff: bool) -> None:
    frames = movie("uint16")
    tifffile.imwrite(tmp_path / "a.tiff", frames, byteorder=byteorder, bigtiff=bigtiff, photometric="minisblack")
    raw = read_movie(tmp_path / "a.tiff", PLAIN)
    np.testing.assert_array_equal(raw.frames, frames[:, ::-1])
    assert raw.frames.dtype.isnative


@pytest.mark.parametrize("dtype", ["float16", "int32", "uint32", "float64"])
def test_unusual_types_become_float32(tmp_path: Path, dtype: str) -> None:
    frames = movie(dtype)
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    raw = read_movie(tmp_path / "a.tif", PLAIN)
    assert raw.frames.dtype == np.float32
    np.testing.assert_array_equal(raw.frames, frames[:, ::-1].astype(np.float32))


def test_four_bit_samples_by_the_tag(tmp_path: Path) -> None:
    """TIFF's own 4-bit samples: high half first (TIFF 6.0, section 3); made from an 8-bit file by changing its tags."""
    packed = np.random.default_rng(2).integers(0, 256, (10, 16), np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, packed, photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags[256].overwrite(32)
        tiff.pages[0].tags[258].overwrite(4)
    frame = read_movie(path, PLAIN).frames[0]
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame[::-1, 0::2], packed >> 4)
    np.testing.assert_array_equal(frame[::-1, 1::2], packed & 15)


def test_packed_super_resolution_frames_are_known_by_their_size(tmp_path: Path) -> None:
    packed = np.tile(np.random.default_rng(3).integers(0, 256, (7420, 1), np.uint8), (1, 3838))
    tifffile.imwrite(tmp_path / "a.tif", packed, photometric="minisblack", compression="lzw")
    raw = read_movie(tmp_path / "a.tif", PLAIN)
    assert raw.frames.shape == (1, 7420, 7676)
    np.testing.assert_array_equal(raw.frames[0, ::-1, 0], packed[:, 0] & 15)
    np.testing.assert_array_equal(raw.frames[0, ::-1, 7675], packed[:, 0] >> 4)


def test_skipped_frames_are_left_out_and_the_first_kept_is_told(tmp_path: Path) -> None:
    frames = movie("uint8", (9, 8, 8))
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    settings = ImportSettings(skip_first=2, skip_last=3)
    raw = read_movie(tmp_path / "a.tif", settings)
    np.testing.assert_array_equal(raw.frames, frames[2:6, ::-1])
    assert (raw.first_frame, raw.frames_in_file) == (2, 9)
    assert read_header(tmp_path / "a.tif", settings).frames == 4
    with pytest.raises(InputError, match=r"9 frames, none left after import\.skip_first = 9"):
        read_movie(tmp_path / "a.tif", ImportSettings(skip_first=9))


def test_pixel_size_from_resolution_per_centimetre_only(tmp_path: Path) -> None:
    for name, resolution, unit in (("a.tif", 1e8 / 0.885, "CENTIMETER"), ("b.tif", 72, "INCH")):
        frames = movie("uint8")
        tifffile.imwrite(
            tmp_path / name, frames, resolution=(resolution,) * 2, resolutionunit=unit, photometric="minisblack"
        )
    raw = read_movie(tmp_path / "a.tif", PLAIN)
    assert raw.pixel_size_angstrom == pytest.approx(0.885, rel=1e-6)
    assert pixel_size_angstrom(raw, PLAIN) == raw.pixel_size_angstrom
    assert pixel_size_angstrom(raw, ImportSettings(pixel_size=1.1)) == 1.1
    other = read_movie(tmp_path / "b.tif", PLAIN)
    assert other.pixel_size_angstrom is None
    with pytest.raises(InputError, match=r"b\.tif: pixel size unknown: set import\.pixel_size"):
        pixel_size_angstrom(other, PLAIN)


def test_few_nonfinite_pixels_are_replaced_and_noted_many_are_refused(tmp_path: Path) -> None:
    frames = movie("float32", (2, 40, 50))
    frames[1, 3, 4], frames[1, 5, 6] = np.nan, np.inf
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    raw = read_movie(tmp_path / "a.tif", PLAIN)
    median = np.median(frames[1][np.isfinite(frames[1])])
    assert raw.frames[1, 39 - 3, 4] == raw.frames[1, 39 - 5, 6] == median
    assert raw.notes == ("2 NaN or infinite pixels replaced by their frame's median",)
    frames[0, :2] = np.nan
    tifffile.imwrite(tmp_path / "b.tif", frames, photometric="minisblack")
    with pytest.raises(InputError, match=r"b\.tif: 102 of 4000 pixels are NaN"):
        read_movie(tmp_path / "b.tif", PLAIN)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_a_tiff_truncated_anywhere_is_refused_by_name(tmp_path: Path, compression: str | None) -> None:
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, movie("uint8", (4, 64, 64)), compression=compression, photometric="minisblack")
    data = whole.read_bytes()
    for length in [1, 8, 200, *range(1000, len(data), 1501), len(data) - 200]:
        cut = tmp_path / "cut.tif"
        cut.write_bytes(data[:length])
        with pytest.raises(InputError, match=r"cut\.tif"):
            read_movie(cut, PLAIN)
        with pytest.raises(InputError, match=r"cut\.tif"):
            read_header(cut, PLAIN)


def test_damaged_compressed_data_names_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie("uint16", (3, 64, 64)), compression="zstd", photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        offset, count = tiff.pages[1].dataoffsets[0], tiff.pages[1].databytecounts[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + count] = b"\xff" * count
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.tif: frame 1 is damaged"):
        read_movie(path, PLAIN)


def test_what_is_no_tiff_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for content, reason in (
        (b"", "is empty"),
        (b"Hello, I am a text file.\n", "is no TIFF"),
        (b"II*\0\0\0\0\0", "no pages"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"a\.tif.*{reason}"):
            read_movie(path, PLAIN)


def test_frames_of_unequal_size_colour_and_unknown_extension_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(np.zeros((8, 8), np.uint8))
        writer.write(np.zeros((8, 9), np.uint8))
    with pytest.raises(InputError, match="page 1 is"):
        read_movie(tmp_path / "a.tif", PLAIN)
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(InputError, match="grey image"):
        read_movie(tmp_path / "b.tif", PLAIN)
    with pytest.raises(InputError, match="not a known movie format"):
        read_movie(tmp_path / "a.dat", PLAIN)


def test_a_circle_of_pages_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, movie("uint8", (2, 8, 8)), photometric="minisblack")
    with tifffile.TiffFile(path) as tiff:
        last = tiff.pages[1].offset
    data = bytearray(path.read_bytes())
    tags = int.from_bytes(data[last : last + 2], "little")
    data[last + 2 + 12 * tags : last + 6 + 12 * tags] = last.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(InputError, match="an earlier page again"):
        read_movie(path, PLAIN)
