"""Blank and bright frames of a movie whose counts do not begin at zero: a camera's pedestal makes all of them alike.

How bright a frame is above an unknown pedestal its level does not say. But all cumulants of electrons' counts grow with
their number (they form a compound Poisson process), the third one neither has a pedestal nor Gaussian read-out noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._frame_noise import FrameNoise

Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
NoiseOf = Callable[[npt.NDArray[np.intp]], FrameNoise]

_SIGNIFICANT = 5.0
_GAP = 0.3
"""Least gap below the bright frames, as a share of what separates a frame from their median."""
_LEAST_SHARE = 1 / 3
_COMPARED = 5
"""How many bright frames the dark ones are compared with."""
_LITTLE = 0.25
"""Share of the others' third cumulant below which a frame has no light: halfway between none and half a dose."""
_SURE = 0.08
"""Largest error of that share: three of them part none from the limit."""
_LITTLE_VARIANCE = 0.1
"""Dense counts have a third cumulant that is small beside its error: then their variance alone tells."""
_NOISIER = 1.05
"""Electrons cannot scatter more where there are fewer of them."""

_FAR_BRIGHTER = 2.5**2
"""Of the variance: 2.5 is the gap of levels without a pedestal, so no frame of such a movie is bright by this alone."""


def blank_above_pedestal(totals: Float64Array, noise_of: NoiseOf) -> BoolArray:
    """Which frames [F] have no light, by their counts `totals` [F] with any pedestal in all of them.

    A frame is blank that a gap parts from the brighter ones, and whose pixels have no part of their third cumulant, or
    less than a tenth of their variance, or more than all of it. `noise_of` looks at the pixels of frames; it is asked
    where there is a gap alone.
    """
    blank = np.zeros(len(totals), np.bool_)
    dark, bright = _parted(totals)
    if not len(dark):
        return blank
    some = bright[np.unique(np.linspace(0, len(bright) - 1, _COMPARED).round().astype(np.intp))]
    looked_at = np.union1d(dark, some)
    noise, is_dark = noise_of(looked_at), np.isin(looked_at, dark)
    usual_variance, usual_third = np.median(noise.variance[~is_dark]), np.median(noise.third[~is_dark])
    variance, third, error = noise.variance[is_dark], noise.third[is_dark], noise.error[is_dark]
    without = (third < _LITTLE * usual_third) & (error < _SURE * usual_third)
    blank[dark] = without | (variance < _LITTLE_VARIANCE * usual_variance) | (variance > _NOISIER * usual_variance)
    return blank


def bright_above_pedestal(totals: Float64Array, noise_of: NoiseOf) -> BoolArray:
    """Which frames [F] have far more light than the darker half, by their counts `totals` [F] with any pedestal in all.

    A frame is bright, as are those above it, that a gap parts from the darker ones, and whose pixels have more than
    2.5² times the variance of each of them: that much brighter at least, also where counts were multiplied.
    """
    bright = np.zeros(len(totals), np.bool_)
    order = np.argsort(totals, kind="stable")
    half = len(order) // 2
    rising = totals[order]
    usual_change = np.median(np.abs(np.diff(totals[np.sort(order[: half + 1])]))) if half else 0.0
    chance = np.maximum(np.sqrt(np.maximum(rising[half:-1] + rising[half + 1 :], 0)), usual_change)
    parted = np.diff(rising[half:]) > _SIGNIFICANT * chance
    if not parted.any():
        return bright
    looked_at = np.sort(order[half:])
    variance = noise_of(looked_at).variance[np.searchsorted(looked_at, order[half:])]
    jumps = parted & (variance[1:] > _FAR_BRIGHTER * np.maximum.accumulate(variance)[:-1])
    if jumps.any():
        bright[order[half + 1 + int(np.argmax(jumps)) :]] = True
    return bright


def _parted(totals: Float64Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rising indices of the frames below and above the widest gap with at least a third above; none where none is."""
    nothing = np.zeros(0, np.intp)
    fewest = max(3, int(np.ceil(_LEAST_SHARE * len(totals))))
    order = np.argsort(totals, kind="stable")
    gaps = np.diff(totals[order])[: max(0, len(order) - fewest)]
    if not len(gaps):
        return nothing, nothing
    at = int(np.argmax(gaps)) + 1
    dark, bright = np.sort(order[:at]), np.sort(order[at:])
    low, high = totals[order[at - 1]], totals[order[at]]
    change = np.median(np.abs(np.diff(totals[bright])))
    chance = max(np.sqrt(max(low + high, 0)), change)
    parted = high - low > max(_SIGNIFICANT * chance, _GAP * (np.median(totals[bright]) - low))
    return (dark, bright) if parted else (nothing, nothing)
