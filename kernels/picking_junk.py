"""Where a micrograph is not ice with particles: carbon, contamination, gold, ice far too thick or gone."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np
import scipy.ndimage

from warpcore.kernels.picking_correlation import coarser

_PIXEL_ANGSTROM = 12.0
_LEVEL_ANGSTROM = 60.0  # Gaussian over which a local level is taken
_GRAIN_ANGSTROM = 80.0  # and a local roughness
_LEVEL_LIMIT = 3.0  # departure of the level, in units of the typical roughness
_GRAIN_LIMIT = 2.5  # roughness by the typical one
_AGREE = 1.5  # departure of levels that still belong to one ice layer
_LEAST_DIAMETERS = 1.5  # smaller patches are particles


class JunkMask(NamedTuple):
    """Junk (True) at a coarser pixel [h', w'] that spans the whole micrograph, and its share in %."""

    mask: np.ndarray
    percent: float
    pixel_size_angstrom: float

    def valid(self, shape: tuple[int, int]) -> np.ndarray:
        """What is not junk, at the pixels of a micrograph of `shape` [h, w] (bool)."""
        rows = np.minimum(((np.arange(shape[0]) + 0.5) * self.mask.shape[0] / shape[0]).astype(int), len(self.mask) - 1)
        columns = ((np.arange(shape[1]) + 0.5) * self.mask.shape[1] / shape[1]).astype(int)
        return np.asarray(~self.mask[np.ix_(rows, np.minimum(columns, self.mask.shape[1] - 1))])


def junk_mask(
    image: jax.Array | np.ndarray, *, pixel_size_angstrom: float, diameter_angstrom: float | None = None
) -> JunkMask:
    """Junk in a micrograph [h, w]: patches whose level or roughness is far from the micrograph's own.

    The level's smooth change across the micrograph (ice thickness) is the plane of its majority; what departs from it by 3 times the
    typical roughness between 24 and 60 Å, or is itself 2.5 times as rough, is junk. Patches narrower than 1.5 diameters
    (of particles; None: 150 Å) are not, and the mask reaches a fifth of a diameter beyond what it found.
    """
    diameter = diameter_angstrom or 150.0
    small = coarser(image, pixel_size_angstrom, _PIXEL_ANGSTROM)
    pixel = small.pixel_size_angstrom
    pixels = np.asarray(small.pixels, np.float64)
    level = scipy.ndimage.gaussian_filter(pixels, _LEVEL_ANGSTROM / pixel, mode="nearest")
    rough = scipy.ndimage.gaussian_filter(pixels, 0.5 * _PIXEL_ANGSTROM / pixel, mode="nearest") - level
    # Clipped, so that one edge or dark particle does not make all around it rough.
    bound = 4 * 1.4826 * float(np.median(np.abs(rough)))
    rough = np.clip(rough, -bound, bound)
    grain = np.sqrt(scipy.ndimage.gaussian_filter(rough**2, _GRAIN_ANGSTROM / pixel, mode="nearest"))
    smooth = float(np.percentile(grain, 30))  # film and crystals are the rougher part
    departure = level - _majority_plane(level, _AGREE * smooth)
    agreeing = np.abs(departure) <= _AGREE * smooth
    typical = float(np.median(grain[agreeing])) if agreeing.any() else smooth
    if typical <= 0:
        return JunkMask(np.zeros(pixels.shape, bool), 0.0, pixel)
    junk = (np.abs(departure) > _LEVEL_LIMIT * typical) | (grain > _GRAIN_LIMIT * typical)
    junk = scipy.ndimage.binary_fill_holes(junk)
    junk = _opened(np.asarray(junk), 0.5 * _LEAST_DIAMETERS * diameter / pixel)
    grown = scipy.ndimage.distance_transform_edt(~junk) <= diameter / 5 / pixel if junk.any() else junk
    return JunkMask(np.asarray(grown), 100 * float(grown.mean()), pixel)


def _opened(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """The mask without parts narrower than a circle of this radius; beyond the image it goes on as at its edge."""
    pad = int(np.ceil(radius_px)) + 1
    padded = np.pad(mask, pad, mode="edge")
    eroded = scipy.ndimage.distance_transform_edt(padded) > radius_px
    if not eroded.any():
        return np.zeros_like(mask)
    return np.asarray((scipy.ndimage.distance_transform_edt(~eroded) <= radius_px)[pad:-pad, pad:-pad])


def _majority_plane(level: np.ndarray, tolerance: float) -> np.ndarray:
    """The plane that most of the levels lie on within the tolerance: best of planes through random triples (RANSAC), then fitted.

    A film that fills a third of the micrograph tilts any least-squares plane; it does not tilt the majority's.
    """
    height, width = level.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.stack([np.ones(level.size), x.ravel(), y.ravel()], axis=1)
    values = level.ravel()
    rng = np.random.default_rng(0)  # fixed: equal micrographs, equal masks
    some = rng.permutation(len(values))[:1500]
    triples = rng.integers(0, len(some), (400, 3))
    corners = basis[some][triples]
    solvable = np.abs(np.linalg.det(corners)) > 0.2  # wide triangles only
    planes = np.linalg.solve(corners[solvable], values[some][triples[solvable]][..., None])[..., 0]
    flat = np.array([[np.median(values), 0.0, 0.0]])
    planes = np.concatenate([flat, planes])
    agreement = (np.abs(values[some] - planes @ basis[some].T) <= tolerance).sum(axis=1)
    solution = planes[int(np.argmax(agreement))]
    for _ in range(3):
        near = np.abs(values - basis @ solution) <= tolerance
        if near.sum() < 10:
            break
        solution, *_ = np.linalg.lstsq(basis[near], values[near], rcond=None)
    return np.asarray((basis @ solution).reshape(level.shape))
