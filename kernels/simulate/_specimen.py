"""The specimen: projected phase of atoms and of vitreous ice, as spectra on a canvas.

A canvas is a periodic image somewhat larger than the frame, so that drift brings in new content instead of wrapped
content. Spectra are `rfft2` of the projected phase shift in radians.
"""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.ctf import electron_wavelength_angstrom, frequency_grid

# Elastic electron scattering factors of neutral atoms, f(s) = Σ a·exp(-b·s²) in Å, s = k/2 in 1/Å:
# Peng, Ren, Dudarev & Whelan, Acta Cryst. A52 (1996) 257, table 1.
_FACTORS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "H": ((0.0349, 0.1201, 0.1970, 0.0573, 0.1195), (0.5347, 3.5867, 12.3471, 18.9525, 38.6269)),
    "C": ((0.0893, 0.2563, 0.7570, 1.0487, 0.3575), (0.2465, 1.7100, 6.4094, 18.6113, 50.2523)),
    "N": ((0.1022, 0.3219, 0.7982, 0.8197, 0.1715), (0.2451, 1.7481, 6.1925, 17.3894, 48.1431)),
    "O": ((0.0974, 0.2921, 0.6910, 0.6990, 0.2039), (0.2067, 1.3815, 4.6943, 12.7105, 32.4726)),
    "P": ((0.2548, 0.6106, 1.4541, 2.3204, 0.8477), (0.2908, 1.8740, 8.5176, 24.3434, 63.2996)),
    "S": ((0.2497, 0.5628, 1.3899, 2.1865, 0.7715), (0.2681, 1.6711, 7.0267, 19.5377, 50.3888)),
}
ELEMENTS = ("C", "N", "O", "P", "S")
"""Elements with their own scattering; others are rare in biological specimens and count as carbon."""

# Hydrogens that structures leave out, per heavy atom, and the volume in Å³ that such a group takes from the solvent:
# means over protein composition (1.35 g/cm³, 14.1 Da a heavy atom).
_HYDROGENS = {"C": 1.25, "N": 1.35, "O": 0.25, "P": 0.0, "S": 0.4}
GROUP_VOLUME_A3 = 17.0
ICE_MOLECULES_PER_A3 = 0.0311  # vitreous ice, 0.93 g/cm³
POTENTIAL_V_A2 = 47.878  # h²/(2π·m·e): projected potential in V·Å² of a scattering factor of 1 Å


def interaction_constant(voltage_kv: float) -> float:
    """Phase in radians per V·Å of projected potential.

    Kirkland, Advanced Computing in Electron Microscopy, eq. 5.6.
    """
    rest_kv = 510.99895
    wavelength = electron_wavelength_angstrom(voltage_kv)
    ratio = (rest_kv + voltage_kv) / (2 * rest_kv + voltage_kv)
    return 2 * math.pi / (wavelength * voltage_kv * 1e3) * ratio


def scattering_factor(element: str, frequency_squared: np.ndarray) -> np.ndarray:
    """Elastic scattering factor in Å of a neutral atom at squared frequencies in 1/Å²."""
    weights, widths = _FACTORS[element]
    s2 = np.asarray(frequency_squared) / 4
    return np.asarray(np.sum([a * np.exp(-b * s2) for a, b in zip(weights, widths, strict=True)], axis=0))


def water_factor(frequency_squared: np.ndarray) -> np.ndarray:
    """Scattering factor in Å of one water molecule, its atoms independent."""
    return np.asarray(scattering_factor("O", frequency_squared) + 2 * scattering_factor("H", frequency_squared))


def contrast_factor(element: str, frequency_squared: np.ndarray) -> np.ndarray:
    """Scattering factor in Å of an atom with its hydrogens less that of the ice it displaces.

    Displaced solvent as a Gaussian of the group's volume: Fraser, MacRae & Suzuki, J. Appl. Cryst. 11 (1978) 693.
    """
    group = scattering_factor(element, frequency_squared)
    group = group + _HYDROGENS[element] * scattering_factor("H", frequency_squared)
    solvent = ICE_MOLECULES_PER_A3 * GROUP_VOLUME_A3 * float(water_factor(np.zeros(1))[0])
    return np.asarray(group - solvent * np.exp(-math.pi * frequency_squared * GROUP_VOLUME_A3 ** (2 / 3)))


