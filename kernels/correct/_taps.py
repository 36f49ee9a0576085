"""Interpolation by least squares: taps that shift a band-limited line of pixels by a fraction of a pixel.

25 taps around the nearest pixel minimise the squared error of exp(iπkf), k in units of Nyquist, evenly up to 0.9, a
hundredth as much above, with a constant kept exactly (the least-squares fractional delay of Laakso et al., IEEE Signal
Processing Magazine 1996, section 3). Over all fractions the amplitude stays within 1.0 % up to 0.86 of Nyquist and 1.3
% up to 0.9; what the mean over a movie's displacements takes away is known (`transfer`) and put back.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

HALF = 12
STEPS = 64
"""Fractions of a pixel are rounded to 1/64: at Nyquist this costs 1e-4 of the amplitude."""
_EDGE = 0.9
_ABOVE = 0.01
_FREQUENCIES = 801


def furthest(extra: int) -> int:
    """The largest displacement, 1/64 px, for which 12 + extra pixels to either side are enough: 1.5 + extra px."""
    return STEPS * (2 * extra + 3) // 2


@lru_cache(maxsize=8)
def tap_table(extra: int) -> FloatArray:
    """Taps [2 furthest(extra) + 1, 2 (12 + extra) + 1] for displacements in steps of 1/64 px.

    They go up to furthest(extra) / 64 px to either side.

    Row i, column n: weight of the pixel n - 12 - extra for the value at (i - furthest(extra)) / 64 px.
    """
    fraction = np.arange(-furthest(extra), furthest(extra) + 1) / STEPS
    place = np.arange(-HALF - extra, HALF + extra + 1)
    k = np.linspace(0, 1, _FREQUENCIES)
    weight = np.where(k <= _EDGE, 1.0, _ABOVE)
    weight[0] = 1e4
    distance = np.arange(2 * len(place) - 1) - len(place) + 1
    autocorrelation = weight @ np.cos(np.pi * k[:, None] * distance)
    normal = autocorrelation[place[:, None] - place[None, :] + len(place) - 1]
    at_place, at_fraction = np.pi * np.outer(place, k), np.pi * np.outer(k, fraction)
    wanted = (weight * np.cos(at_place)) @ np.cos(at_fraction) + (weight * np.sin(at_place)) @ np.sin(at_fraction)
    taps = np.linalg.solve(normal, wanted).T
    return np.asarray(taps / taps.sum(1, keepdims=True), np.float32)


def transfer(frequency: npt.ArrayLike, fraction: npt.ArrayLike) -> Float64Array:
    """Amplitudes [n, m] that interpolation leaves at `frequency` [n], cycles/px, for displacements of ± `fraction` [m].

    Fractions are in px, at most 1.
    """
    k, f = np.asarray(frequency, np.float64), np.asarray(fraction, np.float64)
    taps = tap_table(0)[np.round(STEPS * f).astype(np.intp) + furthest(0)].astype(np.float64)
    place = np.arange(-HALF, HALF + 1)
    cosine = np.cos(2 * np.pi * k[:, None, None] * (place - f[:, None]))
    return np.asarray((cosine * taps).sum(-1))
