"""The contrast transfer function itself: one place for its sign, units and frequency layout.

Conventions: value = -sin(χ + asin(amplitude contrast) + phase shift), χ = πλ·df·k² - ½π·Cs·λ³·k⁴; defocus positive for
underfocus; the astigmatism angle runs from +x (array columns) towards +y (array rows) and belongs to defocus U.
"""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

Layout = Literal["rfft", "fft", "centred"]


def electron_wavelength_angstrom(voltage_kv: float) -> float:
    """Relativistic electron wavelength in Å at an acceleration voltage in kV (CODATA 2018 constants)."""
    volts = voltage_kv * 1e3
    planck, mass, charge, light = 6.62607015e-34, 9.1093837015e-31, 1.602176634e-19, 299792458.0
    momentum = math.sqrt(2 * mass * charge * volts * (1 + charge * volts / (2 * mass * light**2)))
    return planck / momentum * 1e10


def frequency_grid(
    shape: tuple[int, int], pixel_size_angstrom: float, layout: Layout = "rfft"
) -> tuple[np.ndarray, np.ndarray]:
    """Spatial frequencies (kx, ky) in 1/Å of a transform of a [y, x] image, each float32 of the transform's shape.

    `rfft` is that of `rfft2`, `fft` that of `fft2`, `centred` that of `fftshift(fft2)` (zero at [H//2, W//2]).
    """
    height, width = shape
    ky = np.fft.fftfreq(height, pixel_size_angstrom)
    kx = np.fft.rfftfreq(width, pixel_size_angstrom) if layout == "rfft" else np.fft.fftfreq(width, pixel_size_angstrom)
    if layout == "centred":
        ky, kx = np.fft.fftshift(ky), np.fft.fftshift(kx)
    grid_y, grid_x = np.meshgrid(ky, kx, indexing="ij")
    return grid_x.astype(np.float32), grid_y.astype(np.float32)


def defocus_at_azimuth(
    defocus_u_angstrom: ArrayLike, defocus_v_angstrom: ArrayLike, angle_degrees: ArrayLike, azimuth_radians: ArrayLike
) -> jax.Array:
    """Defocus in Å along an azimuth (radians from +x towards +y): mean plus half the difference times cos of twice the angle to U."""
    u, v = jnp.asarray(defocus_u_angstrom), jnp.asarray(defocus_v_angstrom)
    turn = jnp.asarray(azimuth_radians) - jnp.deg2rad(jnp.asarray(angle_degrees))
    return 0.5 * (u + v) + 0.5 * (u - v) * jnp.cos(2 * turn)


def aberration_phase(
    frequency_squared: ArrayLike, defocus_angstrom: ArrayLike, wavelength_angstrom: ArrayLike, cs_mm: ArrayLike
) -> jax.Array:
    """χ in radians at squared frequencies in 1/Å²; all arguments broadcast."""
    k2, wavelength = jnp.asarray(frequency_squared), jnp.asarray(wavelength_angstrom)
    cs = 1e7 * jnp.asarray(cs_mm)
    return jnp.pi * wavelength * k2 * (jnp.asarray(defocus_angstrom) - 0.5 * cs * wavelength**2 * k2)


def ctf_1d(
    frequency: ArrayLike,
    *,
    defocus_angstrom: ArrayLike,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    phase_shift_degrees: ArrayLike = 0.0,
) -> jax.Array:
    """CTF values at frequencies in 1/Å without astigmatism; broadcasts over defocus (Å) and phase shift (degrees)."""
    wavelength = electron_wavelength_angstrom(voltage_kv)
    chi = aberration_phase(jnp.square(jnp.asarray(frequency)), defocus_angstrom, wavelength, cs_mm)
    return -jnp.sin(chi + math.asin(amplitude_contrast) + jnp.deg2rad(jnp.asarray(phase_shift_degrees)))


def ctf_2d(
    kx: ArrayLike,
    ky: ArrayLike,
    *,
    defocus_u_angstrom: ArrayLike,
    defocus_v_angstrom: ArrayLike,
    angle_degrees: ArrayLike,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    phase_shift_degrees: ArrayLike = 0.0,
) -> jax.Array:
    """CTF values at frequencies (kx, ky) in 1/Å (see `frequency_grid`); defoci in Å, angles in degrees; broadcasts, differentiable."""
    x, y = jnp.asarray(kx), jnp.asarray(ky)
    k2 = x * x + y * y
    # cos and sin of twice the azimuth as ratios: no arctan2, so the gradient is finite at the origin too.
    safe = jnp.where(k2 > 0, k2, 1.0)
    cos2, sin2 = (x * x - y * y) / safe, 2 * x * y / safe
    u, v = jnp.asarray(defocus_u_angstrom), jnp.asarray(defocus_v_angstrom)
    twice = 2 * jnp.deg2rad(jnp.asarray(angle_degrees))
    defocus = 0.5 * (u + v) + 0.5 * (u - v) * (jnp.cos(twice) * cos2 + jnp.sin(twice) * sin2)
    chi = aberration_phase(k2, defocus, electron_wavelength_angstrom(voltage_kv), cs_mm)
    return -jnp.sin(chi + math.asin(amplitude_contrast) + jnp.deg2rad(jnp.asarray(phase_shift_degrees)))


def ctf_image(
    shape: tuple[int, int],
    pixel_size_angstrom: float,
    *,
    defocus_u_angstrom: float,
    defocus_v_angstrom: float,
    angle_degrees: float,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    phase_shift_degrees: float = 0.0,
    layout: Layout = "rfft",
) -> jax.Array:
    """CTF values on the transform grid of a [y, x] image of `shape`, float32, in the given layout (`frequency_grid`)."""
    kx, ky = frequency_grid(shape, pixel_size_angstrom, layout)
    return ctf_2d(
        kx,
        ky,
        defocus_u_angstrom=defocus_u_angstrom,
        defocus_v_angstrom=defocus_v_angstrom,
        angle_degrees=angle_degrees,
        voltage_kv=voltage_kv,
        cs_mm=cs_mm,
        amplitude_contrast=amplitude_contrast,
        phase_shift_degrees=phase_shift_degrees,
    )
