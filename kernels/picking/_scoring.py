"""Peaks of a score map with the probability that each is a particle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from warpcore.kernels.image import side_by_side
from warpcore.kernels.picking._correlation import UNSEEN, ScoreMaps
from warpcore.kernels.picking._mixture import Heights, Mixture, fit_mixture, probabilities_at, tempered
from warpcore.kernels.picking._peaks import Peaks, find_peaks

_LOWEST, _HIGHEST = -5.0, 8.0  # spreads at which a map is clipped before its mean and variance are taken


class ScoredPeaks(NamedTuple):
    """Peaks, best first, their probabilities of being particles, and the mixture these come from."""

    peaks: Peaks
    probability: np.ndarray
    mixture: Mixture
    signal_to_noise: float
    """Typical response of a probable particle in deviations of the noise, 0 without any."""


def scored_peaks(maps: ScoreMaps, distance_px: float) -> ScoredPeaks:
    """Peaks above the map's median, none nearer than `distance_px` to a better one, and their probabilities."""
    level, spread = _level_and_spread(maps.image)
    noise_level, noise_spread = _level_and_spread(maps.noise)
    if spread <= 0 or noise_spread <= 0:
        nothing = find_peaks(np.zeros((1, 1)), 1.0, 0.0)
        return ScoredPeaks(nothing, np.zeros(0), Mixture(np.zeros(1), np.zeros(1), 0.0, 0.0, 0.0), 0.0)

    inverted_level, _ = _level_and_spread(maps.inverted)
    levels = (level, inverted_level, noise_level, noise_level)
    every = zip((maps.image, maps.inverted, maps.noise, maps.noise_inverted), levels, strict=True)
    peaks, *others = side_by_side(lambda one: find_peaks(*one, distance_px), every)
    spreads = (spread, spread, noise_spread, noise_spread)
    image, inverted, *both_noise = (
        (one.value.astype(np.float64) - own_level) / own_spread
        for one, own_level, own_spread in zip((peaks, *others), levels, spreads, strict=True)
    )
    seen = maps.image[maps.image > UNSEEN].astype(np.float64)
    clipped = np.clip((seen - level) / spread, _LOWEST, _HIGHEST)
    found = Heights(
        image,
        inverted,
        np.concatenate(both_noise),
        float(maps.noise_scale.mean()) * noise_spread / spread,
        float(clipped.var()),
        float(clipped.mean()),
    )
    mixture = fit_mixture(found)
    probability = tempered(probabilities_at(mixture, found.image), found.image, found.inverted)
    probable = peaks.value[probability >= 0.5]
    typical = float(np.median(probable)) / max(float(maps.noise_scale.mean()), 1e-3) if len(probable) else 0.0
    return ScoredPeaks(peaks, probability, mixture, typical)


def evidences(tried: Sequence[ScoredPeaks]) -> list[float]:
    """How well each of the templates tried on one micrograph fits its particles; of several micrographs it adds up.

    It is the signal-to-noise ratio of the typical pick, which is highest for the template of the whole particle, times
    the micrograph's expected number of particles. Templates that tell particles from noise less than half as well as
    the best one (by the log evidence of their mixtures) lose it in proportion to the square. 0 where none does.
    """
    best = max(tried, key=lambda one: one.mixture.log_evidence)
    most, number = best.mixture.log_evidence, float(best.probability.sum())
    if most <= 0:
        return [0.0] * len(tried)
    told = (min(1.0, max(0.0, 2 * one.mixture.log_evidence / most)) for one in tried)
    return [number * share**2 * one.signal_to_noise for share, one in zip(told, tried, strict=True)]


def _level_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Median of a map where it is seen, and its distance from the 16th percentile: particles are above both."""
    seen = values[values > UNSEEN]
    low, middle = np.percentile(seen, [16, 50]) if len(seen) else (0.0, 0.0)
    return float(middle), float(middle - low)
