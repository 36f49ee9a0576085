"""Search of defocus, astigmatism and phase shift over their whole range, so that no wrong ring order is taken.

The spectrum is binned by direction and frequency. For each defocus a template cos 2χ, freed of what a smooth background
could explain, is correlated with each direction's profile in a few frequency bands; an astigmatic candidate sums the
directions each at its own defocus. Bands have their own ring amplitude, which must be positive, and their own residual,
so that neither a strong low-frequency misfit nor a noisy end decides alone: score = Σ_bands -½ n ln(1 - correlation²).
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.ctf._model import Optics, aberration_phase, phase_per_defocus
from warpcore.kernels.ctf._spectra import Band
from warpcore.kernels.image import at_once

SECTORS = 24
_SHIFTS_AT_ONCE = 32


class Candidate(NamedTuple):
    """A place to start: mean defocus and half the astigmatism in Å, angle and phase shift in radians, and its score."""

    defocus: float
    half_astigmatism: float
    angle: float
    phase: float
    score: float


@lru_cache(maxsize=16)
def spline_basis(knots: int, samples: int) -> np.ndarray:
    """`knots` cubic B-splines over [0, 1] at `samples` evenly spaced places, float64 [samples, knots]."""
    from scipy.interpolate import BSpline

    degree = min(3, knots - 1)
    inner = np.linspace(0, 1, knots - degree + 1)
    vector = np.concatenate([np.zeros(degree), inner, np.ones(degree)])
    return np.asarray(BSpline.design_matrix(np.linspace(0, 1, samples), vector, degree).toarray())


class Polar(NamedTuple):
    """A spectrum by direction and ring: means [A, R], counts [A, R], mean squared frequencies [R] in 1/Å²."""

    mean: np.ndarray
    number: np.ndarray
    k2: np.ndarray


@lru_cache(maxsize=16)
def polar_bins(pixels: Band, rings: int, sectors: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin number of each frequency, counts [sectors, rings], mean k² [rings].

    Bins are numbered sector · rings + ring; rings are even in k.
    """
    low, high = float(pixels.k.min()), float(pixels.k.max()) * (1 + 1e-6)
    ring = np.minimum((pixels.k - low) / (high - low) * rings, rings - 1).astype(np.int64)
    sector = np.minimum(pixels.azimuth / np.pi * sectors, sectors - 1).astype(np.int64)
    number = (sector * rings + ring).ravel()
    weight = pixels.weight.ravel()
    count = np.bincount(number, weight, minlength=sectors * rings).reshape(sectors, rings)
    k2 = np.bincount(number, weight * pixels.k2.ravel(), minlength=sectors * rings).reshape(sectors, rings).sum(0)
    return number, count.astype(np.float32), (k2 / np.maximum(count.sum(0), 1)).astype(np.float32)


def polar_mean(pixels: Band, values: np.ndarray, rings: int, sectors: int = SECTORS) -> Polar:
    """Bin a spectrum [bins, capacity] on `pixels` by direction and frequency."""
    number, count, k2 = polar_bins(pixels, rings, sectors)
    total = np.bincount(number, (values * pixels.weight).ravel(), minlength=sectors * rings).reshape(sectors, rings)
    return Polar((total / np.maximum(count, 1)).astype(np.float32), count, k2)


