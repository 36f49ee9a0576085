"""Correcting a movie: every original frame interpolated once along the model's displacement, then summed with dose weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct_tiles import HALF_TAPS, TILE, add_group, interpolate_one, tile_centres, tile_counts
from warpcore.kernels.defects import Repair, plan_repair
from warpcore.kernels.dose import low_rank_weights
from warpcore.kernels.fourier import crop_transform, even_size, irfft2, radial_frequency, rfft2
from warpcore.kernels.gain import all_defects, multiplicative_gain
from warpcore.kernels.motion_model import MotionModel

FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[float, str], None]

_GROUP = 4
_GROUP_PIXELS = 24 << 20
_WEIGHT_TOLERANCE = 2e-4
_TABLE = 2048


@dataclass(frozen=True, eq=False)
class Corrected:
    """Sums of aligned frames in e⁻/px (counts times gain), float32 [h, w]: `average` (dose-weighted where asked), `unweighted`, the halves
    of odd and even frames (first frame odd; weighted like the average) and the aligned `stack` [F, h, w]; the pixel size after binning."""

    average: FloatArray
    unweighted: FloatArray
    odd: FloatArray | None
    even: FloatArray | None
    stack: FloatArray | None
    pixel_size_angstrom: float


def correct_movie(
    frames: npt.NDArray[np.generic],
    model: MotionModel,
    *,
    gain: npt.NDArray[np.floating] | None,
    defects: BoolArray | None,
    pixel_size_angstrom: float,
    binning: float,
    dose_per_frame: float,
    voltage_kv: float,
    dose_weighting: bool,
    pre_exposure: float = 0.0,
    halves: bool = False,
    stack: bool = False,
    on_progress: Progress | None = None,
) -> Corrected:
    """Aligned sums of a movie of raw counts [F, H, W], in the orientation of its arrays.

    `binning` x: 2^x pixels a side become one, by Fourier cropping to an even size (0: the size as it is); doses in e⁻/Å². Frames are
    summed, not averaged; dose weights are scaled to keep the sum's mean and its noise power. A frame's part beyond its edge is mirrored.
    Raises ValueError where model, gain or defects do not fit the movie.
    """
    count, height, width = frames.shape
    if model.frames != count:
        raise ValueError(f"the motion model has {model.frames} frames, the movie {count}")
    if binning < 0:
        raise ValueError(f"binning is a power of 2, at least 0, not {binning}")
    report = on_progress or (lambda fraction, message: None)
    source = _source(frames, gain, defects, height, width)
    field = _field(model, height, width, pixel_size_angstrom)
    out_height, out_width = even_size(height, 2.0**binning), even_size(width, 2.0**binning)
    plan = _Plan(dose_weighting and dose_per_frame > 0 and count > 1, halves, count, height, width, pixel_size_angstrom)
    of_frame, of_frequency = plan.weights(dose_per_frame, voltage_kv, pre_exposure)
    rows, columns = tile_counts(height, width)
    sums = jnp.zeros((len(of_frame), rows * TILE, columns * TILE), jnp.float32)
    step = _group_size(height, width)
    for begin in range(0, count, step):
        group = source.group(begin, step)
        padding = step - (min(begin + step, count) - begin)
        part = slice(begin, begin + step)
        sums = add_group(
            sums,
            jnp.asarray(group),
            source.gain,
            jnp.asarray(_padded(field.whole[part], padding)),
            jnp.asarray(_padded(field.part_x[part], padding)),
            jnp.asarray(_padded(field.part_y[part], padding)),
            jnp.asarray(_padded(of_frame[:, part].T, padding).T, jnp.float32),
            field.margin,
            field.reach,
        )
        report(0.9 * min(1.0, (begin + step) / count), "correcting frames")
    outputs = plan.outputs(sums[:, :height, :width], of_frequency, out_height, out_width)
    aligned = None
    if stack:
        aligned = np.stack(list(_aligned(source, field, count, height, width, out_height, out_width)))
    report(1.0, "frames corrected")
    return Corrected(
        average=outputs[0],
        unweighted=outputs[1],
        odd=outputs[2] if halves else None,
        even=outputs[3] if halves else None,
        stack=aligned,
        pixel_size_angstrom=pixel_size_angstrom * width / out_width,
    )


def _group_size(height: int, width: int) -> int:
    return max(1, min(_GROUP, _GROUP_PIXELS // (height * width)))


def _padded(values: npt.NDArray[np.generic], padding: int) -> npt.NDArray[np.generic]:
    return np.concatenate([values, np.zeros((padding, *values.shape[1:]), values.dtype)]) if padding else values


@dataclass(frozen=True, eq=False)
class _Source:
    frames: npt.NDArray[np.generic]
    repair: Repair
    gain: jax.Array

    def group(self, begin: int, size: int) -> npt.NDArray[np.generic]:
        """Repaired raw frames; a short last group is filled with its first frame (which then has no weight)."""
        group = self.frames[begin : begin + size]
        if len(self.repair.targets):
            group = group.copy()
            self.repair.apply(group, begin)
        missing = size - len(group)
        return np.concatenate([group, np.repeat(group[:1], missing, axis=0)]) if missing else group


def _source(
    frames: npt.NDArray[np.generic],
    gain: npt.NDArray[np.floating] | None,
    defects: BoolArray | None,
    height: int,
    width: int,
) -> _Source:
    factors = multiplicative_gain(gain, height, width)
    repair = plan_repair(all_defects(gain, defects), height, width)
    return _Source(frames, repair, jnp.asarray(repair.fill_gain(factors)))


@dataclass(frozen=True, eq=False)
class _Field:
    """The displacement at the tiles' centres: a whole-pixel part for each frame and the rest for each tile, px."""

    whole: npt.NDArray[np.int32]
    part_x: FloatArray
    part_y: FloatArray
    margin: int
    reach: int


