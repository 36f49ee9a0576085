"""Names of movies: what is not refused is read back by RELION and starfile, and opened by RELION, as it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import starfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.services.relion_reader import after_job, opened_as, read_table
from warpcore.services.formats import star_files as star
from warpcore.services.session.movie_names import LONGEST_NAME_BYTES, name_fault
from warpcore.services.steps.chain import CHAIN

OPTICS = star.OpticsGroup(1.0, 1.0, 300.0, 2.7, 0.1)
HARD = st.sampled_from([*"#'\" \n\t\\:%@_/µ", "  ", "data_", "loop_", "job123"])
NAMES = st.lists(HARD | st.text(min_size=1, max_size=4), min_size=1, max_size=6).map("".join)


def read_back(name: str) -> None:
    """Both readers find the name, as the first and as a later column of a loop, and as the value of a pair."""
    loop = star.movies_star([OPTICS], [star.movie_row(name, 1), star.movie_row("b.tif", 1)])
    later = star.autopick_star([star.autopick_row("average/b.mrc", name)])
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / file for file in ("movies.star", "autopick.star", "motion.star")]
        paths[0].write_text(loop, encoding="utf-8")
        paths[1].write_text(later, encoding="utf-8")
        star.write_motion_star(paths[2], {"rlnImageSizeX": 8, "rlnMicrographMovieName": name}, [[0.0, 0.0]], None)
        texts = [path.read_text(encoding="utf-8") for path in paths]
        theirs = [starfile.read(path, always_dict=True) for path in paths]
    assert [row["rlnMicrographMovieName"] for row in read_table(texts[0], "movies")] == [name, "b.tif"]
    assert read_table(texts[1], "coordinate_files")[0]["rlnMicrographCoordinates"] == name
    assert read_table(texts[2], "general")[0]["rlnMicrographMovieName"] == name
    assert theirs[0]["movies"]["rlnMicrographMovieName"].tolist() == [name, "b.tif"]
    assert theirs[1]["coordinate_files"]["rlnMicrographCoordinates"].tolist() == [name]
    assert theirs[2]["general"]["rlnMicrographMovieName"] == name


@given(NAMES)
@example("data_0001")
@example("_a")
@example("back\\slash")
@example("nbsp\u00a0b")
@example("grid 1/x y")
@settings(deadline=None, max_examples=60)
def test_what_is_not_refused_is_read_back_and_opened(stem: str) -> None:
    path = f"{stem}.tif"
    if "\0" in path or path.startswith("/") or name_fault(path):
        return
    read_back(path)
    average = f"average/{stem}.mrc"
    assert opened_as(average) == (average, "mrc")
    assert opened_as(f"000001@{average}s") == (f"{average}s", "mrcs")
    assert after_job(average) != ""


ORDINARY = ["a b.tif", "Gitter 1/µ 漢.tif", "data_1.tif", "loop_.tif", "_a.tif", "a@b.tif", "x" * 171 + ".tif"]


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_are_taken(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a#1.tif", "its name has one of # : %"),
        ("12:30.tif", "one of # : %"),
        ("50%.tif", "one of # : %"),
        ("it's.tif", "a quote"),
        ('5".tif', "a quote"),
        ("it's/a.tif", "the name of its folder has a quote"),
        ("new\nline.tif", "control character"),
        ("tab\tbed.tif", "a tab"),
        ("two  blanks.tif", "two blanks in a row"),
        ("\udcff.tif", "not UTF-8"),
        ("grid/job012_1.tif", "'job012'"),
        ("x" * 250 + ".tif", "250 bytes before its extension"),
        ("漢" * 60 + ".tif", "180 bytes before its extension"),
    ],
)
def test_what_cannot_be_read_back_is_refused_with_the_reason(name: str, what: str) -> None:
    assert what in name_fault(name)


def test_the_longest_name_leaves_room_for_all_that_is_made_of_it() -> None:
    """Names in a folder have 255 bytes at most; `.NAME.restored` is what a file is called while it is put in place."""
    movie = "x" * LONGEST_NAME_BYTES
    names = [output.path(movie, "s" * 64).rpartition("/")[2] for step in CHAIN for output in step.outputs]
    assert max(len(f".{name}.restored") for name in names) == 255
