"""Where and when a movie was recorded, by its metadata: grid, square, hole, area, stage, beam shift, applied defocus.

No step measures this, no fingerprint stands for it and no output file holds it. The scheduler shows it beside the
results, under the name `place`, so that movies are listed, sorted, grouped and plotted by it like by what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warpcore.services.steps.columns import TIME_OF_DAY, Column, Result, column, columns_of, result
from warpcore.services.steps.ctf import STEP as CTF
from warpcore.services.steps.step import PLACE

OFF_TARGET = "off_target_um"


@result
class PlaceResult(Result):
    """Ids are words of the microscope's program; None for what its metadata do not tell."""

    grid: str | None = column("grid", "grid that it was recorded on", default=None)
    square: str | None = column("square", "grid square", default=None)
    hole: str | None = column("hole", "foil hole", default=None)
    area: str | None = column("area", "acquisition area: position in the template, the same in each hole", default=None)
    shot: str | None = column("shot", "position within the hole, of a multiple record", default=None)
    recorded_at: float | None = column("recorded", "when it was recorded", unit=TIME_OF_DAY, default=None)
    defocus_applied_um: float | None = column(
        "applied", "defocus that the microscope was set to", unit="µm", digits=2, noun="applied defocus", default=None
    )
    off_target_um: float | None = column(
        "off target", "measured defocus minus the applied one", unit="µm", digits=3, noun="defocus error", default=None
    )
    stage_x_um: float | None = column("stage x", "position of the stage", unit="µm", digits=2, default=None)
    stage_y_um: float | None = column("stage y", "position of the stage", unit="µm", digits=2, default=None)
    stage_z_um: float | None = column("stage z", "height of the stage", unit="µm", digits=2, default=None)
    stage_alpha_degrees: float | None = column("stage tilt", "tilt of the stage", unit="°", digits=2, default=None)
    beam_shift_x: float | None = column("beam shift x", "as the microscope's program gives it", digits=4, default=None)
    beam_shift_y: float | None = column("beam shift y", "as the microscope's program gives it", digits=4, default=None)
    magnification: float | None = column("magnification", "nominal magnification", default=None)


_TOLD = tuple(name for name in PlaceResult.__dataclass_fields__ if name != OFF_TARGET)


def place_columns() -> tuple[Column, ...]:
    """The columns of `place`."""
    return columns_of(PLACE, PlaceResult)


def place_of(acquisition: object | None) -> dict[str, Any]:
    """What an acquisition tells of a movie's place, by field; {} where it tells nothing."""
    told = {name: getattr(acquisition, name, None) for name in _TOLD}
    return {name: value for name, value in told.items() if value is not None}


def with_off_target(place: dict[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """A place with how far the measured defocus is from the applied one, where both are known."""
    ctf = results.get(CTF.name) or {}
    applied, measured = place.get("defocus_applied_um"), ctf.get("defocus_um")
    if applied is None or measured is None or ctf.get("failure"):
        return place
    return {**place, OFF_TARGET: round(measured - applied, 6)}
