"""The few numbers of each step that go into the state, the JSON files and the lists (`services/session/results.py` names them)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.kernels.ctf import CtfFit, CtfParameters
from warpcore.kernels.motion import MotionModel
from warpcore.kernels.picking import JunkMask, Picks
from warpcore.services.readers.raw import RawMovie
from warpcore.services.session.paths import OutputPaths
from warpcore.services.session.settings import Settings

SCORE_BINS = 20
"""Of the score histogram: equal steps from 0 to 1."""


def of_input(
    movie: RawMovie,
    average: npt.NDArray[np.float32],
    raw_pixel_size: float,
    average_pixel_size: float,
    dose_per_frame: float,
) -> dict[str, Any]:
    """Summary of the movie itself: size of the average in px, frames used, Å, e⁻/Å² a frame."""
    return {
        "frames": len(movie.frames),
        "height": average.shape[0],
        "width": average.shape[1],
        "raw_height": movie.frames.shape[1],
        "raw_width": movie.frames.shape[2],
        # Not rounded: a later run of picking alone writes the same metadata from them.
        "pixel_size_angstrom": average_pixel_size,
        "raw_pixel_size_angstrom": raw_pixel_size,
        "dose_per_frame": dose_per_frame,
        "raw_frames_per_frame": movie.raw_frames_per_frame,
        "notes": list(movie.notes),
    }


def of_motion(model: MotionModel, enabled: bool, dose_per_frame: float) -> dict[str, Any]:
    """Summary of the motion step, Å; a skipped one (one frame, or switched off) measured nothing."""
    if model.frames < 2 or not enabled:
        empty = ("mean_frame_movement", "accumulated_total", "accumulated_early", "accumulated_late")
        numbers = {f"{name}_angstrom": None for name in empty}
        return {"skipped": True, **numbers, "grid": None, "local_grid": None, "failure": None}
    total, early, late = model.accumulated(dose_per_frame)
    return {
        "skipped": False,
        "mean_frame_movement_angstrom": round(model.mean_frame_movement_angstrom(), 4),
        "accumulated_total_angstrom": round(total, 4),
        "accumulated_early_angstrom": round(early, 4),
        "accumulated_late_angstrom": round(late, 4),
        "grid": list(model.grid),
        "local_grid": list(model.local_grid),
        "failure": model.failure,
    }


def of_ctf(fit: CtfFit) -> dict[str, Any]:
    """Summary of the CTF step. A fit that failed keeps its reason and no numbers."""
    names = (
        *("defocus_um", "defocus_delta_um", "defocus_angle_degrees", "defocus_u_angstrom", "defocus_v_angstrom"),
        *("phase_shift_pi", "resolution_angstrom", "figure_of_merit", "ice_ring", "ice_thickness"),
    )
    if fit.failure is not None:
        return {**dict.fromkeys(names), "failure": fit.failure, "warnings": list(fit.warnings)}
    u, v = fit.defocus_u_angstrom, fit.defocus_v_angstrom
    values = (
        *((u + v) / 2e4, (u - v) / 1e4, fit.angle_degrees, u, v),
        *(fit.phase_shift_degrees / 180, fit.resolution_angstrom, fit.figure_of_merit, fit.ice_ring, fit.ice_thickness),
    )
    rounded = [None if value is None else round(float(value), 5) for value in values]
    return {**dict(zip(names, rounded, strict=True)), "failure": None, "warnings": list(fit.warnings)}


def of_picking(
    picks: Picks, candidates: Picks, junk: JunkMask, settings: Settings, paths: OutputPaths
) -> dict[str, Any]:
    """Summary of the picking step."""
    options = settings.picking
    histogram, _ = np.histogram(candidates.scores, bins=SCORE_BINS, range=(0.0, 1.0))
    return {
        "count": len(picks.scores),
        "method": options.method,
        "diameter_angstrom": options.diameter,
        "threshold": options.threshold,
        "suffix": options.suffix,
        "coordinates": paths.coordinates,
        "score_histogram": [int(count) for count in histogram],
        "junk_percent": round(float(junk.percent), 2),
    }


def ctf_parameters(fit: CtfFit | None, settings: Settings) -> CtfParameters | None:
    """The fitted CTF for kernels that use it; None where there is no fit to trust."""
    if fit is None or fit.failure is not None:
        return None
    return CtfParameters(
        defocus_u_angstrom=fit.defocus_u_angstrom,
        defocus_v_angstrom=fit.defocus_v_angstrom,
        angle_degrees=fit.angle_degrees,
        voltage_kv=settings.ctf.voltage,
        cs_mm=settings.ctf.cs,
        amplitude_contrast=settings.ctf.amplitude_contrast,
        phase_shift_degrees=fit.phase_shift_degrees,
    )
