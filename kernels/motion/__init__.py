"""Beam-induced motion: estimated from raw frames, as a model of global and local movement."""

from __future__ import annotations

from warpcore.kernels.motion._binning import automatic_group, binning_factor, fit_bytes
from warpcore.kernels.motion._estimate import estimate_motion
from warpcore.kernels.motion._model import MotionModel
from warpcore.kernels.motion._picture import track_picture

__all__ = [
    "MotionModel",
    "automatic_group",
    "binning_factor",
    "estimate_motion",
    "fit_bytes",
    "track_picture",
]
