"""The container check on files of real writers: whole ones, and damaged in every way that copying damages them."""

from __future__ import annotations

import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warpcore.services.readers.containers import ContainerError, check_container

FRAMES = np.arange(5 * 48 * 64, dtype=np.uint16).reshape(5, 48, 64)

TIFFS = {
    "plain": {},
    "lzw": {"compression": "lzw"},
    "deflate": {"compression": "zlib"},
    "zstd": {"compression": "zstd"},
    "big": {"bigtiff": True},
    "big endian": {"byteorder": ">"},
    "big endian big": {"byteorder": ">", "bigtiff": True},
    "tiles": {"tile": (16, 16)},
    "strips": {"rowsperstrip": 7, "compression": "lzw"},
}


def write_tiff(path: Path, **options: object) -> bytes:
    tifffile.imwrite(path, FRAMES, photometric="minisblack", metadata=None, **options)
    return path.read_bytes()


def write_mrc(path: Path, mode: int) -> bytes:
    kinds = {0: np.int8, 1: np.int16, 2: np.float32, 6: np.uint16, 12: np.float16}
    with mrcfile.new(path) as mrc:
        mrc.set_data((FRAMES % 100).astype(kinds[mode]))
    return path.read_bytes()


def refused(path: Path, said: str) -> None:
    with pytest.raises(ContainerError, match=said) as raised:
        check_container(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("options", TIFFS.values(), ids=TIFFS.keys())
def test_a_whole_tiff_passes_and_no_beginning_of_it_that_lacks_pixels(
    tmp_path: Path, options: dict[str, object]
) -> None:
    path = tmp_path / "a.tif"
    whole = write_tiff(path, **options)
    check_container(path)
    for length in [*range(0, len(whole), max(1, len(whole) // 97)), *range(len(whole) - 20, len(whole))]:
        path.write_bytes(whole[:length])
        try:
            check_container(path)
        except ContainerError:
            continue
        assert length >= len(whole) - 16, "only the writer's last padding may be missing"
        assert np.array_equal(tifffile.imread(path), FRAMES)


@pytest.mark.parametrize("mode", [0, 1, 2, 6, 12])
@pytest.mark.parametrize("suffix", [".mrc", ".mrcs", ".MRC"])
def test_a_whole_mrc_passes_and_a_shorter_or_longer_one_does_not(tmp_path: Path, mode: int, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    whole = write_mrc(path, mode)
    check_container(path)
    path.write_bytes(whole[:-1])
    refused(path, f"is truncated: {len(whole) - 1} bytes, its header .64x48x5, mode {mode}. says {len(whole)}")
    path.write_bytes(whole + b"x")
    refused(path, "is too long")
    path.write_bytes(whole[:1000])
    refused(path, "is no MRC: 1000 bytes are less than its header")


@pytest.mark.parametrize("order", "<>")
def test_an_mrc_with_extended_header_of_4_bit_pixels_and_odd_width(tmp_path: Path, order: str) -> None:
    path = tmp_path / "a.mrc"
    header = bytearray(1024)
    struct.pack_into(order + "4i", header, 0, 7, 5, 3, 101)
    struct.pack_into(order + "i", header, 92, 2048)
    path.write_bytes(bytes(header) + bytes(2048 + 4 * 5 * 3))
    check_container(path)
    path.write_bytes(bytes(header) + bytes(2048 + 4 * 5 * 3 - 1))
    refused(path, "is truncated")


@pytest.mark.parametrize(
    ("mode", "said"), [(4, "MRC mode 4, which is no movie's"), (-1, "is no MRC"), (1 << 20, "is no MRC")]
)
def test_an_mrc_of_a_mode_that_is_no_movies(tmp_path: Path, mode: int, said: str) -> None:
    path = tmp_path / "a.mrc"
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, 7, 5, 3, mode)
    path.write_bytes(bytes(header))
    refused(path, said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"This is a text file\nof two lines\n", "is no TIFF: it does not begin as one"),
        (b"II*\x00", "is no TIFF"),
        (b"II*\x00\x00\x00\x00\x00", "has no pages"),
        (b"II*\x00\xff\x00\x00\x00", "is truncated: page 1 lies beyond its end at 8 bytes"),
        (b"II*\x00\x08\x00\x00\x00\x00\x00", "page 1 has 0 entries"),
    ],
)
@pytest.mark.parametrize("suffix", [".tif", ".eer", ".tiff"])
def test_what_is_no_tiff_says_why(tmp_path: Path, content: bytes, said: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    refused(path, said)


def test_pages_in_a_circle_are_damage_not_a_hang(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    whole = bytearray(write_tiff(path))
    (first,) = struct.unpack_from("<I", whole, 4)
    (entries,) = struct.unpack_from("<H", whole, first)
    struct.pack_into("<I", whole, first + 2 + 12 * entries, first)
    path.write_bytes(whole)
    refused(path, "page 2 is an earlier page again")


def test_a_page_whose_strips_are_not_written_yet(tmp_path: Path) -> None:
    """As a streaming writer leaves it: the directory first, offsets and lengths zero until the pixels come."""
    path = tmp_path / "a.tif"
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (273, 4, 1, 0), (279, 4, 1, 0)]
    raw = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries))
    path.write_bytes(raw + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4 + 100))
    refused(path, "page 1's pixels are not .all. inside")


def test_an_eer_like_bigtiff_passes_until_it_is_cut(tmp_path: Path) -> None:
    """EER: BigTIFF pages of compression 65001, one strip each, bytes that no decoder here looks at."""
    path = tmp_path / "a.eer"
    body, pages = b"", 3
    offset = 16
    for page in range(pages):
        data = bytes(range(50))
        directory = offset + len(data)
        entries = [
            (256, 4, 1, 4096),
            (257, 4, 1, 4096),
            (259, 3, 1, 65001),
            (273, 16, 1, offset),
            (279, 16, 1, len(data)),
        ]
        raw = struct.pack("<Q", len(entries)) + b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
        following = directory + len(raw) + 8
        after = following + len(data) if page < pages - 1 else 0
        body += data + raw + struct.pack("<Q", after)
        offset = following
    whole = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16 + 50) + body
    path.write_bytes(whole)
    check_container(path)
    for length in range(16, len(whole), 13):
        path.write_bytes(whole[:length])
        with pytest.raises(ContainerError):
            check_container(path)


def test_a_file_that_cannot_be_opened_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_container(tmp_path / "none.tif")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_anywhere_is_found_or_harmless_but_never_another_error(tmp_path: Path, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["tif", "eer", "mrc"]))
    path = tmp_path / f"a.{kind}"
    source = tmp_path / f"whole.{kind}"
    if not source.exists():
        if kind == "mrc":
            write_mrc(source, 1)
        else:
            write_tiff(source, bigtiff=kind == "eer")
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(len(content), 1500) - 1))] = data.draw(st.integers(0, 255))
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        check_container(path)
    except ContainerError as error:
        assert error.reason  # noqa: PT017


def test_real_files_pass(shared_data: Path) -> None:
    for path in [shared_data / "falcon_micrograph.mrc", *sorted(shared_data.glob("spectra/*_PS.mrc"))]:
        check_container(path)
