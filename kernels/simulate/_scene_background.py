"""What lies in a scene beside particles: ice and its structural noise, unfolded protein, films, contamination."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from warpcore.kernels.simulate._scene_particles import DALTON_VOLUME_A3, globule, patches, spread_points
from warpcore.kernels.simulate._specimen import (
    ICE_MOLECULES_PER_A3,
    POTENTIAL_V_A2,
    ice_structure_factor,
    interaction_constant,
    water_factor,
)

JUNK_DIAMETER_PX = 16.0


def frequency(size: int, pixel_size_angstrom: float) -> np.ndarray:
    """Frequencies in 1/Å of the real transform of a square image."""
    k = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    return np.asarray(k / pixel_size_angstrom)


def ice_phase(
    rng: np.random.Generator,
    size: int,
    pixel_size_angstrom: float,
    *,
    thickness_angstrom: float,
    excess: float,
    excess_angstrom: float,
    excess_slope: float,
) -> np.ndarray:
    """Phase in radians [size, size] of ice, with more power than water has at low resolution.

    The power is that of water times 1 + excess / (1 + (k · excess_angstrom)^excess_slope): buffer, unfolded and small
    protein, films. Between the particles of real apoferritin micrographs and of a Falcon micrograph the whole lies 3 to
    10 times above counting noise from 200 to 40 Å, 2 to 4 times at 30 Å, and meets it at 20 Å.
    """
    k = frequency(size, pixel_size_angstrom)
    phase = interaction_constant(300) * POTENTIAL_V_A2 * water_factor(k**2)
    density = ICE_MOLECULES_PER_A3 * thickness_angstrom * phase**2 * ice_structure_factor(k)
    density = density * (1 + excess / (1 + (k * excess_angstrom) ** excess_slope))
    white = np.fft.rfft2(rng.normal(size=(size, size)))
    return np.asarray(np.fft.irfft2(white * np.sqrt(density) / pixel_size_angstrom, s=(size, size)))


def unfolded(rng: np.random.Generator, size: int, pixel_size_angstrom: float) -> np.ndarray:
    """Thickness in Å [size, size] of denatured chains at the interface: random walks, in patches or everywhere."""
    area = (size * pixel_size_angstrom) ** 2
    covered = patches(rng, size, size / rng.uniform(4, 12), rng.uniform(0.2, 1.0))
    # A full layer of denatured protein is about 1 mg/m², 0.6 Da an Å²; a chain here is 20 kDa.
    chains = min(int(area * 0.6 * rng.uniform(0.02, 0.5) / 20e3), 6000)
    if chains == 0:
        return np.zeros((size, size))
    steps = 40
    walk = np.cumsum(rng.normal(size=(chains, steps, 2)) * rng.uniform(4, 16), axis=1) / pixel_size_angstrom
    starts = rng.uniform(0, size, (chains, 2))
    at = np.clip(starts.astype(int), 0, size - 1)
    kept = covered[at[:, 1], at[:, 0]]
    xy = (walk + starts[:, None])[kept].reshape(-1, 2)
    image = spread_points(xy, np.full(len(xy), 20e3 * DALTON_VOLUME_A3 / steps), size) / pixel_size_angstrom**2
    return np.asarray(scipy.ndimage.gaussian_filter(image, max(0.5, 6 / pixel_size_angstrom)))


def small_proteins(rng: np.random.Generator, size: int, pixel_size_angstrom: float, largest_kda: float) -> np.ndarray:
    """Thickness in Å [size, size] of free chains and small proteins, 5 kDa to the largest, anywhere."""
    image = np.zeros((size, size))
    area = (size * pixel_size_angstrom) ** 2
    for _ in range(rng.integers(1, 3)):
        kilodalton = float(np.exp(rng.uniform(np.log(5), np.log(max(largest_kda, 6)))))
        cloud = globule(rng, kilodalton)
        number = min(int(area / 100**2 * rng.uniform(0.02, 1.5)), 800)
        points, volumes = cloud.points[:100], cloud.volumes[:100] * len(cloud.volumes) / min(100, len(cloud.volumes))
        xy = points[None, :, :2] / pixel_size_angstrom + rng.uniform(0, size, (number, 1, 2))
        image += spread_points(xy.reshape(-1, 2), np.tile(volumes, number), size) / pixel_size_angstrom**2
    return np.asarray(scipy.ndimage.gaussian_filter(image, 0.7))


def thickness_gradient(rng: np.random.Generator, size: int) -> np.ndarray:
    """Factor [size, size] on the beam by ice that grows thicker across the field."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    slope, bend = rng.normal(0, 0.03, 2), rng.normal(0, 0.02, 3)
    return np.asarray(np.exp(slope[0] * x + slope[1] * y + bend[0] * x * x + bend[1] * y * y + bend[2] * x * y))


def carbon(rng: np.random.Generator, size: int, transmission: np.ndarray, grain: np.ndarray) -> np.ndarray:
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


def contamination(rng: np.random.Generator, size: int, transmission: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Draw ice crystals, aggregates and gold, dark patches, into both arrays; returns where they lie (bool)."""
    y, x = np.mgrid[0:size, 0:size].astype(float)
    junk = np.zeros((size, size), bool)
    rough = scipy.ndimage.gaussian_filter(rng.normal(size=(size, size)), 4)
    rough /= rough.std()
    for _ in range(rng.integers(1, 4)):
        cy, cx, radius = rng.uniform(0, size), rng.uniform(0, size), JUNK_DIAMETER_PX * rng.uniform(0.9, 3.5)
        shape = 1 - np.hypot(y - cy, (x - cx) * rng.uniform(0.6, 1.6)) / radius + 0.12 * rough
        thickness = np.sqrt(np.maximum(shape, 0))
        transmission *= np.exp(-rng.uniform(0.05, 0.8) * thickness)
        phase += rng.uniform(0.1, 1.0) * thickness
        junk |= shape > -0.1
    return junk
