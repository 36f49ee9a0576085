"""What diameter the particles of some micrographs have, for a user who does not know: proposals with their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking._blobs import ReadyBlobs
from warpcore.kernels.picking._shapes import Combination, Contrast

_STEP = 1.12  # between the extents tried
_OF_DIAMETER = 0.87  # extent of the blob that fits best by the longest extent of particles: 80S, TRPV1, apoferritin, T20S
_LEAST_EVIDENCE = 8.0  # a micrograph, natural log; noise reaches 1 to 3
_LEAST_SHARE = 0.2  # of the best proposal's evidence
_TRIED = (Combination("disc", 1.0, 1.0), Combination("ring", 1.0, 1.0), Combination("disc", 1.0, 2.0))


class Proposal(NamedTuple):
    """A diameter in Å, the shape that fits, its evidence, and the particles expected on a micrograph.

    The evidence is the natural log of how much better particles of that shape explain the peaks of all micrographs than
    noise alone does.
    """

    diameter_angstrom: float
    shape: str
    evidence: float
    particles: float


def suggest_diameters(
    micrographs: Sequence[tuple[jax.Array | np.ndarray, float, CtfParameters | None]],
    *,
    smallest_angstrom: float = 60.0,
    largest_angstrom: float = 600.0,
    contrast: Contrast = "dark",
) -> list[Proposal]:
    """Proposals from micrographs (image [h, w], pixel size in Å, CTF or None), best first; none where there is only noise.

    Blobs of many extents are matched; the local maxima of their evidence are proposed. Diameters that a micrograph
    cannot hold are not tried. Raises ValueError where none is left.
    """
    extents = _extents(micrographs, smallest_angstrom, largest_angstrom)
    evidence = np.zeros((len(extents), len(_TRIED)))
    particles = np.zeros_like(evidence)
    for image, pixel_size, ctf in micrographs:
        for row, extent in enumerate(extents):
            ready = ReadyBlobs(image, pixel_size, float(extent), None, None, contrast, ctf, None)
            for column, combination in enumerate(_TRIED):
                scored = ready.scored(combination)
                evidence[row, column] += scored.mixture.log_evidence
                particles[row, column] += float((scored.probability >= 0.5).sum()) / len(micrographs)
    return sorted(_maxima(extents, evidence, particles, len(micrographs)), key=lambda one: -one.evidence)


def _extents(
    micrographs: Sequence[tuple[jax.Array | np.ndarray, float, CtfParameters | None]], smallest: float, largest: float
) -> np.ndarray:
    """Extents to try, in Å: at least 8 px, at most a third of the shorter side."""
    smallest = max([smallest, *(8 * pixel for _, pixel, _ in micrographs)])
    largest = min([largest, *(min(image.shape) * pixel / 3 for image, pixel, _ in micrographs)])
    if not micrographs or largest <= smallest:
        raise ValueError(f"no diameter from {smallest:.4g} to {largest:.4g} Å can be tried on these micrographs")
    return np.geomspace(smallest, largest, max(2, round(np.log(largest / smallest) / np.log(_STEP)) + 1))


def _maxima(extents: np.ndarray, evidence: np.ndarray, particles: np.ndarray, number: int) -> Iterator[Proposal]:
    best = evidence.max(axis=1)
    padded = np.concatenate([[-np.inf], best, [-np.inf]])
    least = max(_LEAST_EVIDENCE * number, _LEAST_SHARE * float(best.max()))
    for row in np.nonzero((best >= padded[:-2]) & (best > padded[2:]) & (best >= least))[0]:
        column = int(evidence[row].argmax())
        diameter = float(extents[row]) / _OF_DIAMETER
        yield Proposal(round(diameter, -1 if diameter >= 100 else 0), _TRIED[column].name, float(best[row]), float(particles[row, column]))
