"""Gain and defects files are compared with a movie when they are set: every misfit, by the name of its setting."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer, write_raw_mrc
from tests.services.scheduler_world import World, finished
from warpcore.bus import messages as wire
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.scheduler.core.held_movies import held_movies
from warpcore.services.scheduler.shell.references import (
    Present,
    check_fit,
    check_gain,
    check_kinds,
    check_references,
    check_settings,
)
from warpcore.services.session.allowed import allowed_below
from warpcore.services.session.settings import ImportSettings, Settings, SettingsError, patch_settings


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


def test_an_mtf_that_relion_cannot_read_is_refused(tmp_path: Path) -> None:
    """RELION: obs_model.cpp, getMtfImage: a curve of rlnMtfValue over rlnResolutionInversePixel."""
    good, other, bytes_ = (tmp_path / name for name in ("mtf.star", "other.star", "mtf.mrc"))
    good.write_text("data_\n\nloop_\n_rlnResolutionInversePixel #1\n_rlnMtfValue #2\n0 1\n0.5 0.3\n")
    other.write_text("data_\n\nloop_\n_rlnVoltage #1\n300\n")
    bytes_.write_bytes(b"\xff\xfe")

    def found(path: object) -> list[dict[str, Any]]:
        return check_kinds(Settings.model_validate({"export": {"mtf_path": str(path)}}), Settings())

    assert found(good) == []
    for path, what in ((other, "rlnMtfValue"), (bytes_, "rlnMtfValue"), (tmp_path / "gone", "No such file")):
        (fault,) = found(path)
        assert (fault["name"], fault["value"]) == ("export.mtf_path", str(path))
        assert what in fault["problem"]
    assert "absolute" in found(os.path.relpath(good))[0]["problem"]


def test_settings_that_most_movies_cannot_be_processed_with_are_refused_when_they_are_set(tmp_path: Path) -> None:
    world = World(settings=Settings.model_validate({"import": {"data": str(tmp_path)}}))
    headers = [wire.Header(16, 800, 800, 1.08)] * 3 + [wire.Header(1, 512, 512, 30.0)]
    world.ask(wire.RegisterFiles([wire.FoundFile(f"{n}.tif", 9, 9, one) for n, one in enumerate(headers)]))
    present = Present(
        world.state.settings, "", tmp_path, allowed_below(tmp_path, tmp_path), [], held_movies(world.state)
    )
    check_settings(patch_settings(world.state.settings, {"picking": {"diameter": 180.0}}), present)
    with pytest.raises(SettingsError) as raised:
        check_settings(patch_settings(world.state.settings, {"picking": {"diameter": 800.0}}), present)
    (fault,) = raised.value.errors
    assert fault["name"] == "picking.diameter"
    assert "it must be 4.32 to 691.2 Å" in fault["problem"]
    # Movies of earlier versions have no header, and results that tell.
    old = finished("a.tif")
    known = {"raw_height": 800, "raw_width": 800, "raw_pixel_size_angstrom": 1.08}
    old.state.movies[1].results["input"] = known
    (held,) = held_movies(old.state)
    assert (held.height, held.width, held.frames, held.facts.header_angstrom) == (800, 800, None, 1.08)


GAIN = np.random.default_rng(1).normal(1, 0.02, (32, 48)).astype(np.float32)
EPU = "FoilHole_1_Data_2_3_20260101_010101"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A movie of EPU's and one of no certain name, in MRC."""
    (tmp_path / "movies").mkdir()
    for name in (f"{EPU}_Fractions.mrc", "m001.mrc"):
        write_raw_mrc(tmp_path / "movies" / name, bytes(48 * 32 * 2 * 2), (48, 32, 2), 1)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "factor", "problem"),
    [
        (f"movies/{EPU}.mrc", 30, f"an average of {EPU}_Fractions.mrc"),
        ("movies/m001_sum.mrc", 30, "an average of m001.mrc"),
        ("movies/m001_mean.mrc", 1, "an average of m001.mrc"),
        (f"{EPU}.mrc", 30, "it has the name of an exposure"),
        ("s_X+1Y-1-2.mrc", 30, "it has the name of an exposure"),
        ("movies/odd.mrc", 30, "it lies among movies such as"),
        ("movies/20260101_K3.mrc", 1, ""),
        ("movies/m001_gain.mrc", 30, ""),
        ("movies/CountRef_X+1Y-1-2.mrc", 1, ""),
        ("flat.mrc", 30, ""),
    ],
)
def test_an_average_is_refused_as_a_gain_and_a_gain_is_not(
    folder: Path, name: str, factor: float, problem: str
) -> None:
    path = folder / name
    write_mrc(path, factor * GAIN, 1.0)
    data = folder / "movies"
    before = Settings.model_validate({"import": {"data": str(data)}})
    present = Present(before, "", data, allowed_below(data, folder), [data / "m001.mrc"])
    new = patch_settings(before, {"import": {"gain_path": str(path)}})
    if not problem:
        assert check_settings(new, present)[0].import_.gain_path == str(path)
        return
    with pytest.raises(SettingsError) as raised:
        check_settings(new, present)
    (fault,) = raised.value.errors
    assert (fault["name"], fault["value"]) == ("import.gain_path", str(path))
    assert problem in fault["problem"]
    # Where it stood before, it hinders no other change.
    check_settings(
        patch_settings(new, {"import": {"dose_per_frame": 1.0}}),
        Present(new, "", data, allowed_below(data, folder), []),
    )


def test_a_gain_of_any_mean_may_divide_the_eers_beside_it(tmp_path: Path) -> None:
    write_eer(tmp_path / "a.eer", [[(5, 0, 0)]] * 2, (32, 48))
    write_mrc(tmp_path / "flat.mrc", 3000 * GAIN, 1.0)
    write_mrc(tmp_path / "a.mrc", 30 * GAIN, 1.0)
    assert check_gain(str(tmp_path / "flat.mrc")) == check_gain(None) == []
    assert [one["name"] for one in check_gain(str(tmp_path / "a.mrc"))] == ["import.gain_path"]


def test_a_relative_path_becomes_the_full_one_that_workers_started_elsewhere_find_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mrc(folder / "flat.mrc", 30 * GAIN, 1.0)
    data = folder / "movies"
    before = Settings.model_validate({"import": {"data": str(data)}})
    present = Present(before, "", data, allowed_below(data, folder), [data / "m001.mrc"])
    monkeypatch.chdir(folder)
    found, references = check_settings(patch_settings(before, {"import": {"gain_path": "flat.mrc"}}), present)
    assert found.import_.gain_path == str(folder / "flat.mrc")
    assert references.startswith("gain_path:")
    # One that an older session has kept as it was given is left so: nothing is named anew.
    kept = patch_settings(before, {"import": {"gain_path": "flat.mrc"}})
    changed = patch_settings(kept, {"import": {"dose_per_frame": 1.0}})
    assert check_settings(changed, replace(present, settings=kept))[0].import_.gain_path == "flat.mrc"
