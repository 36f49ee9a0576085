"""Frames of a movie that hold no measurement of their own: blank, far too dim or bright, incomplete, or copies.

Cameras deliver such frames when the beam was off, a frame was dropped, or its transfer broke off. What is odd is told
by comparison with the movie's other frames alone. A beam that fades, ice that melts and few electrons a frame are not
odd: brightness may change by any factor, as long as the frames' levels show no gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from warpcore.kernels.image._frame_levels import FrameLevels
from warpcore.kernels.image._pedestal import NoiseOf, blank_above_pedestal, bright_above_pedestal

Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BLANK, DIM, BRIGHT, COPY, UNEVEN = "blank", "dim", "bright", "repeated", "uneven"

_GAP = 2.5
"""Levels that differ by more than this factor, with none between them, are not one beam's."""
_BLANK_BELOW = 0.02
_TOLD_FROM = 25
"""Counts of a usual frame: with fewer, one without any may be chance (exp(-25))."""
_SIGNIFICANT = 5.0
"""Standard deviations of counting by which two levels must differ."""
_LEAST_SHARE = 1 / 3
_COUNTS_IN_CELL = 400
"""Fewer, and counting noise alone makes cells too different to compare."""
_CONTRAST = 1.6
_TAIL = 0.03
"""Share of the field that must be off: one row of cells, and more than a bead of gold or a broken hole takes."""
_NEIGHBOURS = 8
_FEWEST = 3
"""Of two frames that differ nothing tells which one is whole."""


@dataclass(frozen=True)
class FrameCheck:
    """Why each frame is odd, in words; empty for a good one."""

    reasons: tuple[str, ...]

    @property
    def good(self) -> BoolArray | None:
        """Frames [F] that can be used; None where all can."""
        return np.array([not reason for reason in self.reasons]) if any(self.reasons) else None

    @property
    def good_count(self) -> int:
        """How many frames can be used."""
        return self.reasons.count("")


def check_frames(levels: FrameLevels, noise_of: NoiseOf) -> FrameCheck:
    """Which frames are odd, from their levels; `noise_of` looks at the pixels of frames that the levels leave open.

    Frames without counts are blank. The rest form groups without a gap of 2.5 in brightness; usual is the brightest
    group with a third of them, else the largest. Other frames are blank (below 2 % of the usual median), dim or bright.
    Usual frames that have a pedestal alone are blank (`blank_above_pedestal`), those far brighter above it are bright
    (`bright_above_pedestal`); of the rest those with the bytes of the one before are copies. A frame is uneven where
    the ratio of its cells to those of other frames differs between 3 % and 97 % of the field by a factor of 1.6 more
    than by chance.
    """
    counts = _from_zero(levels)
    totals = counts.sum((1, 2))
    reasons = np.full(len(totals), "", object)
    usual = _usual(totals)
    median = np.median(totals[usual]) if usual.any() else 0.0
    reasons[~usual & (totals > 0) & (totals < median)] = DIM
    reasons[~usual & (totals > median)] = BRIGHT
    if median == 0 or median >= _TOLD_FROM:
        reasons[totals <= _BLANK_BELOW * median] = BLANK
    for reason, odd_above in ((BLANK, blank_above_pedestal), (BRIGHT, bright_above_pedestal)):
        frames = np.flatnonzero(usual & (reasons == ""))
        reasons[frames[odd_above(totals[frames], _of_frames(frames, noise_of))]] = reason
    reasons[usual & (reasons == "") & levels.copies] = COPY
    reasons[_uneven(counts, reasons == "")] = UNEVEN
    return FrameCheck(tuple(str(reason) for reason in reasons))


def _of_frames(frames: npt.NDArray[np.intp], noise_of: NoiseOf) -> NoiseOf:
    return lambda index: noise_of(frames[index])


def _from_zero(levels: FrameLevels) -> Float64Array:
    """The counts [F, n, n] above zero: above the lowest pixel where a camera writes most below (less 32 768, say)."""
    zero = levels.lowest * levels.pixels if np.median(levels.counts) < 0 else 0.0
    return np.maximum(levels.counts - zero, 0)


