"""From the heights of a score map's peaks to the probability that each is a particle.

Heights are modelled as a mixture of noise, whose peaks are known up to scale and level, particles, whose heights are
unknown, their parts and fringes, and a few outliers (contamination). All parameters are integrated out on a grid: with
few peaks their uncertainty is in the probabilities. Against it stands the hypothesis that there is nothing but noise,
Gaussian or whatever the inverted image shows. The probability is one minus the local false discovery rate (Efron, J.
Am. Stat. Assoc. 99 (2004) 96, who also fits the null's scale).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_ndtr, logit, logsumexp, ndtr

Array = npt.NDArray[np.float64]

_FINE_BINS, _FINE_TO, _COARSE_BINS = 56, 7.0, 16  # of heights in spreads: even ones from 0, ever wider ones above
_NOISE_SCALES = np.geomspace(0.5, 1.06, 14)  # of the noise among particles, by the spread of the whole map
_LEVELS = np.array([0.0, 0.5])  # how far the level between particles is lowered, by that of a crowded field
_LEAST_MEAN, _MEAN_STEP = 1.2, 1.105  # of particles' heights in spreads: from the least to the highest peak
_PARTICLE_SPREADS = np.array([0.1, 0.2, 0.3])  # of particles' own heights, by their mean; noise adds to it
_SHARES = np.linspace(0.04, 0.96, 12)  # of peaks that are particles
_FRINGES = np.array([0.05, 0.3])  # share of the other peaks that are parts and fringes of particles
_FRINGE_HEIGHT = 0.2  # over which they become fewer, by particles' mean
_OUTLIERS = 0.01  # share of peaks that are neither: contamination
_OUTLIERS_ALONE = 0.002  # of noise alone: more of them are something
_OUTLIERS_FROM, _OUTLIERS_FALL = 2.0, 4.0  # where outliers begin and over what they become fewer
_APART = 1.0  # least distance of particles' mean from noise's, in deviations of the latter
_SMOOTHING = 0.25  # of the inverted image's heights, in spreads
_SCALES_ALONE = np.geomspace(0.8, 1.25, 23)  # of noise where there is nothing else
_INVERTED_ERROR = 0.02  # of that scale as taken from the inverted image
_SCALE_ERROR = 0.04  # of the noise's scale as taken from the spectrum
_LOWEST_LEVEL = -0.8
_DECOY_WORD = 0.25  # of the inverted image's peaks in a score
_DECOY_WIDTH, _DECOY_SHARE = 0.25, 0.08  # over which their numbers are compared: in spreads, or by height
_DECOY_PLACES = 400
_SUREST = 0.997  # a score is not believed beyond this
_PRIOR_LOG_ODDS = -5.0  # for particles: on empty ice the evidence of the luckiest of many templates reaches 1


class Heights(NamedTuple):
    """Heights of peaks above the map's median, in units of its robust spread below it."""

    image: Array
    inverted: Array
    """Of the inverted image: no particles but at most their fringes."""
    noise: Array
    """Of simulated noise, in units of its own spread."""
    noise_scale: float
    """Spread of the simulated noise by the spread of the image, where the spectrum tells noise from particles."""
    variance: float
    """Of the map, in its robust units, outliers clipped."""
    mean: float
    """Of the map, outliers clipped."""


class Mixture(NamedTuple):
    """What a micrograph's peaks say."""

    height: Array
    """Bin centres [B], rising."""
    probability: Array
    """Of being a particle [B], never falling."""
    log_evidence: float
    """Natural log of how much better particles and noise explain the peaks than noise alone."""
    share: float
    """Expected share of the peaks that are particles."""
    certainty: float
    """Probability that there are any particles."""


class NoisePeaks:
    """The distribution of noise's peak heights: as simulated, and beyond that with the tail of Gaussian fields."""

    def __init__(self, heights: Array) -> None:
        """Heights of simulated noise's peaks, in units of its spread."""
        self.mean, self.deviation = float(heights.mean()), float(heights.std())
        width = max(1.06 * self.deviation * len(heights) ** -0.2, 0.02)
        self._grid = np.linspace(-2.0, 20.0, 276)
        above = 1 - ndtr((self._grid[:, None] - heights[None]) / width).mean(axis=1)
        log = np.log(np.maximum(above, 1e-300))
        first = int(np.searchsorted(self._grid, np.quantile(heights, 0.97)))
        tail, start = self._grid[first:], self._grid[first]
        # Maxima of a Gaussian field above u are in proportion to u exp(-u²/2) (Adler, 1981, section 6.3).
        log[first:] = log[first] - (tail**2 - start**2) / 2 + np.log(tail / start)
        self._log_above = log

    def log_shares(self, edges: Array, scale: Array, level: Array) -> Array:
        """Log probability of each bin [..., B] between edges [B + 1], for peaks of that scale and level [...]."""
        place = (edges - level[..., None]) / scale[..., None]
        return _log_differences(np.interp(place, self._grid, self._log_above))