def _field(model: MotionModel, height: int, width: int, pixel_size_angstrom: float) -> _Field:
    rows, columns = tile_counts(height, width)
    y, x = np.meshgrid(tile_centres(height, rows) / height, tile_centres(width, columns) / width, indexing="ij")
    moved = model.displacements_angstrom(np.clip(x, 0, 1), np.clip(y, 0, 1)) / pixel_size_angstrom
    whole = np.round((moved.max((1, 2)) + moved.min((1, 2))) / 2).astype(np.int32)
    rest = moved - whole[:, None, None]
    # Reach and margin come in steps, so that movies of one session compile once.
    reach = HALF_TAPS + 4 * max(1, int(np.ceil((np.abs(rest).max(initial=0) + 0.01) / 4)))
    margin = reach + 32 * max(1, int(np.ceil(np.abs(whole).max(initial=0) / 32)))
    return _Field(whole, rest[..., 0].astype(np.float32), rest[..., 1].astype(np.float32), margin, reach)


@dataclass(frozen=True, eq=False)
class _Plan:
    """Which weighted sums over frames are formed in real space, and how outputs are made of them in Fourier space."""

    weighting: bool
    halves: bool
    count: int
    height: int
    width: int
    pixel_size_angstrom: float

    def weights(
        self, dose_per_frame: float, voltage_kv: float, pre_exposure: float
    ) -> tuple[Float64Array, Float64Array]:
        """([sums, frames], [rank, table]): first the plain sum, then either the dose terms or, for halves, the terms of the odd and of the
        even frames. The table runs over |k| from 0 to the corner of the transform."""
        ones = np.ones((1, self.count))
        if self.weighting:
            corner = np.hypot(0.5, 0.5) / self.pixel_size_angstrom
            terms, table = low_rank_weights(
                np.linspace(0, corner, _TABLE), self.count, dose_per_frame, voltage_kv, pre_exposure, _WEIGHT_TOLERANCE
            )
        else:
            terms, table = ones, np.ones((1, _TABLE))
        if self.halves:
            odd = (np.arange(self.count) % 2 == 0).astype(np.float64)
            return np.concatenate([ones, terms * odd, terms * (1 - odd)]), table
        return (np.concatenate([ones, terms]), table) if self.weighting else (ones, table)

    def outputs(self, sums: jax.Array, table: Float64Array, out_height: int, out_width: int) -> list[FloatArray]:
        """[average, unweighted] or [average, unweighted, odd, even]."""
        crop = partial(_finish, height=self.height, width=self.width, out_height=out_height, out_width=out_width)
        unweighted = np.asarray(crop(sums[:1], None))
        rank = len(table)
        if not self.weighting and not self.halves:
            return [unweighted, unweighted]
        factor = None
        if self.weighting:
            radius = radial_frequency(self.height, self.width, self.pixel_size_angstrom) * (_TABLE - 1)
            radius = radius / np.float32(np.hypot(0.5, 0.5) / self.pixel_size_angstrom)
            factor = _factors(jnp.asarray(radius), jnp.asarray(table, jnp.float32))
        if not self.halves:
            return [np.asarray(crop(sums[1:], factor)), unweighted]
        odd = np.asarray(crop(sums[1 : 1 + rank], factor))
        even = np.asarray(crop(sums[1 + rank :], factor))
        return [odd + even if self.weighting else unweighted, unweighted, odd, even]


@jax.jit
def _factors(radius: jax.Array, table: jax.Array) -> jax.Array:
    low = jnp.clip(radius.astype(jnp.int32), 0, table.shape[1] - 2)
    t = radius - low
    return table[:, low] * (1 - t) + table[:, low + 1] * t


@partial(jax.jit, static_argnames=("height", "width", "out_height", "out_width"))
def _finish(
    sums: jax.Array, factor: jax.Array | None, height: int, width: int, out_height: int, out_width: int
) -> jax.Array:
    """Sum over terms of transform times factor, cropped: [out_height, out_width]; a sum over the pixels that one replaces."""
    if factor is None and (out_height, out_width) == (height, width):
        return sums.sum(0)
    transform = rfft2(sums)
    together = (transform * factor).sum(0) if factor is not None else transform.sum(0)
    cropped = crop_transform(together, height, width, out_height, out_width)
    area = np.float32(height * width / (out_height * out_width))
    return irfft2(cropped, (out_height, out_width)) * area


def _aligned(
    source: _Source, field: _Field, count: int, height: int, width: int, out_height: int, out_width: int
) -> Iterator[FloatArray]:
    rows, columns = tile_counts(height, width)
    for i in range(count):
        moved = interpolate_one(
            jnp.asarray(source.group(i, 1)[0]),
            source.gain,
            jnp.asarray(field.whole[i]),
            jnp.asarray(field.part_x[i]),
            jnp.asarray(field.part_y[i]),
            (rows * TILE, columns * TILE),
            field.margin,
            field.reach,
        )
        yield np.asarray(_finish(moved[None, :height, :width], None, height, width, out_height, out_width))
