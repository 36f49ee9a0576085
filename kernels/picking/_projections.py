"""Templates from a 3-D map: its projections in directions spread evenly over the sphere."""

from __future__ import annotations

import math

import numpy as np
import scipy.ndimage

_LARGEST = 96  # pixels across a projection; pickers use no finer detail


def map_projections(volume: np.ndarray, *, angular_step_degrees: float = 30.0) -> tuple[np.ndarray, int]:
    """Projections [T, m, m] of a map [z, y, x] (cube), and by how much it was binned first, so that m is at most 96.

    Directions lie on a Fibonacci lattice (González, Math. Geosci. 42 (2010) 49) as many as cover the sphere in steps of
    `angular_step_degrees`; turns in the plane are the picker's. Raises ValueError where the map is no cube or the step
    is not between 3 and 180 degrees.
    """
    if volume.ndim != 3 or len(set(volume.shape)) != 1 or volume.shape[0] < 8:
        raise ValueError(f"map of shape {volume.shape}: a cube of at least 8 voxels a side is needed")
    if not 3 <= angular_step_degrees <= 180:
        raise ValueError(f"angular step of {angular_step_degrees:g}°: from 3 to 180 is allowed")
    binning = -(-volume.shape[0] // _LARGEST)
    size = volume.shape[0] // binning
    small = np.nan_to_num(np.asarray(volume[: size * binning, : size * binning, : size * binning], np.float32))
    small = small.reshape(size, binning, size, binning, size, binning).mean(axis=(1, 3, 5))
    small = small - np.median(small)
    centre = np.full(3, size // 2, float)
    projections = []
    for direction in sphere_directions(angular_step_degrees):
        turn = _looking_along(direction)  # rows: the projection's z, y, x axes in the map
        projections.append(
            scipy.ndimage.affine_transform(small, turn.T, offset=centre - turn.T @ centre, order=1).sum(axis=0)
        )
    return np.array(projections, np.float32), binning


def sphere_directions(step_degrees: float) -> np.ndarray:
    """Unit vectors [T, 3] (x, y, z) about `step_degrees` apart."""
    count = max(1, round(4 * math.pi / math.radians(step_degrees) ** 2))
    number = np.arange(count)
    z = 1 - (2 * number + 1) / count
    turn = number * math.pi * (3 - math.sqrt(5))
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), z], axis=1)


def _looking_along(direction: np.ndarray) -> np.ndarray:
    """Orthonormal axes [3, 3], rows z, y, x of the projection, each in (z, y, x) of the map."""
    ahead = np.asarray(direction)[::-1]
    helper = np.array([0.0, 1.0, 0.0]) if abs(ahead[1]) < 0.9 else np.array([0.0, 0.0, 1.0])
    right = np.cross(ahead, helper)
    right /= np.linalg.norm(right)
    up = np.cross(right, ahead)
    axes = np.stack([ahead, up, right])
    return axes if np.linalg.det(axes) > 0 else np.stack([ahead, up, -right])
