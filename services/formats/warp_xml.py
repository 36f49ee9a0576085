"""Warp's per-movie XML: all that Warp, M and warpylib read of a movie.

Conventions of those programs: a movement grid holds minus the specimen's displacement in Å (a point p of the reference
is found at p - grid in the frame); with margins 0 its nodes lie at (x/(W-1), y/(H-1), frame/(F-1)) of the image.
`DefocusDelta` is U - V in µm, which their formula halves. The phase shift is in units of π.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import open_file
from warpcore.services.session.paths import written_whole

Curve = npt.NDArray[np.float64]
"""[N, 2] of x, y."""


@dataclass(frozen=True)
class Grid:
    """A cubic spline grid: `values` [Z, Y, X] (depth, height, width), margins as fractions."""

    values: npt.NDArray[np.float64]
    margins: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @staticmethod
    def of(values: npt.ArrayLike, margins: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Grid:
        """From [Z, Y, X], or one number for a grid of one node. Raises ValueError for other ranks and for NaN."""
        array = np.asarray(values, np.float64)
        array = array.reshape(1, 1, 1) if array.ndim == 0 else array
        if array.ndim != 3 or array.size == 0 or not np.isfinite(array).all():
            raise ValueError(f"a grid is finite [Z, Y, X], not {array.shape}")
        return Grid(array, margins)


@dataclass(frozen=True)
class WarpCtf:
    """The `<CTF>` element: Å, kV, mm, µm (underfocus positive; delta = U - V), degrees, π."""

    pixel_size_angstrom: float
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float
    defocus_um: float
    defocus_delta_um: float
    defocus_angle_degrees: float
    phase_shift_pi: float = 0.0
    cc_mm: float = 2.7
    bfactor: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class MovieXml:
    """Everything in a movie's XML. None means not measured and is left out, so that no default looks measured.

    Without `ctf` no CTF grids are written; without `options_movement` each movement grid is a single node of 0.
    `options_*` are the `Param` elements by name, from `warp_options`.
    """

    data_directory: str
    unselect_filter: bool = False
    unselect_manual: bool | None = None
    ctf_resolution_estimate_angstrom: float | None = None
    mean_frame_movement_angstrom: float | None = None
    mask_percentage: float = -1.0
    bfactor: float = 0.0
    weight: float = 1.0
    magnification_correction: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)
    options_ctf: Mapping[str, str] | None = None
    options_movement: Mapping[str, str] | None = None
    options_movie_export: Mapping[str, str] | None = None
    ps1d: Curve | None = None
    simulated_background: Curve | None = None
    simulated_scale: Curve | None = None
    ctf: WarpCtf | None = None
    grids: Mapping[str, Grid] = field(default_factory=dict)
    pyramid_shift_x: Sequence[Grid] = ()
    pyramid_shift_y: Sequence[Grid] = ()
    picking_thresholds: Mapping[str, float] = field(default_factory=dict)


CTF_GRIDS = ("GridCTF", "GridCTFDefocusDelta", "GridCTFDefocusAngle", "GridCTFCs", "GridCTFPhase", "GridCTFDoming")
MOVEMENT_GRIDS = ("GridMovementX", "GridMovementY", "GridLocalMovementX", "GridLocalMovementY")
LATER_GRIDS = (
    "GridAngleX",
    "GridAngleY",
    "GridAngleZ",
    "GridDoseBfacs",
    "GridDoseBfacsDelta",
    "GridDoseBfacsAngle",
    "GridDoseWeights",
    "GridLocationBfacs",
    "GridLocationWeights",
)
"""Names in `MovieXml.grids`. A grid that is not given is written as one node of its neutral value, as Warp does."""

_ONES = ("GridDoseWeights", "GridLocationWeights")
CTF_FIELDS = {
    "PixelSize": "pixel_size_angstrom",
    "Cs": "cs_mm",
    "Cc": "cc_mm",
    "Voltage": "voltage_kv",
    "Defocus": "defocus_um",
    "DefocusDelta": "defocus_delta_um",
    "DefocusAngle": "defocus_angle_degrees",
    "Amplitude": "amplitude_contrast",
    "PhaseShift": "phase_shift_pi",
    "Bfactor": "bfactor",
    "Scale": "scale",
}


def write_movie_xml(path: Path, movie: MovieXml) -> None:
    """Write the XML, equal bytes for an equal movie. Raises ValueError for names of grids that Warp does not have."""
    unknown = set(movie.grids) - {*CTF_GRIDS, *MOVEMENT_GRIDS, *LATER_GRIDS}
    if unknown:
        raise ValueError(f"no grids of Warp's: {', '.join(sorted(unknown))}")
    root = ET.Element("Movie", _attributes(movie))
    _add_params(root, "OptionsCTF", movie.options_ctf)
    _add_curve(root, "PS1D", movie.ps1d)
    _add_curve(root, "SimulatedBackground", movie.simulated_background)
    _add_curve(root, "SimulatedScale", movie.simulated_scale)
    if movie.ctf is not None:
        _add_params(root, "CTF", {name: number(getattr(movie.ctf, key)) for name, key in CTF_FIELDS.items()})
        defaults = {
            "GridCTF": movie.ctf.defocus_um,
            "GridCTFDefocusDelta": movie.ctf.defocus_delta_um,
            "GridCTFDefocusAngle": movie.ctf.defocus_angle_degrees,
            "GridCTFCs": movie.ctf.cs_mm,
            "GridCTFPhase": movie.ctf.phase_shift_pi,
            "GridCTFDoming": 0.0,
        }
        for name in CTF_GRIDS:
            _add_grid(root, name, movie.grids.get(name) or Grid.of(defaults[name]))
    _add_params(root, "OptionsMovement", movie.options_movement)
    for name in MOVEMENT_GRIDS:
        _add_grid(root, name, movie.grids.get(name) or Grid.of(0.0))
    for name, grids in (("PyramidShiftX", movie.pyramid_shift_x), ("PyramidShiftY", movie.pyramid_shift_y)):
        for grid in grids:
            _add_grid(root, name, grid)
    for name in LATER_GRIDS:
        _add_grid(root, name, movie.grids.get(name) or Grid.of(1.0 if name in _ONES else 0.0))
    _add_params(root, "OptionsMovieExport", movie.options_movie_export)
    if movie.picking_thresholds:
        thresholds = ET.SubElement(root, "PickingThresholds")
        for suffix, value in movie.picking_thresholds.items():
            ET.SubElement(thresholds, "Threshold", {"Suffix": suffix, "Value": number(value)})
    ET.indent(root, "\t")
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def set_selection(path: Path, unselect_filter: bool | None, unselect_manual: bool | None) -> bool:
    """Set both flags in a movie's XML and leave the rest as it is; returns whether the file changed.

    `unselect_filter` None counts as False, since Warp knows no null there. Where another process replaces the file at
    the same time, its version stays and False is returned. Raises InputError where the file is not a movie's XML,
    OSError where there is none.
    """
    with open_file(path) as file:
        old = file.read()
        read = _identity(path)
    root = re.search(rb"<Movie\s[^<>]*>", old)
    if root is None:
        raise InputError(f"{path}: not a movie's XML")
    tag = root.group()
    for name, value in (("UnselectFilter", bool(unselect_filter)), ("UnselectManual", unselect_manual)):
        pattern = rb"(\s%s=)\"[^\"]*\"" % name.encode()
        if not re.search(pattern, tag):
            raise InputError(f"{path}: a movie's XML without {name}")
        tag = re.sub(pattern, rb'\1"%s"' % _flag(value).encode(), tag)
    new = old[: root.start()] + tag + old[root.end() :]
    if new == old:
        return False
    try:
        with written_whole(path) as temporary:
            temporary.write_bytes(new)
            if _identity(path) != read:
                raise _ReplacedError
    except _ReplacedError:
        return False
    return True


def number(value: float) -> str:
    """A number as C#'s decimal.Parse reads it: no exponent, no trailing zeros, no minus zero."""
    text = f"{value:.9f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class _ReplacedError(Exception):
    """Another process has put a newer file in place."""


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _flag(value: bool | None) -> str:
    return "null" if value is None else str(value)


