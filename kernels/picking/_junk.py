"""Where a micrograph is not ice with particles: carbon, contamination, gold, ice far too thick or gone."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage

from warpcore.kernels.picking._correlation import coarser

_PIXEL_ANGSTROM = 12.0
_LEVEL_ANGSTROM = 60.0  # Gaussian over which a local level is taken
_GRAIN_ANGSTROM = 80.0  # and a local roughness
_LEVEL_LIMIT = 3.0  # departure of the level, in units of the typical roughness
_GRAIN_LIMIT = 2.5  # roughness, in units of the typical one
_AGREE = 1.5  # largest departure of levels of one ice layer
_LEAST_DIAMETERS = 1.5  # smaller patches are particles
_LEAST_ICE = 0.08  # share of a micrograph from which a brighter, structured part is its ice and the rest a film
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
# Sum of squared correlations of neighbours at 12 Å above which a part is no vacuum: vacuum has 0.0015, ice 0.01 to 1.
_STRUCTURE = 0.004
_OPAQUE = 0.5  # less than this share of the ice's electrons means metal, however small
_OPAQUE_SPREADS = 10.0  # and at least this far below the ice: zero may be any level of a shifted image


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
    """Junk in a micrograph [h, w]: patches whose level or roughness differs much from the micrograph's own ice.

    The level's smooth change across the micrograph (ice thickness) is the plane of its majority; what departs from it
    by 3 times the typical roughness between 24 and 60 Å, or is itself 2.5 times as rough, is junk. Where a brighter
    part of at least 8 % has structure of its own (vacuum has none), that part is the ice and the majority a film.
    Patches narrower than 1.5 diameters (of particles; None: 150 Å) are not junk unless they are opaque, as gold is; the
    mask reaches a fifth of a diameter beyond what it found.
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
    brighter = _brighter_ice(pixels - level, departure, smooth, 0.5 * _LEAST_DIAMETERS * diameter / pixel, pixel)
    if brighter is not None:
        smooth = float(np.percentile(grain[brighter], 30))
        departure = level - _majority_plane(level, _AGREE * smooth, brighter)
    agreeing = np.abs(departure) <= _AGREE * smooth
    typical = float(np.median(grain[agreeing])) if agreeing.any() else smooth
    if typical <= 0:
        return JunkMask(np.zeros(pixels.shape, bool), 0.0, pixel)
    junk = (np.abs(departure) > _LEVEL_LIMIT * typical) | (grain > _GRAIN_LIMIT * typical)
    junk = scipy.ndimage.binary_fill_holes(junk)
    junk = _opened(np.asarray(junk), 0.5 * _LEAST_DIAMETERS * diameter / pixel) | _opaque(image, pixels.shape, agreeing)
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


def _brighter_ice(
    fluctuation: np.ndarray, departure: np.ndarray, smooth: float, radius_px: float, pixel_size_angstrom: float
) -> np.ndarray | None:
    """The part (bool) brighter than the majority, where it is large enough for ice and has structure; or None.

    Its margin, where the level still rises, is left out.
    """
    brighter = _opened(departure > _LEVEL_LIMIT * smooth, radius_px)
    margin = int(np.ceil(2.5 * _LEVEL_ANGSTROM / pixel_size_angstrom))
    padded = np.pad(brighter, margin, mode="edge")
    within = (scipy.ndimage.distance_transform_edt(padded) > margin)[margin:-margin, margin:-margin]
    if brighter.mean() < _LEAST_ICE or not within.any():
        return None
    values = fluctuation[within]
    correlations = [
        float((values * np.roll(fluctuation, lag, (0, 1))[within]).mean() / (values**2).mean()) for lag in _NEIGHBOURS
    ]
    # White noise alone scatters by 1/sqrt(number): the sum of squares then lies below 25/number but for one in 3000.
    structured = sum(one**2 for one in correlations) > _STRUCTURE + 25 / len(values)
    return within if structured else None


def _opaque(image: jax.Array | np.ndarray, shape: tuple[int, ...], ice: np.ndarray) -> np.ndarray:
    """Where next to no electrons come through, at the pixels of a mask of `shape`; `ice` (bool) tells which are ice."""
    none = np.zeros(shape, bool)
    binning = max(1, min(n // m for n, m in zip(image.shape, shape, strict=True)))
    rows, columns = (n // binning for n in image.shape)
    counts = _binned(image, binning, rows, columns)
    at = [
        np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1) for n, m in zip(shape, counts.shape, strict=True)
    ]
    seen = scipy.ndimage.gaussian_filter(counts, 1.0, mode="nearest")[np.ix_(*at)]
    if not ice.any():
        return none
    low, middle, high = np.percentile(seen[ice], [16, 50, 84])
    dark = (seen < _OPAQUE * middle) & (middle - seen > _OPAQUE_SPREADS * max((high - low) / 2, 1e-12 * abs(middle)))
    return _opened(dark, 1.0) if middle > 0 else none


def _binned(image: jax.Array | np.ndarray, binning: int, rows: int, columns: int) -> np.ndarray:
    """Means over binning x binning pixels, where the image lies: [rows, columns] on the host."""
    numpy: Any = jnp if isinstance(image, jax.Array) else np
    pixels = numpy.nan_to_num(image.astype(np.float32)[: rows * binning, : columns * binning])
    return np.asarray(pixels.reshape(rows, binning, columns, binning).mean(axis=(1, 3)))


def _majority_plane(level: np.ndarray, tolerance: float, among: np.ndarray | None = None) -> np.ndarray:
    """The plane that most levels lie on within the tolerance; only those `among` (bool) count.

    The best of planes through random triples (RANSAC) is taken, then fitted.
    A film that fills a third of the micrograph tilts any least-squares plane; it does not tilt the majority's.
    """
    height, width = level.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    basis = np.stack([np.ones(level.size), x.ravel(), y.ravel()], axis=1)
    every, values = basis, level.ravel()
    if among is not None:
        basis, values = basis[among.ravel()], values[among.ravel()]
    rng = np.random.default_rng(0)  # fixed: equal micrographs, equal masks
    some = rng.permutation(len(values))[:1500]
    triples = rng.integers(0, len(some), (400, 3))
    corners = basis[some][triples]
    # Wide triangles only, by the size of the part they are taken from.
    solvable = np.abs(np.linalg.det(corners)) > (0.2 if among is None else 0.2 * among.mean())
    planes = np.linalg.solve(corners[solvable], values[some][triples[solvable]][..., None])[..., 0]
    flat = np.array([[np.median(values), 0.0, 0.0]])
    planes = np.concatenate([flat, planes])
    # Planes are compared at half the tolerance: a tilted plane between film and ice is otherwise near much of both.
    agreement = (np.abs(values[some] - planes @ basis[some].T) <= tolerance / 2).sum(axis=1)
    solution = planes[int(np.argmax(agreement))]
    for _ in range(3):
        near = np.abs(values - basis @ solution) <= tolerance
        if near.sum() < 10:
            break
        solution, *_ = np.linalg.lstsq(basis[near], values[near], rcond=None)
    return np.asarray((every @ solution).reshape(level.shape))
