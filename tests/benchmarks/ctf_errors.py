"""How far a CTF fit is from the truth of a simulated image, and how the CTF tables print a resolution."""

from __future__ import annotations

import numpy as np

from tests.kernels.ctf_images import Truth, turned
from warpcore.kernels.ctf import CtfFit, Optics

TITAN = Optics(300.0, 2.7, 0.07)


def resolution(value: float | None) -> str:
    """Å, or `none`."""
    return "none" if value is None else f"{value:.2f}"


def simulated_errors(fit: CtfFit, truth: Truth) -> list[float]:
    """Mean defocus, U - V (Å), angle, phase (degrees), gradient (% of the true one's length)."""
    columns, rows = fit.grid.dims
    nodes = 1e4 * np.array(fit.grid.values_um).reshape(rows, columns)
    slope = np.array([(nodes[:, -1] - nodes[:, 0]).mean(), (nodes[-1] - nodes[0]).mean()]) - truth.gradient
    steepness = float(np.hypot(*truth.gradient))
    return [
        fit.defocus_angstrom - 0.5 * (truth.defocus_u + truth.defocus_v),
        fit.defocus_u_angstrom - fit.defocus_v_angstrom - (truth.defocus_u - truth.defocus_v),
        turned(fit.angle_degrees - truth.angle),
        turned(fit.phase_shift_degrees - truth.phase_shift),
        100 * float(np.hypot(*slope)) / steepness if steepness else 0.0,
    ]
