"""Wiener-like deconvolution of the CTF, for pictures that people and pickers see particles in."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.ctf._model import frequency_grid
from warpcore.kernels.ctf._parameters import CtfParameters
from warpcore.kernels.image import irfft2, rfft2

_HIGHPASS_NYQUIST = 0.02


def assumed_snr(frequency: np.ndarray, pixel_size_angstrom: float, strength: float, falloff: float) -> np.ndarray:
    """Signal-to-noise power at frequencies in 1/Å: 10^(3·strength) · exp(-200 Å · falloff · k), high-pass filtered.

    The filter of Tegunov & Cramer, Nat. Methods 16 (2019) 1146 (tom_deconv): its exponent, frequency as a fraction of
    Nyquist times 100·falloff/pixel size, is 200·falloff·k; a cosine takes away frequencies below 0.02 Nyquist.
    """
    of_nyquist = np.asarray(frequency) * 2 * pixel_size_angstrom
    highpass = 1 - np.cos(np.pi * np.minimum(1, of_nyquist / _HIGHPASS_NYQUIST))
    return np.asarray(np.exp(-200 * falloff * np.asarray(frequency)) * 10 ** (3 * strength) * highpass)


def deconvolve(
    image: jax.Array | np.ndarray,
    *,
    pixel_size_angstrom: float,
    ctf: CtfParameters,
    strength: float = 1.0,
    falloff: float = 1.0,
) -> jax.Array:
    """The image [h, w] times CTF/(CTF² + 1/SNR), float32; dark stays dark, the mean becomes 0.

    `strength` and `falloff` shape the SNR (`assumed_snr`). The image is mirrored for the transform, so that its edges
    do not ring into each other. Non-finite pixels count as the mean.
    """
    height, width = image.shape
    kx, ky = frequency_grid((2 * height, 2 * width), pixel_size_angstrom)
    snr = assumed_snr(np.hypot(kx, ky), pixel_size_angstrom, strength, falloff)
    # Minus: the CTF is negative where an object is seen dark, and dark is to stay dark.
    transfer = -ctf.image((2 * height, 2 * width), pixel_size_angstrom)
    return jnp.asarray(_filtered(jnp.asarray(image, jnp.float32), transfer, jnp.asarray(snr, jnp.float32)))


@jax.jit
def _filtered(image: jax.Array, transfer: jax.Array, snr: jax.Array) -> jax.Array:
    height, width = image.shape
    finite = jnp.isfinite(image)
    mean = jnp.sum(jnp.where(finite, image, 0)) / jnp.maximum(jnp.sum(finite), 1)
    clean = jnp.where(finite, image - mean, 0)
    mirrored = jnp.concatenate([clean, clean[::-1]])
    mirrored = jnp.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    wiener = transfer * snr / (transfer**2 * snr + 1)
    return irfft2(rfft2(mirrored) * wiener, (2 * height, 2 * width))[:height, :width]
