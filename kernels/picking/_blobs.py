"""Particle picking by correlation with shapes, with a score that means the same on every micrograph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking._correlation import (
    FINEST,
    band_passed_templates,
    correlate,
    noise_deviation,
    working_image,
)
from warpcore.kernels.picking._peaks import find_peaks
from warpcore.kernels.picking._shapes import Contrast, Shape, blob_templates

TOUCHING = 0.75
"""Default minimum distance by diameter: below 1, since particles may touch and the diameter may be too large."""
_SCALES = (0.85, 0.92, 1.0, 1.1)  # a single diameter is a person's estimate
_OF_TYPICAL = 0.6  # least coefficient, by the coefficient of the micrograph's typical particle


class Picks(NamedTuple):
    """Positions in px of the micrograph (centre of pixel 0 at 0, row 0 first) and scores from 0 to 1, best first."""

    x_px: np.ndarray
    y_px: np.ndarray
    scores: np.ndarray


def pick_blobs(
    image: jax.Array | np.ndarray,
    *,
    pixel_size_angstrom: float,
    diameter_angstrom: float,
    diameter_max_angstrom: float | None = None,
    threshold: float = 0.5,
    minimum_distance_angstrom: float | None = None,
    contrast: Contrast = "dark",
    ctf: CtfParameters | None = None,
    shapes: Sequence[Shape] = ("disc", "ring"),
    aspects: Sequence[float] = (1.0,),
    valid: np.ndarray | None = None,
) -> Picks:
    """Round or elongated particles of about a diameter (or from it to a largest one) in a micrograph [h, w].

    All shapes, sizes and aspects are matched at once, each imaged by the CTF where it is given; the best coefficient
    counts. `valid` [h, w] (bool) leaves junk out. The score is c / (c + decision), so 0.5 at the decision level, which
    is the larger of what noise does not reach on a micrograph of this size and 0.6 of the typical particle's
    coefficient here. Diameters are longest extents, aspects the longest divided by the shortest. The minimum distance
    defaults to 0.75 diameters (over the root of the largest aspect). Raises ValueError for a diameter that the
    micrograph cannot hold.
    """
    if not 4 * pixel_size_angstrom <= diameter_angstrom <= 0.8 * min(image.shape) * pixel_size_angstrom:
        raise ValueError(
            f"diameter {diameter_angstrom:g} Å: between 4 px and 80 % of the micrograph's shorter side is allowed, "
            f"here {4 * pixel_size_angstrom:.4g} to {0.8 * min(image.shape) * pixel_size_angstrom:.4g} Å"
        )
    diameters = _diameters(diameter_angstrom, diameter_max_angstrom)
    smallest = diameter_angstrom / math.sqrt(
        max(aspects)
    )  # elongated particles lie side by side: their width sets the distance
    work = working_image(image, pixel_size_angstrom, smallest)
    pixel = work.pixel_size_angstrom
    blobs = blob_templates(
        diameters, shapes=shapes, aspects=aspects, pixel_size_angstrom=pixel, contrast=contrast, ctf=ctf
    )
    templates = band_passed_templates(blobs.templates, pixel, smallest)
    noise = float(
        np.mean([noise_deviation(t, m, pixel, smallest) for t, m in zip(templates, blobs.masks, strict=True)])
    )
    small_valid = None if valid is None else resized_mask(valid, work.pixels.shape)
    found = correlate(work.pixels, templates, blobs.masks, small_valid)
    distance = minimum_distance_angstrom if minimum_distance_angstrom is not None else TOUCHING * smallest
    peaks = find_peaks(found.value, noise, distance / pixel)
    area = math.prod(work.pixels.shape) * pixel**2
    ceiling = noise * expected_maximum(area / (smallest / FINEST / 2) ** 2 * len(templates))
    scores = normalised_scores(peaks.value, ceiling)
    y, x = work.to_micrograph(peaks.y, peaks.x)
    kept = (scores >= threshold) & (x >= 0) & (y >= 0) & (x <= image.shape[1] - 1) & (y <= image.shape[0] - 1)
    return Picks(x[kept], y[kept], scores[kept])


def normalised_scores(coefficients: np.ndarray, ceiling: float) -> np.ndarray:
    """Scores c / (c + decision) of peaks' coefficients; `ceiling` is what noise alone is expected to reach.

    Where ten peaks or more stand above the ceiling, their median is the typical particle, and 0.6 of it the decision if
    that is higher: on a clean micrograph the gaps between particles correlate better than noise does.
    """
    above = coefficients[coefficients > ceiling]
    typical = float(np.median(above)) if len(above) >= 10 else 0.0
    decision = max(ceiling, _OF_TYPICAL * typical)
    positive = np.maximum(coefficients, 0)
    return np.asarray(positive / (positive + decision))


def expected_maximum(trials: float) -> float:
    """What the largest of this many independent standard normal values is expected to stay below, and 5 % more.

    The bound is sqrt(2 ln n).
    The 5 % stand for ice, whose noise is not white: without them, simulated ice of 2048² gave 1.4 picks a micrograph,
    with them 0.5.
    """
    return 1.05 * math.sqrt(2 * math.log(max(trials, 2.0)))


def _diameters(smallest: float, largest: float | None) -> list[float]:
    if largest is None:
        return [scale * smallest for scale in _SCALES]
    if largest < smallest:
        raise ValueError(f"diameter from {smallest:g} to {largest:g} Å: the smaller one comes first")
    steps = max(2, math.ceil(math.log(largest / smallest) / math.log(1.09)) + 1)
    return [float(d) for d in np.geomspace(smallest, largest, steps)]


def resized_mask(valid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask [h, w] of the micrograph at the pixels of a working image, float32."""
    rows = np.minimum(((np.arange(shape[0]) + 0.5) * valid.shape[0] / shape[0]).astype(int), valid.shape[0] - 1)
    columns = np.minimum(((np.arange(shape[1]) + 0.5) * valid.shape[1] / shape[1]).astype(int), valid.shape[1] - 1)
    return np.asarray(valid[np.ix_(rows, columns)], np.float32)
