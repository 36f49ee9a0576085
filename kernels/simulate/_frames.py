"""Forward model of a counted movie: specimen, optics, motion, radiation damage, detector.

Weak-phase imaging: a frame's expected counts are dose · (1 + contrast), contrast = 2·CTF·phase in Fourier space,
displaced by a global shift and a smooth local field, then counted (Poisson) by a detector of uneven sensitivity.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.correct import critical_dose
from warpcore.kernels.ctf import CtfParameters, frequency_grid

LOCAL_BASIS = ("x", "y", "x^2", "y^2", "xy")
"""Basis of the local displacement, x and y in [-0.5, 0.5] across the frame: zero at its centre."""


class Motion(NamedTuple):
    """Displacement of the specimen, px (y, x): `track` [T, 2] at the centre, `local` [T, 5, 2] on LOCAL_BASIS."""

    track: jax.Array
    local: jax.Array


def local_basis(y: jax.Array, x: jax.Array) -> jax.Array:
    """Values [5, …] of LOCAL_BASIS at normalised positions."""
    return jnp.stack([x, y, x * x, y * y, x * y])


def displacement(motion: Motion, positions_yx_px: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Displacement [T, N, 2] in px of the specimen at positions [N, 2] (y, x) of the first frame, at each frame."""
    y = positions_yx_px[:, 0] / (shape[0] - 1) - 0.5
    x = positions_yx_px[:, 1] / (shape[1] - 1) - 0.5
    return motion.track[:, None, :] + jnp.einsum("tbd,bn->tnd", motion.local, local_basis(y, x))


def contrast_spectrum(
    phase_spectrum: jax.Array,
    ctf: CtfParameters,
    *,
    shape: tuple[int, int],
    pixel_size_angstrom: float,
    b_factor_a2: float,
) -> jax.Array:
    """Spectrum of the relative contrast of a canvas of `shape`: 2·CTF·phase under an envelope exp(-B k²/4)."""
    kx, ky = frequency_grid(shape, pixel_size_angstrom)
    envelope = np.exp(-b_factor_a2 * (kx**2 + ky**2) / 4)
    return 2 * phase_spectrum * ctf.image(shape, pixel_size_angstrom) * jnp.asarray(envelope, jnp.float32)


def damage_exponent(shape: tuple[int, int], pixel_size_angstrom: float, voltage_kv: float) -> np.ndarray:
    """Decay of amplitudes per e⁻/Å² on the transform grid: half the inverse critical dose, 0 at the origin."""
    kx, ky = frequency_grid(shape, pixel_size_angstrom)
    return np.asarray(0.5 / critical_dose(np.hypot(kx, ky), voltage_kv), np.float32)


@partial(jax.jit, static_argnames=("shape",))
def displaced_contrast(
    spectrum: jax.Array, track_px: jax.Array, local_px: jax.Array, shape: tuple[int, int]
) -> jax.Array:
    """Contrast [h, w] of a frame of `shape` in the middle of the canvas, its specimen displaced.

    `track_px` [2] and `local_px` [5, 2] add up to the displacement.
    Cubic B-spline on a grid of half the pixel, its prefilter applied in the spectrum: the specimen's point p of the
    first frame is seen at p + displacement(p), solved for p by two fixed-point steps (the field is far smoother than it
    is long).
    """
    canvas = (spectrum.shape[0], 2 * (spectrum.shape[1] - 1))
    coefficients = _fine_coefficients(spectrum, canvas)
    height, width = shape
    y, x = jnp.meshgrid(jnp.arange(height, dtype=jnp.float32), jnp.arange(width, dtype=jnp.float32), indexing="ij")

    def moved(at_y: jax.Array, at_x: jax.Array) -> tuple[jax.Array, jax.Array]:
        basis = local_basis(at_y / (height - 1) - 0.5, at_x / (width - 1) - 0.5)
        field = jnp.einsum("bd,byx->dyx", local_px, basis)
        return track_px[0] + field[0], track_px[1] + field[1]

    source_y, source_x = y - track_px[0], x - track_px[1]
    for _ in range(2):
        dy, dx = moved(source_y, source_x)
        source_y, source_x = y - dy, x - dx
    margin_y, margin_x = (canvas[0] - height) // 2, (canvas[1] - width) // 2
    return _spline(coefficients, 2 * (source_y + margin_y), 2 * (source_x + margin_x))


