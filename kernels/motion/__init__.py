"""Beam-induced motion: estimated from raw frames, as a model of global and local movement."""

from __future__ import annotations

from warpcore.kernels.motion._estimate import estimate_motion
from warpcore.kernels.motion._model import MotionModel
from warpcore.kernels.motion._picture import track_picture

__all__ = ["MotionModel", "estimate_motion", "track_picture"]
