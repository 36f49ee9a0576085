"""RELION's STAR files (3.1 and later): one movie's own, and the rows and files of a whole session."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.formats.star_text import Value, loop_block, pairs_block, star_row
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column
from warpcore.services.steps.ctf import WORST_RESOLUTION_ANGSTROM

COORDINATE_COLUMNS = ("rlnCoordinateX", "rlnCoordinateY", "rlnClassNumber", "rlnAutopickFigureOfMerit")
MOVIE_COLUMNS = ("rlnMicrographMovieName", "rlnOpticsGroup")
HALVES_COLUMNS = ("rlnMicrographNameEven", "rlnMicrographNameOdd")
AUTOPICK_COLUMNS = ("rlnMicrographName", "rlnMicrographCoordinates")
PARTICLE_COLUMNS = (
    "rlnOpticsGroup",
    "rlnCoordinateX",
    "rlnCoordinateY",
    "rlnAutopickFigureOfMerit",
    "rlnOriginXAngst",
    "rlnOriginYAngst",
    "rlnImageName",
    "rlnMicrographName",
    "rlnCtfMaxResolution",
    "rlnCtfFigureOfMerit",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnPhaseShift",
)
"""The optics group is the first column, so that a session's particles.star can renumber it without parsing rows."""

MOTION_GENERAL_NAMES = (
    "rlnImageSizeX",
    "rlnImageSizeY",
    "rlnImageSizeZ",
    "rlnMicrographMovieName",
    "rlnMicrographGainName",
    "rlnMicrographDefectFile",
    "rlnMicrographBinning",
    "rlnMicrographOriginalPixelSize",
    "rlnMicrographDoseRate",
    "rlnMicrographPreExposure",
    "rlnVoltage",
    "rlnMicrographStartFrame",
    "rlnEERUpsampling",
    "rlnEERGrouping",
    "rlnMotionModelVersion",
)
_STAR_DIGITS = 6
_INTEGER_GENERAL = ("rlnMicrographStartFrame", "rlnEERUpsampling", "rlnEERGrouping", "rlnMotionModelVersion")


def group_name(number: int) -> str:
    """The name of an optics group: it says no more than its number, so that it never changes."""
    return f"opticsGroup{number}"


def names_in_one_file(groups: Iterable[tuple[int, str]]) -> dict[int, str]:
    """The names of a file's groups by number, each once; `groups` are numbers with given names, "" for ours.

    RELION joins groups of one name (star_handler.cpp, combine). A name that a group before has is told with the number.
    """
    names: dict[int, str] = {}
    for number, given in sorted(groups):
        name = given or group_name(number)
        names[number] = f"{name}_{number}" if name in names.values() else name
    return names


@dataclass(frozen=True)
class OpticsGroup:
    """A row of `data_optics`: Å, kV, mm. `image_*` belong to particles only; `mtf` names a file, or is "".

    `given_name` is the name that another program gave the group, "" for one of ours.
    """

    original_pixel_size_angstrom: float
    pixel_size_angstrom: float
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float
    number: int = 1
    image_pixel_size_angstrom: float | None = None
    image_size_px: int | None = None
    mtf: str = ""
    given_name: str = ""


@dataclass(frozen=True)
class ParticleCtf:
    """CTF where the particles are: each value [N], or one for all; None for what was not found."""

    defocus_u_angstrom: npt.ArrayLike
    defocus_v_angstrom: npt.ArrayLike
    defocus_angle_degrees: npt.ArrayLike
    phase_shift_degrees: npt.ArrayLike = 0.0
    figure_of_merit: float | None = None
    max_resolution_angstrom: float | None = None


def optics_block(groups: Sequence[OpticsGroup]) -> str:
    """`data_optics`; empty without groups, since readers take an empty loop only at the end of a file.

    The image columns are there where all groups are of particles, the MTF where one of them has one.
    """
    if not groups:
        return ""
    particles = all(group.image_size_px is not None for group in groups)
    mtf = any(group.mtf for group in groups)
    columns = ["rlnOpticsGroupName", "rlnOpticsGroup", *(["rlnMtfFileName"] if mtf else [])]
    columns += ["rlnMicrographOriginalPixelSize", "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast"]
    columns += ["rlnMicrographPixelSize"]
    if particles:
        columns += ["rlnImagePixelSize", "rlnImageSize", "rlnImageDimensionality", "rlnCtfDataAreCtfPremultiplied"]
    rows, names = [], names_in_one_file((group.number, group.given_name) for group in groups)
    for group in groups:
        values: list[Value] = [names[group.number], group.number, *([group.mtf] if mtf else [])]
        values += [float(group.original_pixel_size_angstrom), float(group.voltage_kv), float(group.cs_mm)]
        values += [float(group.amplitude_contrast), float(group.pixel_size_angstrom)]
        if particles:
            values += [
                float(group.image_pixel_size_angstrom or group.pixel_size_angstrom),
                group.image_size_px or 0,
                2,
                0,
            ]
        rows.append(star_row(values))
    return loop_block("optics", columns, rows)


