"""A movie's products as Warp's XML: grids in Warp's sign and units, options as requested."""

from __future__ import annotations

from typing import Any

import numpy as np

from warpcore.services.formats.warp_options import Acquisition, ctf_options, export_options, movement_options
from warpcore.services.formats.warp_xml import Grid, MovieXml, WarpCtf
from warpcore.services.worker.products import Products


def movie_xml(products: Products) -> MovieXml:
    """The whole XML of one movie, from this run's products and what was read back of earlier ones."""
    loaded, settings = products.loaded, products.loaded.settings
    motion, fit = products.results.get("motion") or {}, products.ctf
    acquisition = _acquisition(products)
    grids: dict[str, Grid] = {}
    if products.model is not None and not motion.get("skipped", True):
        # Warp's grids hold minus the specimen's displacement.
        for name, ((x, y, t), values) in products.model.warp_grids().items():
            grids[name] = Grid.of(-np.reshape(values, (t, y, x)))
    fitted = fit is not None and fit.failure is None and settings.ctf.enabled
    if fit is not None and fitted:
        columns, rows = fit.grid.dims
        grids["GridCTF"] = Grid.of(np.reshape(fit.grid.values_um, (1, rows, columns)))
    curves = _curves(products) if fitted else {}
    return MovieXml(
        data_directory=loaded.task.data_directory,
        unselect_manual={"include": False, "exclude": True}.get(loaded.task.selection),
        ctf_resolution_estimate_angstrom=fit.resolution_angstrom if fit is not None and fitted else None,
        mean_frame_movement_angstrom=motion.get("mean_frame_movement_angstrom"),
        mask_percentage=(products.results.get("picking") or {}).get("junk_percent", -1.0),
        options_ctf=ctf_options(settings, acquisition) if settings.ctf.enabled else None,
        options_movement=movement_options(settings, acquisition) if not motion.get("skipped", True) else None,
        options_movie_export=export_options(settings, acquisition),
        ctf=_ctf(products) if fitted else None,
        grids=grids,
        picking_thresholds=_thresholds(products),
        **curves,
    )


def _acquisition(products: Products) -> Acquisition:
    """From the frames, or from the stored summary where only the average was read."""
    loaded, summary = products.loaded, products.results.get("input") or {}
    if loaded.movie is not None:
        frames, height, width = loaded.movie.frames.shape
        per_frame = loaded.movie.raw_frames_per_frame
    else:
        frames = int(summary.get("frames", 1))
        height, width = int(summary.get("raw_height", 0)), int(summary.get("raw_width", 0))
        per_frame = int(summary.get("raw_frames_per_frame", 1))
    return Acquisition(width, height, frames, loaded.raw_pixel_size, loaded.dose_per_frame, per_frame)


def _ctf(products: Products) -> WarpCtf:
    fit, settings = products.ctf, products.loaded.settings
    assert fit is not None
    return WarpCtf(
        pixel_size_angstrom=products.average_pixel_size,
        voltage_kv=settings.ctf.voltage,
        cs_mm=settings.ctf.cs,
        amplitude_contrast=settings.ctf.amplitude_contrast,
        defocus_um=(fit.defocus_u_angstrom + fit.defocus_v_angstrom) / 2e4,
        defocus_delta_um=(fit.defocus_u_angstrom - fit.defocus_v_angstrom) / 1e4,
        defocus_angle_degrees=fit.angle_degrees,
        phase_shift_pi=fit.phase_shift_degrees / 180,
    )


def _curves(products: Products) -> dict[str, Any]:
    """PS1D, SimulatedBackground and SimulatedScale over frequency as a fraction of twice Nyquist, as Warp plots them."""
    fit = products.ctf
    assert fit is not None
    k = np.asarray(fit.curves["frequency"], np.float64) * products.average_pixel_size
    names = {"ps1d": "spectrum", "simulated_background": "background", "simulated_scale": "scale"}
    return {name: np.stack([k, np.asarray(fit.curves[curve], np.float64)], 1) for name, curve in names.items()}


def _thresholds(products: Products) -> dict[str, float]:
    picking = products.results.get("picking")
    return {picking["suffix"]: float(picking["threshold"])} if picking else {}
