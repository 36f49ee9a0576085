"""Values found in simulated movies beside the simulated ones."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpcore.services.session.allowed import inside
from warpcore.services.steps.motion import MODEL

if TYPE_CHECKING:
    from rich.table import Table

    from warpcore.bus.messages import Movie


@dataclass(frozen=True, slots=True)
class Compared:
    """One movie: found and simulated defocus (mean of U and V, µm), drift (length of the track, Å), particles.

    `drift_rmse_angstrom` is the difference of the two tracks, each minus its mean. None: not measured.
    """

    name: str
    status: str
    defocus_um: float | None
    true_defocus_um: float
    drift_angstrom: float | None
    true_drift_angstrom: float
    drift_rmse_angstrom: float | None
    particles: int | None
    true_particles: int


def compare(movie: Movie, truth: dict[str, Any], processing: Path) -> Compared:
    """Compare a movie's results, and the track in its motion file, with its truth."""
    ctf, picking = movie.results.get("ctf") or {}, movie.results.get("picking") or {}
    track = _found_track(inside(processing, MODEL.path(movie.name)))
    true_track = truth["track_xy_angstrom"]
    return Compared(
        name=movie.name,
        status=movie.status,
        defocus_um=ctf.get("defocus_um"),
        true_defocus_um=(truth["defocus_u_angstrom"] + truth["defocus_v_angstrom"]) / 2e4,
        drift_angstrom=None if track is None else path_length(track),
        true_drift_angstrom=path_length(true_track),
        drift_rmse_angstrom=None if track is None else track_rmse(track, true_track),
        particles=picking.get("count"),
        true_particles=len(truth["particles_xy_px"]),
    )


def path_length(track: Sequence[Sequence[float]]) -> float:
    """Length of the path from point to point."""
    return sum(math.dist(a, b) for a, b in itertools.pairwise(track))


def track_rmse(found: Sequence[Sequence[float]], true: Sequence[Sequence[float]]) -> float | None:
    """Root mean square distance of two tracks over their frames, each minus its mean. None where lengths differ."""
    if len(found) != len(true) or not found:
        return None
    differences = [(a[0] - b[0], a[1] - b[1]) for a, b in zip(found, true, strict=True)]
    count = len(differences)
    mean_x, mean_y = (sum(difference[axis] for difference in differences) / count for axis in (0, 1))
    return math.sqrt(sum((x - mean_x) ** 2 + (y - mean_y) ** 2 for x, y in differences) / count)


def comparison_table(rows: Sequence[Compared]) -> Table:
    """One row a movie, `found / simulated`."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("movie", overflow="fold")
    table.add_column("status")
    for title in ("defocus µm", "drift Å", "drift RMSE Å", "particles"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            row.status,
            f"{_number(row.defocus_um, 4)} / {row.true_defocus_um:.4f}",
            f"{_number(row.drift_angstrom, 1)} / {row.true_drift_angstrom:.1f}",
            _number(row.drift_rmse_angstrom, 2),
            f"{_number(row.particles, 0)} / {row.true_particles}",
        )
    return table


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _found_track(path: Path) -> list[list[float]] | None:
    """The track at the centre, (x, y) in Å a frame; None where the motion was not measured."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    track: list[list[float]] = stored["track_angstrom"]
    return track
