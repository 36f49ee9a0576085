"""Our lists against what RELION 5's programs ask of theirs, label by label, with the place in its source.

`REQUIRED`: without one of these the program stops, or takes another value for it in silence.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.services.relion_reader import Tables, after_job, opened_as, read_table
from tests.services.tracker.movies import named
from warpcore.services.formats import star_files as star
from warpcore.services.session.project import Project
from warpcore.services.session.settings import CtfSettings
from warpcore.services.tracker import documents

PROJECT = Project("/data/session/processing", "..")

REQUIRED = [
    # relion_run_motioncorr, relion_import
    ("movies", "optics", "obs_model.cpp: ObservationModel", "rlnVoltage rlnSphericalAberration"),
    ("movies", "optics", "motioncorr_runner.cpp: initialise", "rlnMicrographOriginalPixelSize rlnVoltage"),
    ("movies", "optics", "obs_model.cpp: getOpticsGroup", "rlnOpticsGroup rlnOpticsGroupName"),
    ("movies", "movies", "motioncorr_runner.cpp: initialise", "rlnMicrographMovieName rlnOpticsGroup"),
    # relion_motion_refine (Polish)
    ("corrected", "micrographs", "micrograph_handler.cpp: init", "rlnMicrographName rlnMicrographMetadata"),
    ("corrected", "micrographs", "obs_model.cpp: findUndefinedOptGroups", "rlnOpticsGroup"),
    # relion_preprocess (Extract)
    ("ctf", "optics", "preprocessing.cpp: initialise", "rlnMicrographPixelSize"),
    ("ctf", "micrographs", "preprocessing.cpp: initialise", "rlnMicrographName rlnOpticsGroup rlnDefocusU"),
    ("ctf", "micrographs", "ctf.cpp: readByGroup", "rlnDefocusU rlnDefocusV rlnDefocusAngle"),
    (
        "ctf",
        "micrographs",
        "preprocessing.cpp: extractParticlesFromOneMicrograph",
        "rlnCtfMaxResolution rlnCtfFigureOfMerit",
    ),
    ("autopick", "coordinate_files", "preprocessing.cpp: initialise", "rlnMicrographName rlnMicrographCoordinates"),
    ("picks", "", "preprocessing.cpp: readCoordinates", "rlnCoordinateX rlnCoordinateY rlnAutopickFigureOfMerit"),
    # relion_refine (Class2D), relion_reconstruct, relion_ctf_refine
    ("particles", "optics", "obs_model.cpp: ObservationModel", "rlnImageSize rlnImagePixelSize"),
    ("particles", "optics", "exp_model.cpp: read", "rlnImageDimensionality"),
    ("particles", "optics", "ctf.cpp: readByGroup", "rlnVoltage rlnSphericalAberration rlnAmplitudeContrast"),
    ("particles", "optics", "obs_model.cpp: ObservationModel", "rlnCtfDataAreCtfPremultiplied"),
    ("particles", "particles", "exp_model.cpp: read", "rlnImageName rlnMicrographName rlnOpticsGroup"),
    ("particles", "particles", "ctf.cpp: readByGroup", "rlnDefocusU rlnDefocusV rlnDefocusAngle rlnPhaseShift"),
    ("particles", "particles", "ctf.cpp: readByGroup", "rlnCtfBfactor rlnCtfScalefactor"),
    ("particles", "particles", "spa_extraction.h: extractMovieStackFS", "rlnCoordinateX rlnCoordinateY"),
]
TEXTS = {
    "rlnMicrographMovieName",
    "rlnMicrographName",
    "rlnMicrographMetadata",
    "rlnMicrographCoordinates",
    "rlnImageName",
    "rlnCtfImage",
    "rlnOpticsGroupName",
    "rlnMicrographNameEven",
    "rlnMicrographNameOdd",
}
INTEGERS = {
    "rlnOpticsGroup",
    "rlnImageSize",
    "rlnImageDimensionality",
    "rlnCtfDataAreCtfPremultiplied",
    "rlnClassNumber",
}


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Texts of all lists of a session of two movies, one of which reached no CTF resolution."""
    folder = tmp_path_factory.mktemp("lists")
    good, poor = named(7), named(8)
    poor = replace(poor, results={**poor.results, "ctf": {**poor.results["ctf"], "resolution_angstrom": None}})
    optics = documents.optics(good, CtfSettings())
    assert optics is not None
    groups = [optics.group(1)]
    rows = [documents.rows(one, 1, PROJECT, "/data/session/raw") for one in (good, poor)]
    star.write_coordinates(folder / "picks.star", [1.5, 10.0], [2.5, 20.0], [0.5, 0.6])
    boxes = star.OpticsGroup(1.0, 1.0, 300.0, 2.7, 0.1, image_pixel_size_angstrom=1.0, image_size_px=64)
    names = PROJECT.output("average/grid/m7.mrc"), PROJECT.output("particles/grid/m7_picks.mrcs")
    star.write_particles(folder / "p.star", boxes, *names, [1, 2], [3, 4], [0.9, 0.8], star.ParticleCtf(1e4, 9e3, 45.0))
    corrected = [f"{row.corrected} {row.halves}" for row in rows]
    return {
        "movies": star.movies_star(groups, [row.movie for row in rows]),
        "corrected": star.corrected_micrographs_star(groups, corrected, halves=True),
        "ctf": star.micrographs_ctf_star(groups, [row.ctf for row in rows if row.ctf]),
        "autopick": star.autopick_star([row.autopick for row in rows if row.autopick]),
        "picks": (folder / "picks.star").read_text(),
        "particles": (folder / "p.star").read_text(),
    }


