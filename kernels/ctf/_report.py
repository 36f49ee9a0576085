"""From an estimate to a result: curves, figures of merit, reasons to refuse, the surface's plane, the picture."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import uniform_filter

from warpcore.kernels.ctf import _quality as quality
from warpcore.kernels.ctf._background import background
from warpcore.kernels.ctf._input import Limits
from warpcore.kernels.ctf._joint import (
    SCALE_KNOTS,
    Estimate,
    background_knots,
    bin_amplitude,
    demodulated_at,
    device_geometry,
    estimate_field,
    estimate_mean,
    mean_rings,
    spread_evenly,
)
from warpcore.kernels.ctf._model import Optics
from warpcore.kernels.ctf._picture import RING
from warpcore.kernels.ctf._quality import Profile
from warpcore.kernels.ctf._reasons import NO_RINGS
from warpcore.kernels.ctf._refine import Parameters, surface_basis
from warpcore.kernels.ctf._result import CtfFit, DefocusSurface
from warpcore.kernels.ctf._spectra import Band, PatchSpectra, band, centred_plane
from warpcore.kernels.image import on_host

# Evidence for rings (ring_evidence) from which a fit is believed; the benchmark of images without rings sets it.
CONFIDENCE = 40.0
# Bodies of one size (gold beads) interfere at low frequency; a fit that reaches finer than this is not theirs.
BEADS_ANGSTROM = 9.0
# Drift has wiped out rings that in one direction have less than this share of their mean strength, counted with so many
# deviations in their favour. Where the evidence for rings hardly suffices, deviations count for less.
WEAKEST_DIRECTION = 0.5
WEAKEST_CERTAINTY = 1.0
# Astigmatism (U - V) above this share of the mean defocus is a drift's wedge rather than rings, unless the evidence is
# this many times CONFIDENCE.
ODD_ASTIGMATISM = 0.5
ODD_CONFIDENCE = 3.0
# Mean power of a patch's frequencies below which division in float32 has no precision left.
LEAST_POWER = 1e-25
# Rings in the band that a fit of the phase shift needs: with two, background, phase and defocus replace each other
# (errors of 69° were seen).
RINGS_FOR_PHASE = 2.5


def empty(spectra: PatchSpectra) -> bool:
    """Whether the image was constant, had no finite pixel, or values whose square overflows float32."""
    level = np.asarray(jnp.mean(spectra.power, axis=0), np.float64)
    return not np.isfinite(level).all() or float(np.median(level)) <= LEAST_POWER


def empty_fit(spectra: PatchSpectra, wanted: Limits) -> CtfFit:
    """The failed fit of empty spectra: no curves, and a grey picture."""
    middle = 0.5 * (wanted.defocus_min + wanted.defocus_max)
    names = ("frequency", "spectrum", "background", "scale", "model", "quality")
    return CtfFit(
        defocus_u_angstrom=middle,
        defocus_v_angstrom=middle,
        angle_degrees=0.0,
        phase_shift_degrees=0.0,
        figure_of_merit=0.0,
        resolution_angstrom=None,
        failure=f"{NO_RINGS}: the image is constant or has no finite pixels",
        warnings=[],
        grid=DefocusSurface((1, 1), (round(middle * 1e-4, 6),)),
        curves={name: [] for name in names},
        ice_ring=None,
        confidence=0.0,
        source=spectra.source,
        diagnostic=np.full((spectra.power.shape[1],) * 2, 0.5, np.float32),
    )


def first_estimate(spectra: PatchSpectra, optics: Optics, wanted: Limits) -> Estimate:
    """The estimate from the mean of all patches; its evidence says how clear the rings are."""
    return estimate_mean(spectra.mean, _bands(spectra, wanted)[0], optics, wanted)


def _bands(spectra: PatchSpectra, wanted: Limits) -> tuple[Band, Band]:
    """The band that is fitted, and the whole band up to Nyquist for curves and picture."""
    size, pixel, limit = spectra.size, spectra.pixel_size_angstrom, spectra.power.shape[2] - 1
    k_seen = min(limit / (size * pixel), 0.5 / pixel)
    return band(size, pixel, wanted.k_min, wanted.k_max, limit), band(size, pixel, wanted.k_min, k_seen, limit)


def fit_spectra(
    spectra: PatchSpectra, start: Estimate, optics: Optics, wanted: Limits, dims: tuple[int, int]
) -> CtfFit:
    """Fit patch spectra from the estimate of their mean on, and judge the fit."""
    pixels, seen = _bands(spectra, wanted)
    power, mean, centres, field_angstrom = spectra.power, spectra.mean, spectra.centres, spectra.field_angstrom
    found = estimate_field(spectra, pixels, optics, wanted, dims, start)
    at, dims = found.state.at, found.dims
    columns, rows = dims
    everywhere = tuple((y, x) for y in np.linspace(0.05, 0.95, 10) for x in np.linspace(0.05, 0.95, 10))
    nodes = np.asarray(at.nodes, dtype=np.float64)
    defocus = float((surface_basis(columns, rows, everywhere) @ nodes).mean())
    here = surface_basis(columns, rows, tuple((float(y), float(x)) for y, x in centres)) @ nodes
    ax, ay = float(at.astigmatism_x), float(at.astigmatism_y)
    half = math.hypot(ax, ay)
    angle = math.degrees(0.5 * math.atan2(ay, ax))
    profile, plain = _aligned(power, mean, seen, optics, defocus, here, ax, ay)
    phase = optics.chi(profile.k2, defocus) + float(at.phase)
    rings = np.cos(2 * phase)
    knots = background_knots(optics, defocus, profile.k2)
    middle, amplitude, _ = background(profile, rings, knots + 2, SCALE_KNOTS + 1)
    whitened = profile.power / middle - 1
    curve = quality.agreement(profile, whitened, -rings, phase, seen.step)
    resolution = quality.fit_resolution(profile.k, curve, wanted.k_min, wanted.k_max)
    smeared = mean_rings(plain.k2, optics, at, here)
    plain_whitened = plain.power / np.interp(plain.k, profile.k, middle) - 1
    plain_phase = np.interp(plain.k, profile.k, phase)
    plain_curve = quality.agreement(plain, plain_whitened, -smeared, plain_phase, seen.step)
    plain_resolution = quality.fit_resolution(plain.k, plain_curve, wanted.k_min, wanted.k_max)
    merit, weakest = _directions(mean, pixels, found, optics, defocus)
    failure, warnings = _verdict(found, resolution, defocus, wanted, weakest, optics)
    good = None if failure else resolution
    return CtfFit(
        defocus_u_angstrom=defocus + half,
        defocus_v_angstrom=defocus - half,
        angle_degrees=90.0 if angle <= -90 else angle,
        phase_shift_degrees=math.degrees(float(at.phase) - optics.contrast_phase) % 180.0 if wanted.fit_phase else 0.0,
        figure_of_merit=merit,
        resolution_angstrom=good,
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
        ice_thickness=None if failure else quality.relative_thickness(profile, middle, amplitude, spectra.dose),
        confidence=found.evidence,
        source=spectra.source,
        resolution_plain_angstrom=None if failure else plain_resolution,
        diagnostic=_picture(mean, seen, profile, middle, amplitude, optics, at, defocus, good),
    )


def _floats(values: np.ndarray) -> list[float]:
    return [float(v) for v in values]


def _aligned(
    power: jax.Array,
    mean: np.ndarray,
    seen: Band,
    optics: Optics,
    defocus: float,
    here: np.ndarray,
    ax: float,
    ay: float,
) -> tuple[Profile, Profile]:
    """Radial profiles of the mean spectrum: along the rings, each place by its own defocus, and along plain circles.

    Places whose defoci differ by less than a tenth of a ring at the end are averaged before.
    """
    plain = quality.radial_profile(seen, mean.ravel()[seen.index])
    width = 0.1 / (optics.wavelength_angstrom * float(plain.k2[-1]))
    group = np.round((here - defocus) / width).astype(np.int64)
    total, count = np.zeros_like(plain.k), np.zeros_like(plain.k)
    spectra = mean[None] if np.ptp(group) == 0 else on_host(power)
    for one in np.unique(group):
        members = np.flatnonzero(group == one)
        spectrum = spectra[0] if len(spectra) == 1 else spectra[members].mean(axis=0)
        local = float(here[members].mean()) - defocus
        radius = quality.ring_radius_squared(seen, optics, defocus, ax, ay, local)
        profile = quality.radial_profile(seen, spectrum.ravel()[seen.index], radius)
        total += members.size * np.interp(plain.k, profile.k, profile.power)
        count += members.size * np.interp(plain.k, profile.k, profile.count)
    return Profile(plain.k, plain.k2, count / len(here), total / len(here)), plain


class Weakest(NamedTuple):
    """The directions with the weakest rings: their share of the mean amplitude, and its deviation."""

    share: float
    deviation: float


def _directions(
    mean: np.ndarray, pixels: Band, found: Estimate, optics: Optics, defocus: float
) -> tuple[float, Weakest]:
    """Cross-correlation of the mean whitened spectrum with the model, and the directions with the weakest rings."""
    state = found.state
    at = state.at._replace(nodes=jnp.array([defocus], jnp.float32))
    mean_state = replace(state, at=at)
    power = jnp.asarray(mean.ravel()[pixels.index][None], jnp.float32)
    demodulated, variance = demodulated_at(pixels, power, mean_state, np.ones((1, 1)), optics)
    geometry = device_geometry(pixels)
    number = np.asarray(geometry.number, dtype=np.float64)
    amplitude = bin_amplitude(geometry, state).astype(np.float64)
    rings = -np.asarray(demodulated[0]).real
    merit = float(rings.sum() / (number.sum() * math.sqrt(0.5 * max(float(variance), 1e-20))))
    by_direction = (rings * amplitude).reshape(pixels.sectors, -1).sum(axis=1)
    expected = (0.5 * number * amplitude**2).reshape(pixels.sectors, -1).sum(axis=1)
    # Three neighbouring directions together: a drift leaves a wedge, not a line.
    together = [values + np.roll(values, 1) + np.roll(values, -1) for values in (by_direction, expected)]
    share = together[0] / np.maximum(together[1], 1e-30) * expected.sum() / max(by_direction.sum(), 1e-30)
    weakest = int(np.argmin(share))
    deviation = math.sqrt(float(variance) / max(together[1][weakest], 1e-30))
    return merit, Weakest(float(share[weakest]), deviation)


def _verdict(
    found: Estimate, resolution: float | None, defocus: float, wanted: Limits, weakest: Weakest, optics: Optics
) -> tuple[str | None, list[str]]:
    at = found.state.at
    half = math.hypot(float(at.astigmatism_x), float(at.astigmatism_y))
    if found.evidence < CONFIDENCE or resolution is None:
        return NO_RINGS, []
    if 2 * half > ODD_ASTIGMATISM * abs(defocus) and found.evidence < ODD_CONFIDENCE * CONFIDENCE:
        return NO_RINGS, []
    if found.bead_evidence > found.evidence and resolution > BEADS_ANGSTROM:
        return "no rings: the spectrum is that of bodies of one size", []
    certainty = WEAKEST_CERTAINTY * min(1.0, found.evidence / CONFIDENCE - 1)
    if weakest.share + certainty * weakest.deviation < WEAKEST_DIRECTION:
        return "drift: rings are missing in one direction", []
    if wanted.fit_phase:
        k2 = np.linspace(wanted.k_min, wanted.k_max, 200) ** 2
        rings = float(np.ptp(optics.chi(k2, defocus))) / math.pi
        if rings < RINGS_FOR_PHASE:
            return f"no rings to spare: with {rings:.1f} in the band, phase shift and defocus cannot be told apart", []
    low, high = wanted.defocus_min, wanted.defocus_max
    if not low <= defocus <= high:
        return out_of_range(found, wanted) or NO_RINGS, []
    if min(defocus - low, high - defocus) < max(half, 0.02 * (high - low)):
        return None, [
            f"defocus {defocus / 1e4:.2f} µm is at the edge of the search range {low / 1e4:g} to {high / 1e4:g} µm"
        ]
    return None, []


def out_of_range(found: Estimate, wanted: Limits) -> str | None:
    """The failure of a fit whose rings lie outside the range that was asked for; None without rings or inside."""
    defocus = float(np.mean(np.asarray(found.state.at.nodes)))
    low, high = wanted.defocus_min, wanted.defocus_max
    if found.evidence < CONFIDENCE or found.bead_evidence > found.evidence or low <= defocus <= high:
        return None
    return f"out of range: rings fit {defocus / 1e4:.2f} µm, searched {low / 1e4:g} to {high / 1e4:g} µm"


def _surface(nodes: np.ndarray, dims: tuple[int, int], field_angstrom: tuple[float, float]) -> DefocusSurface:
    values = tuple(round(float(v) * 1e-4, 6) for v in nodes)
    if min(dims) < 2:
        return DefocusSurface(dims, values)
    columns, rows = dims
    y, x = np.meshgrid(
        spread_evenly(rows) * field_angstrom[0], spread_evenly(columns) * field_angstrom[1], indexing="ij"
    )
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
    optics: Optics,
    at: Parameters,
    defocus: float,
    resolution: float | None,
) -> np.ndarray:
    """Centred picture: the spectrum at the left, CTF² up to the fit resolution at the right, a circle where it ends.

    The spectrum is scaled so that rings run from 0 to 1: as measured above the middle, averaged along the rings below.
    """
    whole = centred_plane(mean)
    limit = seen.limit
    y, x = np.meshgrid(np.arange(-limit, limit + 1), np.arange(-limit, limit + 1), indexing="ij")
    k = np.hypot(x, y) * seen.step
    line, size = np.interp(k, profile.k, middle), np.interp(k, profile.k, amplitude)
    # Nine frequencies together: a single one is all noise.
    data = 0.5 + 0.5 * uniform_filter(whole / line - 1, 3) / np.maximum(size / line, 0.05)
    r2 = np.maximum(x**2 + y**2, 1)
    offset = (float(at.astigmatism_x) * (x**2 - y**2) + float(at.astigmatism_y) * 2 * x * y) / r2
    model = np.sin(optics.chi(k**2, defocus + offset) + float(at.phase)) ** 2
    # Lower quadrant: the mean along the rings, each drawn where its direction has it.
    ring = k * np.sqrt(1 + quality.relative_shift(optics, k**2, defocus, offset))
    relative = 0.5 + 0.5 * (profile.power - middle) / np.maximum(amplitude, 0.02 * middle)
    data = np.where(y > 0, np.interp(ring, profile.k, relative), data)
    if resolution is not None:
        model = np.where(k <= 1 / resolution, model, 0.5)
        model = np.where(np.abs(k - 1 / resolution) < 0.6 * seen.step, RING, model)
    else:
        model = np.full_like(model, 0.5)
    return np.where(x < 0, np.clip(data, -0.5, 1.5), model).astype(np.float32)
