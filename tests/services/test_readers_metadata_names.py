"""Which file holds a movie's metadata, and what names and folders say of its place."""

from __future__ import annotations

import pytest

from warpcore.services.readers.metadata import Place, chosen_metadata, metadata_candidates, place_of_name

HOLE = "FoilHole_25709368_Data_24680228_24680229_20191026_0822"
LATER = "FoilHole_9015883_Data_9017354_6_20250108_154918"


@pytest.mark.parametrize(
    ("movie", "metadata"),
    [
        (f"{HOLE}_Fractions.mrc", f"{HOLE}.xml"),
        (f"{HOLE}-15739.tif", f"{HOLE}.xml"),  # a K2's
        (f"{LATER}_fractions.tiff", f"{LATER}.xml"),
        (f"{LATER}_EER.eer", f"{LATER}.xml"),
        (f"grid1/{LATER}.mrc", f"{LATER}.xml"),
        ("a_Fractions.mrc", "a.xml"),
        ("movie.tif", "movie.xml"),
        ("grid/movie_0001.tif", "movie_0001.tif.mdoc"),
        ("movie.1.tif", "movie.1.mdoc"),
        ("movie.tif", "movie.json"),
    ],
)
def test_names_of_metadata(movie: str, metadata: str) -> None:
    assert metadata in metadata_candidates(movie)


def test_the_most_likely_name_comes_first() -> None:
    assert metadata_candidates(f"{LATER}_EER.eer")[0] == f"{LATER}.xml"
    assert metadata_candidates("m.tif") == ("m.xml", "m.tif.mdoc", "m.mdoc", "m.json")


@pytest.mark.parametrize(
    ("movie", "place"),
    [
        (
            f"Supervisor_1/Images-Disc1/GridSquare_8999138/Data/{LATER}_EER.eer",
            Place("Supervisor_1", "8999138", "9015883", "9017354", recorded_at=1736351358.0),
        ),
        (
            f"Images-Disc1/GridSquare_7/Data/{HOLE}_Fractions.mrc",
            Place(None, "7", "25709368", "24680228", recorded_at=1572078120.0),
        ),
        (f"raw/{HOLE}-15739.tif", Place(None, None, "25709368", "24680228", recorded_at=1572078120.0)),
        ("img_h1_s2_i374_movie_00001_Jul30_07.56.47.tif", Place(None, None, "1", "1-2", "2")),
        ("sq3_X+1Y-1-2_0001_Nov25_10.11.12.tif", Place(None, None, "X+1Y-1", "X+1Y-1-2", "2")),
        ("g_R1H3-0_0001.mrc", Place(None, None, "R1H3", "R1H3-0", "0")),
        ("g_hole2-shot3.eer", Place(None, None, "2", "2-3", "3")),
        ("g_78-1_0001.tif", Place()),  # a label of the navigator, or hole and shot: nobody knows
        ("movie_0001.tif", Place()),
    ],
)
def test_place_of_a_name(movie: str, place: Place) -> None:
    assert place_of_name(movie) == place


def listed(*paths: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(path.rpartition("/")[2], []).append(path)
    return found


def test_the_file_beside_the_movie_comes_first() -> None:
    found = listed(f"b/{HOLE}.xml", f"a/{HOLE}.xml", "a/movie.mdoc", "b/movie.tif.mdoc")
    assert chosen_metadata(f"a/{HOLE}_Fractions.mrc", found) == f"a/{HOLE}.xml"
    assert chosen_metadata("a/movie.tif", found) == "a/movie.mdoc"
    assert chosen_metadata("c/movie.tif", found) is None


def test_epus_images_may_be_a_tree_of_their_own() -> None:
    images = f"epu/Images-Disc1/GridSquare_7/Data/{HOLE}.xml"
    assert chosen_metadata(f"raw/{HOLE}_Fractions.mrc", listed(images)) == images
    copy = images.replace("GridSquare_7", "GridSquare_8")
    assert chosen_metadata(f"raw/{HOLE}_Fractions.mrc", listed(images, copy)) is None
    movie = f"raw/GridSquare_7/Data/{HOLE}_Fractions.mrc"
    assert chosen_metadata(movie, listed(images, copy)) == images
