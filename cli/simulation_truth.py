"""What a simulated movie was made with, as the JSON beside it says."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from warpcore.cli.simulation_draws import Detector
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.cli.structures import Structure
from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.simulate import Motion, displacement

_GRID = 5  # the local displacement is given on a grid of 5×5 points from edge to edge


def truth_of(
    options: SimulationOptions,
    structure: Structure,
    ctf: CtfParameters,
    motion: Motion,
    detector: Detector,
    centres_yx: np.ndarray,
    eulers: np.ndarray,
    seed: tuple[int, int],
) -> dict[str, Any]:
    """The truth as JSON types; docs/simulate.md describes its keys."""
    pixel, (height, width) = options.pixel_size_angstrom, options.shape
    grid_y, grid_x = np.linspace(0, height - 1, _GRID), np.linspace(0, width - 1, _GRID)
    points = np.stack(np.meshgrid(grid_y, grid_x, indexing="ij"), axis=-1).reshape(-1, 2)
    at_points = np.asarray(displacement(motion, jnp.asarray(points, jnp.float32), options.shape))
    track = np.asarray(motion.track)
    local = (at_points - track[:, None, :]).reshape(options.frames, _GRID, _GRID, 2)
    described = {k: v for k, v in options.model_dump().items() if k not in ("structure", "first_number")}
    return {
        "conventions": "arrays [y, x], row 0 first as read (TIFF flipped in Y); "
        "displacement = where the specimen of frame 0 is seen",
        "options": described,
        "seed": list(seed),
        "structure": structure.name,
        "diameter_angstrom": round(structure.diameter_angstrom, 2),
        "defocus_u_angstrom": ctf.defocus_u_angstrom,
        "defocus_v_angstrom": ctf.defocus_v_angstrom,
        "defocus_angle_degrees": ctf.angle_degrees,
        "phase_shift_degrees": ctf.phase_shift_degrees,
        "track_xy_angstrom": np.round(track[:, ::-1] * pixel, 4).tolist(),
        "local_grid_x_px": grid_x.tolist(),
        "local_grid_y_px": grid_y.tolist(),
        "local_xy_angstrom": np.round(local[..., ::-1] * pixel, 4).tolist(),
        "particles_xy_px": np.round(centres_yx[:, ::-1], 3).tolist(),
        "particles_rot_tilt_psi_degrees": np.round(eulers, 3).tolist(),
        "hot_pixels_xy": detector.hot[:, ::-1].tolist(),
        "dead_pixels_xy": detector.dead[:, ::-1].tolist(),
    }
