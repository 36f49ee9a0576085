"""What a raw movie is: the `import` settings that say how it is read, and what is known of it once it was read."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic import field_validator

from warpcore.services.steps.columns import Result, column, result
from warpcore.services.steps.fields import Reach, Section, setting


class ImportSettings(Section):
    """What a raw movie is and how it is read."""

    data: str = setting("", "the session's data directory, set by `up`", reach=Reach.NOTHING)
    patterns: list[str] = setting(
        ["*.tif", "*.tiff", "*.mrc", "*.mrcs", "*.eer"],
        "file names that are movies, in small or capital letters",
        reach=Reach.NOTHING,
        min_length=1,
    )
    recursive: bool = setting(False, "look for movies in sub-folders too", reach=Reach.NOTHING)
    pixel_size: float | None = setting(
        None, "size of a raw pixel; null: the file's header, else 1.35", unit="Å", gt=0.01, le=100
    )
    binning: float = setting(0.0, "x: 2^x pixels become one, by Fourier cropping", ge=0, le=4)
    gain_path: str | None = setting(
        None,
        "gain reference: `.mrc`, `.tif`, `.gain`, `.dm4`; compared with a movie when it is set",
        file="time",
    )
    gain_flip_x: bool = setting(False, "mirror the gain left-right")
    gain_flip_y: bool = setting(False, "mirror the gain up-down")
    gain_transpose: bool = setting(False, "swap the gain's axes, after mirroring")
    defects_path: str | None = setting(None, "defect map, rows of `x y width height`, or SerialEM's list", file="time")
    dose_per_frame: float = setting(1.0, "dose of a frame", unit="e⁻/Å²", ge=0, le=1000)
    eer_groups: int | None = setting(40, "EER: number of fractions", ge=1, le=10000)
    eer_frames_per_group: int | None = setting(
        None, "EER: raw frames a fraction; wins over `eer_groups`", ge=1, le=10000
    )
    eer_dose_per_group: float | None = setting(
        None, "EER: dose of a fraction; wins over both", unit="e⁻/Å²", gt=0, le=1000
    )
    eer_upsampling: Literal[1, 2, 4] = setting(1, "EER: how finely each physical pixel is divided")
    skip_first: int = setting(0, "frames left out at the start", ge=0, le=10000)
    skip_last: int = setting(0, "frames left out at the end", ge=0, le=10000)

    @field_validator("patterns")
    @classmethod
    def _patterns_are_names(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            if not pattern.strip() or "/" in pattern:
                raise ValueError("each pattern is a file name with wildcards, without a slash")
        return patterns


@result
class InputResult(Result):
    """What is known of a movie once it was read.

    Sizes are those of the average, `raw_*` those of the frames as read.
    """

    frames: int = column("frames", "frames used", json="Frames")
    height: int = column("height", "height of the average", unit="px", json="Height")
    width: int = column("width", "width of the average", unit="px", json="Width")
    raw_height: int
    raw_width: int
    pixel_size_angstrom: float = column("pixel", "pixel size of the average", unit="Å", digits=4, json="PixelSize")
    raw_pixel_size_angstrom: float = column(
        "raw pixel", "pixel size of the frames as read", unit="Å", digits=4, json="RawPixelSize"
    )
    dose_per_frame: float = column("dose a frame", "dose of a frame", unit="e⁻/Å²", digits=4, json="DosePerFrame")
    raw_frames_per_frame: int = 1
    mean_counts: float | None = column(
        "counts",
        "mean count of a pixel in a frame, as read, before the gain",
        digits=4,
        json="MeanCounts",
        noun="mean counts",
        default=None,
    )
    counted_dose_per_frame: float | None = column(
        "counted dose",
        "dose of a frame by its counts times the gain, where each is an electron: compare it with the dose that is set",
        unit="e⁻/Å²",
        digits=4,
        json="CountedDosePerFrame",
        default=None,
    )
    gain_residual: float | None = column(
        "gain left",
        "part of the gain's pattern that the gain leaves in the movie: 0 nothing, -1 the movie did not have it",
        digits=3,
        json="GainResidual",
        noun="gain residual",
        default=None,
    )
    notes: list[str] = field(default_factory=list)
