"""Projections of a map whose projections are known."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.picking._projections import map_projections, sphere_directions


def test_directions_are_unit_vectors_about_a_step_apart() -> None:
    directions = sphere_directions(20.0)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    cosines = directions @ directions.T - 2 * np.eye(len(directions))
    nearest = np.degrees(np.arccos(cosines.max(axis=1)))
    assert 14 < nearest.min() <= nearest.max() < 22
    np.testing.assert_allclose(directions.mean(axis=0), 0, atol=0.02)


def test_a_point_is_projected_along_each_direction() -> None:
    size, place = 40, np.array([6.0, -4.0, 8.0])  # x, y, z from the centre
    z, y, x = np.mgrid[0:size, 0:size, 0:size] - size // 2
    volume = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2) / 8)
    projections, binning = map_projections(volume, angular_step_degrees=45)
    assert binning == 1
    directions = sphere_directions(45)
    assert len(projections) == len(directions)
    grid = np.arange(size) - size // 2
    for projection, direction in zip(projections, directions, strict=True):
        total = projection.sum()
        assert total == pytest.approx(volume.sum(), rel=0.02)
        cx, cy = (projection * grid).sum() / total, (projection * grid[:, None]).sum() / total
        # Its distance from the axis through the centre is what a projection shows.
        assert np.hypot(cx, cy) == pytest.approx(np.linalg.norm(np.cross(place, direction)), abs=0.15)


def test_handedness_is_kept() -> None:
    size = 32
    z, y, x = np.mgrid[0:size, 0:size, 0:size] - size // 2
    # Three points without mirror symmetry: seen along z, a turn of the plane must bring the projection onto x and y.
    volume = sum(
        w * np.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 4)
        for w, a, b, c in ((3.0, 9, 0, 0), (2.0, 0, 7, 0), (1.0, -5, -5, 0))
    )
    projections, _ = map_projections(np.asarray(volume), angular_step_degrees=10)
    along = int(np.argmax(sphere_directions(10)[:, 2]))
    grid = np.arange(size) - size // 2
    seen = projections[along]
    peaks = []
    for _ in range(2):
        row, column = np.unravel_index(np.argmax(seen), seen.shape)
        peaks.append((grid[column], grid[row]))
        seen = np.where(np.hypot(grid[None] - grid[column], grid[:, None] - grid[row]) < 4, 0, seen)
    (ax, ay), (bx, by) = peaks
    assert ax * by - ay * bx > 0  # the second lies 90° from the first, from x towards y


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 12), (4, 4, 4)])
def test_what_is_no_cube_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cube"):
        map_projections(np.zeros(shape))


def test_large_maps_are_binned() -> None:
    projections, binning = map_projections(
        np.random.default_rng(0).normal(size=(100, 100, 100)), angular_step_degrees=180
    )
    assert binning == 2
    assert projections.shape[1:] == (50, 50)