def _fine_coefficients(spectrum: jax.Array, canvas: tuple[int, int]) -> jax.Array:
    height, width = canvas
    half = height // 2
    wave_y = np.cos(2 * np.pi * np.fft.fftfreq(2 * height))
    wave_x = np.cos(2 * np.pi * np.fft.rfftfreq(2 * width))
    prefilter = 1 / (((2 + wave_y[:, None]) / 3) * ((2 + wave_x[None, :]) / 3))
    # Beyond the canvas' own band, its Nyquist rows and column included, the spectrum is zero.
    fine = jnp.zeros((2 * height, width + 1), spectrum.dtype)
    fine = fine.at[:half, : width // 2].set(spectrum[:half, : width // 2])
    fine = fine.at[-(half - 1) :, : width // 2].set(spectrum[half + 1 :, : width // 2])
    return jnp.fft.irfft2(4 * fine * jnp.asarray(prefilter, jnp.float32), s=(2 * height, 2 * width))


def _spline(coefficients: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    height, width = coefficients.shape
    row, column = jnp.floor(y), jnp.floor(x)
    weights_y, weights_x = _spline_weights(y - row), _spline_weights(x - column)
    flat = coefficients.ravel()
    # Outside the canvas its edge counts; its margin is wider than the motion.
    first_row = jnp.clip(row.astype(int) - 1, 0, height - 4)
    corner = first_row * width + jnp.clip(column.astype(int) - 1, 0, width - 4)
    value = jnp.zeros(y.shape, coefficients.dtype)
    for j in range(4):
        line = sum(weights_x[i] * flat.at[corner + (j * width + i)].get(mode="promise_in_bounds") for i in range(4))
        value = value + weights_y[j] * line
    return value


def _spline_weights(t: jax.Array) -> list[jax.Array]:
    return [
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    ]


@partial(jax.jit, static_argnames=("shape", "bright"))
def frame_counts(
    key: jax.Array,
    spectrum: jax.Array,
    exponent: jax.Array,
    dose_before: jax.Array,
    track_px: jax.Array,
    local_px: jax.Array,
    electrons_per_px: jax.Array,
    sensitivity: jax.Array,
    shape: tuple[int, int],
    bright: bool = False,
) -> jax.Array:
    """Counts [h, w] int32 of one frame.

    `spectrum`: contrast of the canvas; `exponent`: `damage_exponent` (zeros: no damage) applied for `dose_before`
    e⁻/Å²; `sensitivity` [h, w]: expected counts are electrons · (1 + contrast) · sensitivity. `bright`: expected counts
    may exceed 50, where the direct inversion would be slow and inexact.
    """
    damaged = spectrum * jnp.exp(-exponent * dose_before)
    contrast = displaced_contrast(damaged, track_px, local_px, shape)
    expected = jnp.maximum(electrons_per_px * (1 + contrast), 0) * sensitivity
    return jax.random.poisson(key, expected, dtype=jnp.int32) if bright else poisson_counts(key, expected)


_Inversion = tuple[
    jax.Array, jax.Array, jax.Array, jax.Array
]  # (count to try, its probability, the probability up to it, counts drawn)


def poisson_counts(key: jax.Array, expected: jax.Array) -> jax.Array:
    """Poisson counts of `expected` below about 50, by inversion of the cumulative distribution.

    This is ten times as fast as `jax.random.poisson`.
    """
    uniform = jax.random.uniform(key, expected.shape)
    most = jnp.max(expected)
    limit = jnp.ceil(most + 9 * jnp.sqrt(most) + 12)

    def unfinished(state: _Inversion) -> jax.Array:
        return (state[0] < limit) & jnp.any(uniform > state[2])

    def count_one_more(state: _Inversion) -> _Inversion:
        number, probability, cumulative, counts = state
        counts = counts + (uniform > cumulative)
        probability = probability * expected / (number + 1)
        return number + 1, probability, cumulative + probability, counts

    none = jnp.exp(-expected)
    start: _Inversion = (jnp.zeros(()), none, none, jnp.zeros(expected.shape, jnp.int32))
    return jax.lax.while_loop(unfinished, count_one_more, start)[3]
