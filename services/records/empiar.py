"""EMPIAR's image sets: the array `imagesets` of a deposition, by its own JSON schema (empiar-depositor 1.6b30)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from warpcore.services.readers.movies import read_header
from warpcore.services.records.processed import Processed, most_common
from warpcore.services.session.errors import InputError
from warpcore.services.session.movie_record import MovieRecordFile
from warpcore.services.session.settings import ImportSettings
from warpcore.services.steps.step import INPUT

ImageSet = dict[str, Any]

_MULTIFRAME, _SINGLE_FRAME = "('T2', '')", "('T1', '')"
_UNPROCESSED_PARTICLES, _PROCESSED_PARTICLES = "('T5', '')", "('T7', '')"
_MRC, _MRCS = "('T1', '')", "('T2', '')"
_FORMATS = {".mrc": _MRC, ".mrcs": _MRCS, ".tif": "('T3', '')", ".tiff": "('T3', '')", ".eer": "('T9', '')"}
_VOXELS = {
    "uint8": "('T1', '')",
    "int8": "('T2', '')",
    "uint16": "('T3', '')",
    "int16": "('T4', '')",
    "uint32": "('T5', '')",
    "int32": "('T6', '')",
    "float32": "('T7', '')",
    "float16": "('OT', '16 BIT FLOAT')",
}
"""Names of the schema's `voxel_type` by numpy's."""
_BIT = "('T8', '')"
"""An EER's, whose pixels hold an electron or none."""


def image_sets(session: Processed) -> list[ImageSet]:
    """Movies, averages and particles, as far as the session has them; one set of movies for each format and size."""
    return [*_movie_sets(session), *_output_sets(session)]


def _movie_sets(session: Processed) -> Iterable[ImageSet]:
    groups: dict[tuple[Any, ...], list[MovieRecordFile]] = {}
    for one in session.movies:
        told = one.results.get(INPUT) or {}
        header = one.header or {}
        kind = PurePosixPath(one.path).suffix.lower()
        frames = header.get("frames") or told.get("frames_in_file") or told.get("frames")
        size = told.get("raw_width"), told.get("raw_height")
        groups.setdefault((kind, frames, *size, told.get("raw_pixel_size_angstrom")), []).append(one)
    for (kind, frames, width, height, pixel), movies in groups.items():
        dose = most_common([(one.results.get(INPUT) or {}).get("dose_per_frame") for one in movies])
        yield {
            **_common(
                _named(frames), "data/movies", _category(frames), _FORMATS.get(kind, _other(kind)), len(movies), pixel
            ),
            "frames_per_image": frames,
            "frame_range_min": 1,
            "frame_range_max": frames,
            "voxel_type": _BIT if kind == ".eer" else _voxels(Path(session.settings.import_.data), movies),
            "image_width": width,
            "image_height": height,
            "micrographs_file_pattern": _pattern("data/movies", (one.path for one in movies)),
            "details": None if dose is None else f"{dose:.4g} e-/A^2 in each frame as processed",
        }


def _output_sets(session: Processed) -> Iterable[ImageSet]:
    inputs = [one.results.get(INPUT) or {} for one in session.movies]
    pixel = most_common([told.get("pixel_size_angstrom") for told in inputs])
    voxels = _VOXELS["float16" if session.settings.export.float16 else "float32"]
    averages = _written(session.movies, "average")
    if averages:
        width, height = (most_common([told.get(name) for told in inputs]) for name in ("width", "height"))
        sums = "dose-weighted sums" if session.settings.export.dose_weighting else "sums"
        yield {
            **_common("aligned micrographs", "data/average", _SINGLE_FRAME, _MRC, len(averages), pixel),
            "voxel_type": voxels,
            "image_width": width,
            "image_height": height,
            "micrographs_file_pattern": _pattern("data", averages),
            "details": _with_good(sums, len(averages), len(_written(session.good, "average")), "micrographs"),
        }
    stacks = _written(session.movies, "particles")
    if stacks:
        export = session.settings.export
        count, good = (
            sum(session.values("export.particle_count", movies)) for movies in (session.movies, session.good)
        )
        kind = _PROCESSED_PARTICLES if export.normalize or export.invert else _UNPROCESSED_PARTICLES
        yield {
            **_common("particles", "data/particles", kind, _MRCS, count, export.particle_pixel_size or pixel),
            "voxel_type": voxels,
            "image_width": export.box_size,
            "image_height": export.box_size,
            "picked_particles_directory": "data/particles",
            "picked_particles_file_pattern": _pattern("data", stacks),
            "details": _with_good(f"boxes of {len(stacks)} micrographs", count, good, "particles"),
        }


def _with_good(details: str, count: int, good: int, what: str) -> str:
    """What a set holds, and how much of it passes the filter, since a pattern of files takes in the rest too."""
    return details if good == count else f"{details}; {good} of the {count} {what} passed the session's filter"


def _common(name: str, directory: str, category: str, form: str, count: int, pixel: float | None) -> ImageSet:
    return {
        "name": name,
        "directory": directory,
        "category": category,
        "header_format": form,
        "data_format": form,
        "num_images_or_tilt_series": count,
        "frames_per_image": 1,
        "frame_range_min": None,
        "frame_range_max": None,
        "pixel_width": pixel,
        "pixel_height": pixel,
    }


def _named(frames: int | None) -> str:
    return "micrographs" if frames == 1 else "movies"


def _category(frames: int | None) -> str:
    return _SINGLE_FRAME if frames == 1 else _MULTIFRAME


def _written(movies: Iterable[MovieRecordFile], name: str) -> list[str]:
    """Paths below the processing directory of what was exported; an absolute one is an average that was processed."""
    paths = ((one.results.get("export") or {}).get(name) for one in movies)
    return [path for path in paths if path and not path.startswith("/")]


def _pattern(directory: str, paths: Iterable[str]) -> str:
    """`data/movies/*.tif`, with the folders that all have in common, and `**` where some lie deeper."""
    found = [PurePosixPath(directory, path) for path in paths]
    folders = {str(path.parent) for path in found}
    deeper = "**" if len(folders) > 1 else ""
    return str(PurePosixPath(os.path.commonpath(folders), deeper, f"*{found[0].suffix}"))[:200]


def _voxels(data: Path, movies: list[MovieRecordFile]) -> str:
    """By the header of the first movie that is still there. Raises InputError where none is."""
    for one in movies:
        try:
            return _VOXELS[np.dtype(read_header(data / one.path, ImportSettings()).dtype).name]
        except (InputError, OSError, KeyError):
            continue
    raise InputError(f"{data}: no movie can be read there, so that EMPIAR's voxel_type is not known; mount the movies")


def _other(suffix: str) -> str:
    return f"('OT', '{suffix.lstrip('.').upper()}')"
