"""The contrast transfer function: the one place for its phase χ, its sign, its units and its frequency layout.

value = -sin(χ + asin(amplitude contrast) + phase shift), with χ = πλ·df·k² - ½π·Cs·λ³·k⁴.
Defocus is positive for underfocus. The astigmatism angle belongs to defocus U and runs from +x (array columns)
towards +y (array rows).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

Layout = Literal["rfft", "fft", "centred"]
Values = TypeVar("Values", float, np.ndarray, jax.Array)


def electron_wavelength_angstrom(voltage_kv: float) -> float:
    """Relativistic electron wavelength in Å at an acceleration voltage in kV (CODATA 2018 constants)."""
    volts = voltage_kv * 1e3
    planck, mass, charge, light = 6.62607015e-34, 9.1093837015e-31, 1.602176634e-19, 299792458.0
    momentum = math.sqrt(2 * mass * charge * volts * (1 + charge * volts / (2 * mass * light**2)))
    return planck / momentum * 1e10


def phase_per_defocus(frequency_squared: Values, wavelength_angstrom: Any) -> Values:
    """∂χ/∂df = πλk², in radians per Å of defocus, at squared frequencies in 1/Å²."""
    return math.pi * wavelength_angstrom * frequency_squared  # type: ignore[no-any-return]


def aberration_phase(frequency_squared: Values, defocus_angstrom: Any, wavelength_angstrom: Any, cs_mm: Any) -> Values:
    """χ in radians at squared frequencies in 1/Å², of NumPy or JAX arrays or numbers; all arguments broadcast.

    The arguments decide the precision: NumPy float64 or JAX float32.
    """
    spherical = 0.5e7 * cs_mm * wavelength_angstrom**2 * frequency_squared
    return phase_per_defocus(frequency_squared, wavelength_angstrom) * (defocus_angstrom - spherical)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Optics:
    """What the microscope sets. Raises ValueError for values that no microscope has."""

    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float

    def __post_init__(self) -> None:
        if not (self.voltage_kv > 0 and self.cs_mm >= 0 and 0 <= self.amplitude_contrast <= 1):
            raise ValueError(
                f"CTF fit: voltage {self.voltage_kv} kV, Cs {self.cs_mm} mm, "
                f"amplitude contrast {self.amplitude_contrast}: "
                "voltage must be above 0, Cs at least 0, amplitude contrast within 0 to 1"
            )

    @cached_property
    def wavelength_angstrom(self) -> float:
        """Wavelength of the electrons."""
        return electron_wavelength_angstrom(self.voltage_kv)

    @property
    def contrast_phase(self) -> float:
        """Phase in radians that stands for the amplitude contrast."""
        return math.asin(self.amplitude_contrast)

    def chi(self, frequency_squared: np.ndarray, defocus_angstrom: np.ndarray | float) -> np.ndarray:
        """χ in radians at squared frequencies in 1/Å² and defoci in Å."""
        return np.asarray(
            aberration_phase(frequency_squared, defocus_angstrom, self.wavelength_angstrom, float(self.cs_mm))
        )

    def chi_slope(self, frequency_squared: np.ndarray, defocus_angstrom: float) -> np.ndarray:
        """dχ/dk² over πλ, in Å: the defocus less what spherical aberration takes away at these frequencies."""
        return np.asarray(defocus_angstrom - 1e7 * float(self.cs_mm) * self.wavelength_angstrom**2 * frequency_squared)


def frequency_grid(
    shape: tuple[int, int], pixel_size_angstrom: float, layout: Layout = "rfft"
) -> tuple[np.ndarray, np.ndarray]:
    """Spatial frequencies (kx, ky) in 1/Å of a transform of a [y, x] image, each float32 of the transform's shape.

    `rfft` is the layout of `rfft2`, `fft` that of `fft2`, `centred` that of `fftshift(fft2)` (zero at [H//2, W//2]).
    """
    height, width = shape
    ky = np.fft.fftfreq(height, pixel_size_angstrom)
    kx = np.fft.rfftfreq(width, pixel_size_angstrom) if layout == "rfft" else np.fft.fftfreq(width, pixel_size_angstrom)
    if layout == "centred":
        ky, kx = np.fft.fftshift(ky), np.fft.fftshift(kx)
    grid_y, grid_x = np.meshgrid(ky, kx, indexing="ij")
    return grid_x.astype(np.float32), grid_y.astype(np.float32)


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
    """CTF values at frequencies (kx, ky) in 1/Å (see `frequency_grid`), defoci in Å, angles in degrees.

    Arguments broadcast; the result can be differentiated.
    """
    x, y = jnp.asarray(kx), jnp.asarray(ky)
    k2 = x * x + y * y
    # cos and sin of twice the azimuth as ratios, without arctan2: the gradient is finite at the origin too.
    safe = jnp.where(k2 > 0, k2, 1.0)
    cos2, sin2 = (x * x - y * y) / safe, 2 * x * y / safe
    u, v = jnp.asarray(defocus_u_angstrom), jnp.asarray(defocus_v_angstrom)
    twice = 2 * jnp.deg2rad(jnp.asarray(angle_degrees))
    defocus = 0.5 * (u + v) + 0.5 * (u - v) * (jnp.cos(twice) * cos2 + jnp.sin(twice) * sin2)
    wavelength = jnp.asarray(electron_wavelength_angstrom(voltage_kv))
    chi: jax.Array = aberration_phase(k2, defocus, wavelength, jnp.asarray(cs_mm))
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
    """CTF values, float32, on the transform grid of a [y, x] image of `shape`, in a layout of `frequency_grid`."""
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
