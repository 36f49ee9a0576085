"""Settings that cannot work with a movie, whatever is in it: told when they are set, and before a worker begins. Pure.

The limits are those of the kernels: what they refuse is refused here with the names of settings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from warpcore.services.session.facts import Facts
from warpcore.services.session.fractions import fractionation
from warpcore.services.session.resolving import resolved_by
from warpcore.services.session.settings import Settings
from warpcore.services.steps.fields import known

LEAST_DIAMETER_PX, MOST_DIAMETER_SHARE = 4, 0.8
"""A particle has at least so many pixels of the average, and at most this share of its shorter side."""
LEAST_SIDE_PX = 64
"""A CTF is fitted to averages of at least this side."""
NYQUIST_SHARE = 0.98
"""The CTF fit leaves out the last 2 % before Nyquist."""
MOTION_NYQUIST, MOTION_BAND = 0.46, 1.25
"""The motion fit uses frequencies up to this many for a pixel, and needs some between the two ends of its range."""
MOST_NODES = 24 * 24
"""A surface has at most so many nodes: fits solve for all of them together, in matrices of nodes × nodes.

A motion fit has up to 8 of them in time: at 24 × 24 × 8 a matrix has 170 MB, and the fit takes 0.7 GB.
Automatic grids have up to 12 nodes along the shorter side.
"""
LEAST_SPACING_PX = LEAST_SPACING_ANGSTROM = 20.0
"""Nodes lie at least so far apart: nothing is measured of places that are closer."""


@dataclass(frozen=True, slots=True)
class Field:
    """The size of an average in px, and of its pixels in Å."""

    height: int
    width: int
    pixel_size_angstrom: float

    @property
    def shorter_px(self) -> int:
        """The shorter side, px."""
        return min(self.height, self.width)

    @property
    def in_words(self) -> str:
        """`512 × 480 px of 1.1 Å`."""
        return f"{self.width} × {self.height} px of {self.pixel_size_angstrom:.4g} Å"


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting by its dotted name, its value, and why it cannot work."""

    name: str
    value: Any
    text: str


def unworkable(settings: Settings, field: Field, steps: Iterable[str] | None = None) -> list[Problem]:
    """What cannot work with averages of this size, of `steps` (None: of all) that are on."""
    checks = {"motion": _motion, "ctf": _ctf, "picking": _picking, "export": _export}
    wanted = checks if steps is None else [step for step in checks if step in set(steps)]
    return [problem for step in wanted if settings.runs(step) for problem in checks[step](settings, field)]


@dataclass(frozen=True, slots=True)
class Held:
    """A movie that settings are held against: the size of its stored frames, their number, and what is told of it.

    `frames` is None where the number in the file is not known.
    """

    height: int
    width: int
    is_eer: bool
    frames: int | None
    facts: Facts


def problems_with(settings: Settings, movie: Held) -> list[Problem]:
    """What cannot work with a movie that is registered; nothing of its size where its pixel size is not known."""
    used = resolved_by(settings, movie.facts).settings
    found = [] if movie.frames is None else too_few_frames(used, movie.frames, movie.is_eer)
    if used.import_.pixel_size is None:
        return found
    return [*found, *unworkable(used, averaged(used, movie.height, movie.width, movie.is_eer))]


def refused_for(settings: Settings, former: Settings, movies: Sequence[Held]) -> list[dict[str, Any]]:
    """The faults of new settings that most of these movies have, and had not under the former ones; in errors' form."""
    counts = Counter(movies)
    new = {movie: problems_with(settings, movie) for movie in counts}
    old = {movie: {problem.name for problem in problems_with(former, movie)} for movie in counts}
    faults: dict[str, dict[str, Any]] = {}
    for problem in (one for problems in new.values() for one in problems):
        having = sum(counts[movie] for movie in counts if any(one.name == problem.name for one in new[movie]))
        before = sum(counts[movie] for movie in counts if problem.name in old[movie])
        if 2 * having > len(movies) and 2 * before <= len(movies):
            text = f"{problem.text} ({having} of {len(movies)} movies)"
            faults.setdefault(problem.name, {"name": problem.name, "value": problem.value, "problem": text})
    return list(faults.values())