@partial(jax.jit, static_argnames=("bands",))
def score_table(
    mean: jax.Array,
    count: jax.Array,
    k2: jax.Array,
    defoci: jax.Array,
    wavelength: jax.Array,
    cs: jax.Array,
    basis: jax.Array,
    *,
    bands: int,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Correlations of each direction with each defocus in each band.

    Returns c [A, D, B] complex (template e^{-2iχ} without background), its norms [D, B] real and [D, B] complex (the
    part that turns with the phase), and the energy [B] of the data.
    """
    weight = jnp.sum(count, axis=0)
    # Projections off the background, weighted by the number of frequencies in each ring.
    gram = basis.T @ (weight[:, None] * basis)
    solve = jnp.linalg.inv(gram + 1e-6 * jnp.trace(gram) / gram.shape[0] * jnp.eye(gram.shape[0]))
    radial = jnp.sum(mean * count, axis=0) / jnp.maximum(weight, 1)
    data = mean - basis @ (solve @ (basis.T @ (weight * radial)))
    chi = aberration_phase(k2, defoci[:, None], wavelength, cs)
    pure = jnp.exp(-2j * chi)
    template = pure
    template = template - ((template * weight) @ basis.astype(template.dtype)) @ (solve @ basis.T).astype(
        template.dtype
    )
    centre = jnp.linspace(0, 1, bands)
    place = jnp.linspace(0, 1, k2.shape[0])
    hats = (
        jnp.clip(1 - jnp.abs(place[None, :] - centre[:, None]) * (bands - 1), 0, 1)
        if bands > 1
        else jnp.ones((1, k2.shape[0]))
    )
    weighted = (data * count)[:, None, :] * hats[None]
    c = jnp.einsum("abr,dr->adb", weighted.astype(template.dtype), template)
    share = weight * hats
    # The norm of the whole template: one that is mostly background (a ring or less) must not win by its small rest.
    norm = jnp.einsum("br,dr->db", share, jnp.square(jnp.abs(pure)))
    twist = jnp.einsum("br,dr->db", share.astype(pure.dtype), pure**2)
    energy = jnp.einsum("abr,ar->b", weighted, data)
    return c, norm, twist, energy


@partial(jax.jit, static_argnames=("bins", "batch"))
def astigmatic_scores(
    table: tuple[jax.Array, jax.Array, jax.Array, jax.Array],
    phases: jax.Array,
    shifts: jax.Array,
    *,
    bins: jax.Array | int,
    batch: int | None = None,
) -> jax.Array:
    """Scores [F, S, D] of phases [F] in radians, astigmatisms (`shifts` [S, A], whole steps a direction) and defoci.

    `batch` astigmatisms are taken at once (None: one after the other).
    """
    c, norm, twist, energy = table
    directions, count, _ = c.shape
    places = jnp.arange(count)
    per_band = bins / c.shape[2]

    def for_phase(phase: jax.Array) -> jax.Array:
        turn = jnp.exp(-2j * phase)
        agreement = -jnp.real(c * turn)
        size = 0.5 * (norm + jnp.real(twist * turn * turn))

        def for_shift(shift: jax.Array) -> jax.Array:
            at = jnp.clip(places[None, :] + shift[:, None], 0, count - 1)
            total = jnp.sum(agreement[jnp.arange(directions)[:, None], at], axis=0)
            r2 = jnp.square(jnp.maximum(total, 0)) / jnp.maximum(size * energy, 1e-20)
            return jnp.sum(-0.5 * per_band * jnp.log1p(-jnp.minimum(r2, 0.999)), axis=-1)

        scores: jax.Array = jax.lax.map(for_shift, shifts, batch_size=batch)
        return scores

    by_phase: jax.Array = jax.lax.map(for_phase, phases)
    return by_phase


@lru_cache(maxsize=16)
def astigmatism_shifts(step: float, largest: float, sectors: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trial astigmatisms: half differences in Å [S], angles in radians [S], whole-step shifts by sector [S, A]."""
    azimuth = (np.arange(sectors) + 0.5) / sectors * np.pi
    halves, angles = [0.0], [0.0]
    size = 2 * step
    while size <= largest:
        halves += [size] * 12
        angles += [i * np.pi / 12 for i in range(12)]
        size += max(2 * step, 0.25 * size)
    half, angle = np.array(halves), np.array(angles)
    shift = np.round(half[:, None] * np.cos(2 * (azimuth[None, :] - angle[:, None])) / step).astype(np.int32)
    return half, angle, shift


def search(
    polar: Polar,
    *,
    optics: Optics,
    defocus_min: float,
    defocus_max: float,
    phases: np.ndarray,
    background_knots: int,
    bands: int = 5,
    keep: int = 4,
    astigmatism_max: float = 4000.0,
) -> list[Candidate]:
    """The best distinct candidates over the range, best first.

    Defoci in Å; `phases` in radians, with asin of the amplitude contrast.
    """
    k2_max = float(polar.k2.max())
    step = 0.6 / phase_per_defocus(k2_max, optics.wavelength_angstrom)
    count = max(8, int(np.ceil((defocus_max - defocus_min) / step)) + 1)
    defoci = np.linspace(defocus_min, defocus_max, count).astype(np.float32)
    step = float(defoci[1] - defoci[0])
    basis = spline_basis(background_knots, polar.k2.size).astype(np.float32)
    table = score_table(
        jnp.asarray(polar.mean),
        jnp.asarray(polar.number),
        jnp.asarray(polar.k2),
        jnp.asarray(defoci),
        jnp.float32(optics.wavelength_angstrom),
        jnp.float32(optics.cs_mm),
        jnp.asarray(basis),
        bands=bands,
    )
    half, angle, shift = astigmatism_shifts(step, min(astigmatism_max, 0.4 * defocus_max), polar.mean.shape[0])
    scores = np.array(
        astigmatic_scores(
            table,
            jnp.asarray(phases, jnp.float32),
            jnp.asarray(shift),
            bins=int((polar.number > 0).sum()),
            batch=at_once(_SHIFTS_AT_ONCE),
        )
    )
    scores[:, half[:, None] > 0.5 * defoci[None, :]] = -np.inf
    return _distinct(scores, defoci, half, angle, phases, keep)


def _distinct(
    scores: np.ndarray, defoci: np.ndarray, half: np.ndarray, angle: np.ndarray, phases: np.ndarray, keep: int
) -> list[Candidate]:
    found: list[Candidate] = []
    best = scores.max(axis=1)  # over astigmatism: [F, D]
    for _ in range(keep):
        f, d = np.unravel_index(int(np.argmax(best)), best.shape)
        if not np.isfinite(best[f, d]):
            break
        s = int(np.argmax(scores[f, :, d]))
        found.append(Candidate(float(defoci[d]), float(half[s]), float(angle[s]), float(phases[f]), float(best[f, d])))
        # A neighbouring ring order is several steps away; nearer values belong to the same peak.
        best[:, max(0, d - 4) : d + 5] = -np.inf
    return found
