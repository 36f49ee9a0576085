"""Patches of the binned, whole-pixel aligned frames, as the Fourier coefficients of the band that the fit uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.fourier import rfft2
from warpcore.kernels.gain import apply_gain

Array = jax.Array
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]

_SPACING_ANGSTROM = 250.0
_MIN_PATCHES, _MAX_PATCHES = 4, 12


@partial(jax.jit, static_argnames=("factor",))
def bin_frames(frames: Array, gain: Array, factor: int) -> Array:
    """Raw frames [F, H, W] times gain [H, W], summed over `factor` x `factor` pixels: [F, H // factor, W // factor] float32."""
    height, width = frames.shape[1] // factor * factor, frames.shape[2] // factor * factor
    rows = jnp.zeros((), jnp.float32)
    # Strided slices and not a reshape: twenty times as fast in XLA on a CPU.
    for i in range(factor):
        rows = rows + apply_gain(frames[:, i:height:factor, :width], gain[i:height:factor, :width])
    rows = jax.lax.optimization_barrier(rows)  # type: ignore[no-untyped-call]
    total: Array = rows[:, :, ::factor]
    for i in range(1, factor):
        total = total + rows[:, :, i::factor]
    return total


@partial(jax.jit, static_argnames=("factor",))
def bin_again(frames: Array, factor: int) -> Array:
    """Mean over `factor` x `factor` pixels of float frames [F, y, x]."""
    height, width = frames.shape[1] // factor, frames.shape[2] // factor
    return frames[:, : height * factor, : width * factor].reshape(-1, height, factor, width, factor).mean((2, 4))


@dataclass(frozen=True, eq=False)
class Layout:
    """Where patches lie on the binned frame and which coefficients are used. Frequencies in 1/Å.

    `rows`, `columns`: first pixel of each patch row and column; `size`: patch side (px, even); `window` [size]: one side of the taper, whose
    squares sum to 1 over neighbouring patches; `index`: place of each used coefficient in the flat rfft2; `kx`, `ky` [K]; `once` [K]: 0.5 for
    coefficients that the half plane holds twice; `share`: independent coefficients per coefficient.
    """

    rows: IntArray
    columns: IntArray
    size: int
    window: FloatArray
    index: IntArray
    kx: FloatArray
    ky: FloatArray
    once: FloatArray
    share: float

    @property
    def patches(self) -> int:
        return len(self.rows) * len(self.columns)

    def centres(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(x, y) of each patch's centre, binned px, row by row."""
        y, x = np.meshgrid(self.rows + (self.size - 1) / 2, self.columns + (self.size - 1) / 2, indexing="ij")
        return x.ravel(), y.ravel()


def plan_layout(
    height: int, width: int, pixel_size_angstrom: float, range_min_angstrom: float, range_max_angstrom: float
) -> Layout:
    """Patches of about 250 Å, 4 to 12 along the short side, overlapping by a third, on a binned frame [height, width]."""
    short = min(height, width)
    along_short = int(np.clip(round(short * pixel_size_angstrom / _SPACING_ANGSTROM), _MIN_PATCHES, _MAX_PATCHES))
    # Within the frame: a frame's edge in a patch would pull the content's movement along.
    spacing = max(8, int(short / (along_short + 1 / 3)))
    edge = max(2, spacing // 3)
    size = spacing + edge
    size += size % 2
    edge = size - spacing
    starts = [_starts(side, spacing, size) for side in (height, width)]
    x = (np.arange(size) + 0.5) / edge
    ramp = np.sin(np.pi / 2 * np.clip(np.minimum(x, (size / edge) - x), 0, 1)).astype(np.float32)
    ky = np.fft.fftfreq(size, pixel_size_angstrom)[:, None] + np.zeros((1, size // 2 + 1))
    kx = np.fft.rfftfreq(size, pixel_size_angstrom)[None, :] + np.zeros((size, 1))
    radius = np.hypot(kx, ky)
    finest = min(1 / range_max_angstrom, 0.46 / pixel_size_angstrom)
    used = (
        (radius <= finest) & (radius >= max(1 / range_min_angstrom, 1e-9)) & (np.abs(ky) < 0.49 / pixel_size_angstrom)
    )
    index = np.flatnonzero(used.ravel()).astype(np.int32)
    return Layout(
        rows=starts[0],
        columns=starts[1],
        size=size,
        window=ramp,
        index=index,
        kx=kx.ravel()[index].astype(np.float32),
        ky=ky.ravel()[index].astype(np.float32),
        once=np.where(kx.ravel()[index] == 0, 0.5, 1).astype(np.float32),
        share=float((np.mean(ramp.astype(np.float64) ** 2)) ** 2),
    )


def _starts(side: int, spacing: int, size: int) -> IntArray:
    """Evenly spaced patches, centred on the side, within it."""
    number = max(1, int((side - (size - spacing)) / spacing + 0.05))
    span = (number - 1) * spacing + size
    return (np.arange(number) * spacing + (side - span) // 2).astype(np.int32)


def patch_coefficients(frames: Array, offsets: IntArray, layout: Layout) -> tuple[Array, Array]:
    """Real and imaginary part [P, F, K] of each patch's coefficients, patch by patch at place + offset of its frame.

    `frames` [F, y, x] binned; `offsets` [F, 2] whole pixels (x, y). Beyond the frame's edge there is its mean.
    """
    reach = int(np.abs(offsets).max(initial=0)) + layout.size
    margin = -(-reach // 32) * 32
    real, imaginary = _coefficients(
        frames,
        jnp.asarray(offsets),
        jnp.asarray(layout.rows),
        jnp.asarray(layout.columns),
        jnp.asarray(layout.window),
        jnp.asarray(layout.index),
        margin,
        layout.size,
    )
    return real, imaginary


@partial(jax.jit, static_argnames=("margin", "size"))
def _coefficients(
    frames: Array, offsets: Array, rows: Array, columns: Array, window: Array, index: Array, margin: int, size: int
) -> tuple[Array, Array]:
    taper = window[:, None] * window[None, :]
    within = jnp.arange(size)

    def one(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        frame, offset = pair
        centred = jnp.pad(frame - frame.mean(), margin)
        y = (rows[:, None] + within[None, :] + offset[1] + margin).ravel()
        x = (columns[:, None] + within[None, :] + offset[0] + margin).ravel()
        block = (
            centred[y][:, x].reshape(len(rows), size, len(columns), size).transpose(0, 2, 1, 3).reshape(-1, size, size)
        )
        level = (block * taper).sum((1, 2), keepdims=True) / taper.sum()
        transform = rfft2((block - level) * taper).reshape(len(rows) * len(columns), -1)[:, index]
        return transform.real, transform.imag

    real, imaginary = jax.lax.map(one, (frames, offsets))
    return real.transpose(1, 0, 2), imaginary.transpose(1, 0, 2)
