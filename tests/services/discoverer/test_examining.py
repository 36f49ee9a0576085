"""A look into single files: whole or not, movie or reference."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from warpcore.bus.messages import Header
from warpcore.services.discoverer.examining import Examined, examine
from warpcore.services.discoverer.judging import Kind, NotTaken
from warpcore.services.discoverer.listing import Watched
from warpcore.services.formats.mrc_writer import write_mrc

RANDOM = np.random.default_rng(1)
GAIN = RANDOM.normal(1, 0.05, (48, 64)).astype(np.float32)
COUNTS = RANDOM.poisson(3, (48, 64))


def watching(*patterns: str, named: tuple[Path, ...] = ()) -> Watched:
    return Watched(patterns or ("*.tif", "*.mrc", "*.eer"), recursive=False, named=named)


def judged(data: Path, name: str, *patterns: str) -> str:
    """Why a file is no movie, "" where it is one."""
    no_movie = examine(data, name, watching(*patterns)).no_movie
    return no_movie.reason if no_movie is not None else ""


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
    assert examine(data, "a.tif", watching()) == Examined(
        (info.st_size, info.st_mtime_ns), header=Header(frames=3, height=32, width=32)
    )
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
    assert judged(data, name) == f"one frame, and {word!r} in its name"


@pytest.mark.parametrize("name", ["again_01.mrc", "preferred.mrc", "refined_2.mrc", "darkness.tif", "regain.tif"])
def test_a_word_inside_another_one_says_nothing(data: Path, name: str) -> None:
    assert not judged(data, write(data / name, COUNTS.astype(np.float32)))


def test_several_frames_are_a_movie_whatever_their_name(data: Path) -> None:
    frames = np.stack([COUNTS, COUNTS]).astype(np.float32)
    assert not judged(data, write(data / "dark_area_0001.tif", frames))
    assert not judged(data, write(data / "gain_0001.mrc", frames))


@pytest.mark.parametrize("pattern", ["gain.mrc", "GAIN.MRC", "gain*.mrc", "*gain*"])
def test_a_pattern_that_asks_for_it_makes_it_a_movie(data: Path, pattern: str) -> None:
    write(data / "gain.mrc", GAIN)
    assert not judged(data, "gain.mrc", "*.mrc", pattern)
    assert judged(data, "gain.mrc", "*.mrc", "movie.mrc", "gain2.mrc", "g*.mrc")


LIKE_A_GAIN = "one frame with the values of a gain, as large as the movies beside it"


@pytest.mark.parametrize("suffix", [".tif", ".mrc"])
def test_a_lone_image_with_the_values_of_a_gain_among_movies_of_its_size(data: Path, suffix: str) -> None:
    name = write(data / f"20250101_K3{suffix}", GAIN)
    assert not judged(data, name)
    write(data / "small.tif", RANDOM.poisson(2, (4, 32, 32)).astype(np.uint8))
    assert not judged(data, name)
    write(data / "movie.tif", RANDOM.poisson(2, (4, 64, 48)).astype(np.uint8))
    assert judged(data, name) == LIKE_A_GAIN
    assert not judged(data, name, "*.tif", "*.mrc", name)


def test_micrographs_of_one_frame_are_movies_where_no_others_are(data: Path) -> None:
    """Counts as integers and floats, and averages of counts; beside movies of their size they are averages."""
    counts = {
        "integers.tif": COUNTS.astype(np.uint16),
        "floats.mrc": COUNTS.astype(np.float32),
        "one_count.mrc": RANDOM.poisson(1.0, (48, 64)).astype(np.float32),
        "average.mrc": COUNTS.astype(np.float32) * GAIN,
        "normalised.mrc": RANDOM.normal(0, 1, (48, 64)).astype(np.float32),
    }
    for name, image in counts.items():
        write(data / name, image)
    write(data / "other_size.tif", np.zeros((2, 48, 80), np.uint8))
    assert {name: judged(data, name) for name in counts} == dict.fromkeys(counts, "")
    write(data / "z.tif", np.stack([COUNTS, COUNTS]).astype(np.uint8))
    reason = "one frame, as large as movies beside it such as z.tif"
    assert {name: judged(data, name) for name in counts} == dict.fromkeys(counts, reason)
    assert {name: judged(data, name, "*.mrc", name) for name in counts} == dict.fromkeys(counts, "")


@pytest.mark.parametrize(
    ("image", "movie"),
    [
        ("FoilHole_1_Data_2_3_20260101_010101.mrc", "FoilHole_1_Data_2_3_20260101_010101_Fractions.tif"),
        ("FoilHole_1_Data_2_3_20260101_010101.mrc", "FoilHole_1_Data_2_3_20260101_010101_fractions.mrc"),
        ("movie_0001.mrc", "movie_0001.tif"),
        ("movie_0001_sum.mrc", "movie_0001.tif"),
        ("movie_0001_aligned.mrc", "movie_0001.tif"),
        ("movie_0001_ali.tif", "movie_0001_frames.tif"),
    ],
)
def test_an_image_beside_the_movie_of_its_exposure_is_its_average_whatever_its_size(
    data: Path, image: str, movie: str
) -> None:
    write(data / image, COUNTS[:24, :30].astype(np.float32))
    assert judged(data, image) == ""
    write(data / movie, np.stack([COUNTS, COUNTS]).astype(np.float32))
    found = examine(data, image, watching()).no_movie
    assert found == NotTaken(Kind.AVERAGE, f"one frame beside {movie}")
    assert judged(data, movie) == ""
    assert judged(data, image, "*.tif", image) == ""


def test_an_average_whose_movie_is_still_being_written_is_one(data: Path) -> None:
    write(data / "x.mrc", COUNTS.astype(np.float32))
    for name, reason in (("x.tif", ""), ("x_Fractions.tif", "one frame beside x_Fractions.tif")):
        (data / name).write_bytes(b"II*\0")
        assert judged(data, "x.mrc") == reason


@pytest.mark.parametrize(
    "path",
    [
        "Atlas/Atlas_1.mrc",
        "Atlas/Tile_18998_0_1.mrc",
        "Sample0/Atlas/overview.mrc",
        "GridSquare_12/GridSquare_20260101_010101.mrc",
        "GridSquare_12/FoilHoles/FoilHole_77_20260101_010101.mrc",
        "26jan01a_00012gr.mrc",
        "26jan01a_00012gr_00003sq_v01.mrc",
        "grid1_LMM.mrc",
        "MMM_square4.mrc",
    ],
)
def test_images_of_atlas_squares_and_holes_are_left_alone(data: Path, path: str) -> None:
    (data / path).parent.mkdir(parents=True, exist_ok=True)
    write(data / path, COUNTS.astype(np.float32))
    found = examine(data, path, watching()).no_movie
    assert found is not None
    assert found.kind is Kind.OVERVIEW
    name = path.rpartition("/")[2]
    assert judged(data, path, name) == ""


def test_montages_have_several_frames_and_large_pixels_one(data: Path) -> None:
    frames = np.stack([COUNTS, COUNTS]).astype(np.float32)
    write(data / "grid1_LMM.mrc", frames)
    assert judged(data, "grid1_LMM.mrc") == "'LMM' in its name"
    for angstrom, reason in ((30.0, "one frame, with pixels of 30 Å"), (8.0, "")):
        write_mrc(data / "square.mrc", COUNTS.astype(np.float32), angstrom)
        assert judged(data, "square.mrc") == reason
    write_mrc(data / "movie.mrc", frames, 30.0)
    assert judged(data, "movie.mrc") == ""


@pytest.mark.parametrize(
    "name",
    [
        "FoilHole_1_Data_2_3_20260101_010101.mrc",
        "Atlasmoth_3.mrc",
        "summary_12.mrc",
        "flimmer_0001.mrc",
        "Square_1_0003.mrc",
    ],
)
def test_names_that_only_look_so_are_movies(data: Path, name: str) -> None:
    assert judged(data, write(data / name, COUNTS.astype(np.float32))) == ""


def test_a_real_micrograph_is_a_movie(data: Path, shared_data: Path) -> None:
    for number in (1, 2):
        (data / f"FoilHole_{number}.mrc").symlink_to(shared_data / "falcon_micrograph.mrc")
    assert judged(data, "FoilHole_1.mrc") == ""


def test_json_is_metadata_by_a_template_alone(data: Path, movie: Path) -> None:
    shutil.copyfile(movie, data / "a.tif")
    (data / "a.json").write_bytes(b'{"kV": 200}')
    template = data.parent / "template.json"
    template.write_bytes(b'{"voltage_kv": "kV"}')
    assert examine(data, "a.tif", watching(), "a.json").metadata.acquisition is None
    told = examine(data, "a.tif", replace(watching(), template=template), "a.json").metadata
    assert told.acquisition is not None
    assert (told.acquisition.voltage_kv, told.acquisition.source, told.is_own) == (200.0, "a.json", True)


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
