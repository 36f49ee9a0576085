"""Warp's XML: order, round trip, selection flags, and as warpylib reads it."""

from __future__ import annotations

import sys
import types
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from warpcore.services.formats import warp_xml as xml
from warpcore.services.formats.warp_options import Acquisition, ctf_options, export_options, movement_options
from warpcore.services.formats.warp_xml_reading import read_movie_xml
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import Settings, parse_settings

RANDOM = np.random.default_rng(8)
ACQUISITION = Acquisition(4096, 2048, 40, 0.5, 1.2)


def full_movie() -> xml.MovieXml:
    settings = Settings()
    return xml.MovieXml(
        data_directory="/data/session <1>",
        unselect_filter=True,
        unselect_manual=None,
        ctf_resolution_estimate_angstrom=3.4,
        mean_frame_movement_angstrom=0.81,
        options_ctf=ctf_options(settings, ACQUISITION),
        options_movement=movement_options(settings, ACQUISITION),
        options_movie_export=export_options(settings, ACQUISITION),
        ps1d=np.array([[0.0, 1.5], [0.25, 2e-7]]),
        simulated_background=np.array([[0.1, -0.5]]),
        simulated_scale=np.array([[0.1, 1e-12]]),
        ctf=xml.WarpCtf(0.5, 300.0, 2.7, 0.07, 2.7223, 0.0221, 33.5, 0.1),
        grids={
            "GridCTF": xml.Grid.of(RANDOM.normal(2.7, 0.1, (1, 2, 3))),
            "GridMovementX": xml.Grid.of(RANDOM.normal(size=(40, 1, 1))),
            "GridMovementY": xml.Grid.of(RANDOM.normal(size=(40, 1, 1))),
            "GridLocalMovementX": xml.Grid.of(RANDOM.normal(size=(4, 5, 6))),
            "GridLocalMovementY": xml.Grid.of(RANDOM.normal(size=(4, 5, 6))),
        },
        pyramid_shift_x=(xml.Grid.of(RANDOM.normal(size=(2, 2, 2))),),
        pyramid_shift_y=(xml.Grid.of(RANDOM.normal(size=(2, 2, 2))),),
        picking_thresholds={"picks": 0.5},
    )


def test_attributes_and_elements_stand_in_warps_order(tmp_path: Path) -> None:
    xml.write_movie_xml(tmp_path / "a.xml", full_movie())
    root = ET.parse(tmp_path / "a.xml").getroot()
    assert list(root.attrib) == [
        "DataDirectory",
        "UnselectFilter",
        "UnselectManual",
        "CTFResolutionEstimate",
        "MeanFrameMovement",
        "MaskPercentage",
        "Bfactor",
        "Weight",
        "MagnificationCorrection",
    ]
    assert [element.tag for element in root] == [
        "OptionsCTF",
        "PS1D",
        "SimulatedBackground",
        "SimulatedScale",
        "CTF",
        "GridCTF",
        "GridCTFDefocusDelta",
        "GridCTFDefocusAngle",
        "GridCTFCs",
        "GridCTFPhase",
        "GridCTFDoming",
        "OptionsMovement",
        "GridMovementX",
        "GridMovementY",
        "GridLocalMovementX",
        "GridLocalMovementY",
        "PyramidShiftX",
        "PyramidShiftY",
        "GridAngleX",
        "GridAngleY",
        "GridAngleZ",
        "GridDoseBfacs",
        "GridDoseBfacsDelta",
        "GridDoseBfacsAngle",
        "GridDoseWeights",
        "GridLocationBfacs",
        "GridLocationWeights",
        "OptionsMovieExport",
        "PickingThresholds",
    ]
    node = root.find("GridLocalMovementX/Node")
    assert node is not None
    assert list(node.attrib) == ["X", "Y", "Z", "Value"]


