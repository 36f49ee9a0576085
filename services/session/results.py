"""The summaries that a task reports: one plain dict a step, JSON types only, null for what was not measured.

`input`   frames, height, width (of the average, px), raw_height, raw_width, pixel_size_angstrom (after binning), raw_pixel_size_angstrom,
          dose_per_frame (e⁻/Å²)
`motion`  skipped (one frame, or switched off), mean_frame_movement_angstrom, accumulated_total_angstrom,
          accumulated_early_angstrom, accumulated_late_angstrom, grid [x, y, t], local_grid [x, y, t]
`ctf`     defocus_um (mean of U and V), defocus_delta_um (U - V), defocus_angle_degrees, defocus_u_angstrom,
          defocus_v_angstrom, phase_shift_pi, resolution_angstrom, figure_of_merit, ice_ring (relative excess at 3.7 Å), ice_thickness (relative, in
          no unit), failure (null or the reason), warnings
`picking` count, method, diameter_angstrom, threshold, suffix, coordinates (file), junk_percent (share of the area left out),
          score_histogram (how many of all scored candidates, not only the picks, in 20 equal steps of the score from 0 to 1)
`export`  average, thumbnail, odd, even, stack, deconvolved, particles (files or null), particle_count,
          particles_at_edge (picks whose box would leave the micrograph)
"""

from __future__ import annotations

from typing import Any, Literal

from warpcore.services.session.settings import FilterSettings

Step = Literal["motion", "ctf", "picking", "export"]
STEPS: tuple[Step, ...] = ("motion", "ctf", "picking", "export")


def filter_reasons(results: dict[str, Any], limits: FilterSettings) -> list[str]:
    """Why a processed movie is filtered out, one line a limit; empty where it passes. What was not measured cannot fail."""
    ctf, motion = results.get("ctf") or {}, results.get("motion") or {}
    picking = results.get("picking") or {}
    delta = ctf.get("defocus_delta_um")
    checks = [
        ("defocus", ctf.get("defocus_um"), limits.defocus_min, limits.defocus_max, "µm"),
        ("astigmatism", None if delta is None else abs(delta), None, limits.astigmatism_max, "µm"),
        ("resolution", ctf.get("resolution_angstrom"), None, limits.resolution_max, "Å"),
        ("motion", motion.get("mean_frame_movement_angstrom"), None, limits.motion_max, "Å"),
        ("particles", picking.get("count"), limits.particles_min, None, ""),
        ("junk", picking.get("junk_percent"), None, limits.junk_max, "%"),
    ]
    reasons = []
    for name, value, low, high, unit in checks:
        if value is None:
            continue
        if low is not None and value < low:
            reasons.append(f"{name} {value:.4g} {unit} is below {low:g}".replace("  ", " "))
        if high is not None and value > high:
            reasons.append(f"{name} {value:.4g} {unit} is above {high:g}".replace("  ", " "))
    if ctf.get("failure") and limits.resolution_max is not None:
        reasons.append(f"no CTF fit: {ctf['failure']}")
    return reasons
