"""A step of a site's own, declared: the average through a Gaussian filter."""

from __future__ import annotations

from warpcore.services.steps import Limit, Output, Result, Section, Step, column, result, setting


class DenoiseSettings(Section):
    """Gaussian filter of the average."""

    enabled: bool = setting(True, "off: averages are not filtered")
    sigma: float = setting(10.0, "width of the filter", unit="Å", gt=0, le=1000)


@result
class DenoiseResult(Result):
    """What the filter left."""

    contrast: float = column(
        "contrast",
        "standard deviation of the filtered average by its mean",
        digits=4,
        json="DenoisedContrast",
        limits=(Limit("contrast_min", None, upper=False),),
        main=True,
    )


FILTERED = Output("denoised/{movie}.mrc", "the average through a Gaussian filter")

STEP = Step(
    name="denoise",
    version=1,
    parents=("motion",),
    section=DenoiseSettings,
    result=DenoiseResult,
    doing="denoise_step.doing:DENOISE",
    description="filters averages",
    outputs=(FILTERED,),
)
