"""Movies as the scheduler tells them, for the tracker's tests."""

from __future__ import annotations

from typing import Any

from warpcore.bus.messages import Movie

RESULTS: dict[str, Any] = {
    "input": {"frames": 40, "height": 2048, "width": 2048, "pixel_size_angstrom": 1.0, "raw_pixel_size_angstrom": 0.5},
    "motion": {
        "skipped": False,
        "mean_frame_movement_angstrom": 0.8121,
        "accumulated_total_angstrom": 16.4,
        "accumulated_early_angstrom": 2.5,
        "accumulated_late_angstrom": 13.9,
    },
    "ctf": {
        "defocus_um": 2.72235,
        "defocus_delta_um": 0.0221,
        "defocus_angle_degrees": 30.0,
        "defocus_u_angstrom": 27334.0,
        "defocus_v_angstrom": 27113.0,
        "phase_shift_pi": 0.126,
        "resolution_angstrom": 3.456,
        "figure_of_merit": 0.2,
        "failure": None,
    },
    "picking": {"count": 312, "suffix": "picks", "coordinates": "matching/grid/m7_picks.star", "junk_percent": 1.5},
    "export": {
        "average": "average/grid/m7.mrc",
        "even": "average/even/grid/m7.mrc",
        "odd": "average/odd/grid/m7.mrc",
        "particles": "particles/grid/m7_picks.mrcs",
    },
}


def movie(number: int, **values: Any) -> Movie:
    """Movie `grid/m<number>`, processed unless told otherwise; its results name movie 7's files."""
    name = f"grid/m{number}"
    fields = {"status": "processed", "results": RESULTS, **values}
    return Movie(number, name, f"{name}.tif", 1000, 1, **fields)


def named(number: int, **values: Any) -> Movie:
    """The same with results that name its own files."""

    def own(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: own(one) for key, one in value.items()}
        return value.replace("m7", f"m{number}") if isinstance(value, str) else value

    return movie(number, **{"results": own(RESULTS), **values})