def _usual(totals: Float64Array) -> BoolArray:
    """Which frames have the brightness of the movie [F]."""
    lit = np.flatnonzero(totals > 0)
    if not len(lit):
        return np.zeros(len(totals), np.bool_)
    order = lit[np.argsort(totals[lit], kind="stable")]
    low, high = totals[order[:-1]], totals[order[1:]]
    gap = (high > _GAP * low) & (high - low > _SIGNIFICANT * np.sqrt(low + high))
    groups = np.split(order, np.flatnonzero(gap) + 1)
    large = [group for group in groups if len(group) >= _LEAST_SHARE * len(lit)]
    # The brightest: a movie whose beam was off for longer than on shows its dark counts in most frames.
    usual = np.zeros(len(totals), np.bool_)
    usual[large[-1] if large else max(groups, key=len)] = True
    return usual


def _uneven(counts: Float64Array, good: BoolArray) -> BoolArray:
    """Which of the good frames [F] have lost, or are too bright in, a part of the field.

    The worst is taken out first: it spoils what its neighbours are compared with.
    """
    uneven = np.zeros(len(good), np.bool_)
    frames = np.flatnonzero(good)
    if len(frames) < _FEWEST:
        return uneven
    cells = _large_cells(counts[frames])
    while len(frames) >= _FEWEST and np.median(cells) >= _COUNTS_IN_CELL:
        contrast = _contrast(cells)
        worst = int(np.argmax(contrast))
        if contrast[worst] <= _CONTRAST:
            break
        uneven[frames[worst]] = True
        frames, cells = np.delete(frames, worst), np.delete(cells, worst, axis=0)
    return uneven


def _large_cells(counts: Float64Array) -> Float64Array:
    """Cells [F, n, n] taken together until each has so many counts that chance is small, or 2 x 2 are left."""
    while counts.shape[1] > 2 and np.median(counts) < _COUNTS_IN_CELL:
        frames, side, _ = counts.shape
        counts = counts.reshape(frames, side // 2, 2, side // 2, 2).sum((2, 4))
    return counts


def _contrast(cells: Float64Array) -> Float64Array:
    """How uneven each frame of cells [F, n, n] is, less what counting noise makes: [F], 1 is not at all.

    It is compared with the median of its neighbours in time, which a drift changes little, and with that of all frames,
    which a few odd frames in a row change little; the smaller one counts. A cell is as expected where it lies between
    the lowest and the highest that is expected in it or a cell beside it: a drift moves edges of holes and carbon.
    """
    count = len(cells)
    shape = cells / np.maximum(cells.mean((1, 2), keepdims=True), 1e-30)
    near = min(_NEIGHBOURS + 1, count)
    first = np.clip(np.arange(count) - near // 2, 0, count - near)
    window = first[:, None] + np.arange(near)
    others = window[window != np.arange(count)[:, None]].reshape(count, near - 1)
    lit = np.median(cells, axis=0) >= _COUNTS_IN_CELL / 2
    contrast = np.minimum(
        _spread(shape, np.median(shape[others], axis=1), lit), _spread(shape, np.median(shape, axis=0)[None], lit)
    )
    # 94 % of the cells lie within 1.9 standard deviations of the mean.
    return np.asarray(contrast / np.exp(2 * 1.9 / np.sqrt(np.maximum(cells.mean((1, 2)), 1))))


def _spread(shape: Float64Array, expected: Float64Array, lit: BoolArray) -> Float64Array:
    """The highest over the lowest ratio of cells [F, n, n] to what is expected, with 3 % beyond either: [F]."""
    around = (1, 3, 3)
    low = np.maximum(scipy.ndimage.minimum_filter(expected, around, mode="nearest"), 1e-3)
    high = np.maximum(scipy.ndimage.maximum_filter(expected, around, mode="nearest"), 1e-3)
    ratio = np.where(shape < low, shape / low, np.maximum(shape / high, 1))[:, lit]
    lowest, highest = np.quantile(ratio, (_TAIL, 1 - _TAIL), axis=1)
    return np.asarray(highest / np.maximum(lowest, 1e-3))
