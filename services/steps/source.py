"""What a raw movie is: the `import` settings that say how it is read, and what is known of it once it was read."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pydantic import field_validator

from warpcore.services.session.optics_groups import pattern_fault
from warpcore.services.steps.columns import Result, column, result
from warpcore.services.steps.fields import Reach, Section, setting

SMALLEST_PIXEL_ANGSTROM, LARGEST_PIXEL_ANGSTROM = 0.05, 50.0
"""No camera at any magnification makes finer pixels, and in coarser ones no ring of a CTF can be seen."""


class ImportSettings(Section):
    """What a raw movie is and how it is read."""

    data: str = setting("", "the session's data directory, set by `up`", reach=Reach.NOTHING)
    patterns: list[str] = setting(
        ["*.tif", "*.tiff", "*.mrc", "*.mrcs", "*.eer"],
        "file names that are movies, in small or capital letters",
        reach=Reach.NOTHING,
        min_length=1,
    )
    recursive: bool = setting(
        False,
        "look for movies in all sub-folders; EPU's own, `Images-Disc1/GridSquare_*/Data`, are looked into in any case",
        reach=Reach.NOTHING,
    )
    metadata_wait: float = setting(
        60.0,
        "how long a whole movie waits for its metadata, where others of the session have some; 0: not at all",
        unit="s",
        reach=Reach.NOTHING,
        ge=0,
        le=3600,
    )
    metadata_template: str | None = setting(
        None,
        "file that says which values stand where in `NAME.json` beside each movie; null: JSON is no metadata",
        reach=Reach.NOTHING,
        is_path=True,
    )
    pixel_size: float | None = setting(
        None,
        "size of a raw pixel, of an EER that of the camera's physical pixel, before upsampling; null: from the "
        "metadata, else from the file's header, else the movie waits",
        unit="Å",
        unset="from the movie",
        ge=SMALLEST_PIXEL_ANGSTROM,
        le=LARGEST_PIXEL_ANGSTROM,
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
    dose_per_frame: float | None = setting(
        None,
        "dose of a frame, of an EER that of a fraction, with `eer_dose_per_group` that of a raw frame; null: from the "
        "metadata, else 1.0",
        unit="e⁻/Å²",
        assumed=1.0,
        unset="from metadata",
        ge=0,
        le=1000,
    )
    optics_groups: Literal["auto", "beam_shift", "name", "folder", "none"] = setting(
        "auto",
        "what else than different optics makes an optics group of RELION: `beam_shift`, the place of the beam, from "
        "metadata; `name`, a part of the file name; `folder`; `none`; `auto`: beam shift, or name where none is told",
        reach=Reach.NOTHING,
    )
    optics_group_pattern: str | None = setting(
        None,
        "file names without extension, where `{group}` is the part, without `_`, that names the group, and `*` any "
        "text: `*_h{group}_s{group}_*`; null: EPU's template area, or SerialEM's multishot position",
        reach=Reach.NOTHING,
        max_length=200,
    )
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

    @field_validator("optics_group_pattern")
    @classmethod
    def _pattern_has_group(cls, pattern: str | None) -> str | None:
        if pattern is not None and (fault := pattern_fault(pattern)):
            raise ValueError(fault)
        return pattern

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

    Sizes are those of the average, `raw_*` those of the frames as read. `sources` says by setting where its value comes
    from: `setting`, `metadata`, which is the file of that name, `header` or `assumed`. `first_frame` is the index of
    the first frame used among the `frames_in_file`; an EER's are counted in fractions. `gain_file` and `defects_file`
    are the references as they were written for other programs, relative to the processing directory.
    `odd_frame_numbers` are those of odd frames by why they are odd, counted from 1 in the file.
    """

    frames: int = column("frames", "frames used", json="Frames")
    height: int = column("height", "height of the average", unit="px", json="Height")
    width: int = column("width", "width of the average", unit="px", json="Width")
    raw_height: int
    raw_width: int
    pixel_size_angstrom: float = column("pixel", "pixel size of the average", unit="Å", digits=4, json="PixelSize")
    raw_pixel_size_angstrom: float = column(
        "raw pixel",
        "pixel size of the frames as read, of an upsampled EER the finer one",
        unit="Å",
        digits=4,
        json="RawPixelSize",
    )
    dose_per_frame: float = column("dose a frame", "dose of a frame", unit="e⁻/Å²", digits=4, json="DosePerFrame")
    voltage_kv: float | None = column(
        "voltage", "acceleration voltage", unit="kV", digits=1, json="Voltage", default=None
    )
    cs_mm: float | None = column("Cs", "spherical aberration", unit="mm", digits=3, json="Cs", default=None)
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
    sources: dict[str, str] = field(default_factory=dict)
    metadata: str = ""
    frames_in_file: int | None = None
    first_frame: int = 0
    gain_file: str | None = None
    defects_file: str | None = None
    odd_frames: int | None = column(
        "odd frames",
        "frames that weigh nothing: blank, far too dim or bright, uneven, or repeated",
        json="OddFrames",
        default=None,
    )
    odd_frame_numbers: dict[str, list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
