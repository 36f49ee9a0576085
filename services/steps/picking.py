"""The picking step: where particles are."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from warpcore.services.steps.columns import Limit, Result, column, result
from warpcore.services.steps.fields import Reach, Section, setting
from warpcore.services.steps.step import CheapHalf, Output, Step


class PickingSettings(Section):
    """Picking; nothing is picked until a diameter (or templates) is given."""

    enabled: bool = setting(True, "off: nothing is picked")
    method: Literal["blob", "template", "network"] = setting("blob", "how particles are found")
    diameter: float | None = setting(
        None, "longest extent of a particle; nothing is picked until it is given", unit="Å", gt=0, le=5000
    )
    diameter_max: float | None = setting(
        None, "blobs from `diameter` to this one; null: about `diameter`", unit="Å", gt=0, le=5000
    )
    shapes: list[Literal["disc", "ring"]] = setting(["disc", "ring"], "shapes of blobs", min_length=1, max_length=2)
    aspect: float = setting(
        1.0, "longest extent of blobs divided by the shortest; all from round (1) to this one are matched", ge=1, le=5
    )
    threshold: float = setting(
        0.5,
        "lowest score kept; another one takes the scores that are kept, nothing is computed anew",
        reach=Reach.CHEAP,
        ge=0,
        le=1,
    )
    minimum_distance: float | None = setting(
        None,
        "least distance between picks; null: three quarters of a diameter, "
        "since neighbours that touch overlap in projection",
        unit="Å",
        ge=0,
        le=10000,
    )
    contrast: Literal["dark", "bright"] = setting("dark", "how particles look on the average")
    templates_path: str | None = setting(
        None, "MRC stack of templates, or a map", file="content", used="method=template"
    )
    angular_step: float = setting(30.0, "between the projections of a map", unit="°", ge=3, le=180)
    rotation_step: float = setting(10.0, "between turns of a template in the plane", unit="°", ge=1, le=360)
    weights_path: str | None = setting(
        None,
        "a network of your own (`warpcore picker train`); null: the one that ships",
        file="content",
        used="method=network",
    )
    suffix: str = setting("picks", "in the names of coordinate files", pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _possible(self) -> PickingSettings:
        if self.diameter_max is not None and (self.diameter is None or self.diameter_max < self.diameter):
            raise ValueError(
                "diameter_max (Å) needs a diameter that is no larger; a range runs from diameter to diameter_max"
            )
        if len(set(self.shapes)) < len(self.shapes):
            raise ValueError("shapes names one twice")
        return self

    @property
    def is_on(self) -> bool:
        """Whether particles are picked: switched on, and with a diameter or templates to go by."""
        return self.enabled and (self.diameter is not None or self.templates_path is not None)


@result
class PickingResult(Result):
    """What was found. `score_histogram` counts all scored candidates in 20 equal steps of the score from 0 to 1."""

    count: int = column(
        "particles",
        "particles picked",
        json="Particles",
        limits=(Limit("particles_min", 1, upper=False, lowest=0, whole=True),),
        main=True,
    )
    method: str
    diameter_angstrom: float | None
    threshold: float
    suffix: str
    coordinates: str
    score_histogram: list[int]
    junk_percent: float = column(
        "junk",
        "share of the area left out: carbon, contamination, gold",
        unit="%",
        digits=2,
        json="Junk",
        limits=(Limit("junk_max", 10.0, upper=True, lowest=0, highest=100),),
        main=True,
    )


COORDINATES = Output(
    "matching/{movie}_{suffix}.star", "picks: pixels of the average, centre of pixel 0 at 0; there even when empty"
)
CANDIDATES = Output(
    "matching/{movie}_{suffix}.json",
    "all scored candidates, best first, whatever the threshold: `x_px`, `y_px`, `scores`; and `score_histogram`, "
    "how many of them in 20 equal steps of the score from 0 to 1 (also in each movie's `results.picking` over REST)",
)
OVERLAY = Output("matching/{movie}_{suffix}.png", "the average with its picks circled")
MASK = Output(
    "mask/{movie}.mrc",
    "junk (1) at about 12 Å a pixel: carbon, contamination, gold; nothing is picked there, and its share is `Junk`",
)

STEP = Step(
    name="picking",
    version=2,
    parents=("motion", "ctf"),
    section=PickingSettings,
    result=PickingResult,
    doing="warpcore.services.worker.steps.picking:PICKING",
    description="finds particles",
    outputs=(COORDINATES, CANDIDATES, OVERLAY, MASK),
    cheap=CheapHalf(),
    is_on=lambda section: section.is_on,
)
