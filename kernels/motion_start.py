"""A robust start: whole frames at low resolution, each against the sum of those already aligned.

From the middle frame outwards, the peak is looked for within reach of the frame before, so a drift may be long if its steps are not; then each
frame against the sum of all others, weighted by the spectral signal-to-noise ratio that the first pass shows.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.fourier import frequencies, rfft2

Array = jax.Array

_REACH_ANGSTROM = 45.0
_DRIFT_ANGSTROM = 240.0
_SWEEPS = 3


def coarse_factor(pixel_size_angstrom: float) -> int:
    """How many binned pixels make one of the start's, of about 7 Å."""
    return max(1, round(7.0 / pixel_size_angstrom))


def start_track(
    frames: Array,
    count: int,
    pixel_size_angstrom: float,
    range_min_angstrom: float,
    range_max_angstrom: float,
    b_factor: float,
) -> npt.NDArray[np.float64]:
    """Displacement (x, y) of each frame against the middle one, Å: [F, 2], good to a few Å.

    `frames` [F, y, x] float32, pixel of about 7 Å; the first `count` of them are real, the rest zero.
    """
    _, height, width = frames.shape
    margin = int(_DRIFT_ANGSTROM / pixel_size_angstrom)
    size_y, size_x = _good_size(height + margin), _good_size(width + margin)
    ky, kx = frequencies(size_y, size_x, pixel_size_angstrom)
    radius = np.sqrt(kx * kx + ky * ky)
    finest = min(1.0 / max(range_max_angstrom, 15.0), 0.45 / pixel_size_angstrom)
    band = (radius > 1.0 / min(range_min_angstrom, 0.5 * height * pixel_size_angstrom)) & (radius < finest)
    weight = np.where(band, np.exp(b_factor / 4 * radius**2), 0).astype(np.float32)
    rings = np.minimum((radius * pixel_size_angstrom * 2 * 64).astype(np.int32), 127)
    track = _track(
        frames,
        jnp.asarray(weight),
        jnp.asarray(rings),
        np.int32(count),
        (size_y, size_x),
        np.float32(pixel_size_angstrom),
        max(1, round(_REACH_ANGSTROM / pixel_size_angstrom)),
    )
    return np.asarray(track, np.float64)


def _good_size(size: int) -> int:
    """The next even size with factors 2, 3 and 5 only."""
    size += size % 2
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2


def _ring_means(values: Array, rings: Array) -> Array:
    total = jax.ops.segment_sum(values.ravel(), rings.ravel(), 128)
    number = jax.ops.segment_sum(jnp.ones(rings.size, jnp.float32), rings.ravel(), 128)
    return (total / jnp.maximum(number, 1))[rings]


