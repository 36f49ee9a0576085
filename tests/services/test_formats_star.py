"""STAR files: RELION's layout, read back by starfile, equal bytes for equal content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import starfile

from warpcore.services.formats import star_files as star
from warpcore.services.formats.png import write_png
from warpcore.services.formats.star_text import loop_block, star_row

OPTICS = star.OpticsGroup(0.885, 1.77, 200.0, 1.4, 0.1)
CTF = {
    "defocus_u_angstrom": 10863.857,
    "defocus_v_angstrom": 10575.7217,
    "defocus_angle_degrees": 77.967,
    "phase_shift_pi": 0.25,
    "resolution_angstrom": 4.8,
    "figure_of_merit": 0.13,
}
RESULTS = {
    "motion": {
        "accumulated_total_angstrom": 5.0,
        "accumulated_early_angstrom": 1.0,
        "accumulated_late_angstrom": 4.0,
    },
    "ctf": CTF,
}


def ctf_row(results: dict[str, Any]) -> str:
    row = star.measured_row("micrographs_ctf", ("average/a.mrc", 1, "powerspectrum/a.mrc:mrc"), results)
    assert row is not None
    return row


def blocks(path: Path) -> dict[str, Any]:
    read = starfile.read(path, always_dict=True)
    assert isinstance(read, dict)
    return read


def relion_columns(path: Path, block: str) -> list[str]:
    return list(blocks(path)[block])


def test_coordinates_are_read_back_and_an_empty_list_is_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a_picks.star"
    star.write_coordinates(path, [1.5, 1000.25], [2, 3], np.array([0.5, 0.75], np.float32))
    table = starfile.read(path)
    assert list(table.columns) == list(star.COORDINATE_COLUMNS)
    assert table["rlnCoordinateX"].tolist() == [1.5, 1000.25]
    assert table["rlnAutopickFigureOfMerit"].tolist() == [0.5, 0.75]
    star.write_coordinates(path, [], [], [])
    table = starfile.read(path)
    assert list(table.columns) == list(star.COORDINATE_COLUMNS)
    assert len(table) == 0


def test_motion_star_has_relions_layout(tmp_path: Path, shared_data: Path) -> None:
    theirs = blocks(shared_data / "relion" / "motion_metadata.star")
    shifts = theirs["global_shift"][["rlnMicrographShiftX", "rlnMicrographShiftY"]].to_numpy()
    coefficients = theirs["local_motion_model"]["rlnMotionModelCoeff"].to_numpy()
    hot = theirs["hot_pixels"][["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
    star.write_motion_star(tmp_path / "a.star", theirs["general"], shifts, coefficients, hot)
    ours = blocks(tmp_path / "a.star")
    assert list(ours) == [name for name in theirs if name != "local_shift"]
    assert ours["general"] == theirs["general"]
    assert list(ours["general"]) == list(theirs["general"])
    for block in ("global_shift", "local_motion_model", "hot_pixels"):
        assert list(ours[block].columns) == list(theirs[block].columns)
        np.testing.assert_allclose(ours[block].to_numpy(), theirs[block].to_numpy(), atol=1e-6)


def test_motion_star_without_a_local_model(tmp_path: Path) -> None:
    general = {"rlnImageSizeX": 10, "rlnMicrographStartFrame": 3, "rlnMicrographMovieName": "a b/c.tif"}
    star.write_motion_star(tmp_path / "a.star", general, np.array([[0, 0], [1.5, -2]]), None, first_frame=3)
    read = blocks(tmp_path / "a.star")
    assert list(read) == ["general", "global_shift"]
    assert read["general"] == {**general, "rlnMotionModelVersion": 0}
    assert read["global_shift"]["rlnMicrographFrameNumber"].tolist() == [3, 4]
    with pytest.raises(ValueError, match="rlnTypo"):
        star.write_motion_star(tmp_path / "a.star", {"rlnTypo": 1}, np.zeros((1, 2)), None)
    with pytest.raises(ValueError, match="36"):
        star.write_motion_star(tmp_path / "a.star", {}, np.zeros((1, 2)), np.zeros(18))


@pytest.mark.parametrize("name", ["corrected_micrographs", "micrographs_ctf", "particles"])
def test_columns_are_among_relions_own(tmp_path: Path, shared_data: Path, name: str) -> None:
    """RELION writes some optional columns that we do not, and the other way round.

    Named here so that a typo cannot hide.
    """
    texts = {
        "corrected_micrographs": star.corrected_micrographs_star([OPTICS], []),
        "micrographs_ctf": star.micrographs_ctf_star([OPTICS], []),
        "particles": star.particles_star([OPTICS], []),
    }
    path = tmp_path / f"{name}.star"
    path.write_text(texts[name])
    theirs, ours = blocks(shared_data / "relion" / f"{name}.star"), blocks(path)
    assert list(ours) == list(theirs)
    block = list(ours)[1]
    tilt = {"rlnMicrographTiltAngle", "rlnMicrographTiltAxisDirection"}
    origins = {"rlnOriginXAngst", "rlnOriginYAngst"}
    more = {"micrographs_ctf": {"rlnPhaseShift", "rlnCtfIceRingDensity", *tilt}, "particles": origins}
    assert set(ours[block]) - set(theirs[block]) == more.get(name, set())
    assert (
        set(theirs[block]) - set(ours[block])
        == {
            "corrected_micrographs": {"rlnCtfPowerSpectrum"},
            "micrographs_ctf": set(),
            "particles": {"rlnClassNumber", "rlnAnglePsi"},
        }[name]
    )
    assert set(theirs["optics"]) - set(ours["optics"]) <= {
        "rlnMtfFileName",
        "rlnImagePixelSize",
        "rlnImageSize",
        "rlnImageDimensionality",
    }


def test_without_a_movie_there_is_no_optics_block_and_the_file_is_still_whole(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(star.micrographs_ctf_star([], []))
    read = blocks(tmp_path / "a.star")
    assert list(read) == ["micrographs"]
    assert list(read["micrographs"])[:5] == [
        "rlnMicrographName",
        "rlnOpticsGroup",
        "rlnCtfImage",
        "rlnDefocusU",
        "rlnDefocusV",
    ]


def test_session_files_read_back(tmp_path: Path) -> None:
    rows = {
        "movies": star.movies_star([OPTICS], [star.movie_row("m/a.tif", 1)]),
        "corrected": star.corrected_micrographs_star(
            [OPTICS],
            [
                f"{star.measured_row('corrected_micrographs', ('average/a.mrc', 'motion/a.star', 1), RESULTS)} "
                + star_row(("e.mrc", "o.mrc"))
            ],
            halves=True,
        ),
        "ctf": star.micrographs_ctf_star([OPTICS], [ctf_row(RESULTS)]),
        "autopick": star.autopick_star([star.autopick_row("average/a.mrc", "matching/a_picks.star")]),
    }
    read = {}
    for name, text in rows.items():
        (tmp_path / name).write_text(text)
        read[name] = blocks(tmp_path / name)
    optics = read["movies"]["optics"].iloc[0]
    assert optics["rlnMicrographPixelSize"] == 1.77
    assert optics["rlnMicrographOriginalPixelSize"] == 0.885
    assert read["movies"]["movies"].iloc[0].to_dict() == {"rlnMicrographMovieName": "m/a.tif", "rlnOpticsGroup": 1}
    corrected = read["corrected"]["micrographs"].iloc[0]
    assert (corrected["rlnAccumMotionLate"], corrected["rlnMicrographNameOdd"]) == (4.0, "o.mrc")
    ctf = read["ctf"]["micrographs"].iloc[0]
    assert ctf["rlnCtfImage"] == "powerspectrum/a.mrc:mrc"
    assert ctf["rlnPhaseShift"] == 45.0
    assert ctf["rlnCtfAstigmatism"] == pytest.approx(288.1353, abs=1e-3)
    assert read["autopick"]["coordinate_files"].iloc[0]["rlnMicrographCoordinates"] == "matching/a_picks.star"


def test_the_mtf_stands_in_the_optics_table_where_there_is_one(tmp_path: Path) -> None:
    """RELION: obs_model.cpp, the constructor reads rlnMtfFileName of each group where the table has that column."""
    (tmp_path / "a.star").write_text(star.movies_star([replace(OPTICS, mtf="mtf k3.star")], []))
    assert blocks(tmp_path / "a.star")["optics"]["rlnMtfFileName"].tolist() == ["mtf k3.star"]
    assert "rlnMtfFileName" not in star.movies_star([OPTICS], [])


@pytest.mark.parametrize(("measured", "written"), [(None, 25.0), (31.0, 25.0), (4.8, 4.8)])
def test_a_resolution_that_was_not_reached_is_relions_worst(measured: float | None, written: float) -> None:
    """RELION: ctffind_runner.cpp, joinCtffindResults: at most 25 Å."""
    row = ctf_row({"ctf": {**CTF, "resolution_angstrom": measured}}).split()
    labels = [column.star.label for column in star.measured_columns("micrographs_ctf") if column.star is not None]
    assert float(row[3 + labels.index("rlnCtfMaxResolution")]) == written


def test_what_relion_reads_as_nought_is_never_written() -> None:
    """RELION: metadata_table.cpp, setValueFromString: `inf` and `nan` leave 0 behind."""
    for number in (float("inf"), float("-inf"), float("nan")):
        with pytest.raises(ValueError, match="RELION"):
            star_row((number,))


def test_a_movie_without_a_fit_has_no_row_among_those_with_one() -> None:
    assert star.measured_row("micrographs_ctf", ("a", 1, "p"), {"ctf": {"failure": "no rings"}}) is None


def test_particles_of_one_movie(tmp_path: Path) -> None:
    group = star.OpticsGroup(0.885, 0.885, 200.0, 1.4, 0.1, image_pixel_size_angstrom=3.54, image_size_px=64)
    ctf = star.ParticleCtf([1e4, 1.1e4], 9e3, 45.0, figure_of_merit=0.2, max_resolution_angstrom=4.0)
    star.write_particles(
        tmp_path / "p.star", group, "average/a.mrc", "particles/a_picks.mrcs", [1, 2], [3, 4], [0.9, 0.8], ctf
    )
    read = blocks(tmp_path / "p.star")
    assert read["optics"].iloc[0]["rlnImageSize"] == 64
    assert read["optics"].iloc[0]["rlnImagePixelSize"] == 3.54
    assert read["optics"].iloc[0]["rlnCtfDataAreCtfPremultiplied"] == 0
    table = read["particles"]
    assert table["rlnImageName"].tolist() == ["000001@particles/a_picks.mrcs", "000002@particles/a_picks.mrcs"]
    assert table["rlnDefocusU"].tolist() == [10000.0, 11000.0]
    assert table["rlnDefocusV"].tolist() == [9000.0, 9000.0]


def test_names_with_blanks_survive_and_impossible_ones_are_refused(tmp_path: Path) -> None:
    names = ["a b.tif", "a#x", "_y", "it's", 'a"b c', "data_1", "a\\b", ""]
    (tmp_path / "a.star").write_text(loop_block("x", ("file", "n"), [star_row((names[0], 1)), star_row(("c", 2))]))
    assert starfile.read(tmp_path / "a.star")["file"].tolist() == ["a b.tif", "c"]
    assert star_row(names) == '"a b.tif" "a#x" "_y" "it\'s" \'a"b c\' "data_1" \'a\\b\' ""'
    for bad in ("a\nb", "a 'b\"c"):
        with pytest.raises(ValueError, match="cannot be written"):
            star_row((bad,))


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.star", "b.star"):
        star.write_coordinates(tmp_path / name, [1.5], [2], [0.5])
    assert (tmp_path / "a.star").read_bytes() == (tmp_path / "b.star").read_bytes()


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_png_reads_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(7).integers(0, 256, shape, np.uint8)
    write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), image)
    with pytest.raises(ValueError, match="uint8"):
        write_png(tmp_path / "a.png", image.astype(np.float32))  # type: ignore[arg-type]
