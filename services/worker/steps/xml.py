"""A movie's results as Warp's XML: grids in Warp's sign and units, options as requested."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np

from warpcore.kernels.ctf import CtfFit
from warpcore.services.formats.warp_options import Acquisition, ctf_options, export_options, movement_options
from warpcore.services.formats.warp_xml import Grid, MovieXml, WarpCtf
from warpcore.services.session.selecting import UNSELECT_MANUAL
from warpcore.services.steps.fields import known
from warpcore.services.steps.step import INPUT
from warpcore.services.worker.steps.ctf import FIT
from warpcore.services.worker.steps.motion import MODEL
from warpcore.services.worker.steps.work import AVERAGE, EXPOSURE, Work


def movie_xml(work: Work) -> MovieXml:
    """The whole XML of one movie, from this run's results and what was read back of earlier ones."""
    settings, results = work.settings, work.results
    motion = results.get("motion") or {}
    moved = not motion.get("skipped", True)
    acquisition = _acquisition(work)
    grids: dict[str, Grid] = {}
    if moved:
        summary = results.get(INPUT) or {}
        over = work.take(MODEL).warp_grids(summary.get("first_frame") or 0, summary.get("frames_in_file"))
        # Warp's grids hold minus the specimen's displacement.
        for name, ((x, y, t), values) in over.items():
            grids[name] = Grid.of(-np.reshape(values, (t, y, x)))
    fit = work.get(FIT) if settings.ctf.enabled else None
    if fit is not None and fit.failure is not None:
        fit = None
    if fit is not None:
        columns, rows = fit.grid.dims
        grids["GridCTF"] = Grid.of(np.reshape(fit.grid.values_um, (1, rows, columns)))
    return MovieXml(
        data_directory=work.task.data_directory,
        unselect_manual=UNSELECT_MANUAL.get(work.task.selection),
        ctf_resolution_estimate_angstrom=None if fit is None else fit.resolution_angstrom,
        mean_frame_movement_angstrom=motion.get("mean_frame_movement_angstrom"),
        mask_percentage=(results.get("picking") or {}).get("junk_percent", -1.0),
        options_ctf=ctf_options(settings, acquisition) if settings.ctf.enabled else None,
        options_movement=movement_options(settings, acquisition) if moved else None,
        options_movie_export=export_options(settings, acquisition),
        ctf=None if fit is None else _ctf(work, fit),
        grids=grids,
        picking_thresholds=_thresholds(work),
        **({} if fit is None else _curves(work, fit)),
    )


def _acquisition(work: Work) -> Acquisition:
    """From the summary, since it may be that only the average was read."""
    summary, exposure = work.results.get(INPUT) or {}, work.take(EXPOSURE)
    is_eer = PurePosixPath(work.task.path).suffix.lower() == ".eer"
    return Acquisition(
        width_px=int(summary.get("raw_width", 0)),
        height_px=int(summary.get("raw_height", 0)),
        frames=int(summary.get("frames_in_file") or summary.get("frames", 1)),
        pixel_size_angstrom=exposure.pixel_size_angstrom,
        dose_per_frame=exposure.dose_per_frame,
        raw_frames_per_frame=int(summary.get("raw_frames_per_frame", 1)) if is_eer else 0,
        gain_path=summary.get("gain_file") or "",
        defects_path=summary.get("defects_file") or "",
    )


def _ctf(work: Work, fit: CtfFit) -> WarpCtf:
    options = work.settings.ctf
    return WarpCtf(
        pixel_size_angstrom=work.take(AVERAGE).pixel_size_angstrom,
        voltage_kv=known(options, "voltage"),
        cs_mm=known(options, "cs"),
        amplitude_contrast=options.amplitude_contrast,
        defocus_um=(fit.defocus_u_angstrom + fit.defocus_v_angstrom) / 2e4,
        defocus_delta_um=(fit.defocus_u_angstrom - fit.defocus_v_angstrom) / 1e4,
        defocus_angle_degrees=fit.angle_degrees,
        phase_shift_pi=fit.phase_shift_degrees / 180,
    )


def _curves(work: Work, fit: CtfFit) -> dict[str, Any]:
    """PS1D, SimulatedBackground, SimulatedScale over frequency as a fraction of twice Nyquist, as Warp plots them."""
    k = np.asarray(fit.curves["frequency"], np.float64) * work.take(AVERAGE).pixel_size_angstrom
    names = {"ps1d": "spectrum", "simulated_background": "background", "simulated_scale": "scale"}
    return {name: np.stack([k, np.asarray(fit.curves[curve], np.float64)], 1) for name, curve in names.items()}


def _thresholds(work: Work) -> dict[str, float]:
    picking = work.results.get("picking")
    return {picking["suffix"]: float(picking["threshold"])} if picking else {}
