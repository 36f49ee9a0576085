"""Random particles of scenes: clouds of weighted points, their projections, and where they lie."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.ndimage

from warpcore.kernels.simulate._specimen import GROUP_VOLUME_A3

_POINTS = 600
DALTON_VOLUME_A3 = 1.21
"""Volume of protein by its mass, Å³ a Da (1.35 g/cm³)."""


class Cloud(NamedTuple):
    """Matter as points [A, 3] in Å from the centre, each with the volume of protein it stands for [A] in Å³."""

    points: np.ndarray
    volumes: np.ndarray

    @property
    def extent(self) -> float:
        """Longest extent in Å."""
        return 2 * float(np.linalg.norm(self.points, axis=1).max())


class Orientations(NamedTuple):
    """How particles are turned: evenly (`spread_degrees` None), or within some degrees of one view."""

    view: np.ndarray
    spread_degrees: float | None


def random_cloud(rng: np.random.Generator, diameter_angstrom: float) -> tuple[Cloud, Cloud | None]:
    """A particle whose longest extent is about the diameter, and what its sample holds beside it, or None.

    Ellipsoids, shells, barrels, rods, handfuls of domains, complexes with nucleic acid, and membrane proteins in a
    micelle or nanodisc, whose empty ones lie beside them.
    """
    kind = rng.choice(_KINDS)
    points, weights = _SHAPES[kind](rng)
    while len(points) < 50:
        points, weights = _SHAPES[kind](rng)
    longest = diameter_angstrom * rng.uniform(0.82, 1.06)
    volume = _occupied(points)
    points, weights = points[:_POINTS], weights[:_POINTS]
    points = points - points.mean(axis=0)
    scale = longest / 2 / np.linalg.norm(points, axis=1).max()
    cloud = Cloud(points * scale, volume * scale**3 / len(points) * weights)
    if kind != "membrane" or rng.random() < 0.4:
        return cloud, None
    empty, weight = _belt(rng)
    volume, empty = _occupied(empty), empty[:_POINTS]
    return cloud, Cloud(empty * scale, np.full(len(empty), weight * volume * scale**3 / len(empty)))


def _occupied(points: np.ndarray) -> float:
    """Volume that points fill, in their unit, by cells of a sixth of it."""
    cell = 1 / 6
    return len(np.unique(np.floor(points / cell).astype(int), axis=0)) * cell**3 * 0.8


def _ball(rng: np.random.Generator, number: int = 6000, reach: float = 1.0) -> np.ndarray:
    return rng.uniform(-reach, reach, (number, 3))


def _ellipsoid(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    points = _ball(rng)
    points = points[np.linalg.norm(points, axis=1) < 1] * np.array([1.0, *rng.uniform(0.4, 1.0, 2)])
    return points, np.ones(len(points))


def _shell(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    points = _ball(rng)
    distance = np.linalg.norm(points, axis=1)
    points = points[(distance < 1) & (distance > rng.uniform(0.45, 0.85))]
    return points, np.ones(len(points))


def _barrel(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    points = _ball(rng)
    across, height = np.hypot(points[:, 0], points[:, 1]), rng.uniform(0.5, 1.0)
    width = rng.uniform(0.45, 0.8)
    hollow = rng.uniform(0.0, 0.6) * width
    points = points[(across < width) & (across > hollow) & (np.abs(points[:, 2]) < height)]
    return points, np.ones(len(points))


def _rod(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    points = _ball(rng) * np.array([0.5, 0.5, 1.0])
    width = rng.uniform(0.2, 0.45)
    points = points[np.hypot(points[:, 0], points[:, 1]) < width * (1 - 0.3 * points[:, 2] ** 2)]
    return points, np.ones(len(points))


def _domains(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    number = rng.integers(2, 12)
    places = rng.normal(size=(number, 3)) * rng.uniform(0.25, 0.5, 3)
    sizes = rng.uniform(0.15, 0.4, number)
    points = _ball(rng, reach=1.3)
    points = points[(np.linalg.norm(points[:, None] - places[None], axis=2) < sizes).any(axis=1)]
    return points, np.ones(len(points))


def _symmetric(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Copies of a handful of domains about an axis."""
    part, _ = _domains(rng)
    if not len(part):
        return part, np.ones(0)
    copies = rng.integers(2, 7)
    part = part[:1500] * 0.5 + np.array([rng.uniform(0.2, 0.6), 0, 0])
    turns = 2 * np.pi * np.arange(copies) / copies
    points = np.concatenate(
        [part @ np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]]) for t in turns]
    )
    points = rng.permutation(points)
    return points, np.ones(len(points))


