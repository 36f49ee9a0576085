"""The picking step: where particles are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from warpcore.services.steps import picking_learning
from warpcore.services.steps.columns import Column, Limit, Result, column, result
from warpcore.services.steps.fields import Reach, Section, setting
from warpcore.services.steps.learning import Learning
from warpcore.services.steps.step import CheapHalf, Output, Step

_LEAST_TO_ADAPT = 4  # two movies held back tell more than chance; templates come from the other two


class PickingSettings(Section):
    """Picking; nothing is picked until a diameter (or templates) is given."""

    enabled: bool = setting(True, "off: nothing is picked")
    method: Literal["auto", "both", "blob", "network", "template"] = setting(
        "auto",
        "how particles are found; both: by blobs and the network, whose scores are pooled; auto: what fits the "
        "session's first movies",
    )
    diameter: float | None = setting(
        None, "longest extent of a particle; nothing is picked until it is given", unit="Å", gt=0, le=5000
    )
    diameter_max: float | None = setting(
        None, "blobs from `diameter` to this one; null: about `diameter`", unit="Å", gt=0, le=5000
    )
    shapes: list[Literal["disc", "ring"]] = setting(
        ["disc", "ring"], "shapes of blobs to try", min_length=1, max_length=2
    )
    aspect: float = setting(
        2.0, "longest extent of blobs divided by the shortest; those from round (1) to this one are tried", ge=1, le=5
    )
    first_movies: int = setting(
        8,
        "so many movies at the start of a session, in order of registration, decide for all of them what is picked "
        "with: the method where it is auto, the shape of blobs, templates of its own",
        ge=1,
        le=100,
    )
    adapt: bool = setting(
        False,
        "make templates from sure picks of the first movies, and pick with them where movies held back show that they "
        "find more",
    )
    threshold: float = setting(
        0.5,
        "lowest score kept, a probability; another one takes the scores that are kept, nothing is computed anew",
        reach=Reach.CHEAP,
        ge=0,
        le=1,
    )
    expected_false: float | None = setting(
        None,
        "largest share of the picks kept that may be expected to be false; where set it takes the threshold's place",
        reach=Reach.CHEAP,
        ge=0,
        le=1,
    )
    minimum_distance: float | None = setting(
        None,
        "least distance between picks; null: 0.65 of a diameter (templates: 0.75), since "
        "neighbours that touch overlap in projection",
        unit="Å",
        ge=0,
        le=10000,
    )
    contrast: Literal["dark", "bright"] = setting("dark", "how particles look on the average")
    templates_path: str | None = setting(
        None, "MRC stack of templates, or a map", file="content", used="method=auto|template"
    )
    angular_step: float = setting(30.0, "between the projections of a map", unit="°", ge=3, le=180)
    rotation_step: float = setting(10.0, "between turns of a template in the plane", unit="°", ge=1, le=360)
    weights_path: str | None = setting(
        None,
        "a network of your own (`warpcore picker train`); null: the one that ships",
        file="content",
        used="method=auto|both|network",
    )
    suffix: str = setting("picks", "in the names of coordinate files", pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _possible(self) -> PickingSettings:
        if self.diameter_max is not None and (self.diameter is None or self.diameter_max < self.diameter):
            raise ValueError(
                "diameter_max (Å) needs a diameter that is no larger; a range runs from diameter to diameter_max"
            )
        if self.adapt and (self.diameter is None or self.first_movies < _LEAST_TO_ADAPT):
            raise ValueError(
                f"adapt needs a diameter, and first_movies of at least {_LEAST_TO_ADAPT}: half of them are held back"
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
    """What was found. `score_histogram` counts all scored candidates in 20 equal steps of the score from 0 to 1.

    `method` and `shape` are those used, `shape` the combination of blobs or None. `threshold` is the score down to
    which picks were kept. `evidence` is what `picking_learning` pools.
    """

    method: str
    shape: str | None
    count: int = column(
        "particles",
        "particles picked",
        json="Particles",
        limits=(Limit("particles_min", 1, upper=False, lowest=0, whole=True),),
        main=True,
    )
    median_score: float | None = column(
        "score", "median score of the picks", digits=3, json="PicksMedianScore", noun="median pick score"
    )
    certainty: float = column(
        "certain",
        "probability that picks are better than chance; they are uncertain below 0.5, and then few are kept",
        digits=2,
        json="PicksCertain",
        limits=(Limit("picks_certain_min", None, upper=False, lowest=0, highest=1),),
        noun="certainty of picks",
    )
    false_percent: float | None = column(
        "false",
        "share of the picks that may be expected to be false, by their scores",
        unit="%",
        digits=1,
        json="PicksFalse",
        limits=(Limit("picks_false_max", None, upper=True, lowest=0, highest=100),),
        noun="expected false picks",
    )
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
    evidence: dict[str, Any] | None = None


CERTAIN = 0.5
"""Below this certainty a micrograph's picks are called uncertain."""


def _whether_uncertain(picking: Mapping[str, Any]) -> str | None:
    certainty = picking.get("certainty")
    return None if certainty is None else ("uncertain" if certainty < CERTAIN else "certain")


_WORD = Column(
    "picking",
    "picks",
    "picks",
    "certain, or uncertain where they are no better than chance",
    compute=_whether_uncertain,
    after="certainty",
    is_text=True,
)

COORDINATES = Output(
    "matching/{movie}_{suffix}.star",
    "picks, with a person's [edits](picking.md#picks-by-hand): pixels of the average, centre of pixel 0 at 0; there "
    "even when empty",
)
CANDIDATES = Output(
    "matching/{movie}_{suffix}.json",
    "all scored candidates of the picker's, best first, whatever the threshold: `x_px`, `y_px`, `scores`; and "
    "`score_histogram`, how many of them in 20 equal steps of the score from 0 to 1 (also in each movie's "
    "`results.picking` over REST)",
)
OVERLAY = Output("matching/{movie}_{suffix}.png", "the average with its picks circled")
MASK = Output(
    "mask/{movie}.mrc",
    "junk (1) at about 12 Å a pixel: carbon, contamination, gold; nothing is picked there, and its share is `Junk`",
)

STEP = Step(
    name="picking",
    version=5,
    parents=("motion", "ctf"),
    section=PickingSettings,
    result=PickingResult,
    derived=(_WORD,),
    doing="warpcore.services.worker.steps.picking:PICKING",
    description="finds particles",
    outputs=(COORDINATES, CANDIDATES, OVERLAY, MASK),
    cheap=CheapHalf(),
    is_on=lambda section: section.is_on,
    learning=Learning(picking_learning.count, picking_learning.pool, picking_learning.describe),
)
