"""A look into single files: whole or not, movie or reference."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from warpcore.services.discoverer.examining import Examined, examine
from warpcore.services.discoverer.listing import Watched
from warpcore.services.formats.mrc_writer import write_mrc

RANDOM = np.random.default_rng(1)
GAIN = RANDOM.normal(1, 0.05, (48, 64)).astype(np.float32)
COUNTS = RANDOM.poisson(3, (48, 64))


def watching(*patterns: str, named: tuple[Path, ...] = ()) -> Watched:
    return Watched(patterns or ("*.tif", "*.mrc", "*.eer"), recursive=False, named=named)


def write(path: Path, image: np.ndarray) -> str:
    """A file of one image, or of several frames."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, image, photometric="minisblack", metadata=None)
    else:
        write_mrc(path, image, 1.0)
    return path.name


def test_a_look_into_a_file(data: Path, movie: Path) -> None:
    shutil.copyfile(movie, data / "a.tif")
    info = (data / "a.tif").stat()
    assert examine(data, "a.tif", watching()) == Examined((info.st_size, info.st_mtime_ns))
    assert examine(data, "none.tif", watching()) == Examined(None)
    (data / "cut.tif").write_bytes(movie.read_bytes()[:-500])
    cut = examine(data, "cut.tif", watching())
    assert cut.identity is not None
    assert cut.fault.startswith("is truncated")
    (data / "loop.tif").symlink_to(data / "loop.tif")
    assert examine(data, "loop.tif", watching()) == Examined(None, unreadable="Too many levels of symbolic links")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("gain.mrc", "gain"),
        ("GAIN.MRC", "GAIN"),
        ("K3_gain_x1m2.tif", "gain"),
        ("CountRef_grid1_Nov25.mrc", "Ref"),
        ("20250101-GainRef.tif", "Gain"),
        ("EERGainReference.tif", "Gain"),
        ("gainref2.mrc", "gainref"),
        ("dark.mrc", "dark"),
        ("defects_2024.tif", "defects"),
    ],
)
def test_one_frame_with_such_a_word_in_its_name_looks_like_a_reference(data: Path, name: str, word: str) -> None:
    path = data / name
    write_mrc(path, GAIN, 1.0) if path.suffix.lower() == ".mrc" else write(path, GAIN)
    assert examine(data, name, watching()).reference == f"one frame, and {word!r} in its name"


@pytest.mark.parametrize("name", ["again_01.mrc", "preferred.mrc", "refined_2.mrc", "darkness.tif", "regain.tif"])
def test_a_word_inside_another_one_says_nothing(data: Path, name: str) -> None:
    assert not examine(data, write(data / name, COUNTS.astype(np.float32)), watching()).reference


def test_several_frames_are_a_movie_whatever_their_name(data: Path) -> None:
    frames = np.stack([COUNTS, COUNTS]).astype(np.float32)
    assert not examine(data, write(data / "dark_area_0001.tif", frames), watching()).reference
    assert not examine(data, write(data / "gain_0001.mrc", frames), watching()).reference


@pytest.mark.parametrize("pattern", ["gain.mrc", "GAIN.MRC", "gain*.mrc", "*gain*"])
def test_a_pattern_that_asks_for_it_makes_it_a_movie(data: Path, pattern: str) -> None:
    write(data / "gain.mrc", GAIN)
    assert not examine(data, "gain.mrc", watching("*.mrc", pattern)).reference
    assert examine(data, "gain.mrc", watching("*.mrc", "movie.mrc", "gain2.mrc", "g*.mrc")).reference


LIKE_A_GAIN = "one frame with the values of a gain, as large as the movies beside it"


@pytest.mark.parametrize("suffix", [".tif", ".mrc"])
def test_a_lone_image_with_the_values_of_a_gain_among_movies_of_its_size(data: Path, suffix: str) -> None:
    name = write(data / f"20250101_K3{suffix}", GAIN)
    assert not examine(data, name, watching()).reference
    write(data / "small.tif", RANDOM.poisson(2, (4, 32, 32)).astype(np.uint8))
    assert not examine(data, name, watching()).reference
    write(data / "movie.tif", RANDOM.poisson(2, (4, 64, 48)).astype(np.uint8))
    assert examine(data, name, watching()).reference == LIKE_A_GAIN
    assert not examine(data, name, watching("*.tif", "*.mrc", name)).reference


def test_micrographs_of_one_frame_are_movies(data: Path) -> None:
    """Counts as integers and floats, and averages of counts: alone, and among movies."""
    counts = {
        "integers.tif": COUNTS.astype(np.uint16),
        "floats.mrc": COUNTS.astype(np.float32),
        "one_count.mrc": RANDOM.poisson(1.0, (48, 64)).astype(np.float32),
        "average.mrc": COUNTS.astype(np.float32) * GAIN,
        "normalised.mrc": RANDOM.normal(0, 1, (48, 64)).astype(np.float32),
    }
    for name, image in counts.items():
        write(data / name, image)
    for among in (False, True):
        if among:
            write(data / "movie.tif", np.stack([COUNTS, COUNTS]).astype(np.uint8))
        assert {name: examine(data, name, watching()).reference for name in counts} == dict.fromkeys(counts, "")


def test_a_real_micrograph_is_a_movie(data: Path, shared_data: Path) -> None:
    for number in (1, 2):
        (data / f"FoilHole_{number}.mrc").symlink_to(shared_data / "falcon_micrograph.mrc")
    write(data / "movie.tif", np.zeros((2, 4096, 4096), np.uint8))
    assert not examine(data, "FoilHole_1.mrc", watching()).reference


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_file_that_a_setting_names_is_told_also_through_a_link(
    data: Path, tmp_path: Path, movie: Path, link: Callable[[Path, Path], None]
) -> None:
    shutil.copyfile(movie, tmp_path / "elsewhere.tif")
    link(tmp_path / "elsewhere.tif", data / "a.tif")
    shutil.copyfile(movie, data / "b.tif")
    watched = watching(named=(tmp_path / "elsewhere.tif",))
    assert examine(data, "a.tif", watched).named
    assert not examine(data, "b.tif", watched).named
    assert examine(data, "b.tif", watching(named=(data / "a.tif", data / "b.tif"))).named
