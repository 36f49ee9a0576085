"""Where a movie was recorded, as columns beside its results."""

from __future__ import annotations

from tests.services.metadata_files import epu_xml
from warpcore.bus.messages import Acquisition
from warpcore.services.readers.metadata import read_metadata
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.place import place_of, with_off_target

MOVIE = "sup/Images-Disc1/GridSquare_7/Data/FoilHole_2_Data_3_4_20250108_154918_Fractions.mrc"


def test_columns_of_a_movie_that_epu_recorded() -> None:
    told = read_metadata(epu_xml(stage_um=(-97.15, 12.5, 85.7), defocus_um=1.5), "a.xml", MOVIE)
    results = {"place": place_of(told)}
    shown = {name: column.text(results) for name, column in CHAIN.column.items() if name.startswith("place.")}
    assert shown["place.square"] == "7"
    assert (shown["place.hole"], shown["place.area"], shown["place.grid"]) == ("2", "3", "sup")
    assert (shown["place.stage_x_um"], shown["place.defocus_applied_um"]) == ("-97.15", "1.50")
    assert shown["place.recorded_at"] == "2025-01-08 15:49:21"
    assert shown["place.shot"] == shown["place.off_target_um"] == "-"


def test_movies_without_metadata_have_no_place() -> None:
    assert place_of(None) == place_of(Acquisition()) == {}


def test_measured_against_applied_defocus() -> None:
    place = place_of(Acquisition(defocus_applied_um=1.5))
    assert with_off_target(place, {"ctf": {"defocus_um": 1.42}})["off_target_um"] == -0.08
    for unknown in ({}, {"ctf": {"defocus_um": None}}, {"ctf": {"defocus_um": 1.42, "failure": "no rings"}}):
        assert with_off_target(place, unknown) == place
    assert with_off_target({"square": "7"}, {"ctf": {"defocus_um": 1.42}}) == {"square": "7"}
