"""Correcting a movie: every original frame interpolated once along the model's displacement, then summed with dose weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct_tiles import BLOCK_X, BLOCK_Y, CELL, Cells, halo
from warpcore.kernels.defects import Repair, plan_repair
from warpcore.kernels.dose import low_rank_weights
from warpcore.kernels.fourier import crop_transform, even_size, irfft2, radial_frequency, rfft2
from warpcore.kernels.gain import all_defects, multiplicative_gain
from warpcore.kernels.motion_model import MotionModel

FloatArray = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[float, str], None]

_GROUP = 8
_GROUP_PIXELS = 96 << 20
_WEIGHT_TOLERANCE = 5e-4
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
    field = _field(model, height, width, pixel_size_angstrom)
    source = _source(frames, gain, defects, field)
    out_height, out_width = even_size(height, 2.0**binning), even_size(width, 2.0**binning)
    plan = _Plan(dose_weighting and dose_per_frame > 0 and count > 1, halves, count, height, width, pixel_size_angstrom)
    of_frame, of_frequency = plan.weights(dose_per_frame, voltage_kv, pre_exposure)
    cells = Cells(height, width, len(of_frame), field.reach)
    step = _group_size(height, width)
    for begin in range(0, count, step):
        _add_group(cells, source, field, begin, step, of_frame[:, begin : begin + step])
        report(0.9 * min(1.0, (begin + step) / count), "correcting frames")
    outputs = plan.outputs(cells.result(), of_frequency, out_height, out_width)
    aligned = np.concatenate(list(_aligned(source, field, step, out_height, out_width))) if stack else None
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


@dataclass(frozen=True, eq=False)
class _Field:
    """The displacement by cell, px: `corners` [cells, F, 2] (x, y) of what a cell reads in the padded frame, and the rest of the displacement,
    `part_x` [cells, F, blocks, 16] for the pass along x (with the blocks of the halo) and `part_y` for the pass along y."""

    corners: npt.NDArray[np.int32]
    part_x: FloatArray
    part_y: FloatArray
    margin: int
    reach: int


def _field(model: MotionModel, height: int, width: int, pixel_size_angstrom: float) -> _Field:
    rows, columns = -(-height // CELL), -(-width // CELL)
    x = (np.arange(columns * CELL // BLOCK_X) * BLOCK_X + (BLOCK_X - 1) / 2) / width
    reach = 1
    while True:
        extra = halo(reach)
        inner = np.arange(rows * CELL // BLOCK_Y) * BLOCK_Y + (BLOCK_Y - 1) / 2
        outer = np.arange((rows * CELL + 2 * extra) // BLOCK_Y) * BLOCK_Y + (BLOCK_Y - 1) / 2 - extra
        along_y = _by_cell(_sampled(model, x, inner / height, 1) / pixel_size_angstrom, rows, columns, 0)
        along_x = _by_cell(
            _sampled(model, x, outer / height, 0) / pixel_size_angstrom, rows, columns, 2 * extra // BLOCK_Y
        )
        whole = [np.round((one.max((2, 3)) + one.min((2, 3))) / 2) for one in (along_x, along_y)]
        part_x, part_y = along_x - whole[0][:, :, None, None], along_y - whole[1][:, :, None, None]
        largest = max(float(np.abs(part_x).max()), float(np.abs(part_y).max()))
        # Reach and margin come in steps, so that movies of one session compile once.
        if largest <= reach:
            break
        reach = 2 ** int(np.ceil(np.log2(largest)))
    furthest = max(float(np.abs(one).max()) for one in whole)
    margin = extra + 32 * max(1, int(np.ceil(furthest / 32)))
    cell_y, cell_x = (a.ravel() * CELL for a in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    corner_x = cell_x[:, None] + whole[0] + (margin - extra)
    corner_y = cell_y[:, None] + whole[1] + (margin - extra)
    corners = np.stack([corner_x, corner_y], axis=-1).astype(np.int32)
    return _Field(corners, part_x.astype(np.float32), part_y.astype(np.float32), margin, reach)


def _sampled(model: MotionModel, x: Float64Array, y: Float64Array, axis: int) -> Float64Array:
    """One axis of the displacement on the lattice y, x (fractions; beyond the field its edge's value): [F, len(y), len(x)], Å."""
    grid_y, grid_x = np.meshgrid(np.clip(y, 0, 1), np.clip(x, 0, 1), indexing="ij")
    return np.asarray(model.displacements_angstrom(grid_x, grid_y)[..., axis])


def _by_cell(lattice: Float64Array, rows: int, columns: int, more: int) -> Float64Array:
    """[F, y, x] to [cells, F, blocks, 16]; each cell has `more` blocks than its own, shared with the next."""
    own, across = CELL // BLOCK_Y, CELL // BLOCK_X
    parts = [
        lattice[:, r * own : (r + 1) * own + more, c * across : (c + 1) * across]
        for r in range(rows)
        for c in range(columns)
    ]
    return np.stack(parts)


@dataclass(frozen=True, eq=False)
class _Source:
    frames: npt.NDArray[np.generic]
    repair: Repair
    gain: jax.Array
    padding: tuple[tuple[int, int], tuple[int, int]]

    def group(self, begin: int, size: int) -> npt.NDArray[np.generic]:
        """Repaired raw frames, mirrored beyond their edges; a short last group is filled with its first frame (which then has no weight)."""
        group = self.frames[begin : begin + size]
        floating = np.issubdtype(group.dtype, np.floating)
        if len(self.repair.targets) or floating:
            group = group.copy()
            self.repair.apply(group, begin)
            if floating:
                _fill_non_finite(group)
        missing = size - len(group)
        return np.pad(
            np.concatenate([group, np.repeat(group[:1], missing, axis=0)]) if missing else group,
            ((0, 0), *self.padding),
            "symmetric",
        )


def _fill_non_finite(group: npt.NDArray[np.generic]) -> None:
    for frame in group:
        bad = ~np.isfinite(frame)
        if bad.any():
            frame[bad] = frame[~bad].mean() if not bad.all() else 0


def _source(
    frames: npt.NDArray[np.generic], gain: npt.NDArray[np.floating] | None, defects: BoolArray | None, field: _Field
) -> _Source:
    _, height, width = frames.shape
    factors = multiplicative_gain(gain, height, width)
    repair = plan_repair(all_defects(gain, defects), height, width)
    padding = (
        (field.margin, field.margin + -height % CELL),
        (field.margin, field.margin + -width % CELL),
    )
    return _Source(frames, repair, jnp.asarray(np.pad(repair.fill_gain(factors), padding, "symmetric")), padding)


def _add_group(cells: Cells, source: _Source, field: _Field, begin: int, step: int, weights: Float64Array) -> None:
    """Adds frames begin … begin + step - 1, `weights` [sums, at most step]."""
    missing = step - weights.shape[1]
    chosen = np.minimum(np.arange(begin, begin + step), begin + weights.shape[1] - 1)
    padded = np.pad(weights, ((0, 0), (0, missing))).astype(np.float32)
    cells.add(
        source.group(begin, step),
        source.gain,
        field.corners[:, chosen],
        field.part_x[:, chosen],
        field.part_y[:, chosen],
        padded,
    )


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
        """([sums, frames], [rank, table]): the dose terms, of which the first is the plain sum, for halves those of the odd and then those of
        the even frames. The table runs over |k| from 0 to the corner of the transform."""
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
            return np.concatenate([terms * odd, terms * (1 - odd)]), table
        return terms, table

    def outputs(self, sums: jax.Array, table: Float64Array, out_height: int, out_width: int) -> list[FloatArray]:
        """[average, unweighted] or [average, unweighted, odd, even]."""
        crop = partial(_finish, height=self.height, width=self.width, out_height=out_height, out_width=out_width)
        rank = len(table)
        unweighted = np.asarray(crop(sums[:1] + sums[rank : rank + 1] if self.halves else sums[:1], None))
        if not self.weighting and not self.halves:
            return [unweighted, unweighted]
        factor = None
        if self.weighting:
            radius = radial_frequency(self.height, self.width, self.pixel_size_angstrom) * (_TABLE - 1)
            radius = radius / np.float32(np.hypot(0.5, 0.5) / self.pixel_size_angstrom)
            factor = _factors(jnp.asarray(radius), jnp.asarray(table, jnp.float32))
        if not self.halves:
            return [np.asarray(crop(sums, factor)), unweighted]
        odd = np.asarray(crop(sums[:rank], factor))
        even = np.asarray(crop(sums[rank:], factor))
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


def _aligned(source: _Source, field: _Field, step: int, out_height: int, out_width: int) -> Iterator[FloatArray]:
    count, height, width = source.frames.shape
    for begin in range(0, count, step):
        number = min(step, count - begin)
        cells = Cells(height, width, step, field.reach)
        _add_group(cells, source, field, begin, step, np.eye(step)[:, :number])
        moved = cells.result()
        yield np.stack(
            [np.asarray(_finish(moved[i : i + 1], None, height, width, out_height, out_width)) for i in range(number)]
        )