def particle_spectrum(
    atoms_angstrom: np.ndarray,
    elements: np.ndarray,
    rotations: np.ndarray,
    centres_yx_px: np.ndarray,
    *,
    shape: tuple[int, int],
    pixel_size_angstrom: float,
    voltage_kv: float,
    b_factor_a2: float = 0.0,
) -> jax.Array:
    """Spectrum [H, W//2+1] of the projected phase of particles in ice.

    `atoms_angstrom` [A, 3] (x, y, z from the centre), `elements` [A] indices into ELEMENTS, `rotations` [P, 3, 3]
    applied to them, then projected along z, `centres_yx_px` [P, 2] on the canvas of `shape`. Atoms are spread
    bilinearly on a grid of half the pixel, whose blur (sinc²) is divided out in the spectrum; aliasing is 2 % of an
    atom's amplitude at half of Nyquist, 11 % at Nyquist, and random from atom to atom.
    """
    height, width = shape
    kx, ky = frequency_grid(shape, pixel_size_angstrom)
    k2 = kx**2 + ky**2
    fine = (2 * height, 2 * width)
    unblur = 1 / (np.sinc(kx * pixel_size_angstrom / 2) * np.sinc(ky * pixel_size_angstrom / 2)) ** 2
    scale = interaction_constant(voltage_kv) * POTENTIAL_V_A2 / pixel_size_angstrom**2
    envelope = unblur * scale * np.exp(-b_factor_a2 * k2 / 4)
    total = jnp.zeros(k2.shape, jnp.complex64)
    for index, element in enumerate(ELEMENTS):
        chosen = atoms_angstrom[elements == index]
        if not len(chosen) or not len(rotations):
            continue
        density = _spread(
            jnp.asarray(chosen * (2 / pixel_size_angstrom), jnp.float32),
            jnp.asarray(rotations, jnp.float32),
            jnp.asarray(2 * centres_yx_px, jnp.float32),
            fine,
        )
        weight = jnp.asarray(envelope * contrast_factor(element, k2), jnp.float32)
        total = total + _cropped_spectrum(density, shape) * weight
    return total


@partial(jax.jit, static_argnames="shape")
def _spread(atoms: jax.Array, rotations: jax.Array, centres_yx: jax.Array, shape: tuple[int, int]) -> jax.Array:
    height, width = shape

    def add(image: jax.Array, particle: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        rotation, centre = particle
        turned = atoms @ rotation.T
        y, x = turned[:, 1] + centre[0], turned[:, 0] + centre[1]
        row, column = jnp.floor(y), jnp.floor(x)
        fy, fx = y - row, x - column
        for dy, wy in ((0, 1 - fy), (1, fy)):
            for dx, wx in ((0, 1 - fx), (1, fx)):
                at = ((row.astype(int) + dy) % height) * width + (column.astype(int) + dx) % width
                image = image.at[at].add(wy * wx, mode="promise_in_bounds")
        return image, None

    flat, _ = jax.lax.scan(add, jnp.zeros(height * width, jnp.float32), (rotations, centres_yx))
    return flat.reshape(shape)


@partial(jax.jit, static_argnames="shape")
def _cropped_spectrum(fine: jax.Array, shape: tuple[int, int]) -> jax.Array:
    height, width = shape
    spectrum = jnp.fft.rfft2(fine)
    half = height // 2
    return jnp.concatenate([spectrum[:half], spectrum[-half:]])[:, : width // 2 + 1]


def ice_structure_factor(frequency: np.ndarray) -> np.ndarray:
    """S(k) of amorphous ice at frequencies in 1/Å: incompressible at low resolution, a broad ring at 3.7 Å, 1 beyond.

    A smooth curve after the diffraction of low-density amorphous ice (Loerting & Giovambattista 2006), not a fit.
    """
    rise = 0.1 + 0.9 / (1 + np.exp(-(frequency - 0.2) / 0.02))
    return np.asarray(rise + 0.6 * np.exp(-0.5 * ((frequency - 0.27) / 0.03) ** 2))


def ice_spectrum(
    key: jax.Array,
    *,
    shape: tuple[int, int],
    pixel_size_angstrom: float,
    thickness_angstrom: float,
    voltage_kv: float,
) -> jax.Array:
    """Spectrum [H, W//2+1] of an ice layer's Gaussian phase fluctuations: water's scattering under ice's S(k)."""
    kx, ky = frequency_grid(shape, pixel_size_angstrom)
    k2 = kx**2 + ky**2
    phase = interaction_constant(voltage_kv) * POTENTIAL_V_A2 * water_factor(k2)
    density = ICE_MOLECULES_PER_A3 * thickness_angstrom * phase**2 * ice_structure_factor(np.sqrt(k2))
    amplitude = np.sqrt(density) / pixel_size_angstrom
    amplitude[0, 0] = 0
    return jnp.fft.rfft2(jax.random.normal(key, shape)) * jnp.asarray(amplitude, jnp.float32)
