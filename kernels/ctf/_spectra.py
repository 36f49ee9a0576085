"""Power spectra of overlapping patches, and the geometry of the frequencies that a fit looks at.

A patch covers the same stretch of specimen whatever the pixel: its size in pixels follows from a length in Å, and only
the frequencies up to a limit are kept. That equals resampling (Fourier cropping) without a second transform.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
from scipy.fft import next_fast_len

from warpcore.kernels.ctf._masking import without_bodies
from warpcore.kernels.image import at_once, on_cpu

# Transforms on the CPU are bit-equal from run to run only where each thread gets whole vectors of lines, so line counts
# are multiples of this.
LINES = 64
# A frequency of the mean over patches may have this many times the power of its ring; noise reaches 4 times in nine
# patches.
STREAK = 4.0
_PREPARED_AT_ONCE = 3
_PATCH_BYTES = 2 << 30
"""Of patches that a device transforms at once, with their transforms."""


@dataclass(frozen=True, eq=False)
class Band:
    """Frequencies of an n×n patch between two limits: half a plane without its axes, where fixed-pattern noise sits.

    They are held bin by bin, sectors × rings even in k² (so bins have nearly equal areas), each padded to the fullest
    one: all arrays are [bins, capacity], and a sum over a bin is a sum over the last axis. `index` points into the
    cropped half-plane [2·limit+1, limit+1] (rows ky = -limit..limit, columns kx = 0..limit); `weight` is 1, or 0 for
    padding; `k2` in 1/Å²; `cos2`, `sin2` of twice the azimuth, which runs from +x towards +y. `step` is the frequency
    step in 1/Å.
    """

    size: int
    limit: int
    step: float
    sectors: int
    index: np.ndarray
    weight: np.ndarray
    k2: np.ndarray
    cos2: np.ndarray
    sin2: np.ndarray

    @property
    def k(self) -> np.ndarray:
        """Frequencies in 1/Å, [bins, capacity]."""
        return np.asarray(np.sqrt(self.k2))

    @property
    def azimuth(self) -> np.ndarray:
        """Directions in radians, [0, π), [bins, capacity]."""
        return np.asarray(np.mod(0.5 * np.arctan2(self.sin2, self.cos2), np.pi), dtype=np.float32)


@lru_cache(maxsize=16)
def band(
    size: int, pixel_size_angstrom: float, k_min: float, k_max: float, limit: int, sectors: int = 16, rings: int = 24
) -> Band:
    """The band of an n×n patch from `k_min` to `k_max`, 1/Å; `limit` is the half-width of its half-plane, in steps."""
    step = 1.0 / (size * pixel_size_angstrom)
    row, column = np.meshgrid(np.arange(-limit, limit + 1), np.arange(limit + 1), indexing="ij")
    k2 = (row**2 + column**2) * step**2
    wanted = (k2 >= k_min**2) & (k2 <= k_max**2) & (row != 0) & (column != 0)
    flat, x, y, k2 = np.flatnonzero(wanted), column[wanted], row[wanted], k2[wanted]
    r2 = (x**2 + y**2).astype(np.float64)
    cos2, sin2 = (x**2 - y**2) / r2, 2 * x * y / r2
    sector = np.minimum(np.mod(0.5 * np.arctan2(sin2, cos2), np.pi) / np.pi * sectors, sectors - 1).astype(np.int64)
    low, high = k2.min(), k2.max() * (1 + 1e-9)
    ring = np.minimum((k2 - low) / (high - low) * rings, rings - 1).astype(np.int64)
    number = sector * rings + ring
    order = np.argsort(number, kind="stable")
    count = np.bincount(number, minlength=sectors * rings)
    place = np.arange(number.size) - np.repeat(np.cumsum(count) - count, count)
    bins, capacity = sectors * rings, int(count.max())

    def padded(values: np.ndarray, fill: float, kind: type) -> np.ndarray:
        out: np.ndarray = np.full((bins, capacity), fill, dtype=kind)
        out[number[order], place] = values[order]
        return out

    return Band(
        size=size,
        limit=limit,
        step=step,
        sectors=sectors,
        index=padded(flat, int(flat[0]), np.int32),
        weight=padded(np.ones(number.size), 0, np.float32),
        k2=padded(k2, float(k2[0]), np.float32),
        cos2=padded(cos2, 1, np.float32),
        sin2=padded(sin2, 0, np.float32),
    )


def patch_size(length_angstrom: float, pixel_size_angstrom: float, shape: tuple[int, int]) -> int:
    """Pixels of a patch that covers about `length_angstrom`: a multiple of 64, quick to transform, within the image."""
    wanted = max(1, round(length_angstrom / pixel_size_angstrom / LINES))
    most = max(1, min(shape) // LINES)
    return LINES * min((m for m in range(1, most + 1) if next_fast_len(m) == m), key=lambda m: abs(m - wanted))


def patch_origins(shape: tuple[int, int], size: int, overlap: float = 0.5) -> np.ndarray:
    """Upper left corners (y, x) of patches spread evenly over a [y, x] image, int32 [P, 2], rows first."""

    def starts(length: int) -> np.ndarray:
        count = max(1, int(np.ceil((length - size) / (size * (1 - overlap)) - 0.25)) + 1)
        return np.round(np.linspace(0, length - size, count)).astype(np.int32)

    ys, xs = starts(shape[0]), starts(shape[1])
    return np.stack([a.ravel() for a in np.meshgrid(ys, xs, indexing="ij")], axis=1)


def taper(size: int, flat: float = 0.5) -> np.ndarray:
    """Raised-cosine window of one dimension, float32 [size]: flat over the given fraction, mean square 1."""
    position = (np.arange(size) + 0.5) / size
    edge = (1 - flat) / 2
    ramp = np.clip(np.minimum(position, 1 - position) / edge, 0, 1) if edge > 0 else np.ones(size)
    window = 0.5 - 0.5 * np.cos(np.pi * ramp)
    return np.asarray(window / np.sqrt(np.mean(window**2)), dtype=np.float32)


def patch_power(
    image: jax.Array, limits: jax.Array, origins: jax.Array, window: jax.Array, *, size: int, limit: int
) -> jax.Array:
    """Power |F|²/n² of each tapered patch less its plane: float32 [P, 2·limit+1, limit+1], squared image units.

    `image` [H, W] float32, cut to `limits` (least, middle, largest; non-finite pixels become the middle), `origins`
    [P, 2], `window` [size]; frequencies -limit..limit (rows) and 0..limit (columns).
    """
    powers: jax.Array = _patch_power(
        image,
        limits,
        origins,
        window,
        size=size,
        limit=limit,
        batch=at_once(max(1, _PATCH_BYTES // (24 * size * size))),
    )
    return powers


@partial(jax.jit, static_argnames=("size", "limit", "batch"))
def _patch_power(
    image: jax.Array,
    limits: jax.Array,
    origins: jax.Array,
    window: jax.Array,
    *,
    size: int,
    limit: int,
    batch: int | None,
) -> jax.Array:
    columns = -(-(limit + 1) // LINES) * LINES
    along = jnp.linspace(-1.0, 1.0, size)
    spread = jnp.mean(along**2)

    def one(origin: jax.Array) -> jax.Array:
        patch = jax.lax.dynamic_slice(image, (origin[0], origin[1]), (size, size))
        patch = jnp.clip(jnp.where(jnp.isfinite(patch), patch, limits[1]), limits[0], limits[2])
        patch = patch - jnp.mean(patch)
        slope_x = jnp.mean(jnp.mean(patch, axis=0) * along) / spread
        slope_y = jnp.mean(jnp.mean(patch, axis=1) * along) / spread
        patch = patch - slope_x * along[None, :] - slope_y * along[:, None]
        half = jnp.fft.rfft(patch * window[:, None] * window[None, :], axis=1)[:, :columns]
        half = jnp.pad(half, ((0, 0), (0, columns - half.shape[1])))
        transform = jnp.fft.fft(half, axis=0)[:, : limit + 1]
        transform = jnp.concatenate([transform[-limit:], transform[: limit + 1]])
        return (jnp.square(transform.real) + jnp.square(transform.imag)) / (size * size)

    powers: jax.Array = jax.lax.map(one, origins, batch_size=batch)
    return powers


def half_plane(centred: np.ndarray, limit: int) -> np.ndarray:
    """The half-plane [2·limit+1, limit+1] of a centred 2D spectrum (zero at [H//2, W//2])."""
    cy, cx = centred.shape[0] // 2, centred.shape[1] // 2
    return np.asarray(centred[cy - limit : cy + limit + 1, cx : cx + limit + 1], dtype=np.float32)


def centred_plane(half: np.ndarray) -> np.ndarray:
    """The whole centred spectrum [2·limit+1, 2·limit+1] of a half-plane, by its point symmetry."""
    left = half[::-1, :0:-1]
    return np.concatenate([left, half], axis=1)


def clip_limits(image: jax.Array) -> np.ndarray:
    """Least, middle and largest value [3] of pixels of an image [H, W]: six robust deviations around the median.

    Hot pixels and other outliers would otherwise dominate the spectrum.
    """
    step_y, step_x = (max(1, n // 256) for n in image.shape)
    sample = np.asarray(image[::step_y, ::step_x], np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return np.zeros(3, np.float32)
    low, middle, high = np.percentile(sample, [15.87, 50.0, 84.13])
    # Frames of few electrons are mostly zero: there the percentiles meet and the plain deviation says more.
    reach = 6 * (0.5 * (high - low) or float(sample.std()))
    return np.array([middle - reach, middle, middle + reach], np.float32)


@dataclass(frozen=True, eq=False)
class PatchSpectra:
    """Power of the patches of one image, or its mean over several: `power` [P, 2·limit+1, limit+1].

    `centres` [P, 2] are (y, x) in [0, 1] of the field, `size` the pixels of a patch; Å of a pixel and of the field (y,
    x); `dose` in e⁻/Å² of one image (None: not known); `source` names the images.
    """

    power: jax.Array
    centres: np.ndarray
    size: int
    pixel_size_angstrom: float
    field_angstrom: tuple[float, float]
    dose: float | None = None
    source: str = "sum"

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean power [2·limit+1, limit+1]; far stronger patches (an edge, contamination) count for less.

        What still stands out from its ring, the streak of an edge, is cut off. A single spectrum is not changed.
        """
        limit = self.power.shape[2] - 1
        y, x = np.meshgrid(np.arange(-limit, limit + 1), np.arange(limit + 1), indexing="ij")
        k = np.hypot(x, y) / (self.size * self.pixel_size_angstrom)
        coarse = jnp.asarray((k > 1 / 40) & (k < max(1 / 10, 2 / 40)) & (x != 0) & (y != 0), jnp.float32)
        level = np.asarray(jnp.einsum("pyx,yx->p", self.power, coarse), np.float64)
        weight = np.minimum(1.0, np.median(level) / np.maximum(level, 1e-30)) ** 2
        mean = np.array(jnp.einsum("p,pyx->yx", jnp.asarray(weight / weight.sum(), jnp.float32), self.power))
        if len(level) == 1:
            return mean
        ring = np.hypot(x, y).astype(np.int64).ravel()
        number = np.maximum(np.bincount(ring), 1)
        for _ in range(3):
            level_of_ring = np.bincount(ring, mean.ravel()) / number
            mean = np.minimum(mean, (STREAK * level_of_ring)[ring].reshape(mean.shape)).astype(np.float32)
        return mean


def _cleaned_ahead(
    images: Iterable[jax.Array | np.ndarray], pixel_size_angstrom: float
) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Each image [H, W] without foreign bodies, and its limits; the next is made ready while one is looked at."""
    waiting = iter(images)

    def prepare(one: jax.Array | np.ndarray) -> tuple[jax.Array, jax.Array]:
        image = jnp.asarray(one, jnp.float32)
        limits = jnp.asarray(clip_limits(image))
        return without_bodies(image, limits, pixel_size_angstrom), limits

    if on_cpu():
        yield from _one_ahead(waiting, prepare)
        return
    # Few numbers of each come back to the host, which looks at several at once.
    with ThreadPoolExecutor(_PREPARED_AT_ONCE) as pool:
        ahead = deque(pool.submit(prepare, one) for one in islice(waiting, _PREPARED_AT_ONCE))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(pool.submit(prepare, one) for one in islice(waiting, 1))


def _one_ahead(
    waiting: Iterator[jax.Array | np.ndarray],
    prepare: Callable[[jax.Array | np.ndarray], tuple[jax.Array, jax.Array]],
) -> Iterator[tuple[jax.Array, jax.Array]]:
    """On the CPU the image itself is made in the thread, too."""

    def prepared() -> tuple[jax.Array, jax.Array] | None:
        one = next(waiting, None)
        return None if one is None else prepare(one)

    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(prepared)
        while (ready := ahead.result()) is not None:
            ahead = thread.submit(prepared)
            yield ready


def measure(
    images: Iterable[jax.Array | np.ndarray],
    shape: tuple[int, int],
    *,
    size: int,
    limit: int,
    pixel_size_angstrom: float,
    overlap: float = 0.5,
    dose: float | None = None,
    source: str = "sum",
) -> PatchSpectra:
    """Mean power of the patches of `size` px over images [H, W] of `shape`, up to `limit` frequency steps."""
    origins, window = patch_origins(shape, size, overlap), jnp.asarray(taper(size))
    where = jnp.asarray(origins)
    power, count = jnp.zeros((), jnp.float32), 0
    for image, limits in _cleaned_ahead(images, pixel_size_angstrom):
        power = power + patch_power(image, limits, where, window, size=size, limit=limit)
        if on_cpu():
            power.block_until_ready()
        count += 1
    return PatchSpectra(
        power / count,
        (origins + 0.5 * size) / np.array(shape),
        size,
        pixel_size_angstrom,
        (shape[0] * pixel_size_angstrom, shape[1] * pixel_size_angstrom),
        dose,
        source,
    )
