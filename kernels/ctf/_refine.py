"""Joint fit of defocus, astigmatism, phase shift and a defocus surface over the field, over all patches at once.

The whitened spectrum of a patch is 1 - a(k)·cos 2χ plus noise. Multiplying it by e^{-2iχ₀} of an estimate and summing
over bins that are small against what is left of the phase error (`demodulate`) keeps all information in a few hundred
complex numbers a patch; on those the likelihood, its gradient and Newton steps cost next to nothing. The estimate
improves, the demodulation is repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.ctf._model import aberration_phase, phase_per_defocus
from warpcore.kernels.image import spline_basis

NEWTON_STEPS = 10


class Geometry(NamedTuple):
    """Frequencies of a band as device arrays [bins, capacity] (see `_spectra.Band`), and the bins' means [bins]."""

    weight: jax.Array
    k2: jax.Array
    cos2: jax.Array
    sin2: jax.Array
    number: jax.Array
    bin_k2: jax.Array
    bin_cos2: jax.Array
    bin_sin2: jax.Array


class Parameters(NamedTuple):
    """What is fitted.

    Astigmatism in Å (half the difference times cos and sin of twice the angle), phase in radians with asin of the
    amplitude contrast, nodes [G] of the defocus surface in Å.
    """

    astigmatism_x: jax.Array
    astigmatism_y: jax.Array
    phase: jax.Array
    nodes: jax.Array


@lru_cache(maxsize=16)
def surface_basis(columns: int, rows: int, places: tuple[tuple[float, float], ...]) -> np.ndarray:
    """Natural cubic splines through nodes from edge to edge: float32 [P, rows·columns] at places (y, x) in [0, 1].

    Node order is rows of x. Two nodes along an axis give a straight line, one a constant.
    """
    where = np.asarray(places, dtype=np.float64).reshape(-1, 2)
    of_y, of_x = spline_basis(rows, where[:, 0]), spline_basis(columns, where[:, 1])
    return np.asarray(np.einsum("py,px->pyx", of_y, of_x).reshape(len(where), -1), dtype=np.float32)


@lru_cache(maxsize=16)
def bending_penalty(columns: int, rows: int) -> np.ndarray:
    """Quadratic form of the nodes' deviation from their least-squares plane, float32 [G, G]."""
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    plane = np.stack([np.ones(x.size), x.ravel(), y.ravel()], axis=1)
    off_plane = np.eye(x.size) - plane @ np.linalg.pinv(plane)
    return (off_plane.T @ off_plane).astype(np.float32)


class Whitening(NamedTuple):
    """What turns power into 1 + rings + noise: the mean background [bins, capacity] and smooth hats [bins, H].

    The hats carry the ratio of each patch's background to the mean one.
    """

    line: jax.Array
    hats: jax.Array


