"""Patches of the binned, whole-pixel aligned frames, as the Fourier coefficients of the band that the fit uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import at_once

Array = jax.Array
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]

_SPACING_ANGSTROM = 250.0
_MIN_PATCHES, _MAX_PATCHES = 4, 12
_FRAMES_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Layout:
    """Where patches lie on the binned frame and which coefficients are used. Frequencies in 1/Å.

    `rows`, `columns`: first pixel of each patch row and column; `size`: patch side (px, even); `window` [size]: one
    side of the taper, whose squares sum to 1 over neighbouring patches; `kx` [X] from 0, `ky` [Y] from -n to n: the
    rectangle of coefficients that is computed; `used` [Y, X]: those in the band; `share`: independent coefficients per
    coefficient.
    """

    rows: IntArray
    columns: IntArray
    size: int
    window: FloatArray
    kx: FloatArray
    ky: FloatArray
    used: BoolArray
    share: float

    @property
    def patches(self) -> int:
        return len(self.rows) * len(self.columns)

    @property
    def radius(self) -> FloatArray:
        """|k| [Y, X], 1/Å."""
        return np.hypot(self.ky[:, None], self.kx[None, :])

    def centres(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(x, y) of each patch's centre, binned px, row by row."""
        y, x = np.meshgrid(self.rows + (self.size - 1) / 2, self.columns + (self.size - 1) / 2, indexing="ij")
        return x.ravel(), y.ravel()

    def limited(self, finest_angstrom: float) -> Layout:
        """The same patches with the coefficients up to 1 / `finest_angstrom` only."""
        finest = 1 / finest_angstrom
        used = self.used & (self.radius <= finest)
        y, x = np.abs(self.ky) <= finest, self.kx <= finest
        return replace(self, kx=self.kx[x], ky=self.ky[y], used=used[y][:, x])


def plan_layout(
    height: int, width: int, pixel_size_angstrom: float, range_min_angstrom: float, range_max_angstrom: float
) -> Layout:
    """Patches of about 250 Å that overlap by a third, 4 to 12 along the short side of a binned frame."""
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
    finest = min(1 / range_max_angstrom, 0.46 / pixel_size_angstrom)
    side_angstrom = size * pixel_size_angstrom
    most = int(finest * side_angstrom)
    kx = np.arange(most + 1) / side_angstrom
    ky = np.arange(-most, most + 1) / side_angstrom
    radius = np.hypot(ky[:, None], kx)
    return Layout(
        rows=starts[0],
        columns=starts[1],
        size=size,
        window=ramp,
        kx=kx.astype(np.float32),
        ky=ky.astype(np.float32),
        used=(radius <= finest) & (radius >= max(1 / range_min_angstrom, 1e-9)),
        share=float((np.mean(ramp.astype(np.float64) ** 2)) ** 2),
    )


def _starts(side: int, spacing: int, size: int) -> IntArray:
    """Evenly spaced patches, centred on the side, within it."""
    number = max(1, int((side - (size - spacing)) / spacing + 0.05))
    span = (number - 1) * spacing + size
    return (np.arange(number) * spacing + (side - span) // 2).astype(np.int32)


def patch_coefficients(frames: Array, margin: int, offsets: IntArray, layout: Layout) -> tuple[Array, Array]:
    """Real and imaginary part [P, F, Y, X] of each patch's coefficients, patch by patch at place + offset of its frame.

    `frames` [F, y, x] binned, of mean zero, with `margin` zeros on each side; `offsets` [F, 2] whole pixels (x, y), at
    most the margin. Few coefficients of a patch are wanted, so its transform is two matrix products that hold the
    taper: a quarter of the time of a full one.
    """
    x, y = _waves(len(layout.kx), layout.window), _waves(len(layout.ky) // 2 + 1, layout.window)
    taper = np.concatenate([y[:, :0:-1].conj(), y], axis=1).sum(0)[:, None] * x.sum(0)
    taper = taper / layout.window.sum() ** 2
    real, imaginary = _coefficients(
        frames,
        jnp.asarray(offsets + margin + np.array([layout.columns[0], layout.rows[0]], np.int32)),
        jnp.asarray(np.concatenate([x.real, x.imag], axis=1), jnp.float32),
        jnp.asarray(np.concatenate([y.real, y.imag], axis=1).T, jnp.float32),
        jnp.asarray(taper.real, jnp.float32),
        jnp.asarray(taper.imag, jnp.float32),
        tuple((layout.rows - layout.rows[0]).tolist()),
        tuple((layout.columns - layout.columns[0]).tolist()),
        layout.size,
        at_once(_FRAMES_AT_ONCE),
    )
    return real, imaginary


def _waves(number: int, window: FloatArray) -> npt.NDArray[np.complex128]:
    """Tapered exp(-2πi k x / side) [side, number] for k = 0, 1, ..."""
    side = len(window)
    return np.asarray(
        window[:, None] * np.exp((-2j * np.pi / side) * np.arange(side)[:, None] * np.arange(number)), np.complex128
    )


@partial(jax.jit, static_argnames=("rows", "columns", "size", "batch"))
def _coefficients(
    frames: Array,
    corners: Array,
    along_x: Array,
    along_y: Array,
    taper_real: Array,
    taper_imaginary: Array,
    rows: tuple[int, ...],
    columns: tuple[int, ...],
    size: int,
    batch: int | None,
) -> tuple[Array, Array]:
    nx, ny = along_x.shape[1] // 2, along_y.shape[0] // 2
    width = columns[-1] + size
    number = len(rows) * len(columns)

    def one(pair: tuple[Array, Array]) -> tuple[Array, Array]:
        frame, corner = pair

        def band(row: int) -> Array:
            pixels = jax.lax.dynamic_slice(frame, (row + corner[1], corner[0]), (size, width))
            return jnp.dot(along_y, pixels, precision="highest")

        # Along y first, whole bands of patches at once: it leaves less to copy into patches for the other axis.
        bands = jnp.stack([band(row) for row in rows])
        patches = jnp.stack([bands[:, :, c : c + size] for c in columns], axis=1)
        both = jnp.dot(patches.reshape(-1, size), along_x, precision="highest").reshape(number, 2, ny, 2, nx)
        (cos_re, cos_im), (sin_re, sin_im) = both.transpose(1, 3, 0, 2, 4)
        # along_y holds cos and -sin of positive ky; negative ones are their conjugates.
        real = jnp.concatenate([(cos_re + sin_im)[:, :0:-1], cos_re - sin_im], axis=1)
        imaginary = jnp.concatenate([(cos_im - sin_re)[:, :0:-1], cos_im + sin_re], axis=1)
        level = real[:, ny - 1, 0][:, None, None]
        return real - level * taper_real, imaginary - level * taper_imaginary

    real, imaginary = jax.lax.map(one, (frames, corners), batch_size=batch)
    return real.transpose(1, 0, 2, 3), imaginary.transpose(1, 0, 2, 3)
