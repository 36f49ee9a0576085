"""The likelihood of a movement, its gradient, and the step that maximises it under a prior for the local part.

Each patch's coefficients in frame f are a common signal, moved by the displacement r of that frame, plus white noise.
With the signal's power S and the noise's N by ring, the log-likelihood of all frames together is, up to a constant,

    L = Σ_patches Σ_k S / (N (N + F S)) |Σ_f X_f exp(2πi k·r_f)|²

It takes all pairs of frames at once: there is no reference image and no peak. Fisher scoring maximises it: the expected
curvature couples frames only by F I - 1 1ᵀ, so one small linear system gives the step for all spline nodes. The local
nodes have a Gaussian-process prior, and the evidence chooses its strength and reach: where patches carry no signal the
local part goes to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import at_once, moved_back
from warpcore.kernels.motion._prior import LocalPrior

Array = jax.Array
Float64Array = npt.NDArray[np.floating]
FloatArray = npt.NDArray[np.float32]

_PATCHES_AT_ONCE = 256


def likelihood(real: Array, imaginary: Array, kx: Array, ky: Array, weight: Array, shift: Array) -> tuple[Array, Array]:
    """Log-likelihood and gradient at displacements `shift` [P, F, 2] (x, y; Å) of coefficients [P, F, Y, X].

    `weight` [P, Y, X]; kx [X], ky [Y] in 1/Å. Returns (L [P], dL/dshift [P, F, 2]).
    """
    value, slope = _likelihood(real, imaginary, kx, ky, weight, shift, at_once(_PATCHES_AT_ONCE))
    return value, slope


@partial(jax.jit, static_argnames="batch")
def _likelihood(
    real: Array, imaginary: Array, kx: Array, ky: Array, weight: Array, shift: Array, batch: int | None
) -> tuple[Array, Array]:

    def one(patch: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
        re, im, w, r = patch
        aligned_re, aligned_im = moved_back(re, im, kx, ky, r)
        sum_re, sum_im = aligned_re.sum(0), aligned_im.sum(0)
        power = sum_re * sum_re + sum_im * sum_im
        # d|R|²/dr_f = 2 Re(conj(R) 2πi k D_f) = -4π k Im(conj(R) D_f)
        cross = w * (sum_re * aligned_im - sum_im * aligned_re)
        slope = jnp.stack([(cross.sum(1) * kx).sum(-1), (cross.sum(2) * ky).sum(-1)], axis=-1)
        return (w * power).sum(), (-4 * np.float32(np.pi)) * slope

    value, slope = jax.lax.map(one, (real, imaginary, weight, shift), batch_size=batch)
    return value, slope


def coherent_power(real: Array, imaginary: Array, kx: Array, ky: Array, shift: Array) -> tuple[Array, Array]:
    """|Σ_f X_f exp(2πi k·r_f)|² and Σ_f |X_f|², [P, Y, X] each, of coefficients [P, F, Y, X].

    `shift` [P, F, 2] are the displacements r.
    """
    coherent, total = _coherent_power(real, imaginary, kx, ky, shift, at_once(_PATCHES_AT_ONCE))
    return coherent, total


@partial(jax.jit, static_argnames="batch")
def _coherent_power(
    real: Array, imaginary: Array, kx: Array, ky: Array, shift: Array, batch: int | None
) -> tuple[Array, Array]:

    def one(patch: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        re, im, r = patch
        aligned_re, aligned_im = moved_back(re, im, kx, ky, r)
        sum_re, sum_im = aligned_re.sum(0), aligned_im.sum(0)
        return sum_re * sum_re + sum_im * sum_im, (re * re + im * im).sum(0)

    coherent, total = jax.lax.map(one, (real, imaginary, shift), batch_size=batch)
    return coherent, total


@dataclass(frozen=True, eq=False)
class Spectrum:
    """What the spectra of signal and noise give the likelihood.

    `weight` [P, K] of each coefficient; `curvature` [P], the expected second derivative per axis of one pair of frames,
    1/Å²; `significance` of what the frames share: in standard deviations of pure noise, over the root of the number of
    frames that could be moved to fit.
    """

    weight: FloatArray
    curvature: Float64Array
    significance: float


def estimate_spectrum(
    coherent: Float64Array,
    total: Float64Array,
    frames: int,
    ring: npt.NDArray[np.intp],
    kx: FloatArray,
    ky: FloatArray,
    scale: FloatArray,
    b_factor: float,
) -> Spectrum:
    """Signal and noise by ring from |Σ_f|² and Σ_f|.|² ([P, K]) of the present alignment.

    `scale` [K] is a factor on the weight (band, share of independent coefficients). `b_factor` in Å² is the fall-off of
    the signal that is expected where the data do not tell. Each patch keeps its own signal strength: empty ones count
    little.
    """
    pairs = frames * (frames - 1)
    rings = int(ring.max()) + 1
    number = np.maximum(np.bincount(ring, minlength=rings), 1)

    def ring_mean(values: Float64Array) -> Float64Array:
        return np.asarray(np.bincount(ring, values, minlength=rings) / number)

    pair_power = (coherent - total) / pairs
    power = ring_mean(total.mean(0)) / frames
    signal = ring_mean(pair_power.mean(0))
    signal = _believed_signal(signal, power, frames, number * len(coherent), ring_frequency(ring, kx, ky), b_factor)
    noise = np.maximum(power - signal, 1e-30)
    informative = scale * (signal / noise)[ring]
    strength = (pair_power * informative / signal[ring]).sum(1) / np.maximum(informative.sum(), 1e-30)
    strength = np.clip(strength, 0.02, 20.0)
    of_patch = strength[:, None] * signal[ring][None, :]
    floor = noise[ring][None, :]
    weight = scale * of_patch / (floor * (floor + frames * of_patch))
    curvature = 4 * np.pi**2 * (weight * of_patch * (kx.astype(np.float64) ** 2 + ky.astype(np.float64) ** 2)).sum(1)
    spread = np.sqrt(((weight * total / np.sqrt(1 - 1 / frames)) ** 2).sum())
    common = float((weight * (coherent - total)).sum() / max(spread, 1e-30))
    return Spectrum(weight.astype(np.float32), curvature, common / np.sqrt(frames - 1))


def ring_frequency(ring: npt.NDArray[np.intp], kx: FloatArray, ky: FloatArray) -> Float64Array:
    """Mean |k| of each ring, 1/Å."""
    number = np.maximum(np.bincount(ring), 1)
    return np.asarray(np.bincount(ring, np.hypot(kx, ky).astype(np.float64)) / number)


def _believed_signal(
    measured: Float64Array,
    power: Float64Array,
    frames: int,
    number: Float64Array,
    frequency: Float64Array,
    b_factor: float,
) -> Float64Array:
    """Signal power by ring: as measured, drawn towards A exp(b/2 k²) where its error is large."""
    variance = np.where(power > 0, power**2 / (frames * (frames - 1) * np.maximum(number, 1)), np.inf)
    shape = np.exp(b_factor / 2 * frequency**2)
    expected = shape * max(float((measured * shape / variance).sum() / (shape**2 / variance).sum()), 0.0)
    spread = expected**2 + 1e-12 * power**2
    share = np.where(power > 0, spread / (spread + np.where(power > 0, variance, 1.0)), 0.0)
    believed = expected + share * (measured - expected)
    return np.asarray(np.clip(believed, 1e-4 * power, 0.99 * power))


@dataclass(frozen=True, eq=False)
class Basis:
    """Maps of nodes to displacements: `track` [F, nt], `time` [F, lt], `space` [P, ls]; local nodes are [lt, ls]."""

    track: Float64Array
    time: Float64Array
    space: Float64Array

    def displacement(self, track_nodes: Float64Array, local_nodes: Float64Array) -> Float64Array:
        """[P, F, 2] from track nodes [nt, 2] and local nodes [lt, ls, 2]."""
        local = np.einsum("ft,ps,tsa->pfa", self.time, self.space, local_nodes, optimize=True)
        return np.asarray((self.track @ track_nodes)[None] + local)


@dataclass(frozen=True, eq=False)
class System:
    """Quadratic form of the likelihood around the present nodes, whose maximum solves `matrix @ nodes = right`.

    Both axes share the matrix, given as blocks of curvature; each has its own right-hand side.
    """

    track_track: Float64Array
    local_track: Float64Array
    local_local: Float64Array
    track_right: Float64Array
    local_right: Float64Array


def build_system(
    basis: Basis, curvature: Float64Array, gradient: Float64Array, track_nodes: Float64Array, local_nodes: Float64Array
) -> System:
    """The system at the present nodes from the gradient [P, F, 2] and the curvature of each patch [P]."""
    frames = basis.track.shape[0]

    def coupled(left: Float64Array, right: Float64Array) -> Float64Array:
        return np.asarray(frames * left.T @ right - np.outer(left.sum(0), right.sum(0)))

    in_space = (basis.space * curvature[:, None]).T @ basis.space
    mean_space = basis.space.T @ curvature
    track_track = curvature.sum() * coupled(basis.track, basis.track)
    local_track = np.kron(coupled(basis.time, basis.track), mean_space[:, None])
    local_local = np.kron(coupled(basis.time, basis.time), in_space)
    local = local_nodes.reshape(-1, 2)
    track_right = basis.track.T @ gradient.sum(0) + track_track @ track_nodes + local_track.T @ local
    local_gradient = np.einsum("ft,ps,pfa->tsa", basis.time, basis.space, gradient, optimize=True).reshape(-1, 2)
    local_right = local_gradient + local_track @ track_nodes + local_local @ local
    return System(track_track, local_track, local_local, track_right, local_right)


@dataclass(frozen=True, eq=False)
class Solution:
    """Nodes of highest posterior: of the track [nt, 2] and of the local field [lt * ls, 2], in Å."""

    track_nodes: Float64Array
    local_nodes: Float64Array


_AMPLITUDES = np.concatenate([[0.0], np.geomspace(0.05, 40.0, 28)])


def solve(system: System, track_covariance: Float64Array, priors: tuple[LocalPrior, ...]) -> Solution:
    """Nodes that maximise the quadratic form under the track's prior and the local prior of highest evidence.

    The evidence chooses the local prior and its amplitude. Without local priors the local nodes are zero.
    """
    n = len(track_covariance)
    damped = np.eye(n) + track_covariance @ system.track_track

    def track_given(right: Float64Array) -> Float64Array:
        return np.asarray(np.linalg.solve(damped, track_covariance @ right))

    best = Solution(track_given(system.track_right), np.zeros_like(system.local_right))
    if not priors:
        return best
    gain = track_given(np.concatenate([system.local_track.T, system.track_right], axis=1))
    own = system.local_local - system.local_track @ gain[:, :-2]
    own = (own + own.T) / 2
    right = system.local_right - system.local_track @ gain[:, -2:]
    variance = _AMPLITUDES[:, None] ** 2
    best_evidence = 0.0
    for prior in priors:
        c = prior.factor
        values, vectors = np.linalg.eigh(c.T @ own @ c)
        values = np.maximum(values, 0)
        projected = vectors.T @ (c.T @ right)
        shrink = variance / (1 + variance * values)
        evidence = 0.5 * (shrink @ (projected**2)).sum(1) - np.log1p(variance * values).sum(1)
        index = int(np.argmax(evidence))
        if evidence[index] > best_evidence:
            local = c @ (vectors @ (shrink[index][:, None] * projected))
            track = track_given(system.track_right - system.local_track.T @ local)
            best, best_evidence = Solution(track, local), float(evidence[index])
    return best
