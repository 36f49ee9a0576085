"""Random micrographs for training and testing pickers: many shapes and conditions, with particles and junk known.

A scene is drawn directly at a coarse working pixel, `diameter / SAMPLES_PER_DIAMETER`, where pickers look: hundreds a
minute. Everything comes from one NumPy generator, so a seed gives the same scenes everywhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.ndimage

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.simulate._specimen import (
    ICE_MOLECULES_PER_A3,
    POTENTIAL_V_A2,
    ice_structure_factor,
    interaction_constant,
    water_factor,
)

SAMPLES_PER_DIAMETER = 16.0
_PROTEIN_CONTRAST_V = 3.7  # mean inner potential of protein above that of ice


class Scene(NamedTuple):
    """A micrograph in relative counts [n, n], particle centres [P, 2] (y, x) in px, and junk [n, n] (bool)."""

    image: np.ndarray
    centres_yx: np.ndarray
    junk: np.ndarray
    pixel_size_angstrom: float
    diameter_angstrom: float


def random_scene(
    rng: np.random.Generator, size: int = 256, *, smallest_angstrom: float = 55.0, empty_share: float = 0.3
) -> Scene:
    """A micrograph of particles of one random shape (or none), in random ice, defocus and dose, with or without junk.

    Diameters run from `smallest_angstrom` to 400 Å; `empty_share` of the scenes have no particles.
    """
    diameter = float(np.exp(rng.uniform(np.log(smallest_angstrom), np.log(400))))
    pixel = diameter / SAMPLES_PER_DIAMETER
    cloud = random_cloud(rng, diameter)
    extent = 2 * float(np.linalg.norm(cloud, axis=1).max())
    volume = _volume(cloud, diameter)
    spacing = rng.uniform(0.8, 1.1) * extent * (1 if rng.random() < 0.7 else rng.uniform(1, 2)) / pixel
    if rng.random() < empty_share:
        centres = np.empty((0, 2))
    elif rng.random() < 0.2:
        centres = _packed(rng, size, max(spacing, 0.5 * SAMPLES_PER_DIAMETER))
    else:
        wanted = int(rng.uniform(0.02, 1.0) * 0.7 * (size / spacing) ** 2)
        centres = scatter(rng, wanted, size, spacing, margin=0.6 * SAMPLES_PER_DIAMETER)
    strength = rng.uniform(0.5, 1.2) * interaction_constant(300) * _PROTEIN_CONTRAST_V * volume / len(cloud) / pixel**2
    phase = strength * draw_clouds(rng, cloud / pixel, centres, size)
    if rng.random() < 0.4:  # broken particles, free subunits: smaller pieces of the same
        pieces = cloud[np.argsort(cloud @ rng.normal(size=3))[: max(8, int(len(cloud) * rng.uniform(0.05, 0.35)))]]
        debris = scatter(rng, int(rng.uniform(2, 30)), size, 4.0, margin=8.0)
        phase = phase + strength * draw_clouds(rng, (pieces - pieces.mean(axis=0)) / pixel, debris, size)
    junk = np.zeros((size, size), bool)
    transmission = np.ones((size, size))
    grain = np.ones((size, size))
    if rng.random() < 0.1:
        grain *= rng.uniform(1.2, 3)  # a thin film under the whole field is rough but not junk
    if rng.random() < 0.3:
        junk |= _carbon(rng, size, transmission, grain)
    if rng.random() < 0.4:
        junk |= _contamination(rng, size, transmission, phase)
    phase = phase + _ice(rng, size, pixel) * grain
    ctf = _random_ctf(rng)
    # Drift within frames, a warm specimen, interpolation: an envelope of up to 600 Å².
    envelope = np.exp(-rng.uniform(20, 600) / 4 * _frequency(size, pixel) ** 2)
    transfer = np.asarray(ctf.image((size, size), pixel)) * envelope
    contrast = np.fft.irfft2(2 * np.fft.rfft2(phase) * transfer, s=phase.shape)
    dose = math.exp(rng.uniform(math.log(12), math.log(80)))
    counts = dose * pixel**2 * rng.uniform(0.2, 1.0)  # the share that inelastic scattering and the detector leave
    expected = np.maximum(transmission * (1 + contrast) * _thickness_gradient(rng, size), 0.01)
    image = expected + rng.normal(size=expected.shape) * np.sqrt(expected / counts)
    inside = ((centres >= 0) & (centres <= size - 1)).all(axis=1)
    centres = centres[inside]
    clean = ~junk[tuple(np.round(centres).astype(int).T)] if len(centres) else np.zeros(0, bool)
    return Scene(image.astype(np.float32), centres[clean], junk, pixel, diameter)


def random_cloud(rng: np.random.Generator, diameter_angstrom: float) -> np.ndarray:
    """Points [A, 3] in Å that fill a random particle: ellipsoid, shell, barrel or a handful of domains."""
    radius = diameter_angstrom / 2
    kind = rng.choice(["ellipsoid", "shell", "barrel", "domains", "domains"])
    points = rng.uniform(-1, 1, (6000, 3))
    distance = np.linalg.norm(points, axis=1)
    if kind == "ellipsoid":
        points = points[distance < 1] * np.array([1.0, *rng.uniform(0.5, 1.0, 2)])
    elif kind == "shell":
        points = points[(distance < 1) & (distance > rng.uniform(0.45, 0.85))]
    elif kind == "barrel":
        across, height = np.hypot(points[:, 0], points[:, 1]), rng.uniform(0.5, 1.0)
        width = rng.uniform(0.45, 0.8)
        hollow = rng.uniform(0.0, 0.6) * width
        points = points[(across < width) & (across > hollow) & (np.abs(points[:, 2]) < height)]
    else:
        number = rng.integers(2, 12)
        places = rng.normal(size=(number, 3)) * rng.uniform(0.25, 0.5, 3)
        sizes = rng.uniform(0.15, 0.4, number)
        points = points * 1.3
        points = points[(np.linalg.norm(points[:, None] - places[None], axis=2) < sizes).any(axis=1)]
        if len(points) < 50:
            return random_cloud(rng, diameter_angstrom)
    points = points[:600]
    points = points - points.mean(axis=0)
    longest = 2 * np.linalg.norm(points, axis=1).max()
    return np.asarray(points * (2 * radius * rng.uniform(0.82, 1.06) / longest))


def draw_clouds(rng: np.random.Generator, cloud_px: np.ndarray, centres_yx: np.ndarray, size: int) -> np.ndarray:
    """Projections of a cloud (px) in random orientations at the centres, smoothed by the distance of its points."""
    image = np.zeros(size * size)
    for centre in centres_yx:
        turn = random_rotation(rng)
        x, y = (cloud_px @ turn[:, :2] + centre[::-1]).T
        column, row = np.floor(x).astype(int), np.floor(y).astype(int)
        fx, fy = x - column, y - row
        inside = (row >= 0) & (row < size - 1) & (column >= 0) & (column < size - 1)
        at, fx, fy = (row * size + column)[inside], fx[inside], fy[inside]
        for step, weight in ((0, (1 - fy) * (1 - fx)), (1, (1 - fy) * fx), (size, fy * (1 - fx)), (size + 1, fy * fx)):
            np.add.at(image, at + step, weight)
    return np.asarray(scipy.ndimage.gaussian_filter(image.reshape(size, size), 0.7))


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


def _packed(rng: np.random.Generator, size: int, spacing: float) -> np.ndarray:
    """Places [P, 2] of a crowded layer: a jittered hexagonal lattice that touches, with holes and open ice."""
    turn, reach = rng.uniform(0, np.pi), int(1.5 * size / spacing) + 2
    along, across = np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach), indexing="ij")
    lattice = np.stack([along + 0.5 * (across % 2), across * math.sqrt(0.75)], axis=-1).reshape(-1, 2) * spacing
    lattice = lattice @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    places = lattice + size / 2 + rng.normal(0, rng.uniform(0.03, 0.2) * spacing, lattice.shape)
    field = scipy.ndimage.gaussian_filter(rng.normal(size=(size, size)), rng.uniform(2, 6) * spacing, mode="wrap")
    covered = field > np.quantile(field, rng.uniform(0, 0.6))
    margin = 0.6 * SAMPLES_PER_DIAMETER
    near = ((places > -margin) & (places < size - 1 + margin)).all(axis=1)
    places = places[near & (rng.random(len(places)) < rng.uniform(0.6, 1.0))]
    at = np.clip(np.round(places).astype(int), 0, size - 1)
    return np.asarray(places[covered[tuple(at.T)]])


def _volume(cloud: np.ndarray, diameter: float) -> float:
    cell = diameter / 12
    return len(np.unique(np.floor(cloud / cell).astype(int), axis=0)) * cell**3 * 0.8


def _random_ctf(rng: np.random.Generator) -> CtfParameters:
    defocus = math.exp(rng.uniform(math.log(5000), math.log(35000)))
    phase = rng.uniform(60, 110) if rng.random() < 0.07 else 0.0
    return CtfParameters(defocus * 1.01, defocus * 0.99, rng.uniform(0, 180), phase_shift_degrees=phase)


def _frequency(size: int, pixel: float) -> np.ndarray:
    return np.asarray(np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) / pixel)


def _ice(rng: np.random.Generator, size: int, pixel: float) -> np.ndarray:
    k = _frequency(size, pixel)
    phase = interaction_constant(300) * POTENTIAL_V_A2 * water_factor(k**2)
    density = ICE_MOLECULES_PER_A3 * rng.uniform(150, 900) * phase**2 * ice_structure_factor(k)
    # Buffer, small proteins and films add to water at low resolution; how much differs from sample to sample.
    density = density * (1 + rng.uniform(0, 3) / (1 + (k * 40) ** 2))
    return np.asarray(
        np.fft.irfft2(np.fft.rfft2(rng.normal(size=(size, size))) * np.sqrt(density) / pixel, s=(size, size))
    )


def _thickness_gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    slope, bend = rng.normal(0, 0.03, 2), rng.normal(0, 0.02, 3)
    return np.asarray(np.exp(slope[0] * x + slope[1] * y + bend[0] * x * x + bend[1] * y * y + bend[2] * x * y))


def _carbon(rng: np.random.Generator, size: int, transmission: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Draw a film with a straight or round edge, darker and coarser, into both arrays; returns where it lies (bool)."""
    y, x = np.mgrid[0:size, 0:size].astype(float)
    turn = rng.uniform(0, 2 * np.pi)
    reach = rng.uniform(-0.1, 0.45) * size
    bend = rng.normal(0, 0.25) / size
    along = (x - size / 2) * np.cos(turn) + (y - size / 2) * np.sin(turn)
    across = (y - size / 2) * np.cos(turn) - (x - size / 2) * np.sin(turn)
    depth = along - reach - bend * across**2
    film = 1 / (1 + np.exp(-depth / rng.uniform(0.5, 3)))
    transmission *= 1 - rng.uniform(0.04, 0.5) * film
    transmission *= 1 + rng.normal(0, 0.08) * np.exp(-((depth / rng.uniform(1, 4)) ** 2))
    grain *= 1 + rng.uniform(0.3, 4) * film
    return np.asarray(depth > -2)


def _contamination(rng: np.random.Generator, size: int, transmission: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Draw ice crystals, aggregates and gold, dark patches, into both arrays; returns where they lie (bool)."""
    y, x = np.mgrid[0:size, 0:size].astype(float)
    junk = np.zeros((size, size), bool)
    rough = scipy.ndimage.gaussian_filter(rng.normal(size=(size, size)), 4)
    rough /= rough.std()
    for _ in range(rng.integers(1, 4)):
        cy, cx, radius = rng.uniform(0, size), rng.uniform(0, size), SAMPLES_PER_DIAMETER * rng.uniform(0.9, 3.5)
        shape = 1 - np.hypot(y - cy, (x - cx) * rng.uniform(0.6, 1.6)) / radius + 0.12 * rough
        thickness = np.sqrt(np.maximum(shape, 0))
        transmission *= np.exp(-rng.uniform(0.05, 0.8) * thickness)
        phase += rng.uniform(0.1, 1.0) * thickness
        junk |= shape > -0.1
    return junk
