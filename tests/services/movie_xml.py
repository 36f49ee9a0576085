"""A movie's XML read back, as tests compare it; the project itself only writes it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from warpcore.services.formats.warp_xml import (
    _CTF_FIELDS,
    CTF_GRIDS,
    LATER_GRIDS,
    MOVEMENT_GRIDS,
    Curve,
    Grid,
    MovieXml,
    WarpCtf,
)


def read_movie_xml(path: Path) -> MovieXml:
    """What `write_movie_xml` wrote."""
    root = ET.fromstring(path.read_bytes())
    assert root.tag == "Movie"
    return _movie(root)


def _movie(root: ET.Element) -> MovieXml:
    ctf = _params(root, "CTF")
    grids = {
        element.tag: _grid(element) for element in root if element.tag in (*CTF_GRIDS, *MOVEMENT_GRIDS, *LATER_GRIDS)
    }
    magnification = [float(value) for value in root.attrib["MagnificationCorrection"].split(",")]
    options_ctf, options_movement = _params(root, "OptionsCTF"), _params(root, "OptionsMovement")
    return MovieXml(
        data_directory=root.attrib["DataDirectory"],
        unselect_filter=root.attrib["UnselectFilter"] == "True",
        unselect_manual={"True": True, "False": False}.get(root.attrib["UnselectManual"]),
        ctf_resolution_estimate_angstrom=float(root.attrib["CTFResolutionEstimate"]) or None,
        mean_frame_movement_angstrom=float(root.attrib["MeanFrameMovement"]) if options_movement is not None else None,
        mask_percentage=float(root.attrib["MaskPercentage"]),
        bfactor=float(root.attrib["Bfactor"]),
        weight=float(root.attrib["Weight"]),
        magnification_correction=(magnification[0], magnification[1], magnification[2], magnification[3]),
        options_ctf=options_ctf,
        options_movement=options_movement,
        options_movie_export=_params(root, "OptionsMovieExport"),
        ps1d=_curve(root, "PS1D"),
        simulated_background=_curve(root, "SimulatedBackground"),
        simulated_scale=_curve(root, "SimulatedScale"),
        ctf=None if ctf is None else WarpCtf(**{key: float(ctf[name]) for name, key in _CTF_FIELDS.items()}),
        grids=grids,
        pyramid_shift_x=tuple(_grid(element) for element in root.iterfind("PyramidShiftX")),
        pyramid_shift_y=tuple(_grid(element) for element in root.iterfind("PyramidShiftY")),
        picking_thresholds={
            element.attrib["Suffix"]: float(element.attrib["Value"])
            for element in root.iterfind("PickingThresholds/Threshold")
        },
    )


def _params(root: ET.Element, name: str) -> dict[str, str] | None:
    element = root.find(name)
    return None if element is None else {one.attrib["Name"]: one.attrib["Value"] for one in element.iterfind("Param")}


def _curve(root: ET.Element, name: str) -> Curve | None:
    text = root.findtext(name)
    if text is None:
        return None
    points = [point.split("|") for point in text.split(";") if point]
    return np.array(points, np.float64).reshape(-1, 2)


def _grid(element: ET.Element) -> Grid:
    depth, height, width = (int(element.attrib[name]) for name in ("Depth", "Height", "Width"))
    values = np.zeros((depth, height, width))
    for node in element.iterfind("Node"):
        place = tuple(int(node.attrib[axis]) for axis in "ZYX")
        values[place] = float(node.attrib["Value"])
    margins = tuple(float(element.attrib.get(f"Margin{axis}", "0")) for axis in "XYZ")
    return Grid(values, (margins[0], margins[1], margins[2]))
