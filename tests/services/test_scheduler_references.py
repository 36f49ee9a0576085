"""Gain and defects files are compared with a movie when they are set: every misfit, by the name of its setting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer, write_raw_mrc
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.scheduler.shell.references import check_fit, check_references
from warpcore.services.session.settings import ImportSettings, Settings


@pytest.fixture
def movies(tmp_path: Path) -> dict[str, Path]:
    """An MRC and an EER of 48 × 32 px, and a file that is no movie."""
    paths = {name: tmp_path / name for name in ("a.mrc", "a.eer", "text.tif")}
    write_raw_mrc(paths["a.mrc"], bytes(48 * 32 * 2 * 2), (48, 32, 2), 1)
    write_eer(paths["a.eer"], [[(5, 0, 0)]] * 2, (32, 48))
    paths["text.tif"].write_text("no movie")
    return paths


def faults(movies: list[Path], **imported: Any) -> list[tuple[str, str]]:
    settings = ImportSettings.model_validate(imported)
    return [(fault["name"], fault["problem"]) for fault in check_fit(settings, movies)]


def test_a_gain_that_fits_is_no_fault_whatever_lies_before_it(movies: dict[str, Path], tmp_path: Path) -> None:
    write_mrc(tmp_path / "g.mrc", np.ones((32, 48)), 1.0)
    given = [tmp_path / "gone.tif", movies["text.tif"], movies["a.mrc"]]
    assert faults(given, gain_path=str(tmp_path / "g.mrc")) == []
    assert faults([], gain_path=str(tmp_path / "g.mrc")) == []


@pytest.mark.parametrize(
    ("shape", "movie", "settings", "problem"),
    [
        ((32, 32), "a.mrc", {}, "the gain is 32 × 32 px, the movie 48 × 32 px"),
        ((48, 32), "a.mrc", {}, "it would fit with import.gain_transpose turned"),
        ((32, 48), "a.mrc", {"gain_transpose": True}, "the gain is 32 × 48 px, the movie 48 × 32 px"),
        ((64, 96), "a.mrc", {}, "the gain is 96 × 64 px"),
        ((64, 96), "a.eer", {}, ""),
        ((32, 48), "a.eer", {"eer_upsampling": 2}, ""),
        ((40, 48), "a.eer", {}, "the gain is 48 × 40 px, the movie 48 × 32 px"),
        ((40, 48), "a.eer", {"eer_upsampling": 2}, "the gain is 48 × 40 px, the movie 96 × 64 px"),
    ],
)
def test_a_gain_of_another_size(
    movies: dict[str, Path], tmp_path: Path, shape: tuple[int, int], movie: str, settings: dict[str, Any], problem: str
) -> None:
    write_mrc(tmp_path / "g.mrc", np.ones(shape), 1.0)
    found = faults([movies[movie]], gain_path=str(tmp_path / "g.mrc"), **settings)
    assert [name for name, _ in found] == (["import.gain_path"] if problem else [])
    assert all(problem in text for _, text in found)


def test_defects_beyond_the_movie(movies: dict[str, Path], tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "map.tif", np.zeros((32, 40), np.uint8))
    (tmp_path / "rows.txt").write_text("1 1 2 2\n48 3 1 1\n")
    (tmp_path / "serialem.txt").write_text("CameraSizeX 40\nCameraSizeY 32\nBadColumns 3\n")
    for name, problem in (
        ("map.tif", "the defects are for 40 × 32 px, the movie is 48 × 32 px"),
        ("rows.txt", "line 2: box 48 3 1 1 lies outside the movie of 48 × 32 px"),
        ("serialem.txt", "the defects are for 40 × 32 px"),
    ):
        ((setting, text),) = faults([movies["a.mrc"]], defects_path=str(tmp_path / name))
        assert setting == "import.defects_path"
        assert problem in text


def test_files_that_are_not_there_are_faults_before_anything_is_read(tmp_path: Path) -> None:
    imported = {"gain_path": str(tmp_path / "gone.mrc"), "defects_path": str(tmp_path)}
    settings = Settings.model_validate({"import": imported})
    identity, found = check_references(settings)
    assert identity == ""
    assert [fault["name"] for fault in found] == ["import.gain_path", "import.defects_path"]


def test_each_named_file_counts_as_its_setting_declares_and_only_where_it_is_read(tmp_path: Path) -> None:
    """Gains by their time, since they are large; templates and weights by what they hold, only where they are used."""
    gain, templates = tmp_path / "gain.mrc", tmp_path / "t.mrcs"
    write_mrc(gain, np.ones((8, 8), np.float32), 1.0)
    write_mrc(templates, np.ones((3, 8, 8), np.float32), 1.0)
    named = {"import": {"gain_path": str(gain)}, "picking": {"templates_path": str(templates), "method": "template"}}
    identities, found = check_references(Settings.model_validate(named))
    assert found == []
    assert [one.partition(":")[0] for one in identities.split()] == ["gain_path", "picking.templates_path"]
    os.utime(gain, (1, 1))
    os.utime(templates, (1, 1))
    later, _ = check_references(Settings.model_validate(named))
    assert [one == other for one, other in zip(identities.split(), later.split(), strict=True)] == [False, True]
    blobs = {**named, "picking": {**named["picking"], "method": "blob"}}
    assert check_references(Settings.model_validate(blobs))[0] == later.split()[0]
