"""The fit itself, from patch spectra to an estimate: whiten, search, refine together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.ctf._background import Background, background, smooth_log, spline_at
from warpcore.kernels.ctf._input import Limits
from warpcore.kernels.ctf._model import Optics
from warpcore.kernels.ctf._quality import Profile, radial_profile
from warpcore.kernels.ctf._refine import (
    Geometry,
    Parameters,
    Whitening,
    bending_penalty,
    demodulate,
    improve,
    scan_planes,
    surface_basis,
)
from warpcore.kernels.ctf._search import Candidate, Polar, polar_mean, search
from warpcore.kernels.ctf._spectra import Band, PatchSpectra
from warpcore.kernels.image import at_once

SCALE_KNOTS = 5
_PATCHES_AT_ONCE = 128
SEARCH_KNOTS = 6
# Candidates of the search that come this near to its best are refined, too.
NEAR_BEST = 0.6
# Rounds of background and parameters in turn, for the mean and for all patches: phase, defocus and background exchange
# much and settle slowly.
ROUNDS = {False: (2, 2), True: (8, 4)}
# How far the surface may bend away from its plane, and how steep the plane is looked for (edge to edge), in Å.
BENDING_ANGSTROM = 300.0
STEEPEST_ANGSTROM = 6000.0


@dataclass(frozen=True)
class State:
    """An estimate: parameters, the mean spectrum's radial profile, and background and rings at `profile.k`."""

    at: Parameters
    profile: Profile
    under: Background


@dataclass(frozen=True)
class Estimate:
    """The end of a fit: state, evidence for rings and for beads, surface nodes (x, y), the spectrum by direction."""

    state: State
    evidence: float
    bead_evidence: float
    dims: tuple[int, int]
    polar: Polar


