"""The one place that knows the FFT convention.

Images are `[..., y, x]`; transforms are unnormalised `rfft2` (half plane, kx ≥ 0, DC at [0, 0]); frequencies are in
1/Å. An image whose content is displaced by (dx, dy) has its transform multiplied by exp(-2πi (kx dx + ky dy)).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._backend import is_cpu

Array = jax.Array
FloatArray = npt.NDArray[np.float32]


def frequencies(height: int, width: int, pixel_size_angstrom: float) -> tuple[FloatArray, FloatArray]:
    """(ky [height, 1], kx [1, width//2 + 1]) of `rfft2`, 1/Å."""
    ky = np.fft.fftfreq(height, pixel_size_angstrom)[:, None].astype(np.float32)
    kx = np.fft.rfftfreq(width, pixel_size_angstrom)[None, :].astype(np.float32)
    return ky, kx


def even_size(size: int, binning: float) -> int:
    """Size after binning by that factor (pixels per pixel): even, never larger than `size / binning`, at least 2."""
    return max(2, int(size / binning / 2 + 1e-6) * 2) if binning > 1 else size


LINES = 64
"""Only transforms of multiples of this many lines have the same bits in every run on the CPU, whatever else runs."""


def rfft2(images: Array, size: tuple[int, int] | None = None) -> Array:
    """`rfft2` over the last two axes of [..., y, x] (zero-padded to `size`), with the same bits in every run."""
    height, width = size or images.shape[-2:]
    rows = images.shape[-2]
    along = jnp.fft.rfft(_whole_lines(images, -2), n=width, axis=-1)[..., :rows, :]
    columns = along.shape[-1]
    return jnp.fft.fft(_whole_lines(along, -1), n=height, axis=-2)[..., :columns]


def irfft2(transforms: Array, size: tuple[int, int]) -> Array:
    """The inverse of `rfft2`: images [..., y, x] of this size, with the same bits in every run."""
    height, width = size
    columns = transforms.shape[-1]
    along = jnp.fft.ifft(_whole_lines(transforms, -1), n=height, axis=-2)[..., :columns]
    return jnp.fft.irfft(_whole_lines(along, -2), n=width, axis=-1)[..., :height, :]


def _whole_lines(array: Array, axis: int) -> Array:
    """Padded on a CPU with zeros along the axis that is not transformed, to a multiple of LINES."""
    missing = -array.shape[axis] % LINES
    if not missing or not is_cpu():
        return array
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, missing)
    return jnp.pad(array, widths)


def moved_back(real: Array, imaginary: Array, kx: Array, ky: Array, shifts: Array) -> tuple[Array, Array]:
    """Coefficients [F, Y, X] times exp(2πi k·shift): content that `shifts` [F, 2] (x, y) displaced is moved back.

    kx [X] and ky [Y] are in 1 / the unit of the shifts.
    The phase is a product of one along x and one along y, far cheaper than sine and cosine of each; real and imaginary
    part are apart, since XLA on a CPU does not vectorise complex numbers.
    """
    x, y = (2 * np.float32(np.pi)) * shifts[:, :1] * kx, (2 * np.float32(np.pi)) * shifts[:, 1:] * ky
    cos_x, sin_x = jnp.cos(x)[:, None, :], jnp.sin(x)[:, None, :]
    cos_y, sin_y = jnp.cos(y)[:, :, None], jnp.sin(y)[:, :, None]
    cos, sin = cos_y * cos_x - sin_y * sin_x, sin_y * cos_x + cos_y * sin_x
    return real * cos - imaginary * sin, real * sin + imaginary * cos