def write_coordinates(path: Path, x_px: npt.ArrayLike, y_px: npt.ArrayLike, scores: npt.ArrayLike) -> None:
    """Write picked positions [N] in px of the average (the centre of pixel 0 is 0) and their scores.

    Without picks the file is a valid, empty loop.
    """
    columns = (_column(x_px), _column(y_px), _column(scores))
    rows = (star_row((x, y, 0, score)) for x, y, score in zip(*columns, strict=True))
    path.write_text(loop_block("", COORDINATE_COLUMNS, rows), encoding="utf-8")


def write_motion_star(
    path: Path,
    general: Mapping[str, Value],
    global_shifts_px: npt.ArrayLike,
    local_coefficients: npt.ArrayLike | None,
    hot_pixels: npt.ArrayLike = (),
    first_frame: int = 1,
) -> None:
    """One movie's motion as RELION's Bayesian polishing reads it.

    `general` maps names of MOTION_GENERAL_NAMES to values; absent ones are left out, the model version is set here.
    `global_shifts_px` [F, 2] are x, y in unbinned px, minus the specimen's displacement, 0 in the first frame, whose
    number in the file (from 1) is `first_frame`. `local_coefficients` [36]: 18 for x, then 18 for y; None without a
    local model. `hot_pixels` [N, 2] are x, y. Raises ValueError for other names and shapes.
    """
    unknown = set(general) - set(MOTION_GENERAL_NAMES)
    if unknown:
        raise ValueError(f"not in RELION's data_general: {', '.join(sorted(unknown))}")
    shifts = np.asarray(global_shifts_px, np.float64)
    hot = np.asarray(hot_pixels, np.float64).reshape(-1, 2)
    if shifts.ndim != 2 or shifts.shape[1] != 2:
        raise ValueError(f"global shifts are [F, 2], not {shifts.shape}")
    values = {**general, "rlnMotionModelVersion": 0 if local_coefficients is None else 1}
    text = pairs_block("general", {name: _typed(name, values[name]) for name in MOTION_GENERAL_NAMES if name in values})
    text += loop_block(
        "global_shift",
        ("rlnMicrographFrameNumber", "rlnMicrographShiftX", "rlnMicrographShiftY"),
        (star_row((first_frame + i, float(x), float(y))) for i, (x, y) in enumerate(shifts)),
    )
    if local_coefficients is not None:
        coefficients = np.asarray(local_coefficients, np.float64)
        if coefficients.shape != (36,):
            raise ValueError(f"the local model has 36 coefficients, not {coefficients.shape}")
        text += loop_block(
            "local_motion_model",
            ("rlnMotionModelCoeffsIdx", "rlnMotionModelCoeff"),
            (f"{index} {value:.9f}" for index, value in enumerate(coefficients)),
        )
    if len(hot):
        rows = (star_row((float(x), float(y))) for x, y in hot)
        text += loop_block("hot_pixels", ("rlnCoordinateX", "rlnCoordinateY"), rows)
    path.write_text(text, encoding="utf-8")


