"""Matched filtering of a micrograph with many templates, on a small working image.

A template is compared with the image under its mask after the mean there is taken off, as in Roseman's local
correlation (Ultramicroscopy 94 (2003) 225), but in units of the micrograph's noise and not of the local spread: of the
few independent values under one mask the spread is itself mostly chance, which costs weak particles.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

from warpcore.kernels.image import irfft2, on_host, rfft2, smoothed
from warpcore.kernels.picking._noise import gaussian_field, noise_share, radial_spectrum

FINEST = 6.5
"""Finest detail that is compared: diameter / FINEST."""
COARSEST = 2.3
"""Coarsest: COARSEST · diameter; slower changes are ice thickness."""
SAMPLES = 18.0
"""Working pixels across a diameter."""
UNSEEN = -1e4
"""Response where too little of a particle would be seen."""
_LARGEST_PIXEL = 6.0  # robust spreads at which pixels are clipped before their spectrum is taken
_EVENED_OVER = 2.5  # diameters over which noise is made alike
_LEAST_SEEN = 0.4  # share of a particle inside the image for a position to count: half a particle at an edge


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


Best = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]


class ScoreMaps(NamedTuple):
    """Responses [h, w] of a micrograph and of Gaussian noise of the same spectrum, in deviations of the latter.

    Each is the best over the templates, of the image as it is and of the inverted image; UNSEEN where too little of a
    particle would be seen.
    """

    image: np.ndarray
    inverted: np.ndarray
    noise: np.ndarray
    noise_inverted: np.ndarray
    template: np.ndarray
    """Which template gave `image`."""
    noise_scale: np.ndarray
    """Of each template [T]: deviation of what the spectrum tells to be noise, by that of the simulated noise."""


class Scene(NamedTuple):
    """What templates are compared with: a working image, Gaussian noise of its spectrum, and where they are seen."""

    work: WorkingImage
    noise: jax.Array
    """float32 [h, w], as the working image."""
    noise_share: jax.Array
    """Share of its power that is noise and no particles, float32 [h, w//2 + 1], as `rfft2` has it."""
    seen: jax.Array
    """float32 [h, w], 0 where pixels are junk."""


def scene(
    image: jax.Array | np.ndarray,
    pixel_size_angstrom: float,
    diameter_angstrom: float,
    *,
    finest: float = FINEST,
    valid: np.ndarray | None = None,
) -> Scene:
    """The micrograph [h, w] at about diameter/SAMPLES a pixel (or its own), band-passed at the diameter, and its noise.

    Junk (False in `valid` [h, w]) is filled smoothly before the band-pass, so that its edges cast no fringes.
    """
    small = coarser(image, pixel_size_angstrom, diameter_angstrom / (SAMPLES * finest / FINEST))
    pixels, pixel = np.asarray(small.pixels), small.pixel_size_angstrom
    seen = np.ones(pixels.shape, np.float32) if valid is None else resized_mask(valid, pixels.shape)
    if not seen.all():
        pixels = _filled(pixels, seen, diameter_angstrom / pixel)
    filtered = np.asarray(_filtered(_level(pixels, seen), pixel, diameter_angstrom, finest)) * seen
    filtered = _evened(filtered, seen, _EVENED_OVER * diameter_angstrom / pixel)
    shape = (pixels.shape[0], pixels.shape[1])
    level, spread = _robust_level(filtered)
    largest = np.float32(_LARGEST_PIXEL * spread)
    typical = np.clip(filtered - np.float32(level), -largest, largest)  # no crystals
    spectrum = radial_spectrum(typical, _band(shape, pixel, diameter_angstrom, finest), seen)
    noise = gaussian_field(shape, spectrum) * seen
    work = small._replace(pixels=jnp.asarray(filtered))
    return Scene(work, jnp.asarray(noise), jnp.asarray(noise_share(shape, spectrum)), jnp.asarray(seen))


def coarser(image: jax.Array | np.ndarray, pixel_size_angstrom: float, wanted_pixel_angstrom: float) -> WorkingImage:
    """The micrograph at about the wanted pixel size, or at its own where that is coarser.

    Its level becomes 0, its robust spread 1; outliers are clipped.
    """
    binning = max(1, int(wanted_pixel_angstrom / pixel_size_angstrom / 1.6))
    height, width = (n // binning for n in image.shape)
    shrink = min(1.0, pixel_size_angstrom * binning / wanted_pixel_angstrom)
    small = tuple(max(16, 2 * int(n * shrink / 2)) for n in (height, width))
    level, spread = _robust_level(image)
    pixels = _shrunk(jnp.asarray(image), level, spread, binning, (height, width), (small[0], small[1]))
    scale = (binning * height / small[0], binning * width / small[1])
    return WorkingImage(pixels, pixel_size_angstrom * 0.5 * (scale[0] + scale[1]), scale, (binning - 1) / 2)


def match(seen: Scene, templates: np.ndarray, masks: np.ndarray, extent: np.ndarray) -> ScoreMaps:
    """Best response of a scene [h, w] to templates [T, n, n] under masks [T, n, n].

    Where less than 40 % of the particle's extent [n, n] would be seen there is no response.
    """
    height, width = seen.work.pixels.shape
    size = templates.shape[1]
    padded = tuple(scipy.fft.next_fast_len(n + size, real=True) for n in (height, width))
    weights = masks / masks.sum(axis=(1, 2), keepdims=True)
    kernels = weights * (templates - (weights * templates).sum(axis=(1, 2), keepdims=True))
    maps = _match(
        seen.work.pixels,
        seen.noise,
        seen.noise_share,
        seen.seen,
        jnp.asarray(kernels, jnp.float32),
        jnp.asarray(extent / extent.sum(), jnp.float32),
        (padded[0], padded[1]),
    )
    return ScoreMaps(*(on_host(one) for one in maps))


@partial(jax.jit, static_argnames="padded")
def _match(
    image: jax.Array,
    noise: jax.Array,
    share: jax.Array,
    seen: jax.Array,
    kernels: jax.Array,
    extent: jax.Array,
    padded: tuple[int, int],
) -> tuple[jax.Array, ...]:
    height, width = seen.shape
    centre = kernels.shape[1] // 2
    # The part of the simulated noise that is noise in truth rides along as a third image.
    true_noise = irfft2(rfft2(noise) * jnp.sqrt(share), (height, width)) * seen
    spectra = rfft2(jnp.stack([image, noise, true_noise]), padded)

    def correlated(transforms: jax.Array, kernel: jax.Array) -> jax.Array:
        there = irfft2(transforms * jnp.conj(rfft2(kernel, padded)), padded)
        return jnp.roll(there, (centre, centre), (-2, -1))[..., :height, :width]

    visible = correlated(rfft2(seen, padded), extent)
    there = visible > _LEAST_SEEN
    count = jnp.maximum(jnp.sum(there), 1)

    def one(best: Best, item: tuple[jax.Array, jax.Array]) -> tuple[Best, jax.Array]:
        number, kernel = item
        # Noise in a part of the mask has a part of the variance.
        response = correlated(spectra, kernel) / jnp.sqrt(jnp.maximum(visible, _LEAST_SEEN))
        deviation = jnp.sqrt(jnp.sum(jnp.where(there, response[1:] ** 2, 0), axis=(1, 2)) / count)
        response = response / jnp.maximum(deviation[0], 1e-30)
        positive, inverted, simulated, simulated_inverted, template = best
        return (
            jnp.maximum(positive, response[0]),
            jnp.maximum(inverted, -response[0]),
            jnp.maximum(simulated, response[1]),
            jnp.maximum(simulated_inverted, -response[1]),
            jnp.where(response[0] > positive, number, template),
        ), deviation[1] / jnp.maximum(deviation[0], 1e-30)

    least = jnp.full(seen.shape, UNSEEN)
    start = (least, least, least, least, jnp.zeros(seen.shape, jnp.int32))
    best, scales = jax.lax.scan(one, start, (jnp.arange(kernels.shape[0]), kernels))
    return (*(jnp.where(there, one_map, UNSEEN) for one_map in best[:4]), best[4], scales)


def resized_mask(valid: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask [h, w] of the micrograph at the pixels of a working image, float32."""
    rows = np.minimum(((np.arange(shape[0]) + 0.5) * valid.shape[0] / shape[0]).astype(int), valid.shape[0] - 1)
    columns = np.minimum(((np.arange(shape[1]) + 0.5) * valid.shape[1] / shape[1]).astype(int), valid.shape[1] - 1)
    return np.asarray(valid[np.ix_(rows, columns)], np.float32)


def _level(pixels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Pixels less the quadratic surface that fits them best: mirrored at a border, a slope would look like an edge."""
    y, x = (np.linspace(-1.0, 1.0, n) for n in pixels.shape)
    surface = [np.ones(pixels.shape), *np.broadcast_arrays(y[:, None], x[None])]
    surface += [surface[1] ** 2, surface[1] * surface[2], surface[2] ** 2]
    products = np.array([[np.sum(seen * one * other) for other in surface] for one in surface])
    values = np.array([np.sum(seen * one * pixels) for one in surface])
    factors = np.linalg.solve(products + 1e-6 * np.eye(len(surface)), values)
    return np.asarray(pixels - sum(f * one for f, one in zip(factors, surface, strict=True)), np.float32)


def _evened(pixels: np.ndarray, seen: np.ndarray, width_px: float) -> np.ndarray:
    """Pixels divided by their deviation over a wide neighbourhood, by that of all: film is rougher than ice."""
    spread = np.sqrt((pixels**2).sum() / max(seen.sum(), 1.0))
    power = smoothed(np.clip(pixels, -4 * spread, 4 * spread) ** 2, width_px)
    share = smoothed(seen, width_px)
    local = np.sqrt(power / np.maximum(share, 0.01))
    return np.asarray(pixels * (spread / np.maximum(local, 0.1 * spread + 1e-30)), np.float32)


def _filled(pixels: np.ndarray, seen: np.ndarray, width_px: float) -> np.ndarray:
    """Pixels with junk replaced by the smooth level of what is seen around it, or 0 far from anything seen."""
    level, share = smoothed(pixels * seen, width_px), smoothed(seen, width_px)
    return np.asarray(np.where(seen > 0, pixels, level / np.maximum(share, 0.01)), np.float32)


def _robust_level(image: jax.Array | np.ndarray) -> tuple[float, float]:
    sample = np.asarray(image.ravel()[:: max(1, image.size >> 16)], np.float64)
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
    # A slope would ring at the borders, since the transform takes the image for periodic: it goes round.
    down, across = jnp.linspace(-1.0, 1.0, height)[:, None], jnp.linspace(-1.0, 1.0, width)[None]
    slope_down = jnp.sum(clean * down) / (jnp.sum(down**2) * width)
    slope_across = jnp.sum(clean * across) / (jnp.sum(across**2) * height)
    spectrum = rfft2(clean - slope_down * down - slope_across * across)
    half = small[0] // 2
    cropped = jnp.concatenate([spectrum[:half], spectrum[-half:]])[:, : small[1] // 2 + 1]
    level_ones = irfft2(cropped, small) * (small[0] * small[1] / (height * width))
    rows = -1.0 + 2.0 * jnp.arange(small[0]) * (height / small[0]) / (height - 1)
    columns = -1.0 + 2.0 * jnp.arange(small[1]) * (width / small[1]) / (width - 1)
    sloped: jax.Array = level_ones + slope_down * rows[:, None] + slope_across * columns[None]
    return sloped


def _filtered(pixels: np.ndarray, pixel_size_angstrom: float, diameter_angstrom: float, finest: float) -> jax.Array:
    """Band-passed pixels [h, w]; mirrored at the borders, so that a slope of the ice casts no edge there."""
    height, width = pixels.shape
    border = min(math.ceil(1.5 * diameter_angstrom / pixel_size_angstrom), height, width)
    padded = np.pad(pixels, border, mode="symmetric")
    band = _band(padded.shape, pixel_size_angstrom, diameter_angstrom, finest)
    filtered: jax.Array = _transferred(jnp.asarray(padded), jnp.asarray(band))
    return filtered[border : border + height, border : border + width]


@jax.jit
def _transferred(pixels: jax.Array, band: jax.Array) -> jax.Array:
    filtered: jax.Array = irfft2(rfft2(pixels) * band, (pixels.shape[0], pixels.shape[1]))
    return filtered


def _band(shape: tuple[int, ...], pixel_size_angstrom: float, diameter_angstrom: float, finest: float) -> np.ndarray:
    across = np.fft.rfftfreq(shape[1])
    k = np.hypot(np.fft.fftfreq(shape[0])[:, None], across[None]) / pixel_size_angstrom * diameter_angstrom
    return np.asarray((1 - np.exp(-((k * COARSEST) ** 2))) / (1 + (k / finest) ** 12), np.float32)
