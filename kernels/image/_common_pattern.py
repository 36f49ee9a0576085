"""The pattern that movies share: a camera's pixels that no gain has corrected. Specimen and noise are new each time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._orientation import LEAST_SIDE_PX, block_sums, centre, pixel_deviation


class CommonPattern(NamedTuple):
    """The variance of pixels' relative sensitivity from that of their neighbours, and its standard error."""

    variance: float
    error: float


def common_pattern(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> CommonPattern:
    """What raw counts [H, W] of two sets of movies, each summed over frames and movies, have in common pixel by pixel.

    The product of two deviations from the 9 x 9 neighbourhood, relative to that, has the pattern's variance as its
    mean: noise and specimen of different movies cancel. The error comes from the scatter of blocks of 32 px. Raises
    ValueError for a field below 64 px.
    """
    one, other = (np.asarray(centre(counts), np.float32) for counts in (first, second))
    if min(one.shape) < LEAST_SIDE_PX:
        raise ValueError(f"a field of {one.shape[1]} x {one.shape[0]} px is too small to show a pattern")
    (above, around, usable), (above_too, around_too, usable_too) = pixel_deviation(one), pixel_deviation(other)
    both = usable & usable_too
    found = block_sums(above * above_too * both)
    expected = block_sums(around * around_too * both)
    total = float(expected.sum())
    if not total > 0:
        return CommonPattern(0.0, float("inf"))
    variance = float(found.sum()) / total
    return CommonPattern(variance, float(np.sqrt(np.square(found - variance * expected).sum())) / total)
