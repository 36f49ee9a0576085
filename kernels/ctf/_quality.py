"""What a fit is worth: curves along the rings, agreement in a moving window, fit resolution, ice ring, thickness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from warpcore.kernels.ctf._model import Optics
from warpcore.kernels.ctf._spectra import Band

AGREEMENT_LIMIT = 0.3
ICE_RING_ANGSTROM = 3.7


@dataclass(frozen=True)
class Profile:
    """A radial spectrum: frequencies 1/Å [R], mean squared frequencies [R], counts [R], mean power [R]."""

    k: np.ndarray
    k2: np.ndarray
    count: np.ndarray
    power: np.ndarray


def ring_radius_squared(
    pixels: Band, optics: Optics, defocus: float, astigmatism_x: float, astigmatism_y: float, offset: float = 0.0
) -> np.ndarray:
    """Squared frequency at which the mean defocus has the phase that each frequency has in its own direction.

    On these radii the rings become circles. `offset` in Å is the defocus of the place above the mean.
    """
    k2 = pixels.k2.astype(np.float64)
    local = offset + astigmatism_x * pixels.cos2 + astigmatism_y * pixels.sin2
    return np.asarray(k2 * (1 + relative_shift(optics, k2, defocus, local)))


def relative_shift(optics: Optics, k2: np.ndarray, defocus: float, local: np.ndarray) -> np.ndarray:
    """By what share of k² a ring of the mean defocus moves where the defocus is larger by `local` Å, at most half.

    Beyond the turning point of χ (strong Cs, little defocus) rings have no counterpart; there nothing is moved.
    """
    slope = optics.chi_slope(k2, defocus)
    usable = np.abs(slope) > 0.3 * abs(defocus)
    return np.clip(np.where(usable, local / np.where(usable, slope, 1.0), 0.0), -0.5, 0.5)


def radial_profile(pixels: Band, values: np.ndarray, radius_squared: np.ndarray | None = None) -> Profile:
    """Mean of a spectrum [bins, capacity] over rings one frequency step wide, by `radius_squared` or the plain one."""
    k2 = pixels.k2.astype(np.float64) if radius_squared is None else radius_squared
    low, high = float(pixels.k.min()), float(pixels.k.max())
    rings = max(8, int((high - low) / pixels.step))
    weight = pixels.weight.astype(np.float64)
    ring = np.floor((np.sqrt(k2) - low) / (high - low) * rings).astype(np.int64)
    inside = (ring >= 0) & (ring < rings) & (weight > 0)
    ring, weight = ring[inside], weight[inside]
    count = np.bincount(ring, weight, minlength=rings)
    safe = np.maximum(count, 1)
    mean_k2 = np.bincount(ring, weight * k2[inside], minlength=rings) / safe
    power = np.bincount(ring, weight * values[inside], minlength=rings) / safe
    full = count > 0
    return Profile(np.sqrt(mean_k2[full]), mean_k2[full], count[full], power[full])


def agreement(profile: Profile, whitened: np.ndarray, model: np.ndarray, phase: np.ndarray, step: float) -> np.ndarray:
    """Correlation of spectrum and model in a window that moves along frequency, [R]; 0 where rings are too narrow.

    The window holds at least one and a half ring periods (phase 2χ advances 2π) and nine samples.
    """
    spacing = np.abs(np.gradient(2 * phase, profile.k))
    period = 2 * np.pi / np.maximum(spacing, 1e-6)
    half = np.maximum(0.75 * period, 4.5 * step)
    first, last = np.searchsorted(profile.k, [profile.k - half, profile.k + half])
    weight = profile.count
    columns = np.stack([weight, weight * whitened, weight * model, weight * whitened**2, weight * model**2])
    columns = np.concatenate([columns, (weight * whitened * model)[None]])
    running = np.concatenate([np.zeros((6, 1)), np.cumsum(columns, axis=1)], axis=1)
    n, x, y, xx, yy, xy = running[:, last] - running[:, first]
    n = np.maximum(n, 1e-30)
    size = np.sqrt(np.maximum(xx - x * x / n, 0) * np.maximum(yy - y * y / n, 0))
    usable = (period >= 2.5 * step) & (last - first >= 6) & (size > 1e-12 * n)
    return np.where(usable, (xy - x * y / n) / np.where(usable, size, 1.0), 0.0)


def fit_resolution(k: np.ndarray, quality: np.ndarray, k_start: float, k_fit_end: float) -> float | None:
    """Resolution in Å where quality first falls below 0.3 after it was good (0.5); None where it never was."""
    good = np.flatnonzero((quality >= 0.5) & (k >= k_start) & (k <= k_fit_end))
    if good.size == 0:
        return None
    fallen = np.flatnonzero(quality[good[0] :] < AGREEMENT_LIMIT)
    last = good[0] + fallen[0] - 1 if fallen.size else k.size - 1
    return float(1 / k[last])


def ice_ring(profile: Profile, whitened: np.ndarray) -> float | None:
    """Excess of power at 3.7 Å over its surroundings, relative; None where the spectrum does not reach there."""
    distance = 1 / profile.k - ICE_RING_ANGSTROM
    ring, beside = np.abs(distance) < 0.12, (np.abs(distance) > 0.2) & (np.abs(distance) < 0.5)
    if ring.sum() < 2 or not (distance < -0.2).any() or beside.sum() < 4:
        return None
    level = np.average(1 + whitened[beside], weights=profile.count[beside])
    return float(np.average(1 + whitened[ring], weights=profile.count[ring]) / level - 1)


def relative_thickness(profile: Profile, middle: np.ndarray, amplitude: np.ndarray, dose: float | None) -> float | None:
    """Power of the rings over the background from 12 to 7 Å, per e⁻/Å²; None without the dose or those frequencies.

    A thin specimen's scattering grows with its thickness and the square of the dose, counting noise with the dose:
    within one session this number is in proportion to the thickness. It is not a length, and
    drift, damage, carbon or a crowd of particles change it as well.
    """
    inside = (profile.k >= 1 / 12) & (profile.k <= 1 / 7)
    if not dose or inside.sum() < 4:
        return None
    weight = profile.count[inside]
    rings, background = 2 * amplitude[inside], np.maximum(middle - amplitude, 1e-12 * middle)[inside]
    return float(np.average(rings / background, weights=weight) / dose)