def _nucleic(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A compact body of domains, part of which is nucleic acid, which scatters more."""
    places = rng.normal(size=(rng.integers(8, 20), 3)) * rng.uniform(0.3, 0.5, 3)
    points = _ball(rng)
    nearest = np.linalg.norm(points[:, None] - places[None], axis=2)
    inside = (nearest < rng.uniform(0.2, 0.4, len(places))).any(axis=1)
    dense = rng.random(len(places)) < rng.uniform(0.2, 0.7)
    weights = np.where(dense[nearest.argmin(axis=1)], rng.uniform(1.3, 2.2), 1.0)
    return points[inside], weights[inside]


def _belt(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A flat disc of detergent or lipid about the z axis, and its contrast by that of protein."""
    points = _ball(rng)
    thick = rng.uniform(0.25, 0.5)
    radius = np.hypot(points[:, 0], points[:, 1])
    return points[(radius < 0.95) & (np.abs(points[:, 2]) < thick * (1 - 0.5 * radius**2))], rng.uniform(0.15, 0.5)


def _membrane(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Domains within and beside a belt."""
    belt, weight = _belt(rng)
    number, side = rng.integers(3, 8), rng.choice([-1.0, 1.0])
    places = np.stack(
        [*rng.normal(0, 0.3, (2, number)), side * rng.uniform(-0.2, rng.uniform(0.3, 0.9), number)], axis=1
    )
    points = _ball(rng, reach=1.1)
    protein = points[
        (np.linalg.norm(points[:, None] - places[None], axis=2) < rng.uniform(0.18, 0.4, number)).any(axis=1)
    ]
    both = np.concatenate([belt, protein])
    order = rng.permutation(len(both))
    weights = np.concatenate([np.full(len(belt), weight), np.ones(len(protein))])
    return both[order], weights[order]


_SHAPES = {
    "ellipsoid": _ellipsoid,
    "shell": _shell,
    "barrel": _barrel,
    "rod": _rod,
    "domains": _domains,
    "symmetric": _symmetric,
    "nucleic": _nucleic,
    "membrane": _membrane,
}
_KINDS = [*_SHAPES, "domains", "membrane"]


def globule(rng: np.random.Generator, kilodalton: float) -> Cloud:
    """A compact single chain of this mass, in kDa."""
    volume = kilodalton * 1e3 * DALTON_VOLUME_A3
    radius = (0.75 / math.pi * volume) ** (1 / 3) * 1.1  # a chain is no ball
    points = _ball(rng, 400)
    points = points[np.linalg.norm(points, axis=1) < 1] * radius * np.array([1.2, 1.0, 0.85])
    return Cloud(points, np.full(len(points), volume / len(points)))


def of_atoms(rng: np.random.Generator, positions_angstrom: np.ndarray) -> Cloud:
    """The cloud of a structure's heavy atoms [A, 3]; at most 4000 of them are drawn, standing for all."""
    points = np.asarray(positions_angstrom, float) - np.mean(positions_angstrom, axis=0)
    volume = len(points) * GROUP_VOLUME_A3
    if len(points) > 4000:
        points = points[rng.permutation(len(points))[:4000]]
    return Cloud(points, np.full(len(points), volume / len(points)))


def random_orientations(rng: np.random.Generator) -> Orientations:
    """Even, or (in a third of the samples) a preferred view."""
    spread = float(rng.uniform(5, 40)) if rng.random() < 0.35 else None
    return Orientations(random_rotation(rng), spread)


def drawn(
    rng: np.random.Generator,
    cloud: Cloud,
    centres_yx: np.ndarray,
    size: int,
    pixel_size_angstrom: float,
    orientations: Orientations | None = None,
    amounts: np.ndarray | None = None,
) -> np.ndarray:
    """Projected thickness in Å [size, size] of copies at the centres (px), smoothed by the distance of the points.

    `amounts` [P] weighs each copy.
    """
    if not len(centres_yx):
        return np.zeros((size, size))
    turns = np.stack([_turn(rng, orientations) for _ in centres_yx])
    xy = np.einsum("ak,pkj->paj", cloud.points / pixel_size_angstrom, turns[:, :, :2]) + centres_yx[:, None, ::-1]
    weights = np.broadcast_to(cloud.volumes, xy.shape[:2])
    if amounts is not None:
        weights = weights * amounts[:, None]
    image = spread_points(xy.reshape(-1, 2), weights.ravel(), size) / pixel_size_angstrom**2
    return np.asarray(scipy.ndimage.gaussian_filter(image, 0.7))


def spread_points(xy_px: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Weights of points [N, 2] spread bilinearly over an image [size, size]; those outside are left out."""
    x, y = xy_px.T
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - column, y - row
    inside = (row >= 0) & (row < size - 1) & (column >= 0) & (column < size - 1)
    at, fx, fy, weights = (row * size + column)[inside], fx[inside], fy[inside], weights[inside]
    image = np.zeros(size * size)
    for step, share in ((0, (1 - fy) * (1 - fx)), (1, (1 - fy) * fx), (size, fy * (1 - fx)), (size + 1, fy * fx)):
        image += np.bincount(at + step, weights * share, size * size)
    return image.reshape(size, size)


def _turn(rng: np.random.Generator, orientations: Orientations | None) -> np.ndarray:
    if orientations is None or orientations.spread_degrees is None:
        return random_rotation(rng)
    angle = rng.uniform(0, 2 * np.pi)
    about_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    tilt = np.radians(orientations.spread_degrees) * abs(rng.normal())
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    other = rng.uniform(0, 2 * np.pi)
    about_z2 = np.array([[np.cos(other), -np.sin(other), 0], [np.sin(other), np.cos(other), 0], [0, 0, 1]])
    return np.asarray(orientations.view @ about_z2 @ about_x @ about_z2.T @ about_z)


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation matrix [3, 3], evenly distributed (Arvo's quaternion of four normal numbers)."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def scatter(rng: np.random.Generator, count: int, size: int, apart: float, margin: float) -> np.ndarray:
    """Up to `count` places [P, 2] no nearer than `apart`, in the image and `margin` around it."""
    places, found = np.empty((count, 2)), 0
    for place in rng.uniform(-margin, size - 1 + margin, (20 * count, 2)):
        if found == count:
            break
        if not found or ((places[:found] - place) ** 2).sum(axis=1).min() > apart**2:
            places[found] = place
            found += 1
    return places[:found]


def packed(rng: np.random.Generator, size: int, spacing: float, margin: float) -> np.ndarray:
    """Places [P, 2] of a crowded layer: a jittered hexagonal lattice that touches, with holes and open ice."""
    turn, reach = rng.uniform(0, np.pi), int(1.5 * size / spacing) + 2
    along, across = np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach), indexing="ij")
    lattice = np.stack([along + 0.5 * (across % 2), across * math.sqrt(0.75)], axis=-1).reshape(-1, 2) * spacing
    lattice = lattice @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    places = lattice + size / 2 + rng.normal(0, rng.uniform(0.03, 0.2) * spacing, lattice.shape)
    covered = patches(rng, size, rng.uniform(2, 6) * spacing, 1 - rng.uniform(0, 0.6))
    near = ((places > -margin) & (places < size - 1 + margin)).all(axis=1)
    places = places[near & (rng.random(len(places)) < rng.uniform(0.6, 1.0))]
    at = np.clip(np.round(places).astype(int), 0, size - 1)
    return np.asarray(places[covered[tuple(at.T)]])


def patches(rng: np.random.Generator, size: int, width: float, share: float) -> np.ndarray:
    """A smooth random region [size, size] (bool) that covers a share of the image."""
    field = scipy.ndimage.gaussian_filter(rng.normal(size=(size, size)), width, mode="wrap")
    return np.asarray(field >= np.quantile(field, 1 - share))
