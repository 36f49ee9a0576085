"""What the files say of one movie."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.services.tracker.movies import RESULTS, movie
from warpcore.bus.messages import Failure
from warpcore.services.session.project import Project
from warpcore.services.session.settings import CtfSettings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.step import PLACE, RUN
from warpcore.services.tracker import documents

PROJECT = Project("/data/processing")


@pytest.mark.parametrize(
    ("status", "selection", "results", "number"),
    [
        ("processed", "auto", True, 1),
        ("processed", "include", True, 1),
        ("processed", "exclude", True, 5),
        ("filtered_out", "auto", True, 4),
        ("filtered_out", "include", True, 1),
        ("filtered_out", "exclude", True, 5),
        ("outdated", "auto", True, 2),
        ("unprocessed", "auto", False, 3),
        ("unprocessed", "exclude", False, 5),
        ("queued", "auto", False, 3),
        ("queued", "auto", True, 2),
        ("processing", "auto", True, 2),
        ("processing", "include", False, 3),
        ("failed", "auto", True, 3),
        ("failed", "exclude", False, 3),
    ],
)
def test_processing_status(status: str, selection: str, results: bool, number: int) -> None:
    one = movie(1, status=status, selection=selection, results=RESULTS if results else {})
    assert documents.processing_status(one) == number


def read(**values: Any) -> dict[str, Any]:
    return json.loads(documents.item(movie(7, **values)))  # type: ignore[no-any-return]


def test_item_has_warps_names_and_decimals() -> None:
    content = read()
    assert list(content)[:2] == ["Path", "ProcessingStatus"]
    warps = {
        "Path": "grid/m7.tif",
        "ProcessingStatus": 1,
        "Defocus": 2.7224,
        "Phase": 0.13,
        "Resolution": 3.46,
        "AstigX": 0.0111,  # 0.0221 × cos 60°
        "AstigY": 0.0191,
        "Motion": 0.812,
        "Junk": 1.5,
        "Particles": 312,
    }
    assert {name: content[name] for name in warps} == warps


def test_every_measured_value_is_in_the_item_in_json_and_with_its_own_key() -> None:
    keys = [column.json for column in CHAIN.columns if column.json]
    assert len(set(keys)) == len(keys)
    measured = {(one.step, one.field) for one in CHAIN.columns if not one.json and one.compute is None}
    assert {step for step, _ in measured} == {PLACE, RUN}
    assert set(keys) <= set(read())
    assert read(results={**RESULTS, "ctf": {**RESULTS["ctf"], "ice_thickness": 0.4567}})["IceThickness"] == 0.457


def test_how_a_movie_was_processed_changes_nothing() -> None:
    """Files of equal movies are equal, whenever and wherever they were made."""
    run = {"worker": "w", "done_at": 1_764_000_000.5, "motion_s": 0.5}
    assert read(results={**RESULTS, RUN: run}) == read(results=RESULTS)


def test_what_was_not_measured_is_null() -> None:
    content = read(results={}, status="unprocessed")
    assert [name for name, value in content.items() if value is None] == list(content)[2:]
    ctf = {**dict.fromkeys(RESULTS["ctf"]), "failure": "no rings"}
    motion = {"skipped": True, "mean_frame_movement_angstrom": None}
    content = read(results={**RESULTS, "ctf": ctf, "motion": motion, "picking": {**RESULTS["picking"], "count": 0}})
    assert (content["Defocus"], content["AstigX"], content["Motion"], content["Particles"]) == (None, None, None, 0)
    assert (
        read(results={**RESULTS, "ctf": {**RESULTS["ctf"], "resolution_angstrom": float("inf")}})["Resolution"] is None
    )


def test_a_failed_item_says_error_and_step_and_others_do_not() -> None:
    failure = Failure("input", "load", "a.tif: is empty", "host")
    content = read(status="failed", failure=failure, results={})
    assert (content["ProcessingStatus"], content["Error"], content["Step"]) == (3, "a.tif: is empty", "load")
    assert "Error" not in read(status="queued", failure=failure)


def test_rows_name_files_relative_to_the_processing_directory() -> None:
    one = movie(7)
    rows = documents.rows(one, 2, PROJECT, "/data/session")
    assert rows.movie == "/data/session/grid/m7.tif 2"
    assert rows.corrected == "average/grid/m7.mrc motion/grid/m7.star 2 16.400000 2.500000 13.900000"
    assert rows.halves == "average/even/grid/m7.mrc average/odd/grid/m7.mrc"
    assert rows.ctf is not None
    assert rows.ctf.split()[:5] == [
        "average/grid/m7.mrc",
        "2",
        "powerspectrum/grid/m7.mrc:mrc",
        "27334.000000",
        "27113.000000",
    ]
    assert rows.autopick == "average/grid/m7.mrc matching/grid/m7_picks.star"
    assert rows.particles == "particles/grid/m7_picks.star"


def test_rows_name_files_from_the_root_of_the_project_and_never_with_dots() -> None:
    above = Project("/data/processing", "..")
    rows = documents.rows(movie(7), 1, above, "/data/session")
    assert rows.movie == "session/grid/m7.tif 1"
    assert rows.corrected is not None
    assert rows.corrected.split()[:2] == ["processing/average/grid/m7.mrc", "processing/motion/grid/m7.star"]
    assert rows.halves == "processing/average/even/grid/m7.mrc processing/average/odd/grid/m7.mrc"
    assert rows.autopick == "processing/average/grid/m7.mrc processing/matching/grid/m7_picks.star"
    assert rows.ctf is not None
    assert rows.ctf.split()[2] == "processing/powerspectrum/grid/m7.mrc:mrc"
    assert rows.particles == "particles/grid/m7_picks.star"  # a file to be read by us
    moved = documents.rows(movie(7), 1, Project("/elsewhere/processing", ".."), "/elsewhere/session")
    assert moved == rows
    assert documents.rows(movie(7), 1, above, "/datasets").movie == "/datasets/grid/m7.tif 1"


def test_a_movie_has_only_the_rows_that_its_results_allow() -> None:
    no_ctf = {**RESULTS, "ctf": {"failure": "no rings", "defocus_u_angstrom": None}, "picking": None}
    rows = documents.rows(movie(1, results=no_ctf), 1, PROJECT, "/data")
    assert (rows.ctf, rows.autopick) == (None, None)
    assert rows.corrected is not None
    no_average = {**RESULTS, "export": {**RESULTS["export"], "average": None, "particles": None}}
    rows = documents.rows(movie(1, results=no_average), 1, PROJECT, "/data")
    assert (rows.corrected, rows.ctf, rows.autopick, rows.particles) == (None, None, None, None)


def test_only_accepted_movies_have_optics() -> None:
    ctf = CtfSettings(voltage=200.0)
    found = documents.optics(movie(1), ctf)
    assert found == documents.Optics(0.5, 1.0, 200.0, 2.7, 0.07)
    assert found.group(3).number == 3
    assert documents.optics(movie(1, selection="exclude"), ctf) is None
    assert documents.optics(movie(1, status="filtered_out"), ctf) is None
    assert documents.optics(movie(1, status="filtered_out", selection="include"), ctf) is not None
    assert documents.optics(movie(1, status="outdated"), ctf) is None


@pytest.mark.parametrize(
    ("selection", "reasons", "flags"),
    [("auto", [], (False, None)), ("include", ["x"], (True, False)), ("exclude", [], (False, True))],
)
def test_selection_flags(selection: str, reasons: list[str], flags: tuple[bool, bool | None]) -> None:
    one = movie(1, selection=selection, filter_reasons=reasons)
    assert documents.selection_flags(one) == flags
    assert documents.selection_flags(replace(one, status="processing")) is None
    assert documents.selection_flags(replace(one, results={})) is None