@partial(jax.jit, static_argnames=("size", "reach_px"))
def _track(
    frames: Array, weight: Array, rings: Array, count: Array, size: tuple[int, int], pixel: Array, reach_px: int
) -> Array:
    total, height, width = frames.shape
    size_y, size_x = size
    real = (jnp.arange(total) < count).astype(jnp.float32)
    taper = _taper(height)[:, None] * _taper(width)[None, :]
    mean = (frames * taper).sum((1, 2), keepdims=True) / taper.sum()
    transforms = rfft2((frames - mean) * taper * real[:, None, None], size)
    number = jnp.maximum(count, 1).astype(jnp.float32)
    power = _ring_means((jnp.abs(transforms) ** 2).sum(0) / number, rings)
    # White over all rings: low frequencies, however strong, count as much as their number of coefficients.
    transforms = transforms * jnp.where(power > 0, jax.lax.rsqrt(jnp.maximum(power, 1e-30)), 0)
    ky = (jnp.fft.fftfreq(size_y) * size_y).astype(jnp.float32)
    kx = jnp.arange(size_x // 2 + 1, dtype=jnp.float32)

    def moved_back(transform: Array, shift: Array) -> Array:
        y = jnp.exp(2j * jnp.pi * ky * shift[1] / size_y)
        x = jnp.exp(2j * jnp.pi * kx * shift[0] / size_x)
        return transform * y[:, None] * x[None, :]

    reach = np.float32(reach_px)
    places = jnp.arange(-(reach_px + 2), reach_px + 3, dtype=jnp.float32)
    twice = jnp.where((kx == 0) | (2 * kx == size_x), 1.0, 2.0)[:, None]

    def peak(product: Array, near: Array) -> Array:
        # Only places within reach are wanted: two products of narrow matrices instead of a whole inverse transform.
        at = jnp.round(near)
        x = (2 * np.float32(np.pi) / size_x) * kx[:, None] * (at[0] + places)
        y = (2 * np.float32(np.pi) / size_y) * ky[None, :] * (at[1] + places)[:, None]
        cos, sin = twice * jnp.cos(x), twice * jnp.sin(x)
        both = jnp.concatenate([product.real, product.imag], axis=1)
        waves = jnp.concatenate([jnp.concatenate([cos, sin], 1), jnp.concatenate([-sin, cos], 1)])
        along = jnp.dot(both, waves, precision="highest")
        stacked = jnp.concatenate([along[:, : len(places)], -along[:, len(places) :]])
        image = jnp.dot(jnp.concatenate([jnp.cos(y), jnp.sin(y)], 1), stacked, precision="highest")
        return at + _peak(image, places, near - at, reach)

    def step(carry: tuple[Array, Array], index: Array) -> tuple[tuple[Array, Array], Array]:
        reference, near = carry
        shift = peak(jnp.conj(reference) * transforms[index] * weight, near)
        return (reference + moved_back(transforms[index], shift), shift), shift

    middle = count // 2
    offsets = jnp.arange(1, total)
    forwards = jnp.clip(middle + offsets, 0, total - 1)
    backwards = jnp.clip(middle - offsets, 0, total - 1)
    zero = jnp.zeros(2, jnp.float32)

    def guarded(carry: tuple[Array, Array], pair: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        index, valid = pair
        (reference, near), shift = step(carry, index)
        kept = jnp.where(valid, 1.0, 0.0)
        reference = carry[0] + kept * (reference - carry[0])
        near = carry[1] + kept * (near - carry[1])
        return (reference, near), shift

    carry = (transforms[middle], zero)
    carry, ahead = jax.lax.scan(guarded, carry, (forwards, middle + offsets < count))
    carry, behind = jax.lax.scan(guarded, (carry[0], zero), (backwards, middle - offsets >= 0))
    shifts = jnp.zeros((total, 2), jnp.float32)
    # Out-of-range steps repeat the last valid index's value at its own place, or are dropped.
    shifts = shifts.at[jnp.where(middle + offsets < count, forwards, total)].set(ahead, mode="drop")
    shifts = shifts.at[jnp.where(middle - offsets >= 0, backwards, total)].set(behind, mode="drop")

    def sweep(_: Array, shifts: Array) -> Array:
        back = jax.vmap(moved_back)(transforms, shifts)
        reference = back.sum(0)
        coherent = (jnp.abs(reference) ** 2 - (jnp.abs(transforms) ** 2).sum(0)) / jnp.maximum(number * (number - 1), 1)
        signal = jnp.clip(_ring_means(coherent, rings), 1e-4, 1.0)
        ratio = weight * signal / (1 - signal + number * signal)

        def one(pair: tuple[Array, Array, Array]) -> Array:
            transform, own, near = pair
            return peak(jnp.conj(reference - own) * transform * ratio, near)

        found: Array = jax.lax.map(one, (transforms, back, shifts))
        return found

    shifts = jax.lax.fori_loop(0, _SWEEPS, sweep, shifts)
    return jnp.where(real[:, None] > 0, (shifts - shifts[middle]) * pixel, 0)


def _taper(size: int) -> Array:
    edge = max(2, size // 10)
    x = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5) / edge
    return jnp.asarray(np.sin(np.pi / 2 * np.minimum(x, 1)) ** 2, jnp.float32)


def _peak(image: Array, places: Array, near: Array, reach: np.float32) -> Array:
    """Place (x, y), px, of the highest value within `reach` of `near` on the image [n, n] at `places`, by a parabola in each direction."""
    dy, dx = places[:, None] - near[1], places[None, :] - near[0]
    inside = dx * dx + dy * dy <= reach * reach
    flat = jnp.argmax(jnp.where(inside, image, -jnp.inf))
    number = len(places)
    iy, ix = jnp.clip(flat // number, 1, number - 2), jnp.clip(flat % number, 1, number - 2)

    def vertex(low: Array, mid: Array, high: Array) -> Array:
        bend = low - 2 * mid + high
        return jnp.clip(jnp.where(bend < 0, 0.5 * (low - high) / jnp.where(bend < 0, bend, -1), 0), -0.5, 0.5)

    centre = image[iy, ix]
    sy = vertex(image[iy - 1, ix], centre, image[iy + 1, ix])
    sx = vertex(image[iy, ix - 1], centre, image[iy, ix + 1])
    return jnp.stack([places[ix] + sx, places[iy] + sy])
