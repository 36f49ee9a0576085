"""Local normalised correlation of a micrograph with many templates, on a small working image.

Each template is compared with the image under its mask, mean and variance taken there (Roseman, Ultramicroscopy 94
(2003) 225), so that the value is a correlation coefficient whatever the dose or the ice; pixels outside the image or
masked as junk take no part in it, which keeps particles at edges comparable.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from warpcore.kernels.image import irfft2, rfft2

FINEST = 6.5
"""Finest detail that is compared: diameter / FINEST."""
COARSEST = 2.3
"""Coarsest: COARSEST · diameter; slower changes are ice thickness."""
SAMPLES = 18.0
"""Working pixels across a diameter."""
_LEAST_SEEN = 0.4  # share of a mask inside the image for a position to count: half a particle at an edge


class WorkingImage(NamedTuple):
    """A band-passed, coarser copy of a micrograph and how its pixels lie in the micrograph."""

    pixels: jax.Array
    """float32 [h, w], mean about 0."""
    pixel_size_angstrom: float
    scale_yx: tuple[float, float]
    """Micrograph pixels a working pixel."""
    offset_px: float
    """Micrograph position of the centre of working pixel 0, both ways."""

    def to_micrograph(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (y, x) in px of the micrograph of positions in working px."""
        return y * self.scale_yx[0] + self.offset_px, x * self.scale_yx[1] + self.offset_px


class CorrelationMap(NamedTuple):
    """Best correlation coefficient over the templates [h, w] and which template gave it."""

    value: np.ndarray
    template: np.ndarray


def working_image(
    image: jax.Array | np.ndarray, pixel_size_angstrom: float, diameter_angstrom: float, finest: float = FINEST
) -> WorkingImage:
    """The micrograph [h, w] at about diameter/SAMPLES a pixel, never finer than it is, band-passed at the diameter."""
    small = coarser(image, pixel_size_angstrom, diameter_angstrom / (SAMPLES * finest / FINEST))
    band = _band(small.pixels.shape, small.pixel_size_angstrom, diameter_angstrom, finest)
    return small._replace(pixels=_filtered(small.pixels, jnp.asarray(band)))


