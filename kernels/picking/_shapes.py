"""Blob templates: projections of balls, shells and ellipsoids as the microscope images them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from warpcore.kernels.ctf import CtfParameters

Shape = Literal["disc", "ring"]
Contrast = Literal["dark", "bright"]

_RING_CAVITIES = (0.6, 0.75)  # inner radius of the shells that count as rings, in outer radii
_MASK_MARGIN = (
    1.2  # mask radius, in radii of the shape: the dark-to-light edge and its first fringe belong to the shape
)


class Blobs(NamedTuple):
    """Templates and masks [T, n, n]."""

    templates: np.ndarray
    masks: np.ndarray


def blob_templates(
    diameters_angstrom: Sequence[float],
    *,
    shapes: Sequence[Shape] = ("disc", "ring"),
    aspects: Sequence[float] = (1.0,),
    pixel_size_angstrom: float,
    contrast: Contrast = "dark",
    ctf: CtfParameters | None = None,
) -> Blobs:
    """All shapes at all diameters (longest extents) and aspects (longest divided by shortest extent).

    Elongated ones are there in 6 directions.

    With a CTF the projection is imaged by it, without it is only dark or bright; `bright` is the reverse of `dark`.
    """
    size = 2 * math.ceil(1.1 * max(diameters_angstrom) / pixel_size_angstrom) + 4
    offset = (np.arange(size) - size // 2) * pixel_size_angstrom
    y, x = np.meshgrid(offset, offset, indexing="ij")
    templates, masks = [], []
    for diameter in diameters_angstrom:
        for aspect in aspects:
            for turn in np.arange(6) * math.pi / 6 if aspect > 1 else (0.0,):
                along = x * math.cos(turn) + y * math.sin(turn)
                across = (-x * math.sin(turn) + y * math.cos(turn)) * aspect
                radius = np.hypot(along, across)
                mask = 1 / (1 + np.exp((radius - _MASK_MARGIN * diameter / 2) / (0.7 * pixel_size_angstrom)))
                for cavity in [c for s in shapes for c in ((0.0,) if s == "disc" else _RING_CAVITIES)]:
                    templates.append(_shell(radius, diameter / 2, cavity))
                    masks.append(mask)
    stack = imaged(np.array(templates), pixel_size_angstrom, contrast, ctf)
    return Blobs(stack, np.array(masks, np.float32))


def imaged(
    projections: np.ndarray, pixel_size_angstrom: float, contrast: Contrast = "dark", ctf: CtfParameters | None = None
) -> np.ndarray:
    """Projections [T, n, n] of matter (more is brighter, centred on n//2) as they look in a micrograph, float32."""
    sign = 1.0 if contrast == "dark" else -1.0
    if ctf is None:
        return np.asarray(-sign * projections, np.float32)
    # Room for the CTF to spread into, so that it does not come back from the other side.
    size = projections.shape[1]
    padded = 2 * size
    transfer = np.asarray(ctf.image((padded, padded), pixel_size_angstrom))
    spectra = np.fft.rfft2(projections, s=(padded, padded)) * transfer
    return np.asarray(sign * np.fft.irfft2(spectra, s=(padded, padded))[:, :size, :size], np.float32)


def _shell(radius: np.ndarray, outer: float, cavity: float) -> np.ndarray:
    """Projection of a ball of radius `outer` with a hollow of `cavity` times that."""
    ball = np.sqrt(np.maximum(outer**2 - radius**2, 0))
    return np.asarray(ball - np.sqrt(np.maximum((cavity * outer) ** 2 - radius**2, 0)) if cavity else ball)