@partial(jax.jit, static_argnames=("own_level", "batch"))
def demodulate(
    power: jax.Array,
    whitening: Whitening,
    amplitude: jax.Array,
    geometry: Geometry,
    at: Parameters,
    surface: jax.Array,
    wavelength: jax.Array,
    cs: jax.Array,
    *,
    own_level: bool,
    batch: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Σ over each bin of the whitened spectrum times e^{-2i(χ + phase)}, complex64 [P, bins], and its mean square.

    `power` [P, bins, capacity]; `amplitude` [bins, capacity] of the rings; `surface` [P, G] is the spline basis at the
    patches. Rings -a cos 2χ would also leave -a/2·Σe^{-4iχ}, which is not zero over few rings and would pull the fit;
    that is taken off. With `own_level` each patch is measured against its own background, the mean one times a ratio
    that is smooth over frequency. `batch` patches are taken at once (None: one after the other).
    """
    weight = geometry.weight
    total = jnp.sum(weight)

    def one(item: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        values, defocus = item
        local = defocus + at.astigmatism_x * geometry.cos2 + at.astigmatism_y * geometry.sin2
        turn = 2 * (aberration_phase(geometry.k2, local, wavelength, cs) + at.phase)
        cos, sin = jnp.cos(turn), jnp.sin(turn)
        relative = values / whitening.line
        if own_level:
            # Against line and rings, not the line alone: where rings are as wide as the hats, the ratio would follow
            # them and turn their phase.
            expected = jnp.sum(weight * (1 - amplitude * cos), axis=-1) @ whitening.hats
            ratio = jnp.sum(weight * relative, axis=-1) @ whitening.hats / jnp.maximum(expected, 1e-6)
            relative = relative / (whitening.hats @ jnp.maximum(ratio, 1e-6))[:, None]
        whitened = (relative - 1) * weight
        ripple = 0.5 * amplitude * weight
        real = jnp.sum(whitened * cos + ripple * (cos * cos - sin * sin), axis=-1)
        imaginary = -jnp.sum(whitened * sin + 2 * ripple * sin * cos, axis=-1)
        return jax.lax.complex(real, imaginary), jnp.sum(whitened * whitened) / total

    sums: tuple[jax.Array, jax.Array] = jax.lax.map(one, (power, surface @ at.nodes), batch_size=batch)
    return sums[0], jnp.mean(sums[1])


def phase_error(change: Parameters, geometry: Geometry, surface: jax.Array, wavelength: jax.Array) -> jax.Array:
    """What a change of the parameters adds to χ + phase, [P, bins]."""
    astigmatism = change.astigmatism_x * geometry.bin_cos2 + change.astigmatism_y * geometry.bin_sin2
    defocus = (surface @ change.nodes)[:, None] + astigmatism[None, :]
    return phase_per_defocus(geometry.bin_k2[None, :], wavelength) * defocus + change.phase


def log_likelihood(
    change: Parameters,
    demodulated: jax.Array,
    amplitude: jax.Array,
    geometry: Geometry,
    surface: jax.Array,
    wavelength: jax.Array,
) -> jax.Array:
    """Agreement Σ -a·Re[D·e^{-2iδ}] of the demodulated spectrum D [P, bins] with rings after a change of the estimate.

    `amplitude` [P, bins] is a, δ the phase error of the change.
    """
    error = phase_error(change, geometry, surface, wavelength)
    real, imaginary = jnp.real(demodulated), jnp.imag(demodulated)
    return -jnp.sum(amplitude * (real * jnp.cos(2 * error) + imaginary * jnp.sin(2 * error)))


@partial(jax.jit, static_argnames=("fit_phase",))
def improve(
    demodulated: jax.Array,
    amplitude: jax.Array,
    variance: jax.Array,
    geometry: Geometry,
    start: Parameters,
    surface: jax.Array,
    prior: jax.Array,
    wavelength: jax.Array,
    *,
    fit_phase: bool,
) -> Parameters:
    """Parameters after Newton steps (expected curvature, step halving) from `start`.

    `prior` [G, G] is the inverse covariance of the nodes' deviation from a plane, in 1/Å².
    """
    # Å of defocus that make one radian at the band's end.
    scale = 1.0 / phase_per_defocus(jnp.max(geometry.bin_k2), wavelength)

    def unpack(vector: jax.Array) -> Parameters:
        return Parameters(vector[0] * scale, vector[1] * scale, vector[2], vector[3:] * scale)

    phase_is_free = jnp.full(1, 1.0 if fit_phase else 0.0)
    free = jnp.concatenate([jnp.ones(2), phase_is_free, jnp.ones(start.nodes.shape[0])])

    def objective(vector: jax.Array) -> jax.Array:
        change = unpack(vector * free)
        nodes = start.nodes + change.nodes
        likelihood = log_likelihood(change, demodulated, amplitude, geometry, surface, wavelength) / variance
        return likelihood - 0.5 * nodes @ prior @ nodes

    curvature = _expected_curvature(amplitude, variance, geometry, surface, wavelength, scale, free)
    curvature = curvature.at[3:, 3:].add(prior * scale**2)
    ridge = 1e-6 * jnp.trace(curvature) / curvature.shape[0] + 1e-12
    curvature = curvature + jnp.diag(ridge + (1 - free) * (1 + ridge))
    change = unpack(_newton(objective, curvature, free) * free)
    return Parameters(*(a + b for a, b in zip(start, change, strict=True)))


def _expected_curvature(
    amplitude: jax.Array,
    variance: jax.Array,
    geometry: Geometry,
    surface: jax.Array,
    wavelength: jax.Array,
    scale: jax.Array,
    free: jax.Array,
) -> jax.Array:
    """Curvature [3 + G, 3 + G] of the likelihood in the scaled parameters.

    The phase error is linear in the parameters, so each patch adds Tᵀ M T with a 4×4 matrix M over its bins.
    """
    rise = phase_per_defocus(geometry.bin_k2, wavelength) * scale
    rows = jnp.stack([rise * geometry.bin_cos2, rise * geometry.bin_sin2, jnp.ones_like(rise), rise])
    moments = jnp.einsum("ib,jb,pb->pij", rows, rows, 2 * geometry.number[None] * jnp.square(amplitude)) / variance
    patches, nodes = surface.shape
    head = jnp.broadcast_to(jnp.eye(4, 3)[None], (patches, 4, 3))
    tail = jnp.zeros((patches, 4, nodes)).at[:, 3, :].set(surface)
    design = jnp.concatenate([head, tail], axis=2) * free
    return jnp.einsum("pia,pij,pjb->ab", design, moments, design)


def _newton(objective: Callable[[jax.Array], jax.Array], curvature: jax.Array, free: jax.Array) -> jax.Array:
    """The vector that ten damped Newton steps from zero reach; a step that lowers the objective is not taken."""
    gradient = jax.grad(objective)

    def step(
        carry: tuple[jax.Array, jax.Array, jax.Array], _: None
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], None]:
        vector, value, damping = carry
        move = jnp.linalg.solve(curvature + damping * jnp.diag(jnp.diag(curvature)), gradient(vector))
        trial = vector + move * free
        reached = objective(trial)
        better = reached >= value
        return (
            jnp.where(better, trial, vector),
            jnp.where(better, reached, value),
            jnp.where(better, damping * 0.3, damping * 4 + 0.1),
        ), None

    origin = jnp.zeros_like(free)
    (best, _, _), _ = jax.lax.scan(step, (origin, objective(origin), jnp.float32(0.0)), None, length=NEWTON_STEPS)
    return best


@partial(jax.jit, static_argnames=("steps",))
def scan_planes(
    demodulated: jax.Array,
    amplitude: jax.Array,
    geometry: Geometry,
    places: jax.Array,
    reach: jax.Array,
    wavelength: jax.Array,
    *,
    steps: int = 15,
) -> jax.Array:
    """The best plane of defocus over the field by exhaustive search: (offset, slope x, slope y), Å from edge to edge.

    `places` [P, 2] are (y, x) in [-0.5, 0.5]; slopes up to ±`reach`. A start for `improve`, whose own reach is half a
    ring.
    """
    samples = 161
    trial = jnp.linspace(-1.25 * reach, 1.25 * reach, samples)
    turn = -2 * phase_per_defocus(geometry.bin_k2[:, None], wavelength) * trial[None, :]
    basis = jax.lax.complex(jnp.cos(turn), jnp.sin(turn))
    table = -jnp.real((demodulated * amplitude) @ basis)  # [P, samples]
    slope = jnp.linspace(-1.0, 1.0, steps) * reach
    offset = jnp.linspace(-0.25, 0.25, 21) * reach
    change = (
        offset[:, None, None, None]
        + slope[None, :, None, None] * places[:, 1]
        + slope[None, None, :, None] * places[:, 0]
    )
    at = jnp.clip(jnp.round((change / (1.25 * reach) + 1) * 0.5 * (samples - 1)).astype(jnp.int32), 0, samples - 1)
    score = jnp.sum(table[jnp.arange(places.shape[0]), at], axis=-1)
    best = jnp.unravel_index(jnp.argmax(score), score.shape)
    return jnp.stack([offset[best[0]], slope[best[1]], slope[best[2]]])
