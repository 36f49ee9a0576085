"""The CTF step: defocus, astigmatism, phase shift and resolution of a micrograph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

from pydantic import Field, model_validator

from warpcore.services.steps.columns import Column, Limit, Result, Star, column, result
from warpcore.services.steps.fields import Section, setting
from warpcore.services.steps.step import Output, Step

Nodes = Annotated[int, Field(ge=1, le=4096)]


class CtfSettings(Section):
    """CTF fit."""

    enabled: bool = setting(True, "off: no CTF is fitted")
    window: int = setting(512, "size of a patch", unit="px", ge=128, le=4096, multiple_of=2)
    range_min: float = setting(30.0, "coarsest ring used", unit="Å", gt=0, le=1000)
    range_max: float = setting(4.0, "finest ring used", unit="Å", gt=0, le=1000)
    defocus_min: float = setting(0.5, "lowest defocus searched, underfocus positive", unit="µm", ge=-20, le=20)
    defocus_max: float = setting(5.0, "highest defocus searched", unit="µm", ge=-20, le=20)
    voltage: float | None = setting(
        None,
        "acceleration voltage; null: from the movie's metadata, else 300",
        unit="kV",
        assumed=300.0,
        unset="from metadata",
        ge=20,
        le=2000,
    )
    cs: float | None = setting(
        None,
        "spherical aberration; null: from the movie's metadata, else 2.7",
        unit="mm",
        assumed=2.7,
        unset="from metadata",
        ge=0,
        le=20,
    )
    amplitude_contrast: float = setting(0.07, "share of amplitude contrast", ge=0, le=1)
    fit_phase: bool = setting(False, "fit the phase shift of a phase plate too")
    use_sum: bool = setting(
        False,
        "on: only the spectrum of the aligned sum; "
        "off: that of frames (4 e⁻/Å² each) where it shows rings more clearly",
    )
    grid: list[Nodes] | None = setting(
        None, "[x, y] nodes of the defocus surface; null: automatic", min_length=2, max_length=2
    )

    @model_validator(mode="after")
    def _ordered(self) -> CtfSettings:
        if self.range_max >= self.range_min:
            raise ValueError("range_max (Å) must be finer, so smaller, than range_min")
        if self.defocus_max <= self.defocus_min:
            raise ValueError("defocus_max must be larger than defocus_min")
        return self


_TABLE = "micrographs_ctf"
WORST_RESOLUTION_ANGSTROM = 25.0
"""What STAR files say where no resolution, or a worse one, was reached: RELION's own cap (ctffind_runner.cpp).