def box_centre_px(position_px: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The whole pixels where a box is cut for positions in px (the centre of pixel 0 is 0): RELION truncates them.

    So does RELION's `preprocessing.cpp` (extractParticlesFromOneMicrograph), of the six digits in a STAR file.
    """
    return np.trunc(np.round(np.asarray(position_px, np.float64), _STAR_DIGITS))


def write_particles(
    path: Path,
    optics: OpticsGroup,
    micrograph: str,
    stack: str,
    x_px: npt.ArrayLike,
    y_px: npt.ArrayLike,
    scores: npt.ArrayLike,
    ctf: ParticleCtf,
) -> None:
    """Write one movie's particles as a whole particles.star.

    `stack`, relative to the processing directory, holds them in this order. Their positions [N] are in px of the
    micrograph, their boxes are centred at `box_centre_px`: the coordinates are that, the origins the rest. A particle
    lies at its coordinate minus its origin divided by the micrograph's pixel size (RELION's `--recenter`).
    """
    positions = [np.round(np.asarray(px, np.float64).reshape(-1), _STAR_DIGITS) for px in (x_px, y_px)]
    centres = [box_centre_px(px) for px in positions]
    places = [*centres, *((at - px) * optics.pixel_size_angstrom for at, px in zip(centres, positions, strict=True))]
    x, y, origin_x, origin_y = map(_column, places)
    score = _column(scores)
    fits = [
        np.broadcast_to(np.asarray(value, np.float64), (len(x),)).tolist()
        for value in (
            ctf.defocus_u_angstrom,
            ctf.defocus_v_angstrom,
            ctf.defocus_angle_degrees,
            ctf.phase_shift_degrees,
        )
    ]
    merit, resolution = (
        float(ctf.figure_of_merit or 0),
        min(ctf.max_resolution_angstrom or math.inf, WORST_RESOLUTION_ANGSTROM),
    )
    rows = (
        star_row((optics.number, *place, f"{i:06d}@{stack}", micrograph, resolution, merit, u, v, a, 0.0, 1.0, p))
        for i, (*place, u, v, a, p) in enumerate(zip(x, y, score, origin_x, origin_y, *fits, strict=True), 1)
    )
    path.write_text(particles_star([optics], rows), encoding="utf-8")


def movie_row(movie: str, group: int) -> str:
    """A row of movies.star."""
    return star_row((movie, group))


def measured_row(table: str, leading: Sequence[Value], results: Mapping[str, Any]) -> str | None:
    """A row of a table of micrographs: `leading` values, then measured ones; None where a necessary one is missing."""
    measured = [column.star.value(column.value(results)) for column in measured_columns(table) if column.star]
    return None if None in measured else star_row((*leading, *(value for value in measured if value is not None)))


def measured_columns(table: str) -> tuple[Column, ...]:
    """The columns that steps declare for a table."""
    return tuple(column for column in CHAIN.columns if column.star is not None and column.star.table == table)


def _labels(table: str) -> tuple[str, ...]:
    return tuple(column.star.label for column in measured_columns(table) if column.star is not None)


def autopick_row(average: str, coordinates: str) -> str:
    """A row of autopick.star."""
    return star_row((average, coordinates))


def movies_star(groups: Sequence[OpticsGroup], rows: Iterable[str]) -> str:
    """Text of movies.star."""
    return optics_block(groups) + loop_block("movies", MOVIE_COLUMNS, rows)


def corrected_micrographs_star(groups: Sequence[OpticsGroup], rows: Iterable[str], *, halves: bool = False) -> str:
    """Text of corrected_micrographs.star; with `halves`, each row ends with its even and odd average."""
    leading = ("rlnMicrographName", "rlnMicrographMetadata", "rlnOpticsGroup")
    columns = (*leading, *_labels("corrected_micrographs"), *(HALVES_COLUMNS if halves else ()))
    return optics_block(groups) + loop_block("micrographs", columns, rows)


def micrographs_ctf_star(groups: Sequence[OpticsGroup], rows: Iterable[str]) -> str:
    """Text of micrographs_ctf.star."""
    columns = ("rlnMicrographName", "rlnOpticsGroup", "rlnCtfImage", *_labels("micrographs_ctf"))
    return optics_block(groups) + loop_block("micrographs", columns, rows)


def autopick_star(rows: Iterable[str]) -> str:
    """Text of autopick.star."""
    return loop_block("coordinate_files", AUTOPICK_COLUMNS, rows)


def particles_star(groups: Sequence[OpticsGroup], rows: Iterable[str]) -> str:
    """Text of particles.star."""
    return optics_block(groups) + loop_block("particles", PARTICLE_COLUMNS, rows)


def _column(values: npt.ArrayLike) -> list[float]:
    column: list[float] = np.asarray(values, np.float64).reshape(-1).tolist()
    return column


def _typed(name: str, value: Value) -> Value:
    if isinstance(value, str):
        return value
    return int(value) if name in _INTEGER_GENERAL or name.startswith("rlnImageSize") else float(value)
