"""Templates from a session's own confident picks, and whether they help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import numpy.typing as npt
import scipy.stats

from warpcore.kernels.picking._averaging import class_averages
from warpcore.kernels.picking._particles import extract_particles
from warpcore.kernels.picking._peaks import thinned
from warpcore.kernels.picking._shapes import Contrast

_SAMPLES = 18.0  # pixels across a diameter
_BOX_DIAMETERS = 1.5
_MOST_BOXES = 400
_APART_DIAMETERS = 0.75


class SessionTemplates(NamedTuple):
    """Templates [K, n, n], matter bright, their pixel size in Å, and the boxes averaged in each [K]; K may be 0."""

    images: npt.NDArray[np.float32]
    pixel_size_angstrom: float
    members: npt.NDArray[np.int64]


def session_templates(
    micrographs: Sequence[tuple[jax.Array | np.ndarray, float, npt.NDArray[np.floating]]],
    diameter_angstrom: float,
    *,
    classes: int = 6,
    contrast: Contrast = "dark",
) -> SessionTemplates:
    """Templates out of micrographs: (image [h, w], pixel size in Å, confident picks [N, 2] as x, y in px, best first).

    Up to 400 boxes, the same number of best picks from each micrograph. The templates carry the micrographs' mean CTF:
    `pick_templates` takes them without one. Without micrographs or with too few picks there are none.
    """
    pixel = max([diameter_angstrom / _SAMPLES, *(size for _, size, _ in micrographs)])
    box = 2 * math.ceil(0.5 * _BOX_DIAMETERS * diameter_angstrom / pixel)
    share = math.ceil(_MOST_BOXES / max(len(micrographs), 1))
    boxes = [
        extract_particles(
            image,
            xy[:share, 0],
            xy[:share, 1],
            box_px=box,
            pixel_size_angstrom=size,
            particle_pixel_size_angstrom=pixel,
            invert=contrast == "dark",
            diameter_angstrom=diameter_angstrom,
        )[0]
        for image, size, xy in micrographs
    ]
    found = class_averages(np.concatenate([np.zeros((0, box, box)), *boxes]), diameter_angstrom / pixel, classes)
    return SessionTemplates(found.images, pixel, found.members)


class HeldBack(NamedTuple):
    """What a picker does on a micrograph that had no part in its templates."""

    gain: float
    """Picks expected to be true less those expected to be false."""
    noise_picks: int
    """Picks on noise of the micrograph's spectrum."""


class Verdict(NamedTuple):
    """Whether templates help: by how many picks a micrograph, and what that has to exceed."""

    helps: bool
    gain: float
    margin: float


def expected_gain(
    x_px: npt.NDArray[np.floating],
    y_px: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    diameter_px: float,
) -> float:
    """True picks expected less false ones, the sum of 2p - 1 over picks [N] (best first) of probability p >= 0.5.

    Picks nearer than 0.75 diameters to a better one do not count: side lobes of a particle look like that.
    """
    sure = scores >= 0.5
    apart = thinned(np.asarray(y_px)[sure], np.asarray(x_px)[sure], _APART_DIAMETERS * diameter_px)
    return float((2 * scores[sure][apart] - 1).sum())


def templates_help(base: Sequence[HeldBack], templates: Sequence[HeldBack]) -> Verdict:
    """Whether picking by templates beats the method without them on the same held-back micrographs.

    The gain is the mean difference over the micrographs; it has to exceed the one-sided 95 % limit of Student's t for
    its scatter, so that equal methods pass once in twenty. Templates that pick more on noise never help, nor do any
    with under two micrographs. Raises ValueError for sequences of different lengths.
    """
    difference = np.array([two.gain - one.gain for one, two in zip(base, templates, strict=True)])
    if len(difference) < 2:
        return Verdict(False, float(difference.sum()), math.inf)
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    gain, margin = float(difference.mean()), float(scipy.stats.t.ppf(0.95, len(difference) - 1)) * error
    on_noise = sum(two.noise_picks for two in templates) - sum(one.noise_picks for one in base)
    return Verdict(gain > margin and on_noise <= 0, gain, margin)