def tables(lists: dict[str, str]) -> Tables:
    blocks = {(name, block) for name, block, _, _ in REQUIRED}
    return {f"{name}/{block}": read_table(lists[name], block) for name, block in blocks}


@pytest.mark.parametrize(("name", "block", "source", "labels"), REQUIRED)
def test_what_relion_asks_for_is_there(lists: dict[str, str], name: str, block: str, source: str, labels: str) -> None:
    rows = read_table(lists[name], block)
    assert rows, f"{name}: no data_{block}"
    missing = set(labels.split()) - set(rows[0])
    assert not missing, f"{source} asks for {missing}"


def test_each_value_is_read_as_what_it_is(lists: dict[str, str]) -> None:
    """metadata_table.cpp, setValueFromString: streamed as a C++ number, which stops at what is none and leaves 0."""
    for name, rows in tables(lists).items():
        for row in rows:
            for label, value in row.items():
                if label in INTEGERS:
                    assert str(int(value)) == value, f"{name}: {label} {value}"
                elif label not in TEXTS:
                    assert set(value) <= set("-.0123456789"), f"{name}: {label} {value}"
    (unresolved,) = [
        row for row in read_table(lists["ctf"], "micrographs") if row["rlnMicrographName"].endswith("m8.mrc")
    ]
    assert float(unresolved["rlnCtfMaxResolution"]) == 25


def test_each_name_is_that_of_a_file_in_the_project(lists: dict[str, str]) -> None:
    """Relative names without `..`, of formats that image.h, openFile knows, and told apart after a job's folder."""
    formats = {"mrc", "mrcs", "tif", "star"}
    for rows in tables(lists).values():
        for row in rows:
            for label in TEXTS & set(row) - {"rlnOpticsGroupName"}:
                file, form = opened_as(row[label])
                assert form in formats
                assert not Path(file).is_absolute()
                assert ".." not in Path(file).parts
                assert after_job(file) == file


def test_micrographs_have_one_name_in_all_lists(lists: dict[str, str]) -> None:
    """They are joined by it: micrograph_handler.cpp, getMicrographMetadataFilename; preprocessing.cpp, initialise."""
    found = tables(lists)
    corrected = {row["rlnMicrographName"] for row in found["corrected/micrographs"]}
    for name in ("ctf/micrographs", "autopick/coordinate_files", "particles/particles"):
        assert {row["rlnMicrographName"] for row in found[name]} <= corrected


def test_every_optics_group_of_a_row_is_in_the_table(lists: dict[str, str]) -> None:
    """obs_model.cpp, loadSafely: stops at a group that data_optics does not define."""
    for name, block in (("movies", "movies"), ("corrected", "micrographs"), ("ctf", "micrographs"), ("particles",) * 2):
        known = {row["rlnOpticsGroup"] for row in read_table(lists[name], "optics")}
        assert {row["rlnOpticsGroup"] for row in read_table(lists[name], block)} <= known


def test_coordinate_files_hold_no_column_that_makes_relion_re_extract(lists: dict[str, str]) -> None:
    """preprocessing.cpp, extractParticlesFromOneMicrograph: without these, CTF and optics are the micrograph's."""
    assert not {"rlnDefocusU", "rlnOpticsGroup", "rlnOriginXAngst"} & set(read_table(lists["picks"], "")[0])
