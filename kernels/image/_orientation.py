"""Which of its eight orientations a gain reference needs: the one whose pattern the movies' raw counts show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)

WINDOW_PX = 9  # coarser variation is illumination and specimen, not the camera's pixels
_SIDE_PX = 1024  # the middle of the field says enough, and costs the same (half a second) for every camera
LEAST_SIDE_PX = 64
BLOCK_PX = 32
_OUTLIER_SIGMA = 7.0
_SURE = 6.0
_FOUND, _FAINT, _APART = 0.3, 0.2, 0.25
FLAT = 0.002
_BLURRED = 0.15
_PART = 0.7  # share of the pattern below which counts may lie on a pedestal
_EVEN = 0.5  # of Poisson's variance: electrons that are counted do not vary so little


@dataclass(frozen=True, order=True)
class Orientation:
    """Columns reversed (`flip_x`), then rows reversed (`flip_y`), then axes swapped (`transpose`), as in settings."""

    flip_x: bool
    flip_y: bool
    transpose: bool

    def turned(self, image: npt.NDArray[T]) -> npt.NDArray[T]:
        """A view of image [H, W] in this orientation."""
        image = image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return image.T if self.transpose else image

    def undone(self, image: npt.NDArray[T]) -> npt.NDArray[T]:
        """A view of the image [H, W] that `turned` made this one of."""
        image = image.T if self.transpose else image
        return image[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


ORIENTATIONS = tuple(
    Orientation(flip_x, flip_y, transpose)
    for transpose in (False, True)
    for flip_y in (False, True)
    for flip_x in (False, True)
)


@dataclass(frozen=True)
class Match:
    """The share of the gain's pattern that the counts show in one orientation, with its standard error.

    1 is all of it, 0 nothing, -1 its inverse.
    """

    orientation: Orientation
    share: float
    error: float


@dataclass(frozen=True)
class GainMatches:
    """`matches` for each orientation that fits the movie's size, and the verdict on them.

    `verdict`: `found` (`best` is the gain's orientation), `inverse` (the same for a gain in the other sense), `same`
    (the pattern is alike in several orientations, `best` among them), `absent` (in none), `flat` (the gain has no
    pattern), `faint` (too few counts to tell; `best` is None), `pedestal` (the counts show a part of it in the
    orientation `best`, and vary less than electrons do: the rest is a constant in all of them). `pattern` is the gain's
    relative standard deviation, `counts` the summed counts of a pixel.
    """

    matches: tuple[Match, ...]
    verdict: str
    best: Orientation | None
    pattern: float
    counts: float

    def of(self, orientation: Orientation) -> Match | None:
        """The match of one orientation."""
        return next((match for match in self.matches if match.orientation == orientation), None)

    @property
    def alike(self) -> tuple[Orientation, ...]:
        """Orientations that cannot be told from the best: it and those whose share is as large within the errors."""
        if self.best is None:
            return ()
        top = self.of(self.best)
        assert top is not None
        sign = 1 if top.share > 0 else -1
        return tuple(
            match.orientation for match in self.matches if not _apart(sign * top.share, sign * match.share, top.error)
        )


def centre(image: npt.NDArray[T], side_px: int = _SIDE_PX) -> npt.NDArray[T]:
    """A view of the middle of image [H, W], at most `side_px` each way; turning an image turns its middle likewise."""
    return image[middle_of(image.shape, side_px)]


def middle_of(shape: tuple[int, ...], side_px: int = _SIDE_PX) -> tuple[slice, ...]:
    """Where `centre` lies in an image of this shape."""
    edges = (max(0, (size - side_px) // 2) for size in shape)
    return tuple(slice(edge, size - edge) for edge, size in zip(edges, shape, strict=True))


def match_gain(
    counts: npt.NDArray[np.floating], multiplier: npt.NDArray[np.floating], defects: BoolArray | None = None
) -> GainMatches:
    """Compare a gain's pattern in eight orientations with raw counts [H, W] summed over frames and movies.

    `multiplier` [H, W] or [W, H]: what counts are multiplied by; not positive or `defects` (of its shape): left out.
    A pixel's deviation from its 9 x 9 neighbourhood is compared with the expected one, counts times
    (sensitivity / mean sensitivity around - 1), sensitivity being 1 / multiplier: the share is the slope of that
    regression, its error comes from blocks of 32 px, so that neither specimen nor detector noise needs a model. Raises
    ValueError where the gain fits in no orientation or the field is below 64 px.
    """
    if counts.shape not in (multiplier.shape, multiplier.shape[::-1]):
        raise ValueError(
            f"the gain is {multiplier.shape[1]} x {multiplier.shape[0]} px (x, y), "
            f"the movie {counts.shape[1]} x {counts.shape[0]}"
        )
    counts = np.asarray(centre(counts), np.float32)
    if min(counts.shape) < LEAST_SIDE_PX:
        raise ValueError(f"a field of {counts.shape[1]} x {counts.shape[0]} px is too small to tell orientations apart")
    flawed = None if defects is None else centre(defects)
    pattern, usable = pattern_of(np.asarray(centre(multiplier), np.float32), flawed)
    deviation, around, counted = pixel_deviation(counts)
    matches = []
    for orientation in ORIENTATIONS:
        turned = orientation.turned(pattern)
        if turned.shape == counts.shape:
            matches.append(_match(orientation, deviation, around, turned, counted & orientation.turned(usable)))
    strength = float(np.sqrt(np.mean(np.square(pattern[usable], dtype=np.float64)))) if usable.any() else 0.0
    verdict, best = _verdict(matches, strength)
    on_pedestal = (
        None if verdict in ("flat", "inverse") else _on_pedestal(matches, _evenness(deviation, around, counted))
    )
    if on_pedestal is not None:
        verdict, best = "pedestal", on_pedestal
    return GainMatches(tuple(matches), verdict, best, strength, float(np.mean(counts, dtype=np.float64)))


def pattern_of(multiplier: FloatArray, defects: BoolArray | None) -> tuple[FloatArray, BoolArray]:
    """Relative deviation of each pixel's sensitivity from its neighbourhood's, and where it is known."""
    usable = np.isfinite(multiplier) & (multiplier > 0)
    if defects is not None:
        usable &= ~defects
    sensitivity = np.where(usable, 1 / np.where(usable, multiplier, 1), 0).astype(np.float32)
    around = _around(sensitivity, usable)
    pattern = np.where(usable, sensitivity / np.maximum(around, 1e-20) - 1, 0)
    # A pixel of half or twice its neighbours' sensitivity is as good as a defect: it would outweigh thousands of
    # others.
    usable &= np.abs(pattern) < 0.5
    return np.where(usable, pattern, 0).astype(np.float32), usable


def pixel_deviation(counts: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Counts minus their neighbourhood's mean, that mean, and which pixels are neither hot, dead nor empty."""
    finite = np.isfinite(counts)
    counts = np.where(finite, counts, 0)
    usable = finite & (counts <= 4 * max(float(np.mean(counts, dtype=np.float64)), 1.0) + 20)
    for _ in range(2):
        around = _around(counts, usable)
        deviation = counts - around
        scaled = np.where(around > 0, deviation**2 / np.maximum(around, 1e-6), 0)
        typical = scaled[usable]
        if not typical.size:
            break
        limit = np.percentile(typical[:: max(1, typical.size // 65536)], 99.5)
        usable &= scaled <= _OUTLIER_SIGMA**2 * max(float(typical[typical <= limit].mean(dtype=np.float64)), 1e-6)
    return np.where(usable, deviation, 0).astype(np.float32), np.maximum(around, 0), usable & (around > 0)


def _around(image: FloatArray, usable: BoolArray) -> FloatArray:
    weight = uniform_filter(usable.astype(np.float32), WINDOW_PX, mode="reflect")
    return np.asarray(uniform_filter(image * usable, WINDOW_PX, mode="reflect") / np.maximum(weight, 1e-3))


def _match(
    orientation: Orientation, deviation: FloatArray, around: FloatArray, pattern: FloatArray, usable: BoolArray
) -> Match:
    expected = around * pattern * usable
    above, below = block_sums(deviation * pattern * usable), block_sums(expected * pattern)
    total = float(below.sum())
    if not total > 0:
        return Match(orientation, 0.0, float("inf"))
    share = float(above.sum()) / total
    scatter = float(np.sqrt(np.square(above - share * below).sum())) / total
    return Match(orientation, share, scatter)


def block_sums(image: FloatArray) -> npt.NDArray[np.float64]:
    side = min(BLOCK_PX, min(image.shape) // 8)
    rows, columns = (range(0, size, side) for size in image.shape)
    along = np.add.reduceat(image.astype(np.float64), rows, axis=0)
    return np.asarray(np.add.reduceat(along, columns, axis=1))


def _verdict(matches: list[Match], strength: float) -> tuple[str, Orientation | None]:
    if strength < FLAT:
        return "flat", None
    top = max(matches, key=lambda match: abs(match.share))
    if max(match.error for match in matches) > _BLURRED:
        return "faint", None
    if abs(top.share) < _FAINT:
        return "absent", None
    if abs(top.share) < max(_FOUND, _SURE * top.error):
        return "faint", None
    others = [match.share * np.sign(top.share) for match in matches if match is not top]
    if any(not _apart(abs(top.share), other, top.error) for other in others):
        # Too like each other to be told apart by any number of counts, or by these?
        return ("same", top.orientation) if _SURE * top.error < _APART * abs(top.share) else ("faint", None)
    return ("found" if top.share > 0 else "inverse"), top.orientation


def _evenness(deviation: FloatArray, around: FloatArray, usable: BoolArray) -> float:
    """The variance of pixels about their neighbourhoods by its value for counted electrons, which is the mean."""
    mean = float(np.sum(around[usable], dtype=np.float64))
    return float(np.sum(np.square(deviation[usable], dtype=np.float64))) / mean if mean > 0 else math.inf


def _on_pedestal(matches: list[Match], evenness: float) -> Orientation | None:
    """The orientation in which counts on a pedestal show a part of the gain's pattern; None without a pedestal.

    A constant in each count shows no pattern and has no variance, so that both shares are small. What an old gain
    leaves in corrected frames is as small a part, but there electrons vary as they do.
    """
    top = max(matches, key=lambda match: match.share)
    sure = _SURE * top.error < top.share < _PART
    return top.orientation if sure and evenness < _EVEN else None


def _apart(larger: float, smaller: float, error: float) -> bool:
    return larger - smaller > max(_APART * larger, _SURE * error)
