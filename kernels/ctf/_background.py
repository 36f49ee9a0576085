"""What lies under the rings of a radial spectrum, and how strong the rings are.

Power = floor + scale · sin² χ, where floor and scale are smooth and never negative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.optimize import nnls

from warpcore.kernels.ctf._quality import Profile
from warpcore.kernels.ctf._search import spline_basis

# Neighbouring rings whose common misfit counts, and how many times the usual misfit is still taken for counting noise.
NEIGHBOURS = 9
USUAL = 5.0


class Background(NamedTuple):
    """Along frequency [R]: power ≈ middle - amplitude · cos 2χ, and the trust in each frequency, 0 to 1."""

    middle: np.ndarray
    amplitude: np.ndarray
    trust: np.ndarray


def background(profile: Profile, rings: np.ndarray, knots: int, scale_knots: int) -> Background:
    """Fit floor and scale under `rings` = cos 2χ [R] by cubic splines with coefficients that are not negative.

    Least squares are relative, so that strong low frequencies do not dominate. A specimen of few kinds of bodies has
    structure there that no smooth scale follows: frequencies that misfit by more than counting noise are trusted less,
    here and in the fits that follow.
    """
    first = np.exp(smooth_log(profile, knots))
    place = _place(profile.k)
    floor, scale = spline_at(knots, place), spline_at(scale_knots, place)
    design = np.concatenate([floor, 0.5 * (1 - rings)[:, None] * scale], axis=1)
    relative, counting = profile.power / first, np.sqrt(profile.count)
    trust = np.ones_like(first)
    for _ in range(2):
        weight = counting * np.sqrt(trust)
        solution, _ = nnls(design * weight[:, None], relative * weight)
        misfit = np.square((relative - design @ solution) * counting)
        trust = 1 / np.maximum(1.0, uniform_filter1d(misfit, NEIGHBOURS) / max(USUAL * float(np.median(misfit)), 1e-30))
    amplitude = 0.5 * first * (scale @ solution[knots:])
    middle = np.maximum(first * (floor @ solution[:knots]) + amplitude, 0.02 * first)
    return Background(middle, np.minimum(amplitude, 0.98 * middle), trust)


def _place(k: np.ndarray) -> np.ndarray:
    """Where splines stand along frequency, 0 to 1: denser at low frequencies, where spectra are steep."""
    return np.asarray(np.sqrt((k - k[0]) / (k[-1] - k[0])))


def smooth_log(profile: Profile, knots: int) -> np.ndarray:
    """Smoothing of ln power by few cubic splines, [R]."""
    place = _place(profile.k)
    basis, weight = spline_at(knots, place), np.sqrt(profile.count)
    logarithm = np.log(np.maximum(profile.power, 1e-30))
    return np.asarray(basis @ np.linalg.lstsq(basis * weight[:, None], logarithm * weight, rcond=None)[0])


def spline_at(knots: int, place: np.ndarray) -> np.ndarray:
    """Cubic B-splines at places in [0, 1], interpolated from a fine table: float64 [len(place), knots]."""
    table = spline_basis(knots, 1025)
    position = np.clip(place, 0, 1) * 1024
    below = np.minimum(position.astype(np.int64), 1023)
    part = (position - below)[:, None]
    return np.asarray(table[below] * (1 - part) + table[below + 1] * part)