def fit_mixture(heights: Heights) -> Mixture:
    """The mixture of a micrograph's peaks; heights below 0 take no part."""
    highest = float(heights.image.max(initial=0.0))
    above = np.geomspace(_FINE_TO, max(highest + 1.0, 1.5 * _FINE_TO), _COARSE_BINS + 1)[1:]
    edges = np.concatenate([np.linspace(0.0, _FINE_TO, _FINE_BINS + 1), above])
    centres = 0.5 * (edges[1:] + edges[:-1])
    count = np.histogram(heights.image, edges)[0].astype(np.float64)
    if count.sum() < 1 or (heights.noise > 0).sum() < 3:
        return Mixture(centres, np.zeros(len(centres)), 0.0, 0.0, 0.0)
    noise = NoisePeaks(heights.noise)
    outliers = np.diff(edges) * np.exp(-centres / _OUTLIERS_FALL) * (centres > _OUTLIERS_FROM)
    outliers /= outliers.sum()
    nothing = _noise_alone(heights, noise, edges, count, outliers)
    log_noise, log_particles, prior = _components(heights, noise, edges, centres)
    ratio = np.exp(np.minimum(log_particles - log_noise, 300.0))
    rest = np.exp(log_noise)
    weight = np.empty((len(_SHARES), len(prior)))
    for number, share in enumerate(_SHARES):
        all_peaks = (1 - _OUTLIERS) * rest * (1 - share + share * ratio) + _OUTLIERS * outliers
        weight[number] = np.einsum("nb,b->n", np.log(all_peaks), count) + prior
    weight -= np.log(len(_SHARES))
    particles = float(logsumexp(weight))
    log_evidence = particles - nothing
    certainty = float(expit(log_evidence + _PRIOR_LOG_ODDS))
    posterior = certainty * np.exp(weight - particles)
    probability = np.zeros(len(centres))
    for number, share in enumerate(_SHARES):
        odds = share / (1 - share) * ratio
        probability += np.einsum("n,nb->b", posterior[number], odds / (1 + odds))
    share = float((posterior.sum(axis=1) * _SHARES).sum())
    return Mixture(centres, np.maximum.accumulate(probability), log_evidence, share, certainty)


def probabilities_at(mixture: Mixture, heights: Array) -> Array:
    """Probability of being a particle of peaks of these heights [N]: a higher one never has less."""
    return np.asarray(np.interp(heights, mixture.height, mixture.probability))


def tempered(probability: Array, heights: Array, inverted: Array) -> Array:
    """Probabilities [N] of peaks of these heights, drawn a quarter of the way to what the inverted image allows.

    There, where no particle is, as many peaks as high as one here mean that one here is chance (the decoys of
    proteomics: Elias & Gygi, Nat. Methods 4 (2007) 207). That knows what no model does, texture and neighbours, but
    counts particles' dark fringes, too, so it has a quarter of the word (in log odds). Higher peaks never have less.
    """
    if not len(heights) or not len(inverted):
        return probability
    places = np.linspace(0.0, max(float(heights.max()), 0.0) + 0.5, _DECOY_PLACES)

    def density(values: Array) -> Array:
        width = np.maximum(_DECOY_WIDTH, _DECOY_SHARE * values)
        return np.asarray((np.exp(-0.5 * ((places[:, None] - values) / width) ** 2) / width).sum(axis=1))

    chance = np.minimum(1.0, density(inverted) / np.maximum(density(heights), 1e-9))
    allowed = np.interp(heights, places, np.maximum.accumulate(1 - chance))
    own, most = (logit(np.clip(one, 1 - _SUREST, _SUREST)) for one in (probability, np.minimum(probability, allowed)))
    drawn = expit((1 - _DECOY_WORD) * own + _DECOY_WORD * most)
    return np.asarray(np.where(allowed < probability, np.minimum(drawn, probability), probability))


