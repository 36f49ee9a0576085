"""The motion step: beam-induced movement, measured from the raw frames."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from pydantic import Field, model_validator

from warpcore.services.steps.columns import Limit, Result, Star, column, result
from warpcore.services.steps.fields import Section, setting
from warpcore.services.steps.step import INPUT, Output, Step

Nodes = Annotated[int, Field(ge=1, le=4096)]


class MotionSettings(Section):
    """Motion fit."""

    enabled: bool = setting(True, "off: frames are summed as they are")
    range_min: float = setting(500.0, "coarsest detail used", unit="Å", gt=0, le=100000)
    range_max: float = setting(10.0, "finest detail used", unit="Å", gt=0, le=1000)
    b_factor: float = setting(-500.0, "how fast high frequencies lose weight", unit="Å²", ge=-100000, le=0)
    grid: list[Nodes] | None = setting(
        None, "[x, y, t] nodes of the local model; null: automatic", min_length=3, max_length=3
    )
    group_frames: int | None = setting(
        None,
        "frames summed for the fit (each is still corrected by itself); "
        "null: as many as give 0.2 e⁻/Å², at most 128 groups",
        ge=1,
        le=10000,
    )

    @model_validator(mode="after")
    def _ordered(self) -> MotionSettings:
        if self.range_max >= self.range_min:
            raise ValueError("range_max (Å) must be finer, so smaller, than range_min")
        return self


@result
class MotionResult(Result):
    """What was measured of the movement; `skipped`: nothing: there was one good frame, or the step was off.

    Of an average that another program has made, `metadata` is its motion STAR, `unweighted` its sum without dose
    weighting (absolute paths), `original_pixel_size_angstrom` that of the movie, and `optics_group` the number and
    `optics_group_name` the name of its group in that program's lists; lengths of the track are that program's.
    """

    skipped: bool
    mean_frame_movement_angstrom: float | None = column(
        "early step",
        "mean movement from frame to frame over the first third of the exposure",
        unit="Å",
        digits=3,
        json="Motion",  # Warp's key for it
        noun="mean early step",
        limits=(Limit("motion_max", 5.0, upper=True, lowest=0),),
        main=True,
    )
    accumulated_total_angstrom: float | None = column(
        "total motion",
        "length of the track at the centre",
        unit="Å",
        digits=1,
        json="MotionTotal",
        star=Star("corrected_micrographs", "rlnAccumMotionTotal"),
        main=True,
    )
    accumulated_early_angstrom: float | None = column(
        "early motion",
        "length of the track over the first 4 e⁻/Å²",
        unit="Å",
        digits=1,
        json="MotionEarly",
        star=Star("corrected_micrographs", "rlnAccumMotionEarly"),
    )
    accumulated_late_angstrom: float | None = column(
        "late motion",
        "length of the track after the first 4 e⁻/Å²",
        unit="Å",
        digits=1,
        json="MotionLate",
        star=Star("corrected_micrographs", "rlnAccumMotionLate"),
    )
    largest_frame_movement_angstrom: float | None = column(
        "in frame",
        "largest movement from one frame to the next anywhere in the field: what blurs a frame most",
        unit="Å",
        digits=2,
        json="MotionInFrame",
        noun="movement within a frame",
    )
    grid: list[int] | None
    local_grid: list[int] | None
    failure: str | None
    relion_worst_residual_px: float | None = column(
        "polynomial residual",
        "largest difference between the motion model and RELION's polynomial of it",
        unit="px",
        digits=4,
        json="MotionPolynomialResidual",
        default=None,
    )
    warnings: list[str] = field(default_factory=list)
    metadata: str | None = None
    unweighted: str | None = None
    original_pixel_size_angstrom: float | None = None
    optics_group: int | None = None
    optics_group_name: str | None = None


MODEL = Output("motion/{movie}.json", "the whole motion model, and tracks in Å at the centre and at 5 × 5 positions")
STAR = Output("motion/{movie}.star", "RELION's motion metadata (for Bayesian polishing)")
PICTURE = Output(
    "motion/{movie}.png",
    "the tracks drawn over the field, much enlarged ([what is what](motion.md#the-picture)); "
    "none where motion was skipped",
)

STEP = Step(
    name="motion",
    version=1,
    parents=(INPUT,),
    section=MotionSettings,
    result=MotionResult,
    doing="warpcore.services.worker.steps.motion:MOTION",
    description="measures beam-induced movement",
    outputs=(MODEL, STAR, PICTURE),
    # Switched off, the step still runs: it then says that nothing moves.
    is_on=lambda section: True,
)