def test_it_is_read_back_and_equal_movies_are_equal_bytes(tmp_path: Path) -> None:
    movie = full_movie()
    xml.write_movie_xml(tmp_path / "a.xml", movie)
    read = read_movie_xml(tmp_path / "a.xml")
    assert (read.data_directory, read.unselect_filter, read.unselect_manual) == ("/data/session <1>", True, None)
    assert read.options_ctf == movie.options_ctf
    assert read.ctf == movie.ctf
    for name, grid in movie.grids.items():
        np.testing.assert_allclose(read.grids[name].values, grid.values, atol=1e-9)
    assert read.ps1d is not None
    assert movie.ps1d is not None
    np.testing.assert_allclose(read.ps1d, movie.ps1d)
    xml.write_movie_xml(tmp_path / "b.xml", read)
    assert (tmp_path / "b.xml").read_bytes() == (tmp_path / "a.xml").read_bytes()


def test_what_was_not_done_is_not_there(tmp_path: Path) -> None:
    xml.write_movie_xml(tmp_path / "a.xml", xml.MovieXml("/data"))
    root = ET.parse(tmp_path / "a.xml").getroot()
    for tag in ("CTF", "GridCTF", "OptionsCTF", "OptionsMovement", "PS1D"):
        assert root.find(tag) is None
    read = read_movie_xml(tmp_path / "a.xml")
    assert (read.ctf, read.mean_frame_movement_angstrom, read.ctf_resolution_estimate_angstrom) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "text"), [(1e-12, "0"), (-1e-12, "0"), (1234567.0, "1234567"), (-0.25, "-0.25"), (1e-8, "0.00000001")]
)
def test_numbers_have_no_exponent_since_warps_decimals_do_not_parse_one(value: float, text: str) -> None:
    assert xml.number(value) == text


def test_options_are_warps_units() -> None:
    settings = parse_settings({"import": {"binning": 1.0}, "ctf": {"grid": [3, 4]}, "motion": {"range_max": 1.0}})
    ctf, movement = ctf_options(settings, ACQUISITION), movement_options(settings, ACQUISITION)
    assert ctf["Dimensions"] == "2048,1024,40"
    assert ctf["PixelSize"] == "0.5"
    assert ctf["RangeMax"] == "0.5"  # 2 × 1 Å (binned) over 4 Å
    assert (ctf["GridDims"], movement["GridDims"]) == ("3,4,1", "0,0,0")
    assert movement["RangeMax"] == "1"  # never beyond Nyquist
    assert list(ctf)[-13:] == [
        "Window",
        "RangeMin",
        "RangeMax",
        "Voltage",
        "Cs",
        "Cc",
        "Amplitude",
        "DoPhase",
        "UseMovieSum",
        "ZMin",
        "ZMax",
        "GridDims",
        "DosePerAngstromFrame",
    ]


def test_selection_flags_change_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    xml.write_movie_xml(path, full_movie())
    before = path.read_bytes()
    assert not xml.set_selection(path, True, None)
    assert path.read_bytes() == before
    assert xml.set_selection(path, False, True)
    read = read_movie_xml(path)
    assert (read.unselect_filter, read.unselect_manual) == (False, True)
    assert xml.set_selection(path, True, None)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.xml"]


def test_a_file_that_is_no_movie_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    for content in (b"", b"<Movie", b"<Other/>", b'<Movie DataDirectory="x"/>'):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.xml"):
            xml.set_selection(path, True, None)
        assert path.read_bytes() == content
    with pytest.raises(FileNotFoundError):
        xml.set_selection(tmp_path / "none.xml", True, None)


def damages(whole: bytes) -> Iterator[bytes]:
    """Bytes changed, taken out and doubled at random, and cut."""
    for _ in range(60):
        damaged = bytearray(whole)
        for place in RANDOM.integers(0, len(whole), RANDOM.integers(1, 5)):
            damaged[place] = (
                RANDOM.integers(0, 256) if RANDOM.random() < 0.5 else RANDOM.choice(list(b"0123456789-.e|"))
            )
        begin, end = sorted(RANDOM.integers(0, len(whole), 2).tolist())
        yield from (bytes(damaged), bytes(damaged[:begin] + damaged[end:]), whole[:begin])