@lru_cache(maxsize=16)
def device_geometry(pixels: Band) -> Geometry:
    """A band as device arrays, with the bins' means."""
    count = pixels.weight.sum(-1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray((values * pixels.weight).sum(-1) / np.maximum(count, 1), dtype=np.float32)

    arrays = (
        pixels.weight,
        pixels.k2,
        pixels.cos2,
        pixels.sin2,
        count,
        mean(pixels.k2),
        mean(pixels.cos2),
        mean(pixels.sin2),
    )
    return Geometry(*(jnp.asarray(a) for a in arrays))


def estimate_mean(mean_half: np.ndarray, pixels: Band, optics: Optics, wanted: Limits) -> Estimate:
    """Fit one spectrum [2·limit+1, limit+1], the mean over the field, in the band `pixels`: no surface."""
    mean = mean_half.ravel()[pixels.index]
    profile = radial_profile(pixels, mean)
    # First guess of the background: a few splines through the middle of the rings.
    line = np.exp(smooth_log(profile, SEARCH_KNOTS))
    relative = mean / np.interp(pixels.k, profile.k, line)
    polar = polar_mean(pixels, relative, profile.k.size)
    mean_power = jnp.asarray(mean[None], jnp.float32)
    best: Estimate | None = None
    for candidate in _candidates(polar, optics, wanted):
        at = _parameters(candidate)
        for _ in range(ROUNDS[wanted.fit_phase][0]):
            state = _background(profile, optics, at, np.ones((1, 1)))
            at = _refine(pixels, mean_power, state, np.ones((1, 1)), optics, wanted.fit_phase)
        evidence = ring_evidence(polar, optics, at)
        if best is None or evidence > best.evidence:
            best = Estimate(replace(state, at=at), evidence, 0.0, (1, 1), polar)
    assert best is not None
    return replace(best, bead_evidence=bead_evidence(polar))


def best_candidate(polar: Polar, optics: Optics, wanted: Limits) -> tuple[float, float]:
    """Defocus in Å and evidence of the search's best candidate, without refinement."""
    found = _candidates(polar, optics, wanted)
    evidence = [ring_evidence(polar, optics, _parameters(candidate)) for candidate in found]
    best = int(np.argmax(evidence))
    return found[best].defocus, evidence[best]


def estimate_field(
    spectra: PatchSpectra, pixels: Band, optics: Optics, wanted: Limits, dims: tuple[int, int], start: Estimate
) -> Estimate:
    """Fit all patches together from the estimate of their mean on, with a surface of `dims` (x, y) nodes."""
    if spectra.power.shape[0] == 1 or dims == (1, 1):
        return start
    taken = _taken(spectra.power, jnp.asarray(pixels.index))
    return replace(start, state=_local(taken, spectra.centres, pixels, start.state, optics, wanted, dims), dims=dims)


def _parameters(candidate: Candidate) -> Parameters:
    return Parameters(
        jnp.float32(candidate.half_astigmatism * math.cos(2 * candidate.angle)),
        jnp.float32(candidate.half_astigmatism * math.sin(2 * candidate.angle)),
        jnp.float32(candidate.phase),
        jnp.array([candidate.defocus], jnp.float32),
    )


def _candidates(polar: Polar, optics: Optics, wanted: Limits) -> list[Candidate]:
    shifts = np.arange(0.0, math.pi, math.pi / 6) if wanted.fit_phase else np.zeros(1)
    # A little beyond the range on both sides, so that a defocus outside is reported and not forced inside.
    margin = 0.15 * (wanted.defocus_max - wanted.defocus_min)
    low = wanted.defocus_min
    found = search(
        polar._replace(mean=polar.mean - 1),
        optics=optics,
        defocus_min=max(low - margin, 0.6 * low) if low > 0 else low,
        defocus_max=wanted.defocus_max + margin,
        phases=optics.contrast_phase + shifts,
        background_knots=SEARCH_KNOTS,
    )
    return [c for c in found if c.score >= NEAR_BEST * found[0].score][:3]


def background_knots(optics: Optics, defocus: float, k2: np.ndarray) -> int:
    """Splines of the background: fewer where there are few rings, which it could otherwise imitate."""
    rings = float(np.ptp(optics.chi(k2, defocus))) / math.pi
    return int(np.clip(3 + 0.6 * rings, 4, 8))


def ring_evidence(polar: Polar, optics: Optics, at: Parameters) -> float:
    """How much better a background with rings explains a spectrum by direction than a background alone does.

    It is ½ n ln of the ratio of residuals.
    Ring amplitudes must be positive. `polar` holds the spectrum over its rough background.
    """
    azimuth = (np.arange(polar.mean.shape[0]) + 0.5) / polar.mean.shape[0] * np.pi
    local = float(at.astigmatism_x) * np.cos(2 * azimuth) + float(at.astigmatism_y) * np.sin(2 * azimuth)
    defocus = float(np.mean(np.asarray(at.nodes)))
    rings = np.cos(2 * (optics.chi(polar.k2.astype(np.float64)[None, :], defocus + local[:, None]) + float(at.phase)))
    weight, data = polar.number.astype(np.float64), polar.mean.astype(np.float64)
    place = np.linspace(0, 1, polar.k2.size)
    knots = background_knots(optics, defocus, polar.k2)
    # Alone, the background may have as many coefficients more as there are rings: with more it could imitate them.
    extra = int(np.clip(np.ptp(optics.chi(polar.k2, defocus)) / math.pi - 1, 1, SCALE_KNOTS))
    whole = float(np.sum(weight * data**2))
    alone = _residual(whole, weight, data, np.ones((1, 1)), spline_at(knots + extra, place), None)
    joint = _residual(whole, weight, data, rings, spline_at(knots, place), spline_at(SCALE_KNOTS, place))
    return 0.5 * float((weight > 0).sum()) * math.log(max(alone, 1e-30) / max(joint, 1e-30))


def bead_evidence(polar: Polar) -> float:
    """The same measure for the interference of bodies of one size: the best over sizes of 20 to 600 Å.

    Interference oscillates evenly in k, rings in k².
    """
    weight, data = polar.number.astype(np.float64), polar.mean.astype(np.float64)
    place, k = np.linspace(0, 1, polar.k2.size), np.sqrt(polar.k2.astype(np.float64))
    knots = 8
    whole = float(np.sum(weight * data**2))
    alone = _residual(whole, weight, data, np.ones((1, 1)), spline_at(knots + SCALE_KNOTS, place), None)
    middle, scale = spline_at(knots, place), spline_at(SCALE_KNOTS, place)
    best = alone
    for length in np.geomspace(20, min(600.0, 0.5 / float(np.median(np.diff(k)))), 80):
        turn = 2 * np.pi * length * k[:, None]
        both = np.concatenate([middle, scale * np.cos(turn), scale * np.sin(turn)], axis=1)
        best = min(best, _residual(whole, weight, data, np.ones((1, 1)), both, None))
    return 0.5 * float((weight > 0).sum()) * math.log(max(alone, 1e-30) / max(best, 1e-30))


def _residual(
    whole: float, weight: np.ndarray, data: np.ndarray, rings: np.ndarray, middle: np.ndarray, scale: np.ndarray | None
) -> float:
    radial, summed = weight.sum(0), (weight * data).sum(0)
    gram, right = middle.T @ (radial[:, None] * middle), middle.T @ summed
    if scale is not None:
        cross = -middle.T @ ((weight * rings).sum(0)[:, None] * scale)
        own = scale.T @ ((weight * rings**2).sum(0)[:, None] * scale)
        gram = np.block([[gram, cross], [cross.T, own]])
        right = np.concatenate([right, -scale.T @ (weight * data * rings).sum(0)])
    active = np.ones(right.size, dtype=bool)
    solution = np.zeros(right.size)
    for _ in range(4):
        solution[:] = 0
        solution[active] = np.linalg.lstsq(gram[np.ix_(active, active)], right[active], rcond=1e-9)[0]
        negative = (np.arange(right.size) >= middle.shape[1]) & (solution < 0)
        if not negative.any():
            break
        active &= ~negative
    return whole - 2 * float(solution @ right) + float(solution @ gram @ solution)


def mean_rings(k2: np.ndarray, optics: Optics, at: Parameters, defoci: np.ndarray) -> np.ndarray:
    """cos 2(χ + phase) averaged over directions and patches, [R]."""
    azimuth = (np.arange(32) + 0.5) / 32 * np.pi
    local = float(at.astigmatism_x) * np.cos(2 * azimuth) + float(at.astigmatism_y) * np.sin(2 * azimuth)
    defocus = (defoci[:, None] + local[None, :]).ravel()
    chi = optics.chi(k2[None, :], defocus[:, None])
    return np.asarray(np.cos(2 * (chi + float(at.phase))).mean(axis=0))


def _background(profile: Profile, optics: Optics, at: Parameters, surface: np.ndarray) -> State:
    defoci = surface @ np.asarray(at.nodes, dtype=np.float64)
    rings = mean_rings(profile.k2, optics, at, defoci)
    knots = background_knots(optics, float(defoci.mean()), profile.k2)
    return State(at, profile, background(profile, rings, knots, SCALE_KNOTS))


@jax.jit
def _taken(power: jax.Array, index: jax.Array) -> jax.Array:
    return power.reshape(power.shape[0], -1)[:, index]


@lru_cache(maxsize=16)
def _hats(pixels: Band) -> jax.Array:
    """Six overlapping triangles over frequency at each bin, [bins, 6]."""
    k = np.sqrt(np.asarray(device_geometry(pixels).bin_k2))
    place = (k - k.min()) / (k.max() - k.min())
    return jnp.asarray(np.clip(1 - np.abs(place[:, None] * 5 - np.arange(6)), 0, 1), jnp.float32)


def demodulated_at(
    pixels: Band, power: jax.Array, state: State, surface: np.ndarray, optics: Optics
) -> tuple[jax.Array, jax.Array]:
    """`demodulate` of patch spectra [P, bins, capacity] at a state's estimate."""
    geometry, hats = device_geometry(pixels), _hats(pixels)
    line = jnp.asarray(np.interp(pixels.k, state.profile.k, state.under.middle), jnp.float32)
    amplitude = jnp.asarray(
        np.interp(pixels.k, state.profile.k, state.under.amplitude / state.under.middle), jnp.float32
    )
    sums: tuple[jax.Array, jax.Array] = demodulate(
        power,
        Whitening(line, hats),
        amplitude,
        geometry,
        state.at,
        jnp.asarray(surface, jnp.float32),
        jnp.float32(optics.wavelength_angstrom),
        jnp.float32(optics.cs_mm),
        own_level=power.shape[0] > 1,
        batch=at_once(_PATCHES_AT_ONCE),
    )
    return sums


def _refine(
    pixels: Band,
    power: jax.Array,
    state: State,
    surface: np.ndarray,
    optics: Optics,
    fit_phase: bool,
    prior: np.ndarray | None = None,
) -> Parameters:
    """Demodulate at the estimate and improve it."""
    geometry = device_geometry(pixels)
    demodulated, variance = demodulated_at(pixels, power, state, surface, optics)
    nodes = surface.shape[1]
    trust = jnp.asarray(_at_bins(geometry, state.profile, state.under.trust))
    improved: Parameters = improve(
        demodulated * trust,
        jnp.asarray(bin_amplitude(geometry, state)[None]),
        variance,
        geometry._replace(number=geometry.number * trust),
        state.at,
        jnp.asarray(surface, jnp.float32),
        jnp.asarray(np.zeros((nodes, nodes)) if prior is None else prior, jnp.float32),
        jnp.float32(optics.wavelength_angstrom),
        fit_phase=fit_phase,
    )
    return improved


def bin_amplitude(geometry: Geometry, state: State) -> np.ndarray:
    """Relative ring amplitude at each bin, float32 [bins]."""
    return _at_bins(geometry, state.profile, state.under.amplitude / state.under.middle)


def _at_bins(geometry: Geometry, profile: Profile, values: np.ndarray) -> np.ndarray:
    """What is known along a profile [R], at each bin, float32 [bins]."""
    return np.asarray(np.interp(np.sqrt(np.asarray(geometry.bin_k2)), profile.k, values), dtype=np.float32)


def _local(
    power: jax.Array,
    centres: np.ndarray,
    pixels: Band,
    state: State,
    optics: Optics,
    wanted: Limits,
    dims: tuple[int, int],
) -> State:
    """Defocus surface and all else together, from the best plane on."""
    columns, rows = dims
    surface = surface_basis(columns, rows, tuple((float(y), float(x)) for y, x in centres))
    geometry = device_geometry(pixels)
    mean_defocus = float(state.at.nodes[0])
    demodulated, _ = demodulated_at(pixels, power, state, np.ones((power.shape[0], 1)), optics)
    plane = scan_planes(
        demodulated,
        jnp.asarray(bin_amplitude(geometry, state)[None]),
        geometry,
        jnp.asarray(centres - 0.5, jnp.float32),
        jnp.float32(min(STEEPEST_ANGSTROM, mean_defocus)),
        jnp.float32(optics.wavelength_angstrom),
    )
    offset, slope_x, slope_y = (float(v) for v in plane)
    y, x = np.meshgrid(spread_evenly(rows), spread_evenly(columns), indexing="ij")
    nodes = mean_defocus + offset + slope_x * x.ravel() + slope_y * y.ravel()
    at = state.at._replace(nodes=jnp.asarray(nodes, jnp.float32))
    prior = bending_penalty(columns, rows) / BENDING_ANGSTROM**2
    for _ in range(ROUNDS[wanted.fit_phase][1]):
        state = _background(state.profile, optics, at, surface)
        at = _refine(pixels, power, state, surface, optics, wanted.fit_phase, prior)
    return replace(state, at=at)


def spread_evenly(count: int) -> np.ndarray:
    """Places of nodes from edge to edge, in [-0.5, 0.5]; a single one in the middle."""
    return np.asarray(np.linspace(-0.5, 0.5, count) if count > 1 else np.zeros(1))