def coarser(image: jax.Array | np.ndarray, pixel_size_angstrom: float, wanted_pixel_angstrom: float) -> WorkingImage:
    """The micrograph at about the wanted pixel size, or at its own where that is coarser.

    Its level becomes 0, its robust spread 1; outliers are clipped.
    """
    binning = max(1, int(wanted_pixel_angstrom / pixel_size_angstrom / 1.6))
    height, width = (n // binning for n in image.shape)
    shrink = min(1.0, pixel_size_angstrom * binning / wanted_pixel_angstrom)
    small = tuple(max(16, 2 * int(n * shrink / 2)) for n in (height, width))
    level, spread = _robust_level(np.asarray(image))
    pixels = _shrunk(jnp.asarray(image), level, spread, binning, (height, width), (small[0], small[1]))
    scale = (binning * height / small[0], binning * width / small[1])
    return WorkingImage(pixels, pixel_size_angstrom * 0.5 * (scale[0] + scale[1]), scale, (binning - 1) / 2)


def band_passed_templates(
    templates: np.ndarray, pixel_size_angstrom: float, diameter_angstrom: float, finest: float = FINEST
) -> np.ndarray:
    """Templates [T, n, n] under the same band as the working image."""
    band = _band((templates.shape[1], templates.shape[2]), pixel_size_angstrom, diameter_angstrom, finest)
    return np.asarray(np.fft.irfft2(np.fft.rfft2(templates) * band, s=templates.shape[1:]), np.float32)


def noise_deviation(
    template: np.ndarray, mask: np.ndarray, pixel_size_angstrom: float, diameter_angstrom: float, finest: float = FINEST
) -> float:
    """Standard deviation of one template's coefficient on noise that was white before the band-pass."""
    weights = mask / mask.sum()
    centred = template - (weights * template).sum()
    weighted = weights * centred / np.sqrt((weights * centred**2).sum())
    band = _band((template.shape[0], template.shape[1]), pixel_size_angstrom, diameter_angstrom, finest, full=True)
    power = band**2
    numerator = (np.abs(np.fft.fft2(weighted)) ** 2 * power).mean()
    denominator = power.mean() - (np.abs(np.fft.fft2(weights)) ** 2 * power).mean()
    return float(np.sqrt(numerator / denominator))


def correlate(
    image: jax.Array, templates: np.ndarray, masks: np.ndarray, valid: np.ndarray | None = None
) -> CorrelationMap:
    """Best local normalised correlation of the working image [h, w] with templates [T, n, n] under masks [T, n, n].

    `valid` [h, w] is 0 where pixels are junk. A position of which less than 40 % of the mask is seen gets -1.
    One template at a time: memory is that of a few padded images.
    """
    height, width = image.shape
    size = templates.shape[1]
    padded = tuple(scipy.fft.next_fast_len(n + size, real=True) for n in (height, width))
    seen = jnp.ones(image.shape, jnp.float32) if valid is None else jnp.asarray(valid, jnp.float32)
    value, index = _correlate(
        jnp.asarray(image, jnp.float32), seen, jnp.asarray(templates), jnp.asarray(masks), (padded[0], padded[1])
    )
    return CorrelationMap(np.asarray(value), np.asarray(index))


@partial(jax.jit, static_argnames="padded")
def _correlate(
    image: jax.Array, seen: jax.Array, templates: jax.Array, masks: jax.Array, padded: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    height, width = image.shape
    centre = templates.shape[1] // 2
    level = jnp.sum(image * seen) / jnp.maximum(jnp.sum(seen), 1)
    clean = (image - level) * seen
    spread = jnp.sqrt(jnp.sum(clean**2) / jnp.maximum(jnp.sum(seen), 1)) + 1e-30
    clean = clean / spread
    ones, first, second = (rfft2(a, padded) for a in (seen, clean, clean**2))

    def correlated(spectrum: jax.Array, kernel: jax.Array) -> jax.Array:
        there = irfft2(spectrum * jnp.conj(rfft2(kernel, padded)), padded)
        return jnp.roll(there, (centre, centre), (0, 1))[:height, :width]

    def one(
        best: tuple[jax.Array, jax.Array], item: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], None]:
        number, template, mask = item
        weights = mask / mask.sum()
        centred = template - jnp.sum(weights * template)
        weighted = weights * centred
        share = correlated(ones, weights)
        safe = jnp.maximum(share, 1e-3)
        mean = correlated(first, weights) / safe
        variance = correlated(second, weights) / safe - mean**2
        template_mean = correlated(ones, weighted) / safe
        template_variance = correlated(ones, weighted * centred) / safe - template_mean**2
        product = correlated(first, weighted) / safe - mean * template_mean
        floor = 1e-4 * jnp.sum(weighted * centred)
        scale = jnp.sqrt(jnp.maximum(variance, 1e-3) * jnp.maximum(template_variance, floor))
        value = jnp.where(share > _LEAST_SEEN, product / scale, -1.0)
        return (jnp.maximum(best[0], value), jnp.where(value > best[0], number, best[1])), None

    start = (jnp.full(image.shape, -1.0), jnp.zeros(image.shape, jnp.int32))
    best, _ = jax.lax.scan(one, start, (jnp.arange(templates.shape[0]), templates, masks))
    return best


def _robust_level(image: np.ndarray) -> tuple[float, float]:
    sample = image.ravel()[:: max(1, image.size >> 16)].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 1.0
    low, middle, high = np.percentile(sample, [16, 50, 84])
    return float(middle), float(max((high - low) / 2, 1e-12 * max(1.0, abs(middle))))


@partial(jax.jit, static_argnames=("binning", "binned", "small"))
def _shrunk(
    image: jax.Array, level: float, spread: float, binning: int, binned: tuple[int, int], small: tuple[int, int]
) -> jax.Array:
    clean = (image.astype(jnp.float32) - level) / spread
    clean = jnp.clip(jnp.where(jnp.isfinite(clean), clean, 0), -8, 8)
    height, width = binned
    clean = clean[: height * binning, : width * binning].reshape(height, binning, width, binning).mean(axis=(1, 3))
    if small == binned:
        return clean
    spectrum = rfft2(clean)
    half = small[0] // 2
    cropped = jnp.concatenate([spectrum[:half], spectrum[-half:]])[:, : small[1] // 2 + 1]
    return irfft2(cropped, small) * (small[0] * small[1] / (height * width))


@jax.jit
def _filtered(pixels: jax.Array, band: jax.Array) -> jax.Array:
    filtered: jax.Array = irfft2(rfft2(pixels) * band, (pixels.shape[0], pixels.shape[1]))
    return filtered


def _band(
    shape: tuple[int, ...], pixel_size_angstrom: float, diameter_angstrom: float, finest: float, full: bool = False
) -> np.ndarray:
    across = np.fft.fftfreq(shape[1]) if full else np.fft.rfftfreq(shape[1])
    k = np.hypot(np.fft.fftfreq(shape[0])[:, None], across[None]) / pixel_size_angstrom * diameter_angstrom
    return np.asarray((1 - np.exp(-((k * COARSEST) ** 2))) / (1 + (k / finest) ** 12), np.float32)