def too_few_frames(settings: Settings, frames: int, is_eer: bool) -> list[Problem]:
    """Whether none of a file's frames (of an EER: raw ones) are left."""
    imported = settings.import_
    there = fractionation(frames, imported).groups if is_eer else frames
    if imported.skip_first + imported.skip_last < there:
        return []
    name = "import.skip_first" if imported.skip_first >= imported.skip_last else "import.skip_last"
    skipped = imported.skip_first + imported.skip_last
    value = max(imported.skip_first, imported.skip_last)
    return [Problem(name, value, f"{skipped} frames are left out in all, and movies have {there}")]


def averaged(settings: Settings, height: int, width: int, is_eer: bool) -> Field:
    """The average of a movie of this size (stored px), under settings that have its pixel size."""
    imported = settings.import_
    finer = imported.eer_upsampling if is_eer else 1
    coarser = 2**imported.binning
    pixel = known(imported, "pixel_size") / finer * coarser
    return Field(int(height * finer / coarser), int(width * finer / coarser), pixel)


def _motion(settings: Settings, field: Field) -> list[Problem]:
    options = settings.motion
    if not options.enabled:
        return []
    found = _grid("motion.grid", options.grid, field)
    finest = max(options.range_max, field.pixel_size_angstrom / MOTION_NYQUIST)
    if options.range_min < MOTION_BAND * finest:
        text = (
            f"it must be at least {MOTION_BAND * finest:.4g} Å, {MOTION_BAND:g} times the finest detail that can be "
            f"used, where averages have {field.in_words}"
        )
        found.append(Problem("motion.range_min", options.range_min, text))
    return found


def _ctf(settings: Settings, field: Field) -> list[Problem]:
    finest = 2 * field.pixel_size_angstrom / NYQUIST_SHARE
    if field.shorter_px < LEAST_SIDE_PX:
        text = f"averages have {field.in_words}, and a CTF needs {LEAST_SIDE_PX} px; or switch ctf.enabled off"
        return [Problem("import.binning", settings.import_.binning, text)]
    found = _grid("ctf.grid", settings.ctf.grid, field)
    if settings.ctf.range_min <= finest:
        text = f"it must be coarser than {finest:.4g} Å, Nyquist, where averages have {field.in_words}"
        found.append(Problem("ctf.range_min", settings.ctf.range_min, text))
    return found


def _grid(name: str, grid: list[int] | None, field: Field) -> list[Problem]:
    """Nodes along x and y that are too many or too close. More nodes in time than frames do no harm: none are used."""
    if grid is None:
        return []
    spacing_px = max(LEAST_SPACING_PX, LEAST_SPACING_ANGSTROM / field.pixel_size_angstrom)
    most_x, most_y = (1 + int(side / spacing_px) for side in (field.width, field.height))
    x, y = grid[:2]
    if x <= most_x and y <= most_y and x * y <= MOST_NODES:
        return []
    text = (
        f"it must have at most {most_x} × {most_y} nodes along x and y, {spacing_px:.3g} px apart, "
        f"and {MOST_NODES} in all, where averages have {field.in_words}; or null: automatic"
    )
    return [Problem(name, grid, text)]


def _picking(settings: Settings, field: Field) -> list[Problem]:
    picking = settings.picking
    least = LEAST_DIAMETER_PX * field.pixel_size_angstrom
    most = MOST_DIAMETER_SHARE * field.shorter_px * field.pixel_size_angstrom
    for name, value in (("picking.diameter", picking.diameter), ("picking.diameter_max", picking.diameter_max)):
        if value is not None and not least <= value <= most:
            text = (
                f"it must be {least:.4g} to {most:.4g} Å, from {LEAST_DIAMETER_PX} px to {MOST_DIAMETER_SHARE:.0%} "
                f"of the shorter side, where averages have {field.in_words}"
            )
            return [Problem(name, value, text)]
    return []


def _export(settings: Settings, field: Field) -> list[Problem]:
    """Boxes of a given size: one that is larger than the average has no place. Others follow from the diameter."""
    export = settings.export
    if not export.particles or export.box_size is None or not settings.runs("picking"):
        return []
    pixel = export.particle_pixel_size or field.pixel_size_angstrom
    side, room = export.box_size * pixel, field.shorter_px * field.pixel_size_angstrom
    if side <= room:
        return []
    text = f"boxes of {side:.4g} Å do not fit into averages of {field.in_words}, {room:.4g} Å"
    return [Problem("export.box_size", export.box_size, text)]
