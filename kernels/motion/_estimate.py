"""Motion of a movie: a robust start, then all patches, frames and spline nodes fitted together in Fourier space."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from warpcore.kernels.image import DeviceFrames, on_host, spline_basis
from warpcore.kernels.motion._binning import MARGIN, bin_again, bin_movie, binning_factor
from warpcore.kernels.motion._fit import (
    Basis,
    Solution,
    Spectrum,
    build_system,
    coherent_power,
    estimate_spectrum,
    likelihood,
    solve,
)
from warpcore.kernels.motion._groups import Groups
from warpcore.kernels.motion._model import MotionModel
from warpcore.kernels.motion._patches import Layout, patch_coefficients, plan_layout
from warpcore.kernels.motion._prior import LocalPrior, choose_track_prior, local_prior
from warpcore.kernels.motion._start import coarse_factor, start_track

Float64Array = npt.NDArray[np.floating]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
Progress = Callable[[float, str], None]

_MAX_TRACK_NODES = 256
_LOCAL_NODES_SHORT = 5
_LOCAL_NODES_TIME = 8
_MOST_STEPS = 8
_SETTLED_ANGSTROM = 0.03
# Frames of pure noise, aligned as well as they can be, reach 1.9 to 4.4 (32 movies of 2 to 40 frames, 512² and 1024²).
# In simulated movies of ever fewer electrons, tracks right to 0.5 Å have 10 and more; those below 6 are tens of Å off.
_SIGNIFICANT = 6.0
NO_SIGNAL = "nothing in the frames moves together (blank, or too few electrons): no movement was corrected"


def automatic_grid(
    frames: int, height: int, width: int, pixel_size_angstrom: float, dose_per_frame: float
) -> tuple[int, int, int]:
    """Nodes (x, y, t): Warp's rule for the field, at least 5 along the short side; one a frame, up to 256, in time.

    The prior and not the number of nodes decides how local the movement may be. A node a frame follows jumps.
    """
    dose = frames * dose_per_frame
    short = min(height, width)
    rule = round(5 * min(1.0, dose / 30) * short * pixel_size_angstrom / 4000)
    nodes = min(max(_LOCAL_NODES_SHORT, rule), 12)
    time = frames if frames <= _MAX_TRACK_NODES else min(frames, max(_MAX_TRACK_NODES, math.ceil(dose)))
    return max(1, round(nodes * width / short)), max(1, round(nodes * height / short)), time


def estimate_motion(
    frames: npt.NDArray[np.generic] | DeviceFrames,
    *,
    gain: npt.NDArray[np.floating] | None,
    defects: BoolArray | None,
    pixel_size_angstrom: float,
    dose_per_frame: float,
    range_min_angstrom: float = 500.0,
    range_max_angstrom: float = 10.0,
    b_factor: float = -500.0,
    grid: tuple[int, int, int] | None = None,
    group_frames: int | None = None,
    good: BoolArray | None = None,
    on_progress: Progress | None = None,
) -> MotionModel:
    """Movement of the specimen in a movie of raw counts [F, H, W], integers or floats, as its arrays are oriented.

    Pixel size in Å, dose in e⁻/Å² a frame, band in Å, B-factor in Å². `gain` [H, W] multiplies; `defects` [H, W] marks
    pixels to replace. `grid` gives the nodes (x, y) of the local field and t of the track, `group_frames` the frames
    summed for the fit; None chooses either. Frames that are not `good` [F] are not looked at: the model takes them
    along with those around them. One frame, or frames too small for patches, give no movement; so do frames with
    nothing in common, and then the model's `failure` says so.
    Raises ValueError where gain or defects do not fit. Method: docs/motion.md.
    """
    if len(frames.shape) != 3 or not math.prod(frames.shape):
        raise ValueError(f"a movie is frames x height x width, not {frames.shape}")
    count, height, width = frames.shape
    report = on_progress or (lambda fraction, message: None)
    factor = binning_factor(pixel_size_angstrom, range_max_angstrom)
    groups = Groups.of(count, good, dose_per_frame, group_frames)
    if groups.count < 2 or min(height, width) // factor < 32:
        return MotionModel.zero(count)
    dose = dose_per_frame * len(groups.used) / groups.count
    nodes = grid or automatic_grid(groups.slots, height, width, pixel_size_angstrom, dose)
    report(0.0, "binning frames")
    binned = bin_movie(frames, groups.starts, gain, defects, factor, groups.used)
    pixel = pixel_size_angstrom * factor
    report(0.4, "aligning whole frames")
    start = _start(binned, groups.count, pixel, range_min_angstrom, range_max_angstrom, b_factor)
    if start is None:
        return MotionModel.zero(count, NO_SIGNAL)
    report(0.6, "cutting patches")
    layout = plan_layout(height // factor, width // factor, pixel, range_min_angstrom, range_max_angstrom)
    x, y = layout.centres()
    # A patch lies at its place in the average, which is frame 0: where its content was in that frame.
    x_fraction = ((x + 0.5) * factor + start[0, 0] / pixel_size_angstrom) / width
    y_fraction = ((y + 0.5) * factor + start[0, 1] / pixel_size_angstrom) / height
    report(0.8, "fitting the track and the local field")
    cut = _cutter(binned, layout, start, pixel, b_factor)
    # Matrices have a few hundred rows: threads of the linear algebra library would only wait for each other (100 times
    # as long on a busy host).
    with threadpool_limits(1, user_api="blas"):
        model = _fit(groups, cut, start, range_max_angstrom, x_fraction, y_fraction, height / width, nodes)
    report(1.0, "motion done")
    return model


def _start(
    binned: jnp.ndarray, groups: int, pixel: float, range_min: float, range_max: float, b_factor: float
) -> Float64Array | None:
    """The track of whole frames [F, 2], Å, of mean zero; None for blank frames."""
    coarse = coarse_factor(pixel)
    small = bin_again(binned, MARGIN, coarse)
    if not float(jnp.abs(small).max()) > 0:
        return None
    track = start_track(small, groups, pixel * coarse, range_min, range_max, b_factor)[:groups]
    return np.asarray(track - track.mean(0))


@dataclass(frozen=True, eq=False)
class _Problem:
    count: int
    real: jnp.ndarray
    imaginary: jnp.ndarray
    layout: Layout
    cut_at: Float64Array
    pixel: float
    b_factor: float


_Cut = Callable[[Float64Array, float], _Problem]


def _cutter(binned: jnp.ndarray, layout: Layout, start: Float64Array, pixel: float, b_factor: float) -> _Cut:
    """A function that cuts the patches along a track [F, 2], Å, with coefficients down to a resolution in Å."""
    # The margin grows in steps, the first of which holds for all but the longest drifts: a session compiles once.
    reach = np.abs(start).max() / pixel + MARGIN // 2
    more = max(0, math.ceil(reach / MARGIN) - 1) * MARGIN
    margin = MARGIN + more
    padded = jnp.pad(binned, ((0, 0), (more, more), (more, more))) if more else binned

    def cut(track: Float64Array, finest_angstrom: float) -> _Problem:
        """The patches at the whole pixels next to the track: a patch's window stays where it was cut."""
        limited = layout.limited(finest_angstrom)
        offsets = np.zeros((padded.shape[0], 2), np.int32)
        # Rounded against the middle frame: all frames must be cut alike, whatever part of a pixel they share.
        middle = track[len(track) // 2]
        offsets[: len(track)] = np.clip(np.round((track - middle) / pixel) + np.round(middle / pixel), -margin, margin)
        real, imaginary = patch_coefficients(padded, margin, offsets, limited)
        return _Problem(len(track), real, imaginary, limited, offsets[: len(track)] * pixel, pixel, b_factor)

    return cut


def _fit(
    groups: Groups,
    cut: _Cut,
    start: Float64Array,
    range_max: float,
    x_fraction: Float64Array,
    y_fraction: Float64Array,
    aspect: float,
    nodes: tuple[int, int, int],
) -> MotionModel:
    count, centres = groups.count, groups.centres
    nx, ny, nt = nodes[0], nodes[1], min(nodes[2], groups.slots)
    lt = min(count, nt, _LOCAL_NODES_TIME)
    # Time runs from the first group's centre to the last's: nodes between groups the data could not tell apart.
    times = (centres - centres[0]) / (centres[-1] - centres[0])
    space = spline_basis(ny, y_fraction)[:, :, None] * spline_basis(nx, x_fraction)[:, None, :]
    basis = Basis(spline_basis(nt, times), spline_basis(lt, times), space.reshape(len(x_fraction), -1))
    local = nx * ny > 1 and count > 2
    priors = _priors(nx, ny, lt, aspect) if local else ()
    track = np.linalg.lstsq(basis.track, start, rcond=None)[0]
    solution = Solution(track, np.zeros((lt * nx * ny, 2)))
    for cutoff, with_local, steps in ((3.0, False, 2), (1.6, True, 1), (1.0, True, _MOST_STEPS)):
        problem = cut(basis.track @ solution.track_nodes, cutoff * range_max)
        if not problem.layout.used.any():
            continue
        solution = _stage(problem, basis, solution, priors if with_local else (), steps)
        # The likelihood does not see a displacement that all frames share: taken off, or patches would wander.
        track_nodes = solution.track_nodes - (basis.track @ solution.track_nodes).mean(0)
        solution = replace(solution, track_nodes=track_nodes)
    if _spectrum(problem, basis, solution).significance < _SIGNIFICANT:
        return MotionModel.zero(groups.frames, NO_SIGNAL)
    # From there to nodes that run from the first frame to the last: straight on by half a group, as natural splines go
    # on.
    track_nodes = spline_basis(nt, groups.fractions(nt)) @ solution.track_nodes
    local_nodes = spline_basis(lt, groups.fractions(lt)) @ solution.local_nodes.reshape(lt, -1)
    local_nodes = local_nodes.reshape(-1, ny, nx, 2)
    return MotionModel(
        groups.frames,
        (track_nodes - track_nodes[:1]).astype(np.float32),
        (local_nodes - local_nodes[:1]).astype(np.float32),
    )


def _priors(nx: int, ny: int, lt: int, aspect: float) -> tuple[LocalPrior, ...]:
    y, x = np.meshgrid(np.linspace(0, max(aspect, 1), ny), np.linspace(0, max(1 / aspect, 1), nx), indexing="ij")
    return tuple(
        local_prior(x.ravel(), y.ravel(), np.linspace(0, 1, lt), reach, settling)
        for reach, settling in ((0.6, 0.5), (1.2, 0.8))
    )


def _stage(problem: _Problem, basis: Basis, solution: Solution, priors: tuple[LocalPrior, ...], steps: int) -> Solution:
    """A few scoring steps with the spectrum estimated once; a step that lowers the likelihood is halved."""
    layout = problem.layout
    spectrum = _spectrum(problem, basis, solution)
    weight = np.zeros((layout.patches, *layout.used.shape), np.float32)
    weight[:, layout.used] = spectrum.weight
    on_device = jnp.asarray(weight)
    value, gradient = _evaluate(problem, on_device, basis, solution)
    covariance = None
    for _ in range(steps):
        system = build_system(basis, spectrum.curvature, gradient, solution.track_nodes, solution.local_nodes)
        if covariance is None:
            right = system.track_right - system.local_track.T @ solution.local_nodes
            covariance = choose_track_prior(np.linspace(0, 1, basis.track.shape[1]), system.track_track, right)
        target = solve(system, covariance, priors)
        fraction = 1.0
        while True:
            trial = _between(solution, target, fraction)
            new_value, new_gradient = _evaluate(problem, on_device, basis, trial)
            # The prior may rightly lower the likelihood a little; a step is too long only where it loses clearly.
            if new_value >= value - 0.5 * basis.track.shape[1] or fraction < 0.2:
                break
            fraction /= 2
        change = max(np.abs(new - old).max() for new, old in _node_pairs(trial, solution))
        solution, value, gradient = trial, new_value, new_gradient
        if change < _SETTLED_ANGSTROM:
            break
    return solution


def _node_pairs(new: Solution, old: Solution) -> tuple[tuple[Float64Array, Float64Array], ...]:
    return (new.track_nodes, old.track_nodes), (new.local_nodes, old.local_nodes)


def _between(old: Solution, new: Solution, fraction: float) -> Solution:
    return Solution(
        old.track_nodes + fraction * (new.track_nodes - old.track_nodes),
        old.local_nodes + fraction * (new.local_nodes - old.local_nodes),
    )


def _spectrum(problem: _Problem, basis: Basis, solution: Solution) -> Spectrum:
    layout = problem.layout
    kx, ky = jnp.asarray(layout.kx), jnp.asarray(layout.ky)
    powers = coherent_power(problem.real, problem.imaginary, kx, ky, _shift(problem, basis, solution))
    coherent, total = (on_host(power)[:, layout.used].astype(np.float64) for power in powers)
    y, x = np.nonzero(layout.used)
    ring = np.round(layout.radius[layout.used] * layout.size * problem.pixel).astype(np.intp)
    # The half plane holds the coefficients of kx = 0 twice.
    scale = (layout.share * np.where(x == 0, 0.5, 1)).astype(np.float32)
    return estimate_spectrum(coherent, total, problem.count, ring, layout.kx[x], layout.ky[y], scale, problem.b_factor)


def _evaluate(problem: _Problem, weight: jnp.ndarray, basis: Basis, solution: Solution) -> tuple[float, Float64Array]:
    """Log-likelihood and its gradient [P, F, 2] at a solution's displacements."""
    value, gradient = likelihood(
        problem.real,
        problem.imaginary,
        jnp.asarray(problem.layout.kx),
        jnp.asarray(problem.layout.ky),
        weight,
        _shift(problem, basis, solution),
    )
    return float(np.asarray(value, np.float64).sum()), np.asarray(gradient, np.float64)[:, : problem.count]


def _shift(problem: _Problem, basis: Basis, solution: Solution) -> jnp.ndarray:
    """[P, F bucketed, 2]: displacement against where the patches were cut, Å."""
    local_nodes = solution.local_nodes.reshape(basis.time.shape[1], basis.space.shape[1], 2)
    shift = basis.displacement(solution.track_nodes, local_nodes) - problem.cut_at[None]
    padded = np.zeros((shift.shape[0], problem.real.shape[1], 2), np.float32)
    padded[:, : problem.count] = shift
    return jnp.asarray(padded)
