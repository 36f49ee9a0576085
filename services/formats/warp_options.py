"""The settings as Warp names them in a movie's XML (`OptionsCTF`, `OptionsMovement`, `OptionsMovieExport`)."""

from __future__ import annotations

from dataclasses import dataclass

from warpcore.services.formats.warp_xml import number
from warpcore.services.session.settings import ImportSettings, Settings
from warpcore.services.steps.fields import known


@dataclass(frozen=True)
class Acquisition:
    """How a movie was recorded: raw size in px, frames of the file, Å per raw px, e⁻/Å² a frame.

    `raw_frames_per_frame` is 0 for all but EERs. `gain_path` and `defects_path` are references that fit the movie as
    they are, relative to the processing directory.
    """

    width_px: int
    height_px: int
    frames: int
    pixel_size_angstrom: float
    dose_per_frame: float
    raw_frames_per_frame: int = 0
    gain_path: str = ""
    defects_path: str = ""


def ctf_options(settings: Settings, movie: Acquisition) -> dict[str, str]:
    """`OptionsCTF`: requested values (an automatic grid is 0,0,0), ranges as fractions of the binned Nyquist."""
    ctf = settings.ctf
    return {
        **_shared(settings.import_, movie),
        "Window": str(ctf.window),
        "RangeMin": number(_nyquist_fraction(settings, movie, ctf.range_min)),
        "RangeMax": number(_nyquist_fraction(settings, movie, ctf.range_max)),
        "Voltage": str(round(known(ctf, "voltage"))),
        "Cs": number(known(ctf, "cs")),
        "Cc": "2.7",
        "Amplitude": number(ctf.amplitude_contrast),
        "DoPhase": str(ctf.fit_phase),
        "UseMovieSum": str(ctf.use_sum),
        "ZMin": number(ctf.defocus_min),
        "ZMax": number(ctf.defocus_max),
        "GridDims": _int3([*ctf.grid, 1] if ctf.grid else None),
        "DosePerAngstromFrame": number(movie.dose_per_frame),
    }


def movement_options(settings: Settings, movie: Acquisition) -> dict[str, str]:
    """`OptionsMovement`, with values as in `ctf_options`."""
    motion = settings.motion
    return {
        **_shared(settings.import_, movie),
        "RangeMin": number(_nyquist_fraction(settings, movie, motion.range_min)),
        "RangeMax": number(_nyquist_fraction(settings, movie, motion.range_max)),
        "Bfactor": number(motion.b_factor),
        "GridDims": _int3(motion.grid),
        "DosePerAngstromFrame": number(movie.dose_per_frame),
    }


def export_options(settings: Settings, movie: Acquisition) -> dict[str, str]:
    """`OptionsMovieExport`, with values as in `ctf_options`."""
    export = settings.export
    return {
        **_shared(settings.import_, movie),
        "DoAverage": str(export.average),
        "DoStack": str(export.stack),
        "DoDeconv": str(export.deconvolution),
        "DeconvolutionStrength": number(export.deconvolution_strength),
        "DeconvolutionFalloff": number(export.deconvolution_falloff),
        "StackGroupSize": "1",
        "SkipFirstN": str(settings.import_.skip_first),
        "SkipLastN": str(settings.import_.skip_last),
        "DosePerAngstromFrame": number(movie.dose_per_frame),
        "Voltage": str(round(known(settings.ctf, "voltage"))),
    }


def _shared(imported: ImportSettings, movie: Acquisition) -> dict[str, str]:
    pixel = movie.pixel_size_angstrom
    return {
        "PixelSize": number(pixel),
        "BinTimes": number(imported.binning),
        # 0 is any number to Warp, which compares it for movies of all formats (ProcessingOptions.cs, Equals).
        "EERGroupFrames": str(movie.raw_frames_per_frame),
        "GainPath": movie.gain_path,
        "GainHash": "",
        "GainFlipX": "False",
        "GainFlipY": "False",
        "GainTranspose": "False",
        "DefectsPath": movie.defects_path,
        "DefectsHash": "",
        "Dimensions": f"{number(movie.width_px * pixel)},{number(movie.height_px * pixel)},{movie.frames}",
    }


def _nyquist_fraction(settings: Settings, movie: Acquisition, angstrom: float) -> float:
    return min(1.0, 2 * movie.pixel_size_angstrom * 2**settings.import_.binning / angstrom)


def _int3(grid: list[int] | None) -> str:
    return ",".join(str(size) for size in grid or (0, 0, 0))
