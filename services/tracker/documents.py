"""The entries of one movie in each file: JSON objects, STAR rows, selection flags. No IO."""

from __future__ import annotations

import json
import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import LEASED, MovieStatus, Selection
from warpcore.services.formats.star_files import OpticsGroup, autopick_row, measured_row, movie_row
from warpcore.services.formats.star_text import star_row
from warpcore.services.session.project import Project
from warpcore.services.session.selecting import UNSELECT_MANUAL
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.ctf import SPECTRUM, CtfSettings
from warpcore.services.steps.fields import known
from warpcore.services.steps.motion import STAR as MOTION_STAR
from warpcore.services.steps.step import INPUT

PROCESSED, OUTDATED, UNPROCESSED, FILTERED_OUT, LEAVE_OUT = 1, 2, 3, 4, 5
"""`ProcessingStatus` in the JSON files."""


@dataclass(frozen=True, slots=True)
class Optics:
    """The optics of a movie. Movies with equal optics are in one optics group."""

    original_pixel_size_angstrom: float
    pixel_size_angstrom: float
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float
    mtf: str = ""
    group_name: str = ""
    """Of a group of another program's, "" for one of ours."""

    def group(self, number: int) -> OpticsGroup:
        """The optics group with this number."""
        return OpticsGroup(
            self.original_pixel_size_angstrom,
            self.pixel_size_angstrom,
            self.voltage_kv,
            self.cs_mm,
            self.amplitude_contrast,
            number=number,
            mtf=self.mtf,
            given_name=self.group_name,
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """A movie's rows in the session's STAR files; None where it has none there.

    `halves` are the last columns of `corrected`.
    """

    movie: str | None
    corrected: str | None = None
    halves: str | None = None
    ctf: str | None = None
    autopick: str | None = None
    particles: str | None = None
    """The file that holds its particles' rows, relative to the processing directory."""


def processing_status(movie: Movie) -> int:
    """Warp's five states. The user's choice overrides the filter.

    What waits or runs is outdated if it has results.
    """
    if movie.status == MovieStatus.FAILED:
        return UNPROCESSED
    if movie.selection == Selection.EXCLUDE:
        return LEAVE_OUT
    if movie.status in LEASED:
        return OUTDATED if movie.results else UNPROCESSED
    if movie.status == MovieStatus.FILTERED_OUT:
        return PROCESSED if movie.selection == Selection.INCLUDE else FILTERED_OUT
    others: dict[str, int] = {MovieStatus.PROCESSED: PROCESSED, MovieStatus.OUTDATED: OUTDATED}
    return others.get(movie.status, UNPROCESSED)


def item(movie: Movie) -> str:
    """The movie's object in processed_items.json, or (with `Error` and `Step`) failed_items.json: one line of JSON."""
    content: dict[str, Any] = {"Path": movie.path, "ProcessingStatus": processing_status(movie)}
    content |= {column.json: column.rounded(movie.results) for column in CHAIN.columns if column.json}
    if movie.failure is not None and movie.status == MovieStatus.FAILED:
        content |= {"Error": movie.failure.message, "Step": movie.failure.step}
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def items(lines: Iterable[str]) -> str:
    """The text of processed_items.json or failed_items.json: a JSON array of what `item` gives."""
    text = ",\n".join(lines)
    return f"[\n{text}\n]\n" if text else "[]\n"


def optics(movie: Movie, ctf: CtfSettings, mtf: str = "") -> Optics | None:
    """The optics of a movie that belongs in the STAR files: processed, and not left out by the user or the filter."""
    measured = movie.results.get(INPUT) or {}
    original, pixel = measured.get("raw_pixel_size_angstrom"), measured.get("pixel_size_angstrom")
    motion = movie.results.get("motion") or {}
    original = motion.get("original_pixel_size_angstrom") or original
    if processing_status(movie) != PROCESSED or original is None or pixel is None:
        return None
    voltage, cs = measured.get("voltage_kv"), measured.get("cs_mm")  # results of earlier versions do not tell them
    return Optics(
        original_pixel_size_angstrom=float(original),
        pixel_size_angstrom=float(pixel),
        voltage_kv=known(ctf, "voltage") if voltage is None else float(voltage),
        cs_mm=known(ctf, "cs") if cs is None else float(cs),
        amplitude_contrast=ctf.amplitude_contrast,
        mtf=mtf,
        group_name=motion.get("optics_group_name") or "",
    )


def rows(movie: Movie, group: int, project: Project, data_directory: str) -> Rows:
    """The rows of a movie that `optics` accepts, with all files as they are named in `project`."""
    results = movie.results
    export, picking = results.get("export") or {}, results.get("picking") or {}
    average, particles = export.get("average"), export.get("particles")
    metadata = (results.get("motion") or {}).get("metadata")  # of a program that has made the average of a movie
    own = None if metadata else movie_row(project.file(os.path.join(data_directory, movie.path)), group)
    stack = None if particles is None else str(PurePosixPath(particles).with_suffix(".star"))
    if average is None:
        return Rows(own, particles=stack)
    average, motion = project.output(average), project.output(metadata or MOTION_STAR.path(movie.name))
    spectrum = f"{project.output(SPECTRUM.path(movie.name))}:mrc"
    even, odd = export.get("even"), export.get("odd")
    coordinates = picking.get("coordinates")
    return Rows(
        movie=own,
        corrected=measured_row("corrected_micrographs", (average, motion, group), results),
        halves=star_row((project.output(even), project.output(odd))) if even and odd else None,
        ctf=measured_row("micrographs_ctf", (average, group, spectrum), results),
        autopick=None if coordinates is None else autopick_row(average, project.output(coordinates)),
        particles=stack,
    )


def selection_flags(movie: Movie) -> tuple[bool, bool | None] | None:
    """The values of `UnselectFilter` and `UnselectManual` for the movie's XML.

    None while a worker may replace that file.
    """
    if movie.status in LEASED or not movie.results:
        return None
    return bool(movie.filter_reasons), UNSELECT_MANUAL.get(movie.selection)
