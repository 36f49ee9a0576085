"""Movies of a simulated grid: squares of holes, each with shots around the stage's position."""

from __future__ import annotations

from itertools import product
from typing import Any

from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import MovieStatus


def movie(id: int, status: MovieStatus = MovieStatus.PROCESSED, **values: Any) -> Movie:
    """A movie whose values are `place_square="7"`, `ctf_defocus_um=1.2` and so on."""
    results: dict[str, Any] = {}
    for name, value in values.items():
        step, _, field = name.partition("_")
        results.setdefault(step, {})[field] = value
    return Movie(id=id, name=f"m{id}", path=f"m{id}.tif", size=1, mtime_ns=0, status=status, results=results)


def session(squares: int = 2, holes: int = 4, shots: int = 5) -> list[Movie]:
    """Squares 60 µm apart, holes 8 µm apart in them. In the last square every resolution is 7 Å and no movie passes."""
    found = []
    for square, hole, shot in product(range(squares), range(holes), range(shots)):
        poor = square == squares - 1
        found.append(
            movie(
                len(found) + 1,
                MovieStatus.FILTERED_OUT if poor else MovieStatus.PROCESSED,
                place_grid="g",
                place_square=str(square + 9),
                place_hole=f"{square}{hole}",
                place_area=str(shot),
                place_stage_x_um=60.0 * square + 8 * (hole % 2),
                place_stage_y_um=8.0 * (hole // 2),
                place_beam_shift_x=0.1 * (shot - 2),
                place_beam_shift_y=0.0,
                place_off_target_um=0.05 * shot,
                ctf_resolution_angstrom=7.0 if poor else 3.5 + 0.1 * shot,
                ctf_defocus_um=1.0 + 0.05 * shot,
                picking_count=100 + shot,
            )
        )
    return found
