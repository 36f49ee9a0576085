"""Blob templates: projections of balls, shells and ellipsoids as the microscope images them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from warpcore.kernels.ctf import CtfParameters

Shape = Literal["disc", "ring"]
Contrast = Literal["dark", "bright"]

_RING_CAVITY = 0.7  # inner radius of the shells that count as rings, in outer radii
_MASK_MARGIN = 2.0  # mask radius, in radii of the shape: its surroundings tell the level that it stands out from
_DIRECTIONS = 6  # of elongated shapes in half a turn


class Combination(NamedTuple):
    """A shape, its longest extent by the particle's diameter, and that extent by the shortest one."""

    shape: Shape
    size: float
    aspect: float

    @property
    def name(self) -> str:
        """As in `blob_trials`: `disc 0.85`, `disc 0.85 aspect 1.5`."""
        return f"{self.shape} {self.size:g}" + (f" aspect {self.aspect:g}" if self.aspect > 1 else "")


_SIZES: dict[Shape, tuple[float, ...]] = {"disc": (0.55, 0.7, 0.85, 1.0, 1.15), "ring": (0.7, 0.85, 1.0, 1.15)}
_ELONGATED_SIZES = (0.7, 0.85, 1.0, 1.15)
_LARGEST = 1.15  # of all sizes: templates of all combinations have the same shape, for one compiled function


def combinations(shapes: Sequence[Shape], aspects: Sequence[float]) -> list[Combination]:
    """All combinations of shapes, sizes and aspects that blobs are tried in; only discs are elongated."""
    round_ones = [Combination(shape, size, 1.0) for shape in shapes for size in _SIZES[shape]]
    longer = [float(aspect) for aspect in aspects if aspect > 1 and "disc" in shapes]
    return round_ones + [Combination("disc", size, aspect) for aspect in longer for size in _ELONGATED_SIZES]


class Blobs(NamedTuple):
    """Templates and masks [T, n, n], and the particle's extent [n, n]."""

    templates: np.ndarray
    masks: np.ndarray
    extent: np.ndarray


def blob_templates(
    combination: Combination,
    diameters_angstrom: Sequence[float],
    *,
    pixel_size_angstrom: float,
    contrast: Contrast = "dark",
    ctf: CtfParameters | None = None,
) -> Blobs:
    """A combination's shape for particles of these diameters (longest extents); elongated ones in 6 directions.

    With a CTF the projection is imaged by it, without it is only dark or bright; `bright` is the reverse of `dark`.
    """
    largest = _LARGEST * max(diameters_angstrom)
    size = 2 * math.ceil(_MASK_MARGIN * largest / 2 / pixel_size_angstrom) + 8
    offset = (np.arange(size) - size // 2) * pixel_size_angstrom
    y, x = np.meshgrid(offset, offset, indexing="ij")
    templates, masks = [], []
    for diameter in diameters_angstrom:
        outer = combination.size * diameter / 2
        for turn in np.arange(_DIRECTIONS) * math.pi / _DIRECTIONS if combination.aspect > 1 else (0.0,):
            along = x * math.cos(turn) + y * math.sin(turn)
            across = (-x * math.sin(turn) + y * math.cos(turn)) * combination.aspect
            radius = np.hypot(along, across)
            templates.append(_shell(radius, outer, _RING_CAVITY if combination.shape == "ring" else 0.0))
            masks.append(soft_disc(radius, _MASK_MARGIN * outer, pixel_size_angstrom))
    stack = imaged(np.array(templates), pixel_size_angstrom, contrast, ctf)
    extent = soft_disc(np.hypot(x, y), min(diameters_angstrom) / 2, pixel_size_angstrom)
    return Blobs(stack, np.array(masks, np.float32), extent)


def soft_disc(radius: np.ndarray, edge: float, pixel_size: float) -> np.ndarray:
    """1 within the edge, 0 beyond, over about two pixels; all in Å."""
    return np.asarray(1 / (1 + np.exp(np.minimum((radius - edge) / (0.7 * pixel_size), 80.0))), np.float32)


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
