"""Headers that lie: claims are held against the file's length, its codec and the host's memory before it is read."""

from __future__ import annotations

import os
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_raw_mrc
from warpcore.services.process.memory import free_memory_bytes
from warpcore.services.readers.containers import ContainerError, check_container
from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.movies import read_header, read_movie
from warpcore.services.readers.reference import read_reference_image
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

LITTLE_BYTES = 192 * 2**20
"""Measured: 135 MB, the most that all tags of a file may have; without bounds from 500 MB on."""

SHORT, LONG, ASCII, LONG8 = 3, 4, 2, 16


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LITTLE_BYTES
    finally:
        tracemalloc.stop()


def big_page(next_page: int, *tags: tuple[int, int, int, int]) -> bytes:
    """A page of a BigTIFF: tag, field type, count, value or offset of each entry."""
    entries = b"".join(struct.pack("<HHQQ", *tag) for tag in sorted(tags))
    return struct.pack("<Q", len(tags)) + entries + struct.pack("<Q", next_page)


def sparse_tiff(path: Path, pages: bytes, size: int = 2**40) -> None:
    path.write_bytes(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) + pages)
    os.truncate(path, size)


SIZE = ((256, SHORT, 1, 64), (257, SHORT, 1, 64))


def millions_of_strips(path: Path) -> None:
    sparse_tiff(path, big_page(0, *SIZE, (273, LONG8, 50_000_000, 4096), (279, LONG8, 50_000_000, 4096)))


def long_indices_of_many_pages(path: Path) -> None:
    """Each page's index lies in the hole, where it is zeros; the pages' own bytes overlap by nothing."""
    length = len(big_page(0, *SIZE, (273, LONG8, 1, 0), (279, LONG8, 1, 0)))
    index = (273, LONG8, 65_536, 2**20), (279, LONG8, 65_536, 2**21)
    many = [big_page(16 + (number + 1) * length, *SIZE, *index) for number in range(2000)]
    sparse_tiff(path, b"".join(many) + big_page(0, *SIZE, *index))
    with path.open("r+b") as file:  # offsets and lengths that pass
        file.seek(2**20)
        file.write(np.full(65_536, 8, "<u8").tobytes())
        file.seek(2**21)
        file.write(np.full(65_536, 8, "<u8").tobytes())


def many_bit_depths(path: Path) -> None:
    sparse_tiff(path, big_page(0, *SIZE, (258, SHORT, 2**30, 4096), (273, LONG, 1, 8), (279, LONG, 1, 4096)))


def long_description(path: Path) -> None:
    sparse_tiff(path, big_page(0, *SIZE, (270, ASCII, 2**36, 4096), (273, LONG, 1, 8), (279, LONG, 1, 4096)))


@pytest.mark.parametrize(
    "forge",
    [millions_of_strips, long_indices_of_many_pages, many_bit_depths, long_description],
    ids=lambda f: f.__name__,
)
def test_tags_that_claim_gigabytes_are_not_read(tmp_path: Path, forge: Callable[[Path], None]) -> None:
    path = tmp_path / "a.tif"
    forge(path)
    with little_memory(), pytest.raises(ContainerError, match=r"is damaged: .* claim"):
        check_container(path)
    path = path.rename(tmp_path / "a.eer")
    with little_memory(), pytest.raises(InputError, match=r"a\.eer: is damaged: .* claim"):
        read_header(path, ImportSettings())


@pytest.mark.parametrize("compression", ["lzw", "adobe_deflate", "zstd"])
def test_pixels_that_no_codec_can_make_of_so_few_bytes_are_refused(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    frames = np.zeros((3, 4096, 4096), np.uint8)
    tifffile.imwrite(path, frames, compression=compression, photometric="minisblack", rowsperstrip=4096)
    assert read_header(path, ImportSettings()).height == 4096  # an empty frame is as small as one can be
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for page in tiff.pages:
            for tag in (256, 257, 278):
                page.tags[tag].overwrite(60_000)
            page.tags[279].overwrite(100)
    with little_memory(), pytest.raises(InputError, match=r"a\.tif: damaged, page 0 claims 3600000000 bytes of pixels"):
        read_movie(path, ImportSettings())


def test_a_movie_larger_than_the_hosts_memory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    frames = free_memory_bytes() // (2 * 4096 * 4096) + 500
    write_raw_mrc(path, b"", (4096, 4096, frames), 6)
    os.truncate(path, 1024 + frames * 2 * 4096 * 4096)
    assert check_container(path).frames == frames
    with little_memory(), pytest.raises(MemoryError, match=r"GB are needed, and this host has .* GB free"):
        read_movie(path, ImportSettings())


def test_an_image_larger_than_any_cameras_is_no_reference(tmp_path: Path) -> None:
    path, side = tmp_path / "gain.mrc", 32_000
    write_raw_mrc(path, b"", (side, side, 1), 2)
    os.truncate(path, 1024 + 4 * side * side)
    with little_memory(), pytest.raises(InputError, match="no camera makes so large an image"):
        read_reference_image(path)


def test_a_text_of_gigabytes_is_no_list_of_defects(tmp_path: Path) -> None:
    path = tmp_path / "defects.txt"
    path.write_text("1 1 1 1\n")
    os.truncate(path, 2**36)
    with pytest.raises(InputError, match="more than 16777216 bytes"):
        read_defects(ImportSettings(defects_path=str(path)), (8, 8))


def test_a_control_group_limits_what_is_free(tmp_path: Path) -> None:
    own, group = tmp_path / "own", tmp_path / "cgroups" / "slurm" / "job"
    own.write_text("0::/slurm/job\n")
    group.mkdir(parents=True)
    assert free_memory_bytes(tmp_path / "cgroups", own) == pytest.approx(free_memory_bytes(), rel=0.2)
    for folder, most in ((group, "max"), (group.parent, "5000000")):
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text("3000000\n")
        (folder / "memory.stat").write_text("anon 1\ninactive_file 1000000\n")
    assert free_memory_bytes(tmp_path / "cgroups", own) == 3_000_000
