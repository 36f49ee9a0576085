"""Files whose frames lie otherwise than their tags say: read as they are meant, or refused with the reason."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_raw_mrc
from warpcore.services.readers.containers import ContainerError, check_container
from warpcore.services.readers.movies import read_header, read_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings, parse_settings
from warpcore.services.worker.local import process_files

PLAIN = ImportSettings()
RANDOM = np.random.default_rng(3)
ONE_BYTE, TWO_BYTES, FOUR_BYTES, TEXT = 1, 3, 4, 2


def write_page(
    path: Path,
    frames: np.ndarray,
    description: str,
    *,
    order: str = ">",
    stored_frames: int | None = None,
    count: int | None = None,
) -> None:
    """A TIFF of one page at the beginning, with the bytes of all frames behind it, as ImageJ writes large stacks."""
    height, width = frames.shape[1:]
    text = description.encode() + b"\0"
    tags = [(256, FOUR_BYTES, width), (257, FOUR_BYTES, height), (258, TWO_BYTES, 8 * frames.itemsize)]
    tags += [(259, TWO_BYTES, 1), (262, TWO_BYTES, 1), (270, TEXT, None), (273, FOUR_BYTES, None)]
    tags += [(277, TWO_BYTES, 1), (278, TWO_BYTES, height), (279, FOUR_BYTES, count or frames[0].nbytes)]
    tags += [(339, TWO_BYTES, {"u": 1, "i": 2, "f": 3}[frames.dtype.kind])]
    text_at = 8 + 2 + 12 * len(tags) + 4
    places = {270: text_at, 273: text_at + len(text)}
    blob = struct.pack(f"{order}2sHIH", b"MM" if order == ">" else b"II", 42, 8, len(tags))
    for tag, kind, value in tags:
        number = places.get(tag, value)
        values = 1 if tag != 270 else len(text)
        form = f"{order}HHIH2x" if kind == TWO_BYTES else f"{order}HHII"
        blob += struct.pack(form, tag, kind, values, number)
    blob += bytes(4) + text
    stored = frames.astype(frames.dtype.newbyteorder(order))[:stored_frames]
    path.write_bytes(blob + stored.tobytes())


def imagej(frames: int) -> str:
    return f"ImageJ=1.54f\nimages={frames}\nslices={frames}\nhyperstack=true\nunit=nm\n"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
def test_a_page_that_holds_all_frames_of_an_imagej_stack(tmp_path: Path, dtype: str, order: str) -> None:
    path = tmp_path / "a.tif"
    frames = RANDOM.integers(0, 100, (5, 20, 31)).astype(dtype)
    write_page(path, frames, imagej(5), order=order)
    raw = read_movie(path, PLAIN)
    np.testing.assert_array_equal(raw.frames, frames[:, ::-1])
    assert raw.frames.dtype == np.dtype(dtype)
    assert check_container(path).frames == read_header(path, PLAIN).frames == 5
    later = read_movie(path, ImportSettings(skip_first=2, skip_last=1))
    np.testing.assert_array_equal(later.frames, frames[2:4, ::-1])
    assert (later.first_frame, later.frames_in_file) == (2, 5)


def test_a_page_that_holds_all_frames_of_tifffile(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    frames = RANDOM.integers(0, 100, (4, 20, 31)).astype(np.uint16)
    with tifffile.TiffWriter(path, shaped=True) as writer:
        writer.write(frames, photometric="minisblack", truncate=True)
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 1
    np.testing.assert_array_equal(read_movie(path, PLAIN).frames, frames[:, ::-1])


def test_stacks_of_several_pages_are_read_page_by_page(tmp_path: Path) -> None:
    frames = RANDOM.integers(0, 100, (4, 20, 31)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True)
    np.testing.assert_array_equal(read_movie(tmp_path / "a.tif", PLAIN).frames, frames[:, ::-1])


def refused(path: Path) -> str:
    """What both the discoverer and the reader say of a file."""
    with pytest.raises(ContainerError) as raised:
        check_container(path)
    with pytest.raises(InputError) as again:
        read_movie(path, PLAIN)
    assert raised.value.reason in str(again.value)
    return raised.value.reason


def test_a_page_whose_description_and_bytes_do_not_agree_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    frames = RANDOM.integers(0, 100, (5, 300, 301)).astype(np.uint8)
    write_page(path, frames, imagej(5), stored_frames=3)
    assert refused(path) == "is truncated: it says that it holds 5 frames, and has bytes for 3"
    write_page(path, frames, "", count=frames.nbytes)
    assert refused(path).startswith("has one page, with bytes for 5 frames, and no tag says so; save a page")
    write_page(path, frames, "")
    assert refused(path).startswith(f"has one page, and behind it {4 * 300 * 301} bytes that no page names")
    tifffile.imwrite(path, frames[0], compression="zlib", description=imagej(5), metadata=None)
    assert refused(path).startswith("says that it holds 5 frames, in one page of strips or compressed")
    write_page(path, frames[:1], "")
    assert check_container(path).frames == 1


def padded_strips(path: Path, frame: np.ndarray, rows: int, multiple: int, order: str) -> None:
    """A TIFF whose strips begin at, and are said to have, multiples of some bytes."""
    tifffile.imwrite(path, frame, rowsperstrip=rows, photometric="minisblack", metadata=None, byteorder=order)
    strips = list(range(0, len(frame), rows))
    with path.open("r+b") as file:
        begin = -(-path.stat().st_size // multiple) * multiple
        offsets, counts = [], []
        for top in strips:
            data = frame[top : top + rows].astype(frame.dtype.newbyteorder(order)).tobytes()
            room = -(-len(data) // multiple) * multiple
            file.seek(begin)
            file.write(data + b"\x7f" * (room - len(data)))
            offsets.append(begin)
            counts.append(room)
            begin += room
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags[273].overwrite(offsets)
        tiff.pages[0].tags[279].overwrite(counts)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("rows", "multiple"), [(7, 512), (16, 4096), (48, 4096), (1, 64)])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_strips_whose_lengths_are_rounded_up(tmp_path: Path, dtype: str, rows: int, multiple: int, order: str) -> None:
    frame = RANDOM.integers(0, 100, (48, 31)).astype(dtype)
    padded_strips(tmp_path / "a.tif", frame, rows, multiple, order)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert all(count % multiple == 0 for count in tiff.pages[0].databytecounts)
        assert all(a < b for a, b in pairwise([0, *tiff.pages[0].dataoffsets]))
    np.testing.assert_array_equal(read_movie(tmp_path / "a.tif", PLAIN).frames[0], frame[::-1])


# --- counts less 32 768 --------------------------------------------------------------------------------------------


def as_files(folder: Path, numbers: np.ndarray) -> Iterator[Path]:
    """int16 frames as TIFF and MRC."""
    tifffile.imwrite(folder / "a.tif", numbers[:, ::-1], photometric="minisblack", compression="lzw")
    yield folder / "a.tif"
    write_raw_mrc(folder / "a.mrc", numbers.tobytes(), (numbers.shape[2], numbers.shape[1], len(numbers)), 1)
    yield folder / "a.mrc"


@pytest.mark.parametrize("mean", [0.0, 0.5, 40.0, 9000.0])
def test_counts_stored_less_32768_are_counts_again_and_it_is_noted(tmp_path: Path, mean: float) -> None:
    counts = RANDOM.poisson(mean, (3, 48, 64))
    for path in as_files(tmp_path, (counts - 32768).astype(np.int16)):
        raw = read_movie(path, PLAIN)
        assert raw.frames.dtype == np.uint16
        np.testing.assert_array_equal(raw.frames, counts)
        assert raw.notes == ("counts were stored less 32768, which was added",)


def test_counts_less_a_dark_image_stay_and_numbers_far_below_zero_are_refused(tmp_path: Path) -> None:
    numbers = np.rint(RANDOM.normal(-3, 20, (3, 48, 64))).astype(np.int16)
    for path in as_files(tmp_path, numbers):
        raw = read_movie(path, PLAIN)
        assert (raw.frames.dtype, raw.notes) == (np.int16, ())
        np.testing.assert_array_equal(raw.frames, numbers)
    for path in as_files(tmp_path, numbers - np.int16(9000)):
        with pytest.raises(InputError, match=rf"{path.name}: its pixels are about -90\d\d, which counts cannot be"):
            read_movie(path, PLAIN)


def test_with_a_gain_counts_less_32768_give_the_same_average(tmp_path: Path) -> None:
    counts = RANDOM.poisson(5.0, (4, 128, 160))
    gain = tmp_path / "gain.mrc"
    write_raw_mrc(gain, RANDOM.normal(1, 0.1, (128, 160)).astype("<f4").tobytes(), (160, 128, 1), 2)
    values = {"import": {"gain_path": str(gain), "pixel_size": 1.0}, "ctf": {"enabled": False}}
    settings = parse_settings({**values, "motion": {"enabled": False}})
    made = []
    for name, numbers in (("plain", counts.astype(np.uint16)), ("less", (counts - 32768).astype(np.int16))):
        (tmp_path / name).mkdir()
        movie = tmp_path / name / "a.tif"
        tifffile.imwrite(movie, numbers, photometric="minisblack")
        (outcome,) = process_files([movie], settings, tmp_path / name, lambda *_: None, device="cpu")
        assert outcome.failure is None
        made.append((tmp_path / name / "average/a.mrc").read_bytes())
        assert outcome.results["input"]["mean_counts"] == pytest.approx(counts.mean(), rel=0.01)
    assert made[0] == made[1]
