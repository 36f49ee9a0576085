"""Wide Gaussian smoothing, which by the hundreds of taps is one of the longest things that a host does for a movie."""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import scipy.ndimage

from warpcore.kernels.image._backend import on_cpu, on_host


def smoothed(pixels: npt.NDArray[np.float32], sigma_px: float, mode: str = "reflect") -> npt.NDArray[np.float32]:
    """`scipy.ndimage.gaussian_filter` of an image [h, w] of float32; on a device as two products of matrices."""
    if on_cpu():
        return np.asarray(scipy.ndimage.gaussian_filter(pixels, sigma_px, mode=mode))
    height, width = pixels.shape
    return on_host(_product(_operator(height, sigma_px, mode), jnp.asarray(pixels), _operator(width, sigma_px, mode)))


@lru_cache(maxsize=16)
def _operator(size: int, sigma_px: float, mode: str) -> jax.Array:
    """The filter along a line of `size` pixels as a matrix, edges included."""
    identity = np.eye(size, dtype=np.float32)
    return jnp.asarray(scipy.ndimage.gaussian_filter1d(identity, sigma_px, axis=0, mode=mode))


@jax.jit
def _product(down: jax.Array, pixels: jax.Array, across: jax.Array) -> jax.Array:
    rows = jnp.dot(down, pixels, precision="highest")
    return jnp.dot(rows, across.T, precision="highest")