def test_damaged_files_are_read_or_refused_with_their_path(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    xml.write_movie_xml(path, full_movie())
    refused = 0
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        try:
            read_movie_xml(path)
        except InputError as error:
            refused += str(path) in str(error)
    assert refused > 60


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"utf-8", b"klingon", "encoding"),
        (b'Depth="40"', b'Depth="4000000"', "GridMovementX of 1 x 1 x 4000000"),
        (b'Z="39"', b'Z="-1"', "other nodes"),
        (b'Name="Voltage"', b'Name="Power"', "'Voltage' is missing"),
        (b'"1, 0, 0, 1"', b'"1, 0, 0"', "MagnificationCorrection of 3 numbers"),
        (b'Bfactor="0"', b'Bfactor="nan"', "no finite number"),
        (b"0|1.5;", b"0|1.5|2;", "PS1D"),
        (b"<Movie ", b'<!DOCTYPE a [<!ENTITY b "c">]><Movie ', "document type"),
    ],
)
def test_what_is_damaged_is_said(tmp_path: Path, old: bytes, new: bytes, said: str) -> None:
    path = tmp_path / "a.xml"
    xml.write_movie_xml(path, full_movie())
    whole = path.read_bytes()
    assert old in whole
    at = whole.index(old, whole.index(b"<CTF>") if b"Voltage" in old else 0)  # options have a voltage too
    path.write_bytes(whole[:at] + whole[at:].replace(old, new, 1))
    with pytest.raises(InputError, match=f"a.xml: .*{said}"):
        read_movie_xml(path)


def test_xml_of_an_older_warp_has_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b'<Movie DataDirectory="/data" UnselectManual="False"/>')
    assert read_movie_xml(path) == xml.MovieXml("/data", unselect_manual=False)


def test_wrong_grids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GridTypo"):
        xml.write_movie_xml(tmp_path / "a.xml", xml.MovieXml("/", grids={"GridTypo": xml.Grid.of(1.0)}))
    for bad in (np.zeros((2, 2)), np.full((1, 1, 1), np.nan)):
        with pytest.raises(ValueError, match="finite"):
            xml.Grid.of(bad)


@pytest.mark.slow
def test_warpylib_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow since importing torch takes seconds.

    Its compiled projector, which no movie needs, may not fit the torch at hand.
    """
    monkeypatch.setitem(sys.modules, "torch_projectors", types.ModuleType("torch_projectors"))
    pytest.importorskip("warpylib", reason="warpylib is not installed")
    import torch
    from warpylib.movie import Movie

    movie = full_movie()
    xml.write_movie_xml(tmp_path / "a.xml", movie)
    read = Movie(str(tmp_path / "a.mrc"))
    assert (read.unselect_filter, read.unselect_manual) == (True, None)
    assert read.data_directory_name == "/data/session <1>"
    assert read.ctf_resolution_estimate == pytest.approx(3.4)
    assert read.mean_frame_movement == pytest.approx(0.81)
    assert read.mask_percentage == -1
    assert movie.ctf is not None
    assert read.ctf.defocus == pytest.approx(movie.ctf.defocus_um)
    assert read.ctf.defocus_delta == pytest.approx(movie.ctf.defocus_delta_um)
    assert read.ctf.defocus_angle == pytest.approx(movie.ctf.defocus_angle_degrees)
    assert read.ctf.phase_shift == pytest.approx(0.1)
    assert torch.equal(read.magnification_correction, torch.eye(2))
    assert read.grid_dose_weights.values.tolist() == [1.0]
    # The nodes of a grid are at x/(W-1), y/(H-1), z/(D-1): its interpolation passes through them.
    grid = movie.grids["GridLocalMovementX"].values
    depth, height, width = grid.shape
    places = [(x, y, z) for z in range(depth) for y in range(height) for x in range(width)]
    scale = np.array([width - 1, height - 1, depth - 1])
    coordinates = torch.tensor(np.array(places) / scale, dtype=torch.float32)
    values = read.grid_local_x.get_interpolated(coordinates).numpy()
    # Measured: 3e-6, the float32 of its spline.
    np.testing.assert_allclose(values, [grid[z, y, x] for x, y, z in places], atol=2e-5)
