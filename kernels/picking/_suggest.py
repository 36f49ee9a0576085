"""What diameter the particles of some micrographs have, for a user who does not know: proposals with their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking._blobs import ReadyBlobs
from warpcore.kernels.picking._shapes import Combination, Contrast

_STEP = 1.12  # between the extents tried
_OF_DIAMETER = 0.87  # best blob's extent by the particles' diameter: 80S, TRPV1, apoferritin, T20S
_LEAST_EVIDENCE = 8.0  # a micrograph, natural log; noise reaches 1 to 3
_LEAST_SHARE = 0.2  # of the best proposal's evidence
_ROUND = (Combination("disc", 1.0, 1.0), Combination("ring", 1.0, 1.0))
_ELONGATED = Combination("disc", 1.0, 2.0)
_LONGER = (1.4, 1.6)  # extents of elongated blobs by that of the round one that fits
_CLEARLY = 1.1  # elongated ones count where their evidence is so many times that of round ones


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
    """Proposals from micrographs (image [h, w], pixel size in Å, CTF or None), best first; none from noise alone.

    Blobs of many extents are matched; the local maxima of their evidence are proposed. Diameters that a micrograph
    cannot hold are not tried. Raises ValueError where none is left.
    """
    extents = _extents(micrographs, smallest_angstrom * _OF_DIAMETER, largest_angstrom * _OF_DIAMETER)
    tried = np.array([[_tried(micrographs, float(e), shape, contrast) for shape in _ROUND] for e in extents])
    best = tried[:, :, 0].max(axis=1)
    padded = np.concatenate([[np.inf], best, [np.inf]])  # at either end it may go on rising: no maximum
    least = max(_LEAST_EVIDENCE * len(micrographs), _LEAST_SHARE * float(best.max()))
    found = []
    for row in np.nonzero((best >= padded[:-2]) & (best > padded[2:]) & (best >= least))[0]:
        column = int(tried[row, :, 0].argmax())
        round_one = _proposal(float(extents[row]), _ROUND[column].name, tried[row, column])
        longer = [one for one in float(extents[row]) * np.array(_LONGER) if one <= extents[-1]]
        others = [_proposal(one, _ELONGATED.name, _tried(micrographs, one, _ELONGATED, contrast)) for one in longer]
        elongated = max(others, key=lambda one: one.evidence, default=round_one)
        found.append(elongated if elongated.evidence > _CLEARLY * round_one.evidence else round_one)
    return sorted(found, key=lambda one: -one.evidence)


def _tried(
    micrographs: Sequence[tuple[jax.Array | np.ndarray, float, CtfParameters | None]],
    extent: float,
    combination: Combination,
    contrast: Contrast,
) -> tuple[float, float]:
    """Evidence of one combination over all micrographs, and the particles expected on one."""
    scored = [
        ReadyBlobs(image, pixel_size, extent, None, None, contrast, ctf, None).scored(combination)
        for image, pixel_size, ctf in micrographs
    ]
    particles = sum(int((one.probability >= 0.5).sum()) for one in scored) / len(micrographs)
    return sum(one.mixture.log_evidence for one in scored), particles


def _proposal(extent: float, shape: str, told: Sequence[float]) -> Proposal:
    diameter = extent / _OF_DIAMETER
    return Proposal(float(round(diameter, -1 if diameter >= 100 else 0)), shape, float(told[0]), float(told[1]))


def _extents(
    micrographs: Sequence[tuple[jax.Array | np.ndarray, float, CtfParameters | None]], smallest: float, largest: float
) -> np.ndarray:
    """Extents to try, in Å: at least 8 px, at most a third of the shorter side."""
    smallest = max([smallest, *(8 * pixel for _, pixel, _ in micrographs)])
    largest = min([largest, *(min(image.shape) * pixel / 3 for image, pixel, _ in micrographs)])
    if not micrographs or largest <= smallest:
        limits = f"from {smallest / _OF_DIAMETER:.4g} to {largest / _OF_DIAMETER:.4g} Å"
        raise ValueError(f"no diameter {limits} can be tried on these micrographs")
    return np.geomspace(smallest, largest, max(2, round(np.log(largest / smallest) / np.log(_STEP)) + 1))
