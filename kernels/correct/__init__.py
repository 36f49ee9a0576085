"""Raw frames corrected for motion and summed, with dose weighting."""

from __future__ import annotations

from warpcore.kernels.correct._dose import critical_dose
from warpcore.kernels.correct._movie import Corrected, Image, correct_movie, weighted_sums

__all__ = ["Corrected", "Image", "correct_movie", "critical_dose", "weighted_sums"]
