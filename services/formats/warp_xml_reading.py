"""Warp's per-movie XML read: as this project, Warp and M write it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from warpcore.services.formats.warp_xml import (
    CTF_FIELDS,
    CTF_GRIDS,
    LATER_GRIDS,
    MOVEMENT_GRIDS,
    Curve,
    Grid,
    MovieXml,
    WarpCtf,
)
from warpcore.services.readers.xml_text import XmlError, parsed_xml
from warpcore.services.session.errors import InputError

_NEEDED = {field.name for field in dataclasses.fields(WarpCtf) if field.default is dataclasses.MISSING}
_GRIDS = (*CTF_GRIDS, *MOVEMENT_GRIDS, *LATER_GRIDS)


def read_movie_xml(path: Path) -> MovieXml:
    """What a movie's XML holds; what an older Warp did not write has the default of `MovieXml`.

    Raises InputError, and no other error, where the file is damaged or not a movie's; OSError where it cannot be read.
    """
    try:
        root = parsed_xml(path.read_bytes())
    except XmlError as error:
        raise InputError(f"{path}: {error}") from None
    if root.tag != "Movie":
        raise InputError(f"{path}: not a movie's XML, its root is {root.tag!r}")
    try:
        return _movie(root)
    except KeyError as error:
        raise InputError(f"{path}: damaged, {error} is missing; copy it again or process the movie again") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error}); copy it again or process the movie again") from None


def _movie(root: Element) -> MovieXml:
    ctf = _params(root, "CTF")
    options_movement = _params(root, "OptionsMovement")
    motion = None if options_movement is None else _number(root.get("MeanFrameMovement", "0"))
    magnification = [_number(value) for value in root.get("MagnificationCorrection", "1, 0, 0, 1").split(",")]
    if len(magnification) != 4:
        raise ValueError(f"MagnificationCorrection of {len(magnification)} numbers")
    return MovieXml(
        data_directory=root.get("DataDirectory", ""),
        unselect_filter=root.get("UnselectFilter") == "True",
        unselect_manual={"True": True, "False": False}.get(root.get("UnselectManual", "null")),
        ctf_resolution_estimate_angstrom=_number(root.get("CTFResolutionEstimate", "0")) or None,
        mean_frame_movement_angstrom=motion,
        mask_percentage=_number(root.get("MaskPercentage", "-1")),
        bfactor=_number(root.get("Bfactor", "0")),
        weight=_number(root.get("Weight", "1")),
        magnification_correction=(magnification[0], magnification[1], magnification[2], magnification[3]),
        options_ctf=_params(root, "OptionsCTF"),
        options_movement=options_movement,
        options_movie_export=_params(root, "OptionsMovieExport"),
        ps1d=_curve(root, "PS1D"),
        simulated_background=_curve(root, "SimulatedBackground"),
        simulated_scale=_curve(root, "SimulatedScale"),
        ctf=None if ctf is None else _ctf(ctf),
        grids={element.tag: _grid(element) for element in root if element.tag in _GRIDS},
        pyramid_shift_x=tuple(_grid(element) for element in root.iterfind("PyramidShiftX")),
        pyramid_shift_y=tuple(_grid(element) for element in root.iterfind("PyramidShiftY")),
        picking_thresholds={
            element.attrib["Suffix"]: _number(element.attrib["Value"])
            for element in root.iterfind("PickingThresholds/Threshold")
        },
    )


def _ctf(params: dict[str, str]) -> WarpCtf:
    told = {key: _number(params[name]) for name, key in CTF_FIELDS.items() if name in params or key in _NEEDED}
    return WarpCtf(**told)


def _params(root: Element, name: str) -> dict[str, str] | None:
    element = root.find(name)
    return None if element is None else {one.attrib["Name"]: one.attrib["Value"] for one in element.iterfind("Param")}


def _curve(root: Element, name: str) -> Curve | None:
    text = root.findtext(name)
    if text is None:
        return None
    points = [[_number(value) for value in point.split("|")] for point in text.split(";") if point]
    if any(len(point) != 2 for point in points):
        raise ValueError(f"{name} with points that are not x|y")
    return np.array(points, np.float64).reshape(-1, 2)


def _grid(element: Element) -> Grid:
    """A grid of which each node is there once: so a damaged size takes no memory."""
    shape = tuple(int(element.attrib[name]) for name in ("Depth", "Height", "Width"))
    nodes = {
        tuple(int(node.attrib[axis]) for axis in "ZYX"): _number(node.attrib["Value"])
        for node in element.iterfind("Node")
    }
    if min(shape) < 1 or math.prod(shape) != len(nodes) or not all(_is_inside(place, shape) for place in nodes):
        raise ValueError(f"{element.tag} of {shape[2]} x {shape[1]} x {shape[0]} has other nodes")
    values = np.empty(shape)
    for place, value in nodes.items():
        values[place] = value
    margins = [_number(element.get(f"Margin{axis}", "0")) for axis in "XYZ"]
    return Grid(values, (margins[0], margins[1], margins[2]))


def _is_inside(place: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return all(0 <= at < size for at, size in zip(place, shape, strict=True))


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value
