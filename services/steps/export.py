"""The export step: averages and particles for other programs."""

from __future__ import annotations

from warpcore.services.steps.columns import Result, column, result
from warpcore.services.steps.fields import Reach, Section, setting
from warpcore.services.steps.step import CheapHalf, Output, Step


class ExportSettings(Section):
    """Outputs for other programs."""

    average: bool = setting(True, "the aligned average")
    halves: bool = setting(False, "odd and even averages")
    stack: bool = setting(False, "aligned frames")
    deconvolution: bool = setting(False, "deconvolved average")
    deconvolution_strength: float = setting(1.0, "strength of the deconvolution", ge=0, le=100)
    deconvolution_falloff: float = setting(1.0, "how fast the assumed signal falls with frequency", ge=0, le=100)
    float16: bool = setting(False, "16-bit averages and particles", reach=Reach.BOTH)
    dose_weighting: bool = setting(True, "weights by dose, Grant & Grigorieff 2015")
    particles: bool = setting(False, "boxes of every movie, as it is picked", reach=Reach.CHEAP)
    box_size: int | None = setting(
        None,
        "size of a box, in pixels of the particles; null: 1.5 diameters",
        unit="px",
        reach=Reach.CHEAP,
        ge=8,
        le=4096,
        multiple_of=2,
    )
    particle_pixel_size: float | None = setting(
        None, "pixel size of the particles; null: that of the average", unit="Å", reach=Reach.CHEAP, gt=0.01, le=100
    )
    project_root: str = setting(
        ".",
        "RELION's project, from which STAR files name all files, as seen from the processing directory: `.`, `..`, …",
        reach=Reach.BOTH,
        pattern=r"^(\.|\.\.(/\.\.){0,20})$",
    )
    mtf_path: str | None = setting(
        None, "detector's MTF for RELION's optics groups, a STAR file; null: none", reach=Reach.CHEAP, is_path=True
    )
    invert: bool = setting(True, "particles bright on dark", reach=Reach.CHEAP)
    normalize: bool = setting(True, "background of each box with mean 0 and deviation 1", reach=Reach.CHEAP)


@result
class ExportResult(Result):
    """The files that were made, relative to the processing directory (null for others), and what became of picks."""

    average: str | None = None
    thumbnail: str | None = None
    odd: str | None = None
    even: str | None = None
    stack: str | None = None
    deconvolved: str | None = None
    particles: str | None = None
    particle_count: int | None = column("boxes", "particles extracted", json="ParticlesExported", default=None)
    particles_at_edge: int | None = column(
        "at edge", "picks whose box would leave the micrograph", json="ParticlesAtEdge", default=None
    )


AVERAGE = Output(
    "average/{movie}.mrc",
    "sum of aligned frames, dose-weighted unless switched off; float32, or float16 where `export.float16`",
)
ODD = Output("average/odd/{movie}.mrc", "sum of frames 1, 3, 5 …")
EVEN = Output("average/even/{movie}.mrc", "sum of frames 2, 4, 6 …")
STACK = Output("average/{movie}_stack.mrcs", "aligned frames")
DECONVOLVED = Output("deconv/{movie}.mrc", "Wiener-like deconvolution, for looking at and for pickers")
PARTICLES = Output("particles/{movie}_{suffix}.mrcs", "extracted boxes")
PARTICLES_STAR = Output("particles/{movie}_{suffix}.star", "this movie's rows of `particles.star`")
THUMBNAIL = Output("thumbnails/{movie}.png", "the average as a picture of at most 512 px")
MOVIE_XML = Output(
    "{movie}.xml", "Warp's metadata: options, CTF, movement and defocus grids, spectrum curves, picking threshold"
)

STEP = Step(
    name="export",
    version=3,
    parents=("motion", "ctf"),
    section=ExportSettings,
    result=ExportResult,
    doing="warpcore.services.worker.steps.export:EXPORT",
    description="writes averages, particles and metadata",
    outputs=(MOVIE_XML, AVERAGE, ODD, EVEN, STACK, DECONVOLVED, PARTICLES, PARTICLES_STAR, THUMBNAIL),
    cheap=CheapHalf(
        parents=("picking",),
        is_on=lambda section: section.particles,
        when="where particles are exported",
        version=1,
    ),
    is_on=lambda section: True,
)
