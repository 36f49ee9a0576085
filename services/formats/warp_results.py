"""What Warp has measured of a movie, by its XML, as results of our steps; what Warp did not do is left out."""

from __future__ import annotations

from typing import Any

from warpcore.services.formats.warp_xml import MovieXml
from warpcore.services.readers.metadata.values import number
from warpcore.services.steps.ctf import CtfResult
from warpcore.services.steps.export import ExportResult
from warpcore.services.steps.motion import MotionResult
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT

_LARGEST, _MOST_PX, _MOST_BINNING = 1e4, 1e6, 16.0
"""Of a value, of pixels along a side (or frames), and of a power of two, that a movie's options tell; larger ones are
damaged."""


def warp_results(movie: MovieXml, average: str | None) -> dict[str, dict[str, Any]]:
    """The summaries by step; `average` is the file of its average, None where there is none."""
    made: dict[str, dict[str, Any]] = {INPUT: _input(movie)}
    if movie.options_movement is not None:
        motion = MotionResult.unmeasured(
            skipped=False, mean_frame_movement_angstrom=movie.mean_frame_movement_angstrom or None
        )
        made["motion"] = motion.to_dict()
    if movie.ctf is not None:
        made["ctf"] = _ctf(movie).to_dict()
    if average is not None:
        made["export"] = ExportResult(average=average).to_dict()
    return made


def warp_settings_of(movie: MovieXml) -> dict[str, dict[str, Any]]:
    """The settings that a movie's options tell: how it was recorded and read."""
    options = {**(movie.options_ctf or {}), **(movie.options_movement or {}), **(movie.options_movie_export or {})}
    pairs = {
        "PixelSize": ("import", "pixel_size"),
        "BinTimes": ("import", "binning"),
        "DosePerAngstromFrame": ("import", "dose_per_frame"),
        "Voltage": ("ctf", "voltage"),
        "Cs": ("ctf", "cs"),
        "Amplitude": ("ctf", "amplitude_contrast"),
    }
    told: dict[str, dict[str, Any]] = {}
    for name, (section, key) in pairs.items():
        value = number(options.get(name))
        if value is not None and 0 <= value <= _LARGEST:
            told.setdefault(section, {})[key] = value
    return told


def _input(movie: MovieXml) -> dict[str, Any]:
    """Sizes stand in Å in `Dimensions` (x, y, frames), of raw pixels."""
    told = warp_settings_of(movie)
    imported, ctf = told.get("import", {}), told.get("ctf", {})
    options = movie.options_movement or movie.options_ctf or movie.options_movie_export or {}
    pixel, binned = imported.get("pixel_size"), None
    sizes: dict[str, Any] = {}
    if pixel:
        factor = 2 ** min(imported.get("binning", 0.0), _MOST_BINNING)
        binned = pixel * factor
        x, y, frames = (*(number(one) for one in options.get("Dimensions", "").split(",")), None, None, None)[:3]
        if x and y and frames and min(x, y, frames) > 0 and max(x / pixel, y / pixel, frames) <= _MOST_PX:
            width, height = round(x / pixel), round(y / pixel)
            sizes = {"raw_width": width, "raw_height": height, "frames": round(frames)}
            sizes |= {"width": round(width / factor), "height": round(height / factor)}
    return InputResult.unmeasured(
        pixel_size_angstrom=binned,
        raw_pixel_size_angstrom=pixel,
        dose_per_frame=imported.get("dose_per_frame"),
        voltage_kv=ctf.get("voltage"),
        cs_mm=ctf.get("cs"),
        notes=["processed by Warp"],
        **sizes,
    ).to_dict()


def _ctf(movie: MovieXml) -> CtfResult:
    """Warp's `Defocus` is the mean of U and V, `DefocusDelta` their difference, which is never negative here."""
    fit = movie.ctf
    assert fit is not None
    mean, delta, angle = fit.defocus_um, fit.defocus_delta_um, fit.defocus_angle_degrees
    if delta < 0:
        delta, angle = -delta, angle + 90
    angle = (angle + 90) % 180 - 90
    return CtfResult.unmeasured(
        defocus_um=mean,
        defocus_delta_um=delta,
        defocus_u_angstrom=1e4 * (mean + delta / 2),
        defocus_v_angstrom=1e4 * (mean - delta / 2),
        defocus_angle_degrees=angle,
        phase_shift_pi=fit.phase_shift_pi,
        resolution_angstrom=movie.ctf_resolution_estimate_angstrom,
    )
