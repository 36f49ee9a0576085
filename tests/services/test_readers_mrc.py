"""MRC movies: modes, byte orders, extended headers, sizes that disagree; and MRC files written."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from tests.services.movie_files import write_raw_mrc
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.readers.movies import read_header, read_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

PLAIN = ImportSettings()
RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("mode", "stored"), [(0, "u1"), (1, "i2"), (2, "f4"), (6, "u2"), (12, "f2")])
@pytest.mark.parametrize("extended", [0, 2048])
def test_modes_are_read_as_they_lie(tmp_path: Path, mode: int, stored: str, order: str, extended: int) -> None:
    frames = RANDOM.integers(0, 100, (3, 6, 7)).astype(order + stored)
    write_raw_mrc(tmp_path / "a.mrcs", frames.tobytes(), (7, 6, 3), mode, order=order, extended=extended)
    raw = read_movie(tmp_path / "a.mrcs", PLAIN)
    np.testing.assert_array_equal(raw.frames, frames)
    assert raw.frames.dtype == (np.float32 if stored[0] == "f" else np.dtype(stored))
    assert raw.pixel_size_angstrom == pytest.approx(1.5)
    header = read_header(tmp_path / "a.mrcs", PLAIN)
    assert (header.frames, header.height, header.width, header.dtype) == (3, 6, 7, raw.frames.dtype)


SIZE = (64, 48, 3)


def written(path: Path, counts: np.ndarray, **options: Any) -> np.ndarray:
    """Frames read of an MRC in mode 0 that holds the low bytes of these counts."""
    write_raw_mrc(path, counts.astype(np.uint8).tobytes(), SIZE, 0, **options)
    return read_movie(path, PLAIN).frames


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({"imod_flags": 0}, np.uint8),
        ({"imod_flags": 1}, np.int8),
        ({"imod_flags": 1, "extrema": (0, 255)}, np.int8),
        ({"extrema": (0, 255)}, np.uint8),
        ({"extrema": (-128, 127)}, np.int8),
    ],
)
def test_bytes_are_signed_or_not_by_imods_flag_or_the_extrema(
    tmp_path: Path, options: dict[str, Any], dtype: type
) -> None:
    counts = RANDOM.integers(0, 256, SIZE[::-1])
    frames = written(tmp_path / "a.mrc", counts, **options)
    assert frames.dtype == dtype
    np.testing.assert_array_equal(frames, counts.astype(np.uint8).view(dtype))


@pytest.mark.parametrize("extrema", [(0, -1), (0, 0)])
@pytest.mark.parametrize("mean", [0.05, 3.0, 30.0, 100.0, 150.0])
def test_counts_up_to_255_without_statistics_are_counts(
    tmp_path: Path, mean: float, extrema: tuple[float, float]
) -> None:
    """Poisson counts of any mean, cut off at 255, with hot pixels anywhere above 127."""
    random = np.random.default_rng(4)
    counts = np.minimum(random.poisson(mean, SIZE[::-1]), 255)
    hot = random.integers(0, counts.size, 12)
    counts.reshape(-1)[hot] = random.integers(128, 256, 12)
    np.testing.assert_array_equal(written(tmp_path / "a.mrc", counts, extrema=extrema), counts)


@pytest.mark.parametrize("mean", [-5.0, 0.0, 5.0])
def test_numbers_about_zero_without_statistics_are_signed(tmp_path: Path, mean: float) -> None:
    numbers = np.rint(RANDOM.normal(mean, 6, SIZE[::-1])).astype(int)
    np.testing.assert_array_equal(written(tmp_path / "a.mrc", numbers), numbers)


@pytest.mark.parametrize("low", [0, 240])
def test_bytes_that_could_be_either_are_refused_with_what_to_do(tmp_path: Path, low: int) -> None:
    with pytest.raises(InputError, match=r"a\.mrc: nothing says whether its bytes are signed .*alterheader -mmm"):
        written(tmp_path / "a.mrc", RANDOM.integers(low, 256, SIZE[::-1]))


@pytest.mark.parametrize("width", [8, 7])
def test_mode_101_holds_two_pixels_a_byte_low_half_first(tmp_path: Path, width: int) -> None:
    pixels = RANDOM.integers(0, 16, (2, 3, 8)).astype(np.uint8)
    packed = (pixels[..., 0::2] | pixels[..., 1::2] << 4).tobytes()
    write_raw_mrc(tmp_path / "a.mrc", packed, (width, 3, 2), 101)
    np.testing.assert_array_equal(read_movie(tmp_path / "a.mrc", PLAIN).frames, pixels[..., :width])


def test_imods_packed_bytes_in_mode_0(tmp_path: Path) -> None:
    pixels = RANDOM.integers(0, 16, (2, 3, 8)).astype(np.uint8)
    packed = (pixels[..., 0::2] | pixels[..., 1::2] << 4).tobytes()
    write_raw_mrc(tmp_path / "a.mrc", packed, (4, 3, 2), 0, imod_flags=16)
    np.testing.assert_array_equal(read_movie(tmp_path / "a.mrc", PLAIN).frames, pixels)


def test_skipped_frames(tmp_path: Path) -> None:
    frames = RANDOM.integers(0, 9, (6, 4, 4)).astype("<i2")
    write_raw_mrc(tmp_path / "a.mrc", frames.tobytes(), (4, 4, 6), 1)
    raw = read_movie(tmp_path / "a.mrc", ImportSettings(skip_first=1, skip_last=2))
    np.testing.assert_array_equal(raw.frames, frames[1:4])
    assert (raw.first_frame, raw.frames_in_file) == (1, 6)


def test_float_files_with_nan(tmp_path: Path) -> None:
    frames = RANDOM.normal(size=(2, 30, 30)).astype("<f2")
    frames[1, 2, 3] = np.inf
    write_raw_mrc(tmp_path / "a.mrc", frames.tobytes(), (30, 30, 2), 12)
    raw = read_movie(tmp_path / "a.mrc", PLAIN)
    assert np.isfinite(raw.frames).all()
    assert "1 NaN or infinite" in raw.notes[0]
    frames[0] = np.nan
    write_raw_mrc(tmp_path / "b.mrc", frames.tobytes(), (30, 30, 2), 12)
    with pytest.raises(InputError, match=r"b\.mrc: 901 of 1800"):
        read_movie(tmp_path / "b.mrc", PLAIN)


def test_longer_and_shorter_files_and_other_content_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    data = bytes(4 * 4 * 2 * 3)
    for bad, reason in ((data + b"x", "longer than its header says"), (data[:-1], "truncated or still being written")):
        write_raw_mrc(path, bad, (4, 4, 3), 1)
        for read in (read_movie, read_header):
            with pytest.raises(InputError, match=rf"a\.mrc: {reason}"):
                read(path, PLAIN)
    for content, reason in (
        (b"", "is empty"),
        (b"text", "not an MRC"),
        (b"\xaa" * 4096, "not an MRC"),
        (bytes(2048), "impossible size"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"a\.mrc: {reason}"):
            read_movie(path, PLAIN)
    write_raw_mrc(path, data, (4, 4, 3), 4)
    with pytest.raises(InputError, match="mode 4 is not supported"):
        read_movie(path, PLAIN)


def test_real_falcon_image(shared_data: Path) -> None:
    path = shared_data / "falcon_micrograph.mrc"
    raw = read_movie(path, PLAIN)
    with mrcfile.mmap(path, permissive=True) as file:
        np.testing.assert_array_equal(raw.frames[0], file.data)
    assert raw.frames.dtype == np.uint16
    assert raw.pixel_size_angstrom == pytest.approx(0.6666, abs=1e-3)


@pytest.mark.parametrize("shape", [(5, 8), (3, 5, 8)])
@pytest.mark.parametrize("float16", [False, True])
def test_written_mrc_is_valid_and_equal_each_time(tmp_path: Path, shape: tuple[int, ...], float16: bool) -> None:
    array = RANDOM.normal(size=shape).astype(np.float16).astype(np.float32)
    path = tmp_path / "a.mrc"
    write_mrc(path, array, 1.25, float16)
    first = path.read_bytes()
    write_mrc(tmp_path / "b.mrc", array, 1.25, float16)
    assert (tmp_path / "b.mrc").read_bytes() == first
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mrcfile.validate(path)
    with mrcfile.open(path) as file:
        np.testing.assert_array_equal(file.data, array)
        assert int(file.header.mode) == (12 if float16 else 2)
        assert float(file.voxel_size.x) == pytest.approx(1.25)
        assert float(file.header.dmean) == pytest.approx(array.mean(), abs=1e-6)
        assert float(file.header.rms) == pytest.approx(array.std(), rel=1e-4)
    np.testing.assert_array_equal(read_movie(path, PLAIN).frames.reshape(shape), array)


def test_nothing_but_finite_images_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NaN"):
        write_mrc(tmp_path / "a.mrc", np.array([[1, np.nan]]), 1.0)
    with pytest.raises(ValueError, match="shape"):
        write_mrc(tmp_path / "a.mrc", np.zeros(3), 1.0)
    write_mrc(tmp_path / "a.mrc", np.array([[1e9, -1e9]]), 1.0, float16=True)
    assert np.isfinite(read_movie(tmp_path / "a.mrc", PLAIN).frames).all()