def _attributes(movie: MovieXml) -> dict[str, str]:
    return {
        "DataDirectory": movie.data_directory,
        "UnselectFilter": _flag(movie.unselect_filter),
        "UnselectManual": _flag(movie.unselect_manual),
        "CTFResolutionEstimate": number(movie.ctf_resolution_estimate_angstrom or 0.0),
        "MeanFrameMovement": number(movie.mean_frame_movement_angstrom or 0.0),
        "MaskPercentage": number(movie.mask_percentage),
        "Bfactor": number(movie.bfactor),
        "Weight": number(movie.weight),
        "MagnificationCorrection": ", ".join(number(value) for value in movie.magnification_correction),
    }


def _add_params(root: ET.Element, name: str, params: Mapping[str, str] | None) -> None:
    if params is None:
        return
    element = ET.SubElement(root, name)
    for key, value in params.items():
        ET.SubElement(element, "Param", {"Name": key, "Value": value})


def _add_curve(root: ET.Element, name: str, curve: Curve | None) -> None:
    if curve is not None:
        ET.SubElement(root, name).text = ";".join(f"{x:.9g}|{y:.9g}" for x, y in np.asarray(curve, np.float64))


def _add_grid(root: ET.Element, name: str, grid: Grid) -> None:
    depth, height, width = grid.values.shape
    sizes = {"Width": str(width), "Height": str(height), "Depth": str(depth)}
    margins = {f"Margin{axis}": number(margin) for axis, margin in zip("XYZ", grid.margins, strict=True)}
    element = ET.SubElement(root, name, {**sizes, **margins})
    for (z, y, x), value in np.ndenumerate(grid.values):
        ET.SubElement(element, "Node", {"X": str(x), "Y": str(y), "Z": str(z), "Value": number(value)})
