"""Notices that movies share the pattern of an uncorrected camera, where no gain is given."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import centre, common_pattern

LEAST_PATTERN = 0.01
"""Standard deviation of the pixels' sensitivity from which it is told. Simulated cameras have 0.03, as real ones do;
their gain leaves nothing, and one that misses a fifth of the pattern 0.006."""
_SURE = 6.0
_MOST_MOVIES = 10
"""Where the counts of so many movies are too few, those of more would be too."""


class PatternWatch:
    """Adds the middles of movies to two sums in turn until it is clear whether these share a pattern."""

    def __init__(self) -> None:
        self.pattern: float | None = None
        """The standard deviation of the pattern that movies share, once it is clear and worth a word."""
        self.settled = False
        self._sums: list[npt.NDArray[np.float32]] = []
        self._movies = 0

    def see(self, counts: npt.NDArray[np.floating]) -> None:
        """Look at the raw counts [H, W] of a movie, summed over frames."""
        middle = np.asarray(centre(counts), np.float32)
        if self._sums and self._sums[0].shape != middle.shape:
            self._sums, self._movies = [], 0
        self._movies += 1
        if len(self._sums) < 2:
            self._sums.append(middle)
        else:
            self._sums[self._movies % 2] = self._sums[self._movies % 2] + middle
        if len(self._sums) == 2:
            self._conclude()

    def _conclude(self) -> None:
        try:
            found = common_pattern(*self._sums)
        except ValueError:
            self.settled = True  # a field this small comes from no camera
            return
        least = LEAST_PATTERN**2
        if found.variance > max(least, _SURE * found.error):
            self.pattern = math.sqrt(found.variance)
        is_clear = self.pattern is not None or found.variance + _SURE * found.error < least
        if is_clear or self._movies >= _MOST_MOVIES:
            self.settled = True
            self._sums = []
