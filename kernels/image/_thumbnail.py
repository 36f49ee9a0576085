"""A small picture of a micrograph: downsampling by area, and a contrast that hot pixels and carbon do not spoil."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.image._fourier import irfft2, rfft2

Image = np.ndarray | jax.Array

_SAMPLES = 1 << 18  # pixels looked at for a percentile: enough for 0.1 %, and no sort of 16 million


def thumbnail(image: np.ndarray | jax.Array, longest_px: int = 512) -> np.ndarray:
    """Grey picture uint8 [h', w'] of an image [h, w], its longer side `longest_px` or less (never enlarged).

    Outliers and non-finite pixels are clipped first, then the spectrum is cropped under a smooth edge (no aliasing, no
    ringing); the 1st to 99th percentile of the small picture spans black to white. Equal input, equal bytes.
    Raises ValueError for an image that is not 2-D or empty.
    """
    if image.ndim != 2 or 0 in image.shape or longest_px < 1:
        raise ValueError(f"a thumbnail needs a 2-D image and at least one pixel; got {image.shape} and {longest_px} px")
    height, width = image.shape
    scale = min(1.0, longest_px / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))
    on_device = isinstance(image, jax.Array)
    clean = jnp.asarray(_clipped(image.astype(jnp.float32) if on_device else np.asarray(image, np.float32)))
    picture = np.asarray(_downsampled(clean, small)) if small != image.shape else np.asarray(clean)
    low, high = np.percentile(_some(picture), [1.0, 99.0])
    if not high > low:
        return np.full(small, 128, np.uint8)
    return np.asarray(np.clip(np.rint((picture - low) / (high - low) * 255), 0, 255).astype(np.uint8))


def _some(image: Image) -> np.ndarray:
    return np.asarray(image.ravel()[:: max(1, image.size // _SAMPLES)])


def _clipped(image: Image) -> Image:
    """Where the image lies: an array of the device is not fetched for it."""
    numpy: Any = jnp if isinstance(image, jax.Array) else np
    sample = _some(image)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        nothing: Image = numpy.zeros_like(image)
        return nothing
    low, middle, high = np.percentile(sample, [2.5, 50.0, 97.5])
    # Three times the central 95 %: six sigma of a Gaussian, so only outliers are touched.
    clean = numpy.nan_to_num(image, nan=float(middle))
    clipped: Image = numpy.clip(clean, 3 * low - 2 * middle, 3 * high - 2 * middle)
    return clipped


@partial(jax.jit, static_argnames="small")
def _downsampled(image: jax.Array, small: tuple[int, int]) -> jax.Array:
    height, width = image.shape
    # Mirrored to be periodic: a gradient across the image would ring at its edges otherwise.
    mirrored = jnp.concatenate([image, image[::-1]])
    mirrored = jnp.concatenate([mirrored, mirrored[:, ::-1]], axis=1)
    rows, columns = 2 * small[0], 2 * small[1]
    spectrum = rfft2(mirrored)
    half = small[0]
    cropped = jnp.concatenate([spectrum[:half], spectrum[2 * height - half :]])[:, : small[1] + 1]
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None]
    edge = 0.5 + 0.5 * np.cos(np.pi * np.clip((np.hypot(fy, fx) - 0.4) / 0.1, 0, 1))
    # Mirrored pixels lie half a pixel off the small picture's grid.
    offset_y, offset_x = 0.5 * (height / small[0] - 1) / height, 0.5 * (width / small[1] - 1) / width
    turn = np.exp(
        1j
        * np.pi
        * (np.fft.fftfreq(rows, 1 / rows)[:, None] * offset_y + np.fft.rfftfreq(columns, 1 / columns)[None] * offset_x)
    )
    scale = small[0] * small[1] / (height * width)
    weight = jnp.asarray(edge * turn * scale, jnp.complex64)
    return irfft2(cropped * weight, (rows, columns))[:half, : small[1]]
