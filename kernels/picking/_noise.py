"""A micrograph's noise: its spectrum without the bumps that particles make, and fields drawn from it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.ndimage

Array = npt.NDArray[np.float64]

_BINS_AN_OCTAVE = 8
_LOWEST = 2.5  # lowest frequency looked at, in periods over the shorter side
_SMOOTHING_OCTAVES = 0.12
_WIDEST_BUMP_OCTAVES = 2.0
_LEAST_PASSED = 0.02  # share of the power that a band-pass must leave for its loss to be made good
_SEED = 20250710
_OUTLIER = 12.0  # median deviations, beyond which a pixel is clipped: 8 standard deviations


class RadialSpectrum(NamedTuple):
    """Power of an image by frequency: centres in 1/px [K], mean power [K], and the share that is noise [K]."""

    frequency: Array
    power: Array
    noise_share: Array


def radial_spectrum(
    pixels: npt.NDArray[np.float32], band: npt.NDArray[np.float32], seen: npt.NDArray[np.float32] | None = None
) -> RadialSpectrum:
    """Power spectrum of a band-passed image [h, w] in logarithmic rings, and what of it is noise.

    `band` [h, w//2 + 1] is the filter that it went through; where `seen` [h, w] is 0 the image is 0 too. Before the
    filter noise changes slowly or in one direction with frequency, while particles of one size add a bump about
    1/diameter with a dip beyond. So the noise is the morphological opening of the log power over two octaves: it cuts
    bumps narrower than that, and keeps what only rises or only falls, but for the lowest and the highest octave.
    """
    height, width = pixels.shape
    window = np.outer(np.hanning(height), np.hanning(width)) * (1.0 if seen is None else seen)
    power = np.abs(scipy.fft.rfft2(pixels * window)) ** 2 / np.sum(window**2)
    lowest = _LOWEST / min(height, width)
    rings = int(np.log2(0.5 / lowest) * _BINS_AN_OCTAVE) + 1
    edges = lowest * 2 ** (np.arange(rings + 1) / _BINS_AN_OCTAVE)
    ring = np.digitize(_frequencies((height, width)), edges).ravel()
    count, total, passed = (
        np.bincount(ring, weights, minlength=rings + 2)[1:-1] for weights in (None, power.ravel(), band.ravel() ** 2)
    )
    there = count > 0
    mean = np.maximum(total[there] / count[there], 1e-30)
    before = np.log(mean / np.maximum(passed[there] / count[there], 1e-30))
    usable = passed[there] / count[there] > _LEAST_PASSED
    before = np.interp(np.arange(len(before)), np.flatnonzero(usable), before[usable])
    log = scipy.ndimage.gaussian_filter1d(before, _SMOOTHING_OCTAVES * _BINS_AN_OCTAVE, mode="nearest")
    window_bins = int(_WIDEST_BUMP_OCTAVES * _BINS_AN_OCTAVE) | 1
    opened = scipy.ndimage.grey_opening(log, size=window_bins, mode="nearest")
    share = np.exp(np.minimum(opened - before, 0.0))
    return RadialSpectrum(np.sqrt(edges[1:] * edges[:-1])[there], mean, share)


def gaussian_field(shape: tuple[int, int], spectrum: RadialSpectrum) -> npt.NDArray[np.float32]:
    """Gaussian noise [h, w] of an image's whole power, the same for the same shape and spectrum."""
    amplitude = np.sqrt(np.interp(_frequencies(shape), spectrum.frequency, spectrum.power))
    return np.asarray(scipy.fft.irfft2(_white(shape) * amplitude, s=shape), np.float32)


def noise_like(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Gaussian noise [h, w] with an image's own spectrum, always the same for the same image."""
    rows, columns = image.shape
    level = float(np.median(image[np.isfinite(image)])) if np.isfinite(image).any() else 0.0
    finite = np.nan_to_num(image - level, nan=0.0, posinf=0.0, neginf=0.0)
    bound = _OUTLIER * max(float(np.median(np.abs(finite))), 1e-12)
    pixels = np.asarray(np.clip(finite, -bound, bound), np.float32)
    everything = np.ones((rows, columns // 2 + 1), np.float32)
    return gaussian_field((rows, columns), radial_spectrum(pixels, everything))


def noise_share(shape: tuple[int, int], spectrum: RadialSpectrum) -> npt.NDArray[np.float32]:
    """Share of an image's power that is noise, at the frequencies of `rfft2` of `shape` [h, w//2 + 1]."""
    return np.asarray(np.interp(_frequencies(shape), spectrum.frequency, spectrum.noise_share), np.float32)


@lru_cache(maxsize=4)
def _white(shape: tuple[int, int]) -> npt.NDArray[np.complex64]:
    drawn = np.random.default_rng(_SEED).standard_normal(shape, dtype=np.float32)
    return np.asarray(scipy.fft.rfft2(drawn), np.complex64)


@lru_cache(maxsize=4)
def _frequencies(shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    across, down = np.fft.rfftfreq(shape[1])[None], np.fft.fftfreq(shape[0])[:, None]
    return np.asarray(np.hypot(down, across), np.float32)
