"""What is drawn at random for a simulated movie: optics, motion, places, orientations, the detector."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import scipy.fft

from warpcore.cli.simulation_options import SimulationOptions
from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.simulate import LOCAL_BASIS, Motion, local_basis


@dataclass(frozen=True)
class Detector:
    """What a detector does to counts."""

    gain: np.ndarray  # multiplies raw counts
    sensitivity: np.ndarray  # 0 at bad pixels
    hot: np.ndarray  # [n, 2] rows, columns
    dead: np.ndarray  # [n, 2] rows, columns


def draw_ctf(options: SimulationOptions, rng: np.random.Generator) -> CtfParameters:
    """Defocus, astigmatism and phase shift from their ranges, the astigmatism in any direction."""
    mean, delta = rng.uniform(*options.defocus_um) * 1e4, rng.uniform(*options.astigmatism_um) * 1e4
    return CtfParameters(
        defocus_u_angstrom=float(mean + delta / 2),
        defocus_v_angstrom=float(mean - delta / 2),
        angle_degrees=float(rng.uniform(0, 180)),
        voltage_kv=options.voltage_kv,
        cs_mm=options.cs_mm,
        amplitude_contrast=options.amplitude_contrast,
        phase_shift_degrees=float(rng.uniform(*options.phase_shift_pi) * 180),
    )


def draw_motion(options: SimulationOptions, rng: np.random.Generator) -> Motion:
    """A track that starts fast, settles and bends; a local field that grows with the early motion. Zero at frame 0."""
    pixel, frames = options.pixel_size_angstrom, options.frames
    dose = np.arange(frames) * options.dose_per_frame
    settle = 1 - np.exp(-dose / 6.0)
    heading = rng.uniform(0, 2 * np.pi) + rng.uniform(-1.5, 1.5) * dose / max(float(dose[-1]), 1.0)
    speed = np.diff(settle) + 0.012 * np.diff(dose)
    steps = np.stack([np.sin(heading[1:]), np.cos(heading[1:])], axis=1) * speed[:, None]
    length = max(float(np.linalg.norm(steps, axis=1).sum()), 1e-12)
    track = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]) * (options.drift_angstrom / pixel / length)
    coefficients = rng.normal(size=(len(LOCAL_BASIS), 2)) * np.array([1.0, 1.0, 1.5, 1.5, 1.5])[:, None]
    axis = jnp.linspace(-0.5, 0.5, 21)
    field = np.einsum("bd,byx->yxd", coefficients, np.asarray(local_basis(*jnp.meshgrid(axis, axis, indexing="ij"))))
    coefficients *= options.local_angstrom / pixel / float(np.linalg.norm(field, axis=-1).max())
    growth = settle / max(float(settle[-1]), 1e-12)
    local = growth[:, None, None] * coefficients[None]
    return Motion(jnp.asarray(track, jnp.float32), jnp.asarray(local, jnp.float32))


def canvas_size(options: SimulationOptions) -> tuple[int, int]:
    """(height, width) in px of a canvas that no motion leaves, even and quick to transform."""
    margin = 2 * (options.drift_angstrom + 2 * options.local_angstrom) / options.pixel_size_angstrom + 32
    height, width = (2 * scipy.fft.next_fast_len(math.ceil((n + margin) / 2), real=True) for n in options.shape)
    return height, width


def draw_places(
    options: SimulationOptions, diameter_angstrom: float, margin: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Centres [P, 2] (y, x), px of the frame, of particles that do not touch, as dense beyond the frame as within."""
    apart = 1.08 * diameter_angstrom / options.pixel_size_angstrom
    low, high = -np.array(margin), np.array(options.shape) + np.array(margin)
    centres: list[np.ndarray] = []
    found = 0
    for _ in range(200 * options.particles):
        if found == options.particles:
            break
        centre = rng.uniform(low, high)
        if not centres or np.min(np.sum((np.array(centres) - centre) ** 2, axis=1)) > apart**2:
            centres.append(centre)
            found += int((centre >= 0).all() and (centre <= np.array(options.shape) - 1).all())
    return np.array(centres).reshape(-1, 2)


def draw_orientations(count: int, rng: np.random.Generator) -> np.ndarray:
    """RELION's Euler angles [P, 3] in degrees, evenly distributed over all orientations."""
    tilt = np.degrees(np.arccos(rng.uniform(-1, 1, count)))
    return np.stack([rng.uniform(-180, 180, count), tilt, rng.uniform(-180, 180, count)], axis=1)


def euler_matrices(rot_tilt_psi_degrees: np.ndarray) -> np.ndarray:
    """Rotations [P, 3, 3] of RELION's Euler angles [P, 3]: Rz(psi)·Ry(tilt)·Rz(rot), which turn the particle."""
    rot, tilt, psi = np.radians(rot_tilt_psi_degrees).T
    zero, one = np.zeros_like(rot), np.ones_like(rot)

    def about_z(angle: np.ndarray) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.stack([c, s, zero, -s, c, zero, zero, zero, one], axis=1).reshape(-1, 3, 3)

    c, s = np.cos(tilt), np.sin(tilt)
    about_y = np.stack([c, zero, -s, zero, one, zero, s, zero, c], axis=1).reshape(-1, 3, 3)
    return np.asarray(about_z(psi) @ about_y @ about_z(rot))


def draw_detector(options: SimulationOptions, rng: np.random.Generator) -> Detector:
    """A gain with waves, stripes and pixel noise, and bad pixels at random places."""
    height, width = options.shape
    gain = np.ones(options.shape)
    if options.gain:
        y, x = np.mgrid[0:height, 0:width]
        gain += 0.08 * np.cos(2 * np.pi * (x / width - 0.3)) * np.cos(np.pi * y / height)
        gain += rng.normal(0, 0.02, width)[None, :] + rng.normal(0, 0.02, options.shape)
        gain = np.clip(gain / gain.mean(), 0.5, 2.0)
    places = rng.choice(height * width, size=min(options.bad_pixels, height * width), replace=False)
    bad = np.stack(np.divmod(places, width), axis=1)
    hot, dead = bad[: len(bad) // 2], bad[len(bad) // 2 :]
    gain = gain.astype(np.float32)
    sensitivity = 1 / gain
    sensitivity[tuple(bad.T)] = 0
    return Detector(gain, sensitivity, hot, dead)