def _noise_alone(heights: Heights, noise: NoisePeaks, edges: Array, count: Array, outliers: Array) -> float:
    """Log likelihood of the peaks under noise and outliers alone; the inverted image's peaks tell the noise's scale."""
    log_noise = noise.log_shares(edges, _SCALES_ALONE, np.zeros(len(_SCALES_ALONE)))
    inverted = np.histogram(heights.inverted, edges)[0].astype(np.float64)

    def of_scales(counts: Array) -> Array:
        return np.asarray(
            np.einsum("nb,b->n", np.log((1 - _OUTLIERS_ALONE) * np.exp(log_noise) + _OUTLIERS_ALONE * outliers), counts)
        )

    told = of_scales(inverted)
    told -= logsumexp(told)
    # The simulated noise's own chance and the inverted image's fringes make the scale no surer than this.
    apart = np.log(_SCALES_ALONE[:, None] / _SCALES_ALONE[None]) / _INVERTED_ERROR
    prior = logsumexp(told[None] - 0.5 * apart**2, axis=1)
    gaussian = logsumexp(of_scales(count) + prior - logsumexp(prior))
    # Or noise that is no Gaussian field, as where half of it is film: its peaks are those of the inverted image.
    kernel = np.maximum(_SMOOTHING, 0.1 * heights.inverted)
    smooth = np.diff(ndtr((edges[:, None] - heights.inverted[None]) / kernel[None]), axis=0).sum(axis=1)
    alike = np.einsum(
        "b,b->",
        np.log((1 - _OUTLIERS_ALONE) * smooth / max(smooth.sum(), 1.0) + _OUTLIERS_ALONE * outliers + 1e-12),
        count,
    )
    return float(np.logaddexp(gaussian, alike) - np.log(2))


def _components(heights: Heights, noise: NoisePeaks, edges: Array, centres: Array) -> tuple[Array, Array, Array]:
    """Log probabilities of bins under noise and under particles [N, B], and the log prior [N], over the grid.

    A dense field of particles lowers the level between them: the map's mean is 0, and particles of variance V and
    height a (Gaussian profiles) take 2 V / a of it.
    """
    highest = max(float(heights.image.max()), 6.0)
    means = _LEAST_MEAN * _MEAN_STEP ** np.arange(1 + int(np.log(highest / _LEAST_MEAN) / np.log(_MEAN_STEP)))
    scale, lowered, mean, spread, fringes = (
        one.ravel() for one in np.meshgrid(_NOISE_SCALES, _LEVELS, means, _PARTICLE_SPREADS, _FRINGES, indexing="ij")
    )
    of_particles = np.maximum(heights.variance - scale**2, 0)
    own_height = np.maximum(mean - 0.5 * scale, 0.6)
    level = np.maximum(lowered * (heights.mean - 2 * of_particles / own_height), _LOWEST_LEVEL)
    apart = mean >= scale * (noise.mean + _APART * noise.deviation) + level
    scale, level, mean, spread, fringes = (one[apart] for one in (scale, level, mean, spread, fringes))
    fringe = np.exp(-edges / (_FRINGE_HEIGHT * mean[:, None]))
    fringe = fringes[:, None] * (fringe[:, :-1] - fringe[:, 1:])
    log_noise = np.log((1 - fringes[:, None]) * np.exp(noise.log_shares(edges, scale, level)) + fringe + 1e-300)
    width = np.hypot(noise.deviation * scale, spread * mean)
    log_particles = _log_normal_shares((edges - mean[:, None]) / width[:, None])
    ratio = _rising(log_particles - log_noise, centres[None] <= mean[:, None])
    log_particles = log_noise + ratio
    log_particles -= logsumexp(log_particles, axis=1, keepdims=True)
    of_scale = -0.5 * (np.log(_NOISE_SCALES / heights.noise_scale) / _SCALE_ERROR) ** 2
    of_scale -= logsumexp(of_scale)
    which = np.searchsorted(_NOISE_SCALES, scale)
    return log_noise, log_particles, of_scale[which] - np.log(np.bincount(which)[which])


def _rising(ratio: Array, below_mean: npt.NDArray[np.bool_]) -> Array:
    """Log ratios [N, B] made monotone: level below their lowest point left of the mean, never falling after it."""
    lowest = np.argmin(np.where(below_mean, ratio, np.inf), axis=1)
    at_lowest = np.take_along_axis(ratio, lowest[:, None], axis=1)
    left = np.arange(ratio.shape[1])[None] < lowest[:, None]
    return np.asarray(np.maximum.accumulate(np.where(left, at_lowest, ratio), axis=1))


def _log_normal_shares(place: Array) -> Array:
    """Log probability of bins between standardised edges [N, B + 1] under a normal distribution cut at the first."""
    upper = place[:, :-1] > 0
    larger = np.where(upper, log_ndtr(-place[:, :-1]), log_ndtr(place[:, 1:]))
    smaller = np.where(upper, log_ndtr(-place[:, 1:]), log_ndtr(place[:, :-1]))
    return np.asarray(larger + np.log1p(-np.exp(np.minimum(smaller - larger, -1e-9))) - log_ndtr(-place[:, :1]))


def _log_differences(log_above: Array) -> Array:
    """Log probability of bins from the log of what lies above each edge, given what lies above the first."""
    step = np.minimum(log_above[..., 1:] - log_above[..., :-1], -1e-9)
    return np.asarray(log_above[..., :-1] + np.log1p(-np.exp(step)) - log_above[..., :1])