Not infinity, which RELION reads as 0, the best of all (metadata_table.cpp, setValueFromString).
"""


@result
class CtfResult(Result):
    """The fit; one that failed has its reason in `failure`, and no numbers. U ≥ V, the angle belongs to U."""

    defocus_um: float | None = column(
        "defocus",
        "mean of U and V, underfocus positive",
        unit="µm",
        digits=4,
        json="Defocus",
        limits=(Limit("defocus_min", 0.0, upper=False), Limit("defocus_max", 5.0, upper=True)),
        main=True,
    )
    defocus_delta_um: float | None = column(
        "astig.",
        "astigmatism, U - V",
        unit="µm",
        digits=4,
        json="DefocusDelta",
        limits=(Limit("astigmatism_max", 3.0, upper=True, lowest=0),),
        noun="astigmatism",
        main=True,
    )
    defocus_u_angstrom: float | None = column(
        "defocus U", "larger defocus", unit="Å", json="DefocusU", star=Star(_TABLE, "rlnDefocusU", missing=None)
    )
    defocus_v_angstrom: float | None = column(
        "defocus V", "smaller defocus", unit="Å", json="DefocusV", star=Star(_TABLE, "rlnDefocusV", missing=None)
    )
    defocus_angle_degrees: float | None = column(
        "astig. angle",
        "direction of U, from +x towards +y",
        unit="°",
        digits=2,
        json="DefocusAngle",
        star=Star(_TABLE, "rlnDefocusAngle", missing=None),
    )
    defocus_range_um: float | None = column(
        "defocus range",
        "largest minus smallest defocus over the field, by its fitted surface",
        unit="µm",
        digits=4,
        json="DefocusRange",
    )
    tilt_degrees: float | None = column(
        "tilt",
        "tilt of the specimen, by the mean plane of the defocus surface",
        unit="°",
        digits=1,
        json="Tilt",
        star=Star(_TABLE, "rlnMicrographTiltAngle"),
    )
    tilt_axis_degrees: float | None = column(
        "tilt axis",
        "direction along which defocus stays the same, from +x towards +y",
        unit="°",
        digits=1,
        json="TiltAxis",
        star=Star(_TABLE, "rlnMicrographTiltAxisDirection"),
    )
    figure_of_merit: float | None = column(
        "merit",
        "figure of merit: agreement of rings and fit",
        digits=4,
        json="FigureOfMerit",
        star=Star(_TABLE, "rlnCtfFigureOfMerit"),
    )
    resolution_angstrom: float | None = column(
        "res.",
        "where the fit's quality falls below 0.3",
        unit="Å",
        digits=2,
        json="Resolution",
        star=Star(_TABLE, "rlnCtfMaxResolution", missing=WORST_RESOLUTION_ANGSTROM, most=WORST_RESOLUTION_ANGSTROM),
        limits=(Limit("resolution_max", 5.0, upper=True, lowest=0),),
        noun="resolution",
        main=True,
        failed="no CTF fit",
    )
    phase_shift_pi: float | None = column(
        "phase", "phase shift", unit="π", digits=2, json="Phase", star=Star(_TABLE, "rlnPhaseShift", factor=180.0)
    )
    ice_ring: float | None = column(
        "ice ring",
        "relative excess of the spectrum at 3.7 Å: crystalline ice",
        digits=3,
        json="IceRing",
        star=Star(_TABLE, "rlnCtfIceRingDensity"),
    )
    ice_thickness: float | None = column(
        "ice",
        "relative thickness of the ice, in no unit: compare movies of one session",
        digits=3,
        json="IceThickness",
        noun="ice thickness",
        main=True,
    )
    failure: str | None = None
    warnings: list[str] = field(default_factory=list)


def _difference(ctf: Mapping[str, Any]) -> float | None:
    u, v = ctf.get("defocus_u_angstrom"), ctf.get("defocus_v_angstrom")
    return None if u is None or v is None else float(u) - float(v)


def _astigmatism_along(part: Any) -> Any:
    def compute(ctf: Mapping[str, Any]) -> float | None:
        delta, angle = ctf.get("defocus_delta_um"), ctf.get("defocus_angle_degrees")
        return None if delta is None or angle is None else float(delta * part(math.radians(2 * angle)))

    return compute


_DERIVED = (
    Column(
        "ctf",
        "astigmatism_angstrom",
        "astig.",
        "astigmatism, U - V",
        unit="Å",
        star=Star(_TABLE, "rlnCtfAstigmatism", missing=None),
        compute=_difference,
        after="defocus_v_angstrom",
    ),
    *(
        Column(
            "ctf",
            f"astigmatism_{name}_um",
            f"astig. {name}",
            f"astigmatism times the {function} of twice its angle",
            unit="µm",
            digits=4,
            json=f"Astig{name.upper()}",
            compute=_astigmatism_along(part),
            after="defocus_angle_degrees",
        )
        for name, function, part in (("x", "cosine", math.cos), ("y", "sine", math.sin))
    ),
)

SPECTRUM = Output("powerspectrum/{movie}.mrc", "left half data, right half fitted model")
SPECTRUM_PICTURE = Output("powerspectrum/{movie}.png", "the same as a picture, the fit resolution ringed")
FIT = Output("powerspectrum/{movie}.json", "the whole CTF fit with its curves")

STEP = Step(
    name="ctf",
    version=1,
    parents=("motion",),
    section=CtfSettings,
    result=CtfResult,
    doing="warpcore.services.worker.steps.ctf:CTF",
    description="fits the contrast transfer function",
    label="CTF",
    outputs=(SPECTRUM, SPECTRUM_PICTURE, FIT),
    derived=_DERIVED,
)
