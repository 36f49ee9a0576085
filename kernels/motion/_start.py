"""A robust start: whole frames at low resolution, each against the sum of those already aligned.

From the middle frame outwards, each frame is aligned within reach of its neighbour: a drift may be long if its steps
are short. Then each frame is aligned with the sum of all others, weighted by the signal-to-noise ratio that the first
pass shows.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import at_once, frequencies, moved_back, on_cpu, rfft2

Array = jax.Array
Pair = tuple[Array, Array]

_REACH_ANGSTROM = 45.0
_DRIFT_ANGSTROM = 240.0
_SWEEPS = 3
_RINGS = 128
_FRAMES_AT_ONCE = 16


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
    rings = np.minimum((radius * pixel_size_angstrom * 2 * 64).astype(np.int32), _RINGS - 1)
    track = _track(
        frames,
        jnp.asarray(weight),
        _Rings.of(rings),
        np.int32(count),
        (size_y, size_x),
        np.float32(pixel_size_angstrom),
        max(1, round(_REACH_ANGSTROM / pixel_size_angstrom)),
        at_once(_FRAMES_AT_ONCE),
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


class _Rings(NamedTuple):
    """The ring of each coefficient [Y, X], and on a device the coefficients of each ring [128, n] (-1: none).

    There, sums over scattered places would be added in any order: other bytes in every run.
    """

    of_place: Array
    places: Array | None

    @classmethod
    def of(cls, rings: npt.NDArray[np.int32]) -> _Rings:
        if on_cpu():
            return cls(jnp.asarray(rings), None)
        order = np.argsort(rings.ravel(), kind="stable")
        count = np.bincount(rings.ravel(), minlength=_RINGS)
        places = np.full((_RINGS, int(count.max())), -1, np.int32)
        places[np.arange(places.shape[1]) < count[:, None]] = order
        return cls(jnp.asarray(rings), jnp.asarray(places))


def _ring_means(values: Array, rings: _Rings) -> Array:
    if rings.places is None:
        total = jax.ops.segment_sum(values.ravel(), rings.of_place.ravel(), _RINGS)
        number = jax.ops.segment_sum(jnp.ones(rings.of_place.size, jnp.float32), rings.of_place.ravel(), _RINGS)
    else:
        inside = rings.places >= 0
        total = jnp.where(inside, values.ravel()[rings.places], 0).sum(1)
        number = inside.sum(1).astype(jnp.float32)
    return (total / jnp.maximum(number, 1))[rings.of_place]


@partial(jax.jit, static_argnames=("size", "reach_px", "batch"))
def _track(
    frames: Array,
    weight: Array,
    rings: _Rings,
    count: Array,
    size: tuple[int, int],
    pixel: Array,
    reach_px: int,
    batch: int | None,
) -> Array:
    total = frames.shape[0]
    exists = (jnp.arange(total) < count).astype(jnp.float32)
    number = jnp.maximum(count, 1).astype(jnp.float32)
    real, imaginary = _whitened(frames, rings, exists, number, size)
    correlation = _Correlation.of(size, reach_px)
    middle = count // 2
    shifts = _outwards(real, imaginary, correlation, weight, count)
    shifts = jax.lax.fori_loop(
        0,
        _SWEEPS,
        lambda _, shifts: _swept(real, imaginary, correlation, weight, rings, number, shifts, batch),
        shifts,
    )
    return jnp.where(exists[:, None] > 0, (shifts - shifts[middle]) * pixel, 0)


def _whitened(frames: Array, rings: _Rings, exists: Array, number: Array, size: tuple[int, int]) -> Pair:
    """Transforms of tapered frames, white over all rings: low frequencies count no more than their coefficients."""
    _, height, width = frames.shape
    taper = _taper(height)[:, None] * _taper(width)[None, :]
    mean = (frames * taper).sum((1, 2), keepdims=True) / taper.sum()
    transforms = rfft2((frames - mean) * taper * exists[:, None, None], size)
    real, imaginary = transforms.real, transforms.imag
    power = _ring_means(_power(real, imaginary).sum(0) / number, rings)
    white = jnp.where(power > 0, jax.lax.rsqrt(jnp.maximum(power, 1e-30)), 0)
    return real * white, imaginary * white


class _Correlation(NamedTuple):
    """Cross-correlation of two transforms at whole pixels within reach of an expected place."""

    kx: Array
    ky: Array
    places: Array
    twice: Array
    reach: np.float32

    @classmethod
    def of(cls, size: tuple[int, int], reach_px: int) -> _Correlation:
        size_y, size_x = size
        kx = jnp.arange(size_x // 2 + 1, dtype=jnp.float32) / size_x
        ky = jnp.fft.fftfreq(size_y).astype(jnp.float32)
        places = jnp.arange(-(reach_px + 2), reach_px + 3, dtype=jnp.float32)
        # The half plane stands for both signs of kx.
        twice = jnp.where((kx == 0) | (kx == 0.5), 1.0, 2.0)[:, None]
        return cls(kx, ky, places, twice, np.float32(reach_px))

    def peak(self, reference: Pair, image: Pair, factor: Array, near: Array) -> Array:
        """Displacement (x, y) of an image against the reference, px, within reach of `near`.

        Two products of narrow matrices give these few places; a whole inverse transform would take longer.
        """
        at = jnp.round(near)
        x = (2 * np.float32(np.pi)) * self.kx[:, None] * (at[0] + self.places)
        y = (2 * np.float32(np.pi)) * self.ky[None, :] * (at[1] + self.places)[:, None]
        cos, sin = self.twice * jnp.cos(x), self.twice * jnp.sin(x)
        product = jnp.concatenate(
            [
                (reference[0] * image[0] + reference[1] * image[1]) * factor,
                (reference[0] * image[1] - reference[1] * image[0]) * factor,
            ],
            axis=1,
        )
        waves = jnp.concatenate([jnp.concatenate([cos, sin], 1), jnp.concatenate([-sin, cos], 1)])
        along = jnp.dot(product, waves, precision="highest")
        number = len(self.places)
        stacked = jnp.concatenate([along[:, :number], -along[:, number:]])
        correlation = jnp.dot(jnp.concatenate([jnp.cos(y), jnp.sin(y)], 1), stacked, precision="highest")
        return at + _peak(correlation, self.places, near - at, self.reach)


def _outwards(real: Array, imaginary: Array, correlation: _Correlation, weight: Array, count: Array) -> Array:
    """Displacements [F, 2], px, of each frame against the sum of those before: middle to last, then middle to first."""
    total, middle = real.shape[0], count // 2
    turn = count - 1 - middle
    step_number = jnp.arange(total - 1)
    order = jnp.where(step_number < turn, middle + 1 + step_number, middle - 1 - (step_number - turn))

    def step(carry: tuple[Array, Array, Array], at: tuple[Array, Array]) -> tuple[tuple[Array, Array, Array], Array]:
        sum_re, sum_im, near = carry
        index, number = at
        near = jnp.where(number == turn, 0.0, near)
        own_re, own_im = real[index], imaginary[index]
        shift = correlation.peak((sum_re, sum_im), (own_re, own_im), weight, near)
        back_re, back_im = moved_back(own_re[None], own_im[None], correlation.kx, correlation.ky, shift[None])
        kept = (number < count - 1).astype(jnp.float32)
        return (sum_re + kept * back_re[0], sum_im + kept * back_im[0], shift), shift

    carry = (real[middle], imaginary[middle], jnp.zeros(2, jnp.float32))
    _, found = jax.lax.scan(step, carry, (jnp.clip(order, 0, total - 1), step_number))
    place = jnp.where(step_number < count - 1, order, total)
    return jnp.zeros((total, 2), jnp.float32).at[place].set(found, mode="drop")


def _swept(
    real: Array,
    imaginary: Array,
    correlation: _Correlation,
    weight: Array,
    rings: _Rings,
    number: Array,
    shifts: Array,
    batch: int | None,
) -> Array:
    """Displacements [F, 2], px, of each frame against the sum of all others, weighted by signal-to-noise ratio."""
    total_power = _power(real, imaginary).sum(0)
    back_re, back_im = moved_back(real, imaginary, correlation.kx, correlation.ky, shifts)
    sum_re, sum_im = back_re.sum(0), back_im.sum(0)
    coherent = (_power(sum_re, sum_im) - total_power) / jnp.maximum(number * (number - 1), 1)
    signal = jnp.clip(_ring_means(coherent, rings), 1e-4, 1.0)
    ratio = weight * signal / (1 - signal + number * signal)

    def one(frame: tuple[Array, Array, Array, Array, Array]) -> Array:
        own_re, own_im, frame_re, frame_im, near = frame
        return correlation.peak((sum_re - own_re, sum_im - own_im), (frame_re, frame_im), ratio, near)

    found: Array = jax.lax.map(one, (back_re, back_im, real, imaginary, shifts), batch_size=batch)
    return found


def _power(real: Array, imaginary: Array) -> Array:
    return real * real + imaginary * imaginary


def _taper(size: int) -> Array:
    edge = max(2, size // 10)
    x = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5) / edge
    return jnp.asarray(np.sin(np.pi / 2 * np.minimum(x, 1)) ** 2, jnp.float32)


def _peak(image: Array, places: Array, near: Array, reach: np.float32) -> Array:
    """Place (x, y), px, of the highest value within `reach` of `near` on the image [n, n] at `places`.

    A parabola in each direction gives the fraction of a pixel.
    """
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
