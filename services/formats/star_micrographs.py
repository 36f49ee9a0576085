"""RELION's corrected micrographs (STAR files of RELION 3.1 and later) as they are read.

The package gemmi reads STAR's grammar; labels and what they mean are those of RELION's metadata_label.h.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gemmi

from warpcore.services.formats.star_files import OpticsGroup
from warpcore.services.session.errors import InputError


@dataclass(frozen=True, slots=True)
class StarMicrograph:
    """A row of `data_micrographs`; files are named as the STAR file does, from RELION's project.

    `metadata` is its motion STAR, `unweighted` its sum without dose weighting, "" without one. `accumulated` is the
    length of its track in Å: in all, early, late; None: not told.
    """

    name: str
    optics: OpticsGroup
    metadata: str
    unweighted: str = ""
    accumulated: tuple[float | None, float | None, float | None] = (None, None, None)


def read_star_micrographs(path: Path) -> list[StarMicrograph]:
    """The micrographs of a `corrected_micrographs.star`, in order.

    Raises InputError for a file that is none of these, OSError for one that cannot be read.
    """
    tables = _tables(path)
    if "optics" not in tables or "micrographs" not in tables:
        there = ", ".join(f"data_{name}" for name in tables) or "no tables"
        raise InputError(
            f"{path}: it has {there}, and not data_optics and data_micrographs; "
            "give a list of micrographs of RELION 3.1 or later (relion_convert_star makes one of an older list)"
        )
    try:
        groups = {group.number: group for group in map(_optics, _rows(path, "optics", tables["optics"]))}
        found = [_micrograph(path, row, groups) for row in _rows(path, "micrographs", tables["micrographs"])]
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    if not found:
        raise InputError(f"{path}: it lists no micrographs")
    return found


def read_star_exposure(path: Path) -> float | None:
    """The dose of the whole exposure, e⁻/Å², by a micrograph's motion STAR; None where it cannot be told."""
    try:
        general = _block(path, "general")
        values = [float(gemmi.cif.as_string(general.find_value(f"_{label}"))) for label in _DOSE_LABELS]
    except (InputError, OSError, ValueError, TypeError):
        return None
    frames, dose, before = values
    return before + dose * frames if dose > 0 else None


_DOSE_LABELS = ("rlnImageSizeZ", "rlnMicrographDoseRate", "rlnMicrographPreExposure")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
"""What RELION allows in names of groups (pipeline_jobs.cpp, getCommandsImportJob)."""
_Row = Callable[..., str]


def _document(path: Path) -> gemmi.cif.Document:
    try:
        return gemmi.cif.read_string(path.read_text(encoding="utf-8"))
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: not a STAR file ({error})") from None


def _block(path: Path, name: str) -> gemmi.cif.Block:
    found = next((block for block in _document(path) if block.name == name), None)
    if found is None:
        raise InputError(f"{path}: it has no data_{name}")
    return found


def _tables(path: Path) -> dict[str, gemmi.cif.Loop]:
    loops = {}
    for block in _document(path):
        loop = next((item.loop for item in block if item.loop is not None), None)
        if loop is not None:
            loops[block.name] = loop
    return loops


def _rows(path: Path, table: str, loop: gemmi.cif.Loop) -> list[_Row]:
    """One function a row that gives the text of a label, "" where it has none. Raises InputError where it is needed."""
    columns = {tag.removeprefix("_"): number for number, tag in enumerate(loop.tags)}

    def reader(row: int) -> _Row:
        def value(label: str, *, needed: bool = False) -> str:
            if label in columns:
                return str(gemmi.cif.as_string(loop[row, columns[label]]))
            if needed:
                raise InputError(f"{path}: data_{table} has no column {label}")
            return ""

        return value

    return [reader(row) for row in range(loop.length())]


def _optics(row: _Row) -> OpticsGroup:
    original = float(row("rlnMicrographOriginalPixelSize", needed=True))
    return OpticsGroup(
        original_pixel_size_angstrom=original,
        pixel_size_angstrom=float(row("rlnMicrographPixelSize") or original),
        voltage_kv=float(row("rlnVoltage", needed=True)),
        cs_mm=float(row("rlnSphericalAberration", needed=True)),
        amplitude_contrast=float(row("rlnAmplitudeContrast", needed=True)),
        number=int(row("rlnOpticsGroup", needed=True)),
        mtf=row("rlnMtfFileName"),
        given_name=name if _NAME.fullmatch(name := row("rlnOpticsGroupName")) else "",
    )


def _micrograph(path: Path, row: _Row, groups: dict[int, OpticsGroup]) -> StarMicrograph:
    name, number = row("rlnMicrographName", needed=True), int(row("rlnOpticsGroup", needed=True))
    if number not in groups:
        raise InputError(f"{path}: {name} is of optics group {number}, which data_optics does not have")
    total, early, late = (
        float(text) if (text := row(f"rlnAccumMotion{part}")) else None for part in ("Total", "Early", "Late")
    )
    return StarMicrograph(
        name,
        groups[number],
        row("rlnMicrographMetadata", needed=True),
        row("rlnMicrographNameNoDW"),
        (total, early, late),
    )
