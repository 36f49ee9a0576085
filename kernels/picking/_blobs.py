"""Picking by blobs: the shape, size and aspect that fit a micrograph best are found from the micrograph itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.image import side_by_side
from warpcore.kernels.picking._correlation import Scene, match, scene
from warpcore.kernels.picking._picks import LEAST_SCORE, TOUCHING, Picks
from warpcore.kernels.picking._scoring import ScoredPeaks, evidences, scored_peaks
from warpcore.kernels.picking._shapes import Combination, Contrast, Shape, blob_templates, combinations

ASPECTS = (1.0, 1.5, 2.0)
"""Longest by shortest extent of the blobs that are tried."""


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
    aspects: Sequence[float] = ASPECTS,
    combination: str | None = None,
    valid: np.ndarray | None = None,
) -> Picks:
    """Particles of about a diameter (or from it to a largest one) in a micrograph [h, w].

    A combination is a shape, a size about the diameter and an aspect, imaged by the CTF where it is given. Without a
    `combination` (a name as in `blob_trials`) all are tried, and the one with the best evidence on this micrograph
    picks. Scores are probabilities of being a particle; those below 0.01 are left out. `valid` [h, w] (bool) leaves
    junk out. Diameters are longest extents, aspects the longest divided by the shortest. Raises ValueError for a
    diameter that the micrograph cannot hold, or a combination that is not one of these shapes and aspects.
    """
    blobs = ReadyBlobs(
        *(image, pixel_size_angstrom, diameter_angstrom, diameter_max_angstrom),
        *(minimum_distance_angstrom, contrast, ctf, valid),
    )
    tried = combinations(shapes, aspects)
    if combination is None:
        return max(_trials(blobs, tried, threshold).values(), key=lambda trial: trial.evidence).picks
    chosen = {one.name: one for one in tried}
    if combination not in chosen:
        raise ValueError(f"blob combination {combination!r}: one of {', '.join(chosen)} is allowed")
    return blobs.picks(blobs.scored(chosen[combination]), threshold)


class BlobTrial(NamedTuple):
    """What one combination finds, and its evidence, which adds up over micrographs."""

    picks: Picks
    evidence: float


def blob_trials(
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
    aspects: Sequence[float] = ASPECTS,
    valid: np.ndarray | None = None,
) -> dict[str, BlobTrial]:
    """Each combination of `pick_blobs` on a micrograph [h, w], by name.

    The evidence is that of `evidences`.
    """
    blobs = ReadyBlobs(
        *(image, pixel_size_angstrom, diameter_angstrom, diameter_max_angstrom),
        *(minimum_distance_angstrom, contrast, ctf, valid),
    )
    return _trials(blobs, combinations(shapes, aspects), threshold)


def _trials(blobs: ReadyBlobs, tried: Sequence[Combination], threshold: float) -> dict[str, BlobTrial]:
    scored = dict(zip((one.name for one in tried), side_by_side(blobs.scored, tried), strict=True))
    return {
        name: BlobTrial(blobs.picks(one, threshold), value)
        for (name, one), value in zip(scored.items(), evidences(list(scored.values())), strict=True)
    }


class ReadyBlobs:
    """A micrograph made ready for blobs of about a diameter."""

    def __init__(
        self,
        image: jax.Array | np.ndarray,
        pixel_size: float,
        diameter: float,
        largest: float | None,
        distance: float | None,
        contrast: Contrast,
        ctf: CtfParameters | None,
        valid: np.ndarray | None,
    ) -> None:
        if not 4 * pixel_size <= diameter <= 0.8 * min(image.shape) * pixel_size:
            raise ValueError(
                f"diameter {diameter:g} Å: between 4 px and 80 % of the micrograph's shorter side is allowed, "
                f"here {4 * pixel_size:.4g} to {0.8 * min(image.shape) * pixel_size:.4g} Å"
            )
        self.diameters = _diameters(diameter, largest)
        self.scene: Scene = scene(image, pixel_size, diameter, valid=valid)
        self.distance_px = (TOUCHING * diameter if distance is None else distance) / self.scene.work.pixel_size_angstrom
        self.contrast, self.ctf, self.shape = contrast, ctf, image.shape

    def scored(self, combination: Combination) -> ScoredPeaks:
        """Peaks of one combination with their probabilities."""
        pixel = self.scene.work.pixel_size_angstrom
        blobs = blob_templates(
            combination, self.diameters, pixel_size_angstrom=pixel, contrast=self.contrast, ctf=self.ctf
        )
        return scored_peaks(match(self.scene, *blobs), self.distance_px)

    def picks(self, scored: ScoredPeaks, threshold: float) -> Picks:
        """Those within the micrograph, in its pixels."""
        y, x = self.scene.work.to_micrograph(scored.peaks.y, scored.peaks.x)
        inside = (x >= 0) & (y >= 0) & (x <= self.shape[1] - 1) & (y <= self.shape[0] - 1)
        kept = inside & (scored.probability >= max(threshold, LEAST_SCORE))
        return Picks(x[kept], y[kept], scored.probability[kept], scored.mixture.certainty)


def _diameters(smallest: float, largest: float | None) -> list[float]:
    """One diameter, or steps of at most a quarter from the smallest to the largest."""
    if largest is None:
        return [smallest]
    if largest < smallest:
        raise ValueError(f"diameter from {smallest:g} to {largest:g} Å: the smaller one comes first")
    steps = max(2, math.ceil(math.log(largest / smallest) / math.log(1.25)) + 1)
    return [float(d) for d in np.geomspace(smallest, largest, steps)]
