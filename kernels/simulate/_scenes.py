"""Random micrographs for training and testing pickers: many shapes and conditions, with particles and junk known.

A scene is drawn directly at a coarse working pixel, `diameter / SAMPLES_PER_DIAMETER`, where pickers look: hundreds a
minute. Everything comes from one NumPy generator, so a seed gives the same scenes everywhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.ndimage

from warpcore.kernels.simulate import _scene_background as background
from warpcore.kernels.simulate._scene_imaging import handled, imaged, random_imaging
from warpcore.kernels.simulate._scene_particles import (
    DALTON_VOLUME_A3,
    Cloud,
    Orientations,
    drawn,
    packed,
    random_cloud,
    random_orientations,
    scatter,
)
from warpcore.kernels.simulate._specimen import interaction_constant

SAMPLES_PER_DIAMETER = 16.0
_PROTEIN_CONTRAST_V = 3.7  # mean inner potential of protein above that of ice


class Scene(NamedTuple):
    """A micrograph in relative counts [n, n], particle centres [P, 2] (y, x) in px, and junk [n, n] (bool).

    `doubtful` [n, n] (bool) is what a person could not tell either: clumps of particles.
    """

    image: np.ndarray
    centres_yx: np.ndarray
    junk: np.ndarray
    pixel_size_angstrom: float
    diameter_angstrom: float
    doubtful: np.ndarray


def random_scene(
    rng: np.random.Generator, size: int = 256, *, smallest_angstrom: float = 40.0, empty_share: float = 0.25
) -> Scene:
    """A micrograph of particles of one random shape (or none), in random ice, defocus and dose, with or without junk.

    Diameters run from `smallest_angstrom` to 400 Å; `empty_share` of the scenes have no particles.
    """
    diameter = float(np.exp(rng.uniform(np.log(smallest_angstrom), np.log(400))))
    pixel = diameter / SAMPLES_PER_DIAMETER
    cloud, beside = random_cloud(rng, diameter)
    orientations = random_orientations(rng)
    empty = rng.random() < empty_share
    centres = np.empty((0, 2)) if empty else _places(rng, size, cloud.extent / pixel)
    imaging = random_imaging(rng)
    amounts = rng.uniform(rng.uniform(0.6, 1.0), 1.0, len(centres))
    matter = drawn(rng, cloud, centres, size, pixel, orientations, amounts)
    matter += _other_matter(rng, cloud, beside, centres, size, pixel)
    doubtful = np.zeros((size, size), bool)
    if rng.random() < 0.15:
        matter += _clumps(rng, cloud, orientations, size, pixel, doubtful)
    phase = rng.uniform(0.5, 1.2) * interaction_constant(imaging.ctf.voltage_kv) * _PROTEIN_CONTRAST_V * matter
    junk = np.zeros((size, size), bool)
    beam, grain = np.ones((size, size)), np.ones((size, size))
    if rng.random() < 0.15:
        grain *= rng.uniform(1.2, 3)  # a thin film under the whole field is rough but not junk
    if rng.random() < 0.2:
        junk |= background.carbon(rng, size, beam, grain)
    if rng.random() < 0.25:
        junk |= background.contamination(rng, size, beam, phase)
    phase = phase + grain * background.ice_phase(
        rng,
        size,
        pixel,
        thickness_angstrom=rng.uniform(150, 900),
        excess=math.exp(rng.uniform(math.log(0.3), math.log(20))),
        excess_angstrom=rng.uniform(12, 60),
        excess_slope=rng.uniform(1, 4),
    )
    image = imaged(rng, phase, imaging, pixel, beam * background.thickness_gradient(rng, size))
    image = handled(rng, image)
    inside = ((centres >= 0) & (centres <= size - 1)).all(axis=1)
    centres = centres[inside]
    hidden = junk | doubtful
    clean = ~hidden[tuple(np.round(centres).astype(int).T)] if len(centres) else np.zeros(0, bool)
    return Scene(image.astype(np.float32), centres[clean], junk, pixel, diameter, doubtful)


def _places(rng: np.random.Generator, size: int, extent_px: float) -> np.ndarray:
    """Centres of particles: scattered, in a crowded layer, or so near that they overlap."""
    spacing = rng.uniform(0.8, 1.1) * extent_px
    margin = 0.6 * SAMPLES_PER_DIAMETER
    chance = rng.random()
    if chance < 0.2:
        return packed(rng, size, max(spacing, 0.5 * SAMPLES_PER_DIAMETER), margin)
    if chance < 0.4:
        spacing *= rng.uniform(0.5, 0.9)  # they overlap in projection
    elif chance < 0.6:
        spacing *= rng.uniform(1, 2)
    filled = rng.uniform(0.02, 1.0) if rng.random() < 0.6 else 1.0
    wanted = int(filled * 0.7 * (size / max(spacing, 5.0)) ** 2)
    return scatter(rng, wanted, size, spacing, margin)


def _other_matter(
    rng: np.random.Generator, cloud: Cloud, beside: Cloud | None, centres: np.ndarray, size: int, pixel: float
) -> np.ndarray:
    """Thickness in Å [size, size] of what is no whole particle: pieces, empty micelles, small and unfolded protein."""
    matter = np.zeros((size, size))
    if beside is not None:
        number = int(rng.uniform(0.1, 0.6) * max(len(centres), 40))
        matter += drawn(rng, beside, scatter(rng, number, size, 8.0, margin=8.0), size, pixel)
    if rng.random() < 0.4:  # broken particles, free subunits: smaller pieces of the same
        order = np.argsort(cloud.points @ rng.normal(size=3))
        part = order[: max(8, int(len(order) * rng.uniform(0.05, 0.35)))]
        piece = Cloud(cloud.points[part] - cloud.points[part].mean(axis=0), cloud.volumes[part])
        matter += drawn(rng, piece, scatter(rng, int(rng.uniform(2, 60)), size, 4.0, margin=8.0), size, pixel)
    if rng.random() < 0.35:
        kilodalton = cloud.volumes.sum() / (1e3 * DALTON_VOLUME_A3)
        matter += background.small_proteins(rng, size, pixel, min(0.15 * kilodalton, 100))
    if rng.random() < 0.35:
        matter += background.unfolded(rng, size, pixel)
    return matter


def _clumps(
    rng: np.random.Generator,
    cloud: Cloud,
    orientations: Orientations,
    size: int,
    pixel: float,
    doubtful: np.ndarray,
) -> np.ndarray:
    """Thickness in Å [size, size] of aggregates of particles; where they lie is marked in `doubtful`."""
    matter = np.zeros((size, size))
    y, x = np.mgrid[0:size, 0:size]
    for _ in range(rng.integers(1, 4)):
        number, centre = int(rng.integers(4, 20)), rng.uniform(0, size, 2)
        reach = 0.35 * cloud.extent / pixel * math.sqrt(number)
        places = centre + rng.normal(0, reach / 1.5, (number, 2))
        matter += drawn(rng, cloud, places, size, pixel, orientations)
        doubtful |= np.hypot(y - centre[0], x - centre[1]) < 1.5 * reach + 0.4 * SAMPLES_PER_DIAMETER
    return np.asarray(scipy.ndimage.gaussian_filter(matter, 0.5))
