"""What each file says of one movie: JSON items, STAR rows, selection flags. No IO."""

from __future__ import annotations

import json
import math
import os.path
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from warpcore.bus.messages import Movie
from warpcore.services.formats.star_files import OpticsGroup, autopick_row, corrected_row, ctf_row, movie_row
from warpcore.services.formats.star_text import star_row
from warpcore.services.session.paths import OutputPaths
from warpcore.services.session.settings import CtfSettings

PROCESSED, OUTDATED, UNPROCESSED, FILTERED_OUT, LEAVE_OUT = 1, 2, 3, 4, 5
"""`ProcessingStatus` in the JSON files."""

IN_WORK = ("queued", "processing")


@dataclass(frozen=True, slots=True)
class Optics:
    """What makes an optics group: movies that share it are in one."""

    original_pixel_size_angstrom: float
    pixel_size_angstrom: float
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float

    def group(self, number: int) -> OpticsGroup:
        """The group under its number."""
        return OpticsGroup(
            self.original_pixel_size_angstrom,
            self.pixel_size_angstrom,
            self.voltage_kv,
            self.cs_mm,
            self.amplitude_contrast,
            number=number,
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """A movie's rows in the session's STAR files; None where it has none there. `halves` are the last columns of `corrected`."""

    movie: str
    corrected: str | None = None
    halves: str | None = None
    ctf: str | None = None
    autopick: str | None = None
    particles: str | None = None
    """Not a row but the file that holds them, relative to the processing directory."""


def processing_status(movie: Movie) -> int:
    """Warp's five states. The user's own choice counts before the filter; what waits or runs is outdated if it has results."""
    if movie.status == "failed":
        return UNPROCESSED
    if movie.selection == "exclude":
        return LEAVE_OUT
    if movie.status in IN_WORK:
        return OUTDATED if movie.results else UNPROCESSED
    if movie.status == "filtered_out":
        return PROCESSED if movie.selection == "include" else FILTERED_OUT
    return {"processed": PROCESSED, "outdated": OUTDATED}.get(movie.status, UNPROCESSED)


def item(movie: Movie) -> str:
    """The movie's object in processed_items.json, or with `Error` and `Step` in failed_items.json, as one line of JSON."""
    results = movie.results
    ctf, motion = results.get("ctf") or {}, results.get("motion") or {}
    delta, angle = ctf.get("defocus_delta_um"), ctf.get("defocus_angle_degrees")
    astigmatism: tuple[float | None, float | None] = (None, None)
    if delta is not None and angle is not None:
        twice = math.radians(2 * angle)
        astigmatism = delta * math.cos(twice), delta * math.sin(twice)
    content: dict[str, Any] = {
        "Path": movie.path,
        "ProcessingStatus": processing_status(movie),
        "Defocus": _rounded(ctf.get("defocus_um"), 4),
        "Phase": _rounded(ctf.get("phase_shift_pi"), 2),
        "Resolution": _rounded(ctf.get("resolution_angstrom"), 2),
        "AstigX": _rounded(astigmatism[0], 4),
        "AstigY": _rounded(astigmatism[1], 4),
        "Motion": _rounded(motion.get("mean_frame_movement_angstrom"), 3),
        "Junk": _rounded((results.get("picking") or {}).get("junk_percent"), 2),
        "Particles": (results.get("picking") or {}).get("count"),
    }
    if movie.failure is not None and movie.status == "failed":
        content |= {"Error": movie.failure.message, "Step": movie.failure.step}
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def optics(movie: Movie, ctf: CtfSettings) -> Optics | None:
    """The optics of a movie that belongs in the STAR files: processed, and not left out by the user or the filter."""
    measured = movie.results.get("input") or {}
    original, pixel = measured.get("raw_pixel_size_angstrom"), measured.get("pixel_size_angstrom")
    if processing_status(movie) != PROCESSED or original is None or pixel is None:
        return None
    return Optics(float(original), float(pixel), ctf.voltage, ctf.cs, ctf.amplitude_contrast)


def rows(movie: Movie, group: int, movie_file: str) -> Rows:
    """The rows of a movie that `optics` accepts. `movie_file` is its path as seen from the processing directory."""
    results = movie.results
    export, picking, ctf = results.get("export") or {}, results.get("picking") or {}, results.get("ctf") or {}
    motion = results.get("motion") or {}
    paths = OutputPaths(movie.name, picking.get("suffix") or "picks")
    average, particles = export.get("average"), export.get("particles")
    own = movie_row(movie_file, group)
    stack = None if particles is None else str(PurePosixPath(particles).with_suffix(".star"))
    if average is None:
        return Rows(own, particles=stack)
    accumulated = [motion.get(f"accumulated_{part}_angstrom") for part in ("total", "early", "late")]
    even, odd = export.get("even"), export.get("odd")
    coordinates = picking.get("coordinates")
    return Rows(
        movie=own,
        corrected=corrected_row(average, paths.motion_star, group, *accumulated),
        halves=star_row((even, odd)) if even and odd else None,
        ctf=None if ctf.get("defocus_u_angstrom") is None else ctf_row(average, group, paths.power_spectrum, ctf),
        autopick=None if coordinates is None else autopick_row(average, coordinates),
        particles=stack,
    )


def selection_flags(movie: Movie) -> tuple[bool, bool | None] | None:
    """`UnselectFilter` and `UnselectManual` as the movie's XML should have them; None while a worker may replace that file."""
    if movie.status in IN_WORK or not movie.results:
        return None
    return bool(movie.filter_reasons), {"include": False, "exclude": True}.get(movie.selection)


def movie_file(data_directory: str, processing_directory: str, path: str) -> str:
    """A movie's path as seen from the processing directory (RELION's project)."""
    return os.path.relpath(os.path.join(data_directory, path), processing_directory)


def _rounded(value: float | None, digits: int) -> float | None:
    """Rounded, without minus zero; infinite counts as not measured."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) + 0.0
