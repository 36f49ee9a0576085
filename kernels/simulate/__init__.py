"""Movies with known truth: specimen, ice, motion, damage, counting noise."""

from __future__ import annotations

from warpcore.kernels.simulate._frames import (
    LOCAL_BASIS,
    Motion,
    contrast_spectrum,
    damage_exponent,
    displacement,
    frame_counts,
    local_basis,
)
from warpcore.kernels.simulate._scenes import SAMPLES_PER_DIAMETER, Scene, random_scene
from warpcore.kernels.simulate._specimen import ELEMENTS, ice_spectrum, particle_spectrum

__all__ = [
    "ELEMENTS",
    "LOCAL_BASIS",
    "SAMPLES_PER_DIAMETER",
    "Motion",
    "Scene",
    "contrast_spectrum",
    "damage_exponent",
    "displacement",
    "frame_counts",
    "ice_spectrum",
    "local_basis",
    "particle_spectrum",
    "random_scene",
]
