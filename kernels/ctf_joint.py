"""The fit itself, from patch spectra to a result: whiten, search, refine together, judge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import jax.numpy as jnp
import numpy as np

from warpcore.kernels import ctf_quality as quality
from warpcore.kernels.ctf_quality import Lens, Profile
from warpcore.kernels.ctf_refine import (
    Geometry,
    Parameters,
    bending_penalty,
    demodulate,
    improve,
    log_likelihood,
    scan_planes,
    surface_basis,
)
from warpcore.kernels.ctf_result import CtfFit, DefocusSurface
from warpcore.kernels.ctf_search import Candidate, polar_mean, search
from warpcore.kernels.spectra import Band, band, centred_plane

# A fit is believed from this many standard deviations of agreement on; the benchmark of images without rings sets it.
CONFIDENCE = 12.0
BACKGROUND_KNOTS = 8
SCALE_KNOTS = 5
# How far the surface may bend away from its plane, and how steep the plane is looked for (edge to edge), in Å.
BENDING_ANGSTROM = 300.0
STEEPEST_ANGSTROM = 6000.0


@dataclass(frozen=True)
class Range:
    """What to look for: band in 1/Å, defocus in Å, phase or not."""

    k_min: float
    k_max: float
    defocus_min: float
    defocus_max: float
    fit_phase: bool


@dataclass(frozen=True)
class State:
    """An estimate with what belongs to it: parameters, middle line and ring amplitude of the mean spectrum at `profile.k`."""

    at: Parameters
    profile: Profile
    middle: np.ndarray
    amplitude: np.ndarray


@cache
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


def fit_power(
    power: np.ndarray,
    centres: np.ndarray,
    *,
    size: int,
    pixel_size_angstrom: float,
    field_angstrom: tuple[float, float],
    lens: Lens,
    wanted: Range,
    dims: tuple[int, int],
) -> CtfFit:
    """Fit patch power spectra [P, 2·limit+1, limit+1] with centres [P, 2] (y, x in [0, 1] of the field)."""
    limit = power.shape[2] - 1
    k_seen = min(limit / (size * pixel_size_angstrom), 0.5 / pixel_size_angstrom)
    pixels = band(size, pixel_size_angstrom, wanted.k_min, wanted.k_max, limit)
    seen = band(size, pixel_size_angstrom, wanted.k_min, k_seen, limit)
    patches = power.shape[0]
    mean = power.mean(axis=0)
    mean_flat = mean.ravel()[pixels.index]
    plain = quality.radial_profile(pixels, mean_flat)
    # First guess of the background: few splines through the middle of the rings.
    line = np.exp(quality.smooth_log(plain, 6))
    whitened = mean_flat / np.interp(pixels.k, plain.k, line) - 1
    candidates = _candidates(pixels, whitened, lens, wanted)
    one = jnp.ones((1, 1), jnp.float32)
    flat_prior = jnp.zeros((1, 1), jnp.float32)
    best: tuple[float, State] | None = None
    for candidate in candidates:
        at = _parameters(candidate)
        for _ in range(2):
            state = _background(pixels, mean_flat, lens, at)
            at, score = _refine(pixels, mean_flat[None], state, one, flat_prior, lens, wanted.fit_phase)
        if best is None or score > best[0]:
            best = (score, State(at, state.profile, state.middle, state.amplitude))
    assert best is not None
    state = best[1]
    nodes = 1
    if patches > 1 and dims != (1, 1):
        flat = power.reshape(patches, -1)[:, pixels.index]
        state = _local(pixels, flat, centres, state, lens, wanted, dims)
        nodes = dims[0] * dims[1]
    return _judge(power, seen, pixels, centres, state, lens, wanted, dims if nodes > 1 else (1, 1), field_angstrom)


def _parameters(candidate: Candidate) -> Parameters:
    return Parameters(
        jnp.float32(candidate.half_astigmatism * math.cos(2 * candidate.angle)),
        jnp.float32(candidate.half_astigmatism * math.sin(2 * candidate.angle)),
        jnp.float32(candidate.phase),
        jnp.array([candidate.defocus], jnp.float32),
    )


def _candidates(pixels: Band, whitened: np.ndarray, lens: Lens, wanted: Range) -> list[Candidate]:
    rings = max(16, int((wanted.k_max - wanted.k_min) / pixels.step))
    shifts = np.arange(0.0, math.pi, math.pi / 12) if wanted.fit_phase else np.zeros(1)
    # A little beyond the range on both sides: what lies outside shall be called so, not forced inside.
    margin = 0.15 * (wanted.defocus_max - wanted.defocus_min)
    return search(
        polar_mean(pixels, whitened, rings),
        wavelength=lens.wavelength,
        cs_mm=lens.cs_mm,
        defocus_min=max(wanted.defocus_min - margin, 0.6 * wanted.defocus_min)
        if wanted.defocus_min > 0
        else wanted.defocus_min,
        defocus_max=wanted.defocus_max + margin,
        phases=lens.contrast_phase + shifts,
        background_knots=6,
    )


def _mean_rings(k2: np.ndarray, lens: Lens, at: Parameters, defoci: np.ndarray) -> np.ndarray:
    """cos 2(χ + phase) averaged over directions and patches, [R]."""
    azimuth = (np.arange(32) + 0.5) / 32 * np.pi
    local = float(at.astigmatism_x) * np.cos(2 * azimuth) + float(at.astigmatism_y) * np.sin(2 * azimuth)
    defocus = (defoci[:, None] + local[None, :]).ravel()
    chi = lens.chi(k2[None, :], defocus[:, None])
    return np.asarray(np.cos(2 * (chi + float(at.phase))).mean(axis=0))


def _background(
    pixels: Band, mean_flat: np.ndarray, lens: Lens, at: Parameters, surface: np.ndarray | None = None
) -> State:
    profile = quality.radial_profile(pixels, mean_flat)
    defoci = np.asarray(at.nodes) if surface is None else surface @ np.asarray(at.nodes)
    rings = _mean_rings(profile.k2, lens, at, defoci)
    middle, amplitude = quality.background_and_scale(profile, rings, BACKGROUND_KNOTS, SCALE_KNOTS)
    return State(at, profile, middle, amplitude)


def _refine(
    pixels: Band,
    flat: np.ndarray,
    state: State,
    surface: jnp.ndarray,
    prior: jnp.ndarray,
    lens: Lens,
    fit_phase: bool,
) -> tuple[Parameters, float]:
    """Demodulate at the estimate and improve it; returns the new estimate and the gain in log-likelihood over no rings."""
    geometry = device_geometry(pixels)
    wavelength, cs = jnp.float32(lens.wavelength), jnp.float32(lens.cs_mm)
    whitened = jnp.asarray(whiten(pixels, flat, state))
    variance = float(jnp.sum(jnp.square(whitened) * geometry.weight) / (flat.shape[0] * jnp.sum(geometry.weight)))
    demodulated = demodulate(whitened, geometry, state.at, surface, wavelength, cs)
    amplitude = _bin_amplitude(geometry, state)[None]
    at, _ = improve(
        demodulated,
        jnp.asarray(amplitude),
        jnp.float32(variance),
        geometry,
        state.at,
        surface,
        prior,
        wavelength,
        fit_phase=fit_phase,
    )
    change = Parameters(*(a - b for a, b in zip(at, state.at, strict=True)))
    agreed = float(log_likelihood(change, demodulated, jnp.asarray(amplitude), geometry, surface, wavelength))
    spent = 0.25 * flat.shape[0] * float(np.sum(np.asarray(geometry.number) * amplitude**2))
    return at, (agreed - spent) / variance


def _bin_amplitude(geometry: Geometry, state: State) -> np.ndarray:
    k = np.sqrt(np.asarray(geometry.bin_k2))
    return np.asarray(np.interp(k, state.profile.k, state.amplitude / state.middle), dtype=np.float32)


def whiten(pixels: Band, flat: np.ndarray, state: State) -> np.ndarray:
    """Spectra [P, bins, capacity] over their background, less 1; each patch has its own smooth ratio to the mean background."""
    line = np.interp(pixels.k, state.profile.k, state.middle).astype(np.float32)
    relative = flat / line
    if flat.shape[0] == 1:
        return np.asarray(relative - 1, dtype=np.float32)
    place = (pixels.k - pixels.k.min()) / (pixels.k.max() - pixels.k.min())
    by_bin = np.einsum("pbc,bc->pb", relative, pixels.weight)
    count = pixels.weight.sum(-1)
    hats = np.clip(1 - np.abs((place * pixels.weight).sum(-1)[:, None] / count[:, None] * 5 - np.arange(6)), 0, 1)
    ratio = (by_bin @ hats) / np.maximum(count @ hats, 1)
    ratio = np.maximum(ratio, 1e-6)
    spread = (ratio @ hats.T).astype(np.float32)
    return np.asarray(relative / spread[:, :, None] - 1, dtype=np.float32)


def _local(
    pixels: Band,
    flat: np.ndarray,
    centres: np.ndarray,
    state: State,
    lens: Lens,
    wanted: Range,
    dims: tuple[int, int],
) -> State:
    """Defocus surface and all else together, from the best plane on."""
    columns, rows = dims
    surface = surface_basis(columns, rows, tuple((float(y), float(x)) for y, x in centres))
    geometry = device_geometry(pixels)
    wavelength, cs = jnp.float32(lens.wavelength), jnp.float32(lens.cs_mm)
    one = jnp.ones((flat.shape[0], 1), jnp.float32)
    mean_flat = flat.mean(axis=0)
    demodulated = demodulate(jnp.asarray(whiten(pixels, flat, state)), geometry, state.at, one, wavelength, cs)
    plane = scan_planes(
        demodulated,
        jnp.asarray(_bin_amplitude(geometry, state)[None]),
        geometry,
        jnp.asarray(centres - 0.5, jnp.float32),
        jnp.float32(min(STEEPEST_ANGSTROM, float(state.at.nodes[0]))),
        wavelength,
    )
    offset, slope_x, slope_y = (float(v) for v in plane)
    y, x = np.meshgrid(_spread(rows), _spread(columns), indexing="ij")
    nodes = float(state.at.nodes[0]) + offset + slope_x * x.ravel() + slope_y * y.ravel()
    at = state.at._replace(nodes=jnp.asarray(nodes, jnp.float32))
    prior = jnp.asarray(bending_penalty(columns, rows) / BENDING_ANGSTROM**2)
    for _ in range(3):
        state = _background(pixels, mean_flat, lens, at, surface)
        at, _ = _refine(pixels, flat, state, jnp.asarray(surface), prior, lens, wanted.fit_phase)
    return State(at, state.profile, state.middle, state.amplitude)


def _spread(count: int) -> np.ndarray:
    """Places of nodes from edge to edge, in [-0.5, 0.5]; a single one in the middle."""
    return np.asarray(np.linspace(-0.5, 0.5, count) if count > 1 else np.zeros(1))


def _judge(
    power: np.ndarray,
    seen: Band,
    pixels: Band,
    centres: np.ndarray,
    state: State,
    lens: Lens,
    wanted: Range,
    dims: tuple[int, int],
    field_angstrom: tuple[float, float],
) -> CtfFit:
    at = state.at
    columns, rows = dims
    everywhere = tuple((y, x) for y in np.linspace(0.05, 0.95, 10) for x in np.linspace(0.05, 0.95, 10))
    nodes = np.asarray(at.nodes, dtype=np.float64)
    defocus = float((surface_basis(columns, rows, everywhere) @ nodes).mean())
    here = surface_basis(columns, rows, tuple((float(y), float(x)) for y, x in centres)) @ nodes
    ax, ay = float(at.astigmatism_x), float(at.astigmatism_y)
    half = math.hypot(ax, ay)
    angle = math.degrees(0.5 * math.atan2(ay, ax))
    angle = 90.0 if angle <= -90 else angle
    profile, plain = _aligned(power, seen, lens, defocus, here, ax, ay)
    phase = lens.chi(profile.k2, defocus) + float(at.phase)
    rings = np.cos(2 * phase)
    middle, amplitude = quality.background_and_scale(profile, rings, BACKGROUND_KNOTS + 2, SCALE_KNOTS + 1)
    whitened = profile.power / middle - 1
    curve = quality.agreement(profile, whitened, -rings, phase, seen.step)
    resolution = quality.fit_resolution(profile.k, curve, wanted.k_min, wanted.k_max)
    smeared = _mean_rings(plain.k2, lens, at, here)
    plain_line = np.interp(plain.k, profile.k, middle)
    plain_curve = quality.agreement(
        plain, plain.power / plain_line - 1, -smeared, np.interp(plain.k, profile.k, phase), seen.step
    )
    plain_resolution = quality.fit_resolution(plain.k, plain_curve, wanted.k_min, wanted.k_max)
    merit, confidence = _merit(power, pixels, state, lens, defocus)
    failure, warnings = _verdict(confidence, resolution, defocus, wanted)
    mean = power.mean(axis=0)
    return CtfFit(
        defocus_u_angstrom=defocus + half,
        defocus_v_angstrom=defocus - half,
        angle_degrees=angle,
        phase_shift_degrees=math.degrees(float(at.phase) - lens.contrast_phase) % 180.0 if wanted.fit_phase else 0.0,
        figure_of_merit=merit,
        resolution_angstrom=None if failure else resolution,
        failure=failure,
        warnings=warnings,
        grid=_surface(nodes, dims, field_angstrom),
        curves={
            "frequency": _floats(profile.k),
            "spectrum": _floats(profile.power),
            "background": _floats(middle - amplitude),
            "scale": _floats(2 * amplitude),
            "model": _floats(0.5 - 0.5 * rings),
            "quality": _floats(curve),
        },
        ice_ring=quality.ice_ring(profile, whitened),
        confidence=confidence,
        resolution_plain_angstrom=None if failure else plain_resolution,
        diagnostic=_picture(mean, seen, profile, middle, amplitude, lens, at, defocus, None if failure else resolution),
    )


def _floats(values: np.ndarray) -> list[float]:
    return [float(v) for v in values]


def _aligned(
    power: np.ndarray, seen: Band, lens: Lens, defocus: float, here: np.ndarray, ax: float, ay: float
) -> tuple[Profile, Profile]:
    """Radial profiles of the mean spectrum: along the rings of the mean defocus, each patch by its own, and plain circles."""
    mean = power.mean(axis=0).ravel()[seen.index]
    plain = quality.radial_profile(seen, mean)
    if np.ptp(here) < 50:
        return quality.radial_profile(seen, mean, quality.ring_radius_squared(seen, lens, defocus, ax, ay)), plain
    total, count = np.zeros_like(plain.k), np.zeros_like(plain.k)
    for spectrum, local in zip(power, here, strict=True):
        radius = quality.ring_radius_squared(seen, lens, defocus, ax, ay, float(local) - defocus)
        one = quality.radial_profile(seen, spectrum.ravel()[seen.index], radius)
        total += np.interp(plain.k, one.k, one.power)
        count += np.interp(plain.k, one.k, one.count)
    return Profile(plain.k, plain.k2, count, total / len(here)), plain


def _merit(power: np.ndarray, pixels: Band, state: State, lens: Lens, defocus: float) -> tuple[float, float]:
    """Cross-correlation of the mean whitened spectrum with the model over the band, and the agreement in standard deviations of noise."""
    geometry = device_geometry(pixels)
    flat = power.mean(axis=0).ravel()[pixels.index][None]
    whitened = whiten(pixels, flat, state)
    at = state.at._replace(nodes=jnp.array([defocus], jnp.float32))
    one = jnp.ones((1, 1), jnp.float32)
    demodulated = np.asarray(
        demodulate(jnp.asarray(whitened), geometry, at, one, jnp.float32(lens.wavelength), jnp.float32(lens.cs_mm))
    )[0]
    total = float(np.sum(np.square(whitened) * pixels.weight))
    number = float(pixels.weight.sum())
    merit = float(-demodulated.real.sum() / math.sqrt(0.5 * number * max(total, 1e-20)))
    amplitude = _bin_amplitude(geometry, state)
    spread = math.sqrt(max(total / number * 0.5 * float(np.sum(np.asarray(geometry.number) * amplitude**2)), 1e-20))
    return merit, float(-(amplitude * demodulated.real).sum() / spread)


def _verdict(
    confidence: float, resolution: float | None, defocus: float, wanted: Range
) -> tuple[str | None, list[str]]:
    if confidence < CONFIDENCE or resolution is None:
        return "no rings", []
    low, high = wanted.defocus_min, wanted.defocus_max
    if not low <= defocus <= high:
        return f"out of range: rings fit {defocus / 1e4:.2f} µm, searched {low / 1e4:g} to {high / 1e4:g} µm", []
    if min(defocus - low, high - defocus) < 0.02 * (high - low):
        return None, [
            f"defocus {defocus / 1e4:.2f} µm is at the edge of the search range {low / 1e4:g} to {high / 1e4:g} µm"
        ]
    return None, []


def _surface(nodes: np.ndarray, dims: tuple[int, int], field_angstrom: tuple[float, float]) -> DefocusSurface:
    values = tuple(round(float(v) * 1e-4, 6) for v in nodes)
    if min(dims) < 2:
        return DefocusSurface(dims, values)
    columns, rows = dims
    y, x = np.meshgrid(_spread(rows) * field_angstrom[0], _spread(columns) * field_angstrom[1], indexing="ij")
    plane = np.stack([np.ones(x.size), x.ravel(), y.ravel()], axis=1)
    _, slope_x, slope_y = np.linalg.lstsq(plane, nodes, rcond=None)[0]
    tilt = math.degrees(math.atan(math.hypot(slope_x, slope_y)))
    # The axis is the direction along which defocus stays the same, at right angles to the slope.
    axis = (math.degrees(math.atan2(slope_y, slope_x)) + 90.0) % 180.0
    return DefocusSurface(dims, values, tilt, axis - 180.0 if axis > 90 else axis)


def _picture(
    mean: np.ndarray,
    seen: Band,
    profile: Profile,
    middle: np.ndarray,
    amplitude: np.ndarray,
    lens: Lens,
    at: Parameters,
    defocus: float,
    resolution: float | None,
) -> np.ndarray:
    """Centred picture: left half the spectrum scaled so that rings run from 0 to 1, right half CTF² up to the fit resolution, which a circle marks."""
    whole = centred_plane(mean)
    limit = seen.limit
    y, x = np.meshgrid(np.arange(-limit, limit + 1), np.arange(-limit, limit + 1), indexing="ij")
    k = np.hypot(x, y) * seen.step
    line, size = np.interp(k, profile.k, middle), np.interp(k, profile.k, amplitude)
    data = 0.5 + 0.5 * (whole - line) / np.maximum(size, 0.05 * line)
    r2 = np.maximum(x**2 + y**2, 1)
    local = defocus + (float(at.astigmatism_x) * (x**2 - y**2) + float(at.astigmatism_y) * 2 * x * y) / r2
    model = np.sin(lens.chi(k**2, local) + float(at.phase)) ** 2
    if resolution is not None:
        model = np.where(k <= 1 / resolution, model, 0.5)
        model = np.where(np.abs(k - 1 / resolution) < 0.6 * seen.step, 1.5, model)
    else:
        model = np.full_like(model, 0.5)
    return np.where(x < 0, np.clip(data, -0.5, 1.5), model).astype(np.float32)
