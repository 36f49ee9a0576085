"""CTF estimation from an image or an amplitude spectrum. `docs/ctf.md` describes the method."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from warpcore.kernels.ctf._frames import FrameSums
from warpcore.kernels.ctf._joint import Estimate, Range
from warpcore.kernels.ctf._model import electron_wavelength_angstrom
from warpcore.kernels.ctf._quality import Lens
from warpcore.kernels.ctf._reasons import NO_RINGS, reason
from warpcore.kernels.ctf._report import CONFIDENCE, empty, empty_fit, first_estimate, fit_spectra, out_of_range
from warpcore.kernels.ctf._result import CtfFit, DefocusSurface
from warpcore.kernels.ctf._spectra import PatchSpectra, half_plane, measure, patch_size

__all__ = ["CtfFit", "DefocusSurface", "automatic_grid", "fit_image", "fit_spectrum"]

# Pixels finer than this are taken together: 512 of them then cover 700 Å, enough for rings at 5 µm.
FINEST_PIXEL_ANGSTROM = 1.4
# Rings coarser than this decide the search.
SEARCHED_ANGSTROM = 8.0
# A level field is fitted with patches so many times longer than its rings need: at 5 µm the errors are then two thirds as large.
ROOMY = 2.0
# Where a fit finds no rings, it looks at defoci from here to there whether they lie outside the range.
WIDEST_ANGSTROM = (1000.0, 100000.0)


def automatic_grid(shape: tuple[int, int], pixel_size_angstrom: float, dose: float | None) -> tuple[int, int]:
    """Nodes (x, y) of the defocus surface: 5 along 4000 Å at 30 e⁻/Å² and more, fewer below, at least 2 along the short side."""
    height, width = shape
    share = 1.0 if dose is None else min(1.0, dose / 30)
    short = max(2, round(5 * share * min(shape) * pixel_size_angstrom / 4000))
    long = max(2, round(short * max(shape) / min(shape)))
    return (short, long) if width < height else (long, short)


def fit_image(
    image: np.ndarray,
    *,
    pixel_size_angstrom: float,
    voltage_kv: float,
    cs_mm: float,
    amplitude_contrast: float,
    window_px: int = 512,
    range_min_angstrom: float = 30.0,
    range_max_angstrom: float = 4.0,
    defocus_min_um: float = 0.5,
    defocus_max_um: float = 5.0,
    fit_phase: bool = False,
    grid: tuple[int, int] | None = None,
    dose: float | None = None,
    sums: FrameSums | None = None,
    moved_in_frame_angstrom: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> CtfFit:
    """Fit the CTF of a motion-corrected, not dose-weighted image [H, W] (or of images [F, H, W], whose spectra are averaged).

    `window_px` counts pixels of at least 1.4 Å: smaller ones are taken together, so that the window holds enough specimen for the rings.
    `grid` (x, y) nodes of the defocus surface, None: automatic from the dose in e⁻/Å². With `sums` of
    few frames (`ctf_frames.frame_sums`), their averaged spectra are fitted where they show rings more clearly than the image does.
    `moved_in_frame_angstrom`: largest movement within one frame, where known, to tell why there are no rings.
    `on_progress` is told fractions.
    Raises ValueError where the image is no 2D or 3D array of at least 64 px, or the limits cannot be.
    """
    tell = on_progress or (lambda fraction: None)
    one = np.asarray(image)
    images = [one] if one.ndim == 2 else list(one)
    shape = (int(one.shape[-2]), int(one.shape[-1])) if one.ndim in (2, 3) else (0, 0)
    if min(shape) < 64 or not images:
        raise ValueError(f"CTF fit: the image has shape {one.shape}; it must be [H, W] of at least 64 x 64 px")
    lens = _lens(voltage_kv, cs_mm, amplitude_contrast)
    what = _range(
        range_min_angstrom, range_max_angstrom, defocus_min_um, defocus_max_um, fit_phase, pixel_size_angstrom
    )
    dims = grid or automatic_grid(shape, pixel_size_angstrom, dose)
    asked = window_px * max(pixel_size_angstrom, min(FINEST_PIXEL_ANGSTROM, 0.35 / what.k_max))

    def spectra_of(frames: FrameSums | None, length: float) -> PatchSpectra:
        """Of the frames' sums, or of the image: patches that cover the length in Å."""
        if frames is None:
            size = patch_size(length, pixel_size_angstrom, shape)
            limit = _limit(size, pixel_size_angstrom, what)
            return measure(images, shape, size=size, limit=limit, pixel_size_angstrom=pixel_size_angstrom, dose=dose)
        pixel = frames.pixel_size_angstrom
        size = patch_size(length, pixel, frames.shape)
        return measure(
            frames,
            frames.shape,
            size=size,
            limit=_limit(size, pixel, what),
            pixel_size_angstrom=pixel,
            # The tapers' flat parts still meet: with many sums more overlap would double the time and add little.
            overlap=0.25,
            dose=frames.dose or None,
            source="frames",
        )

    # The search needs a window that holds rings at the largest defocus; the fit then one for the defocus and the slope there are.
    length = max(asked, _ring_length(lens, what.defocus_max, SEARCHED_ANGSTROM))
    spectra = spectra_of(None, length)
    if empty(spectra):
        return empty_fit(spectra, what)
    start = first_estimate(spectra, lens, what)
    of_sum = start
    tell(0.3)
    if sums is not None and len(sums) > 1:
        of_frames = spectra_of(sums, length)
        other = first_estimate(of_frames, lens, what)
        if other.evidence > start.evidence:
            spectra, start = of_frames, other
    tell(0.6)
    fit = fit_spectra(spectra, start, lens, what, dims)
    if fit.failure is None:
        finest = max(1 / what.k_max, fit.resolution_angstrom or 0.0)
        level = _level_length(lens, fit.grid.tilt_degrees or 0.0, finest)
        least = _ring_length(lens, fit.defocus_angstrom, finest)
        better = max(least, min(max(asked, ROOMY * least), level))
        possible = patch_size(better, pixel_size_angstrom, shape) * pixel_size_angstrom
        if not 0.7 <= possible / (spectra.size * spectra.pixel_size_angstrom) <= 1.6:
            near = _around(what, fit, lens)
            again = spectra_of(sums if fit.source == "frames" else None, better)
            other_fit = fit_spectra(again, first_estimate(again, lens, near), lens, near, dims)
            if other_fit.failure is None:
                # Longer patches are fewer, and a noisier mean correlates less: the figure stays that of the usual ones, to be compared.
                longer = again.size > spectra.size
                fit = replace(other_fit, figure_of_merit=fit.figure_of_merit) if longer else other_fit
    elif fit.failure == NO_RINGS:
        fit = replace(fit, failure=_looked_further(of_sum, spectra_of, lens, what, moved_in_frame_angstrom))
    if fit.source == "frames" and fit.failure is None and of_sum.evidence < CONFIDENCE:
        fit.warnings.append("the sum of all frames shows no rings, only the frames do: the motion is not corrected")
    tell(1.0)
    return fit


def _looked_further(
    start: Estimate,
    spectra_of: Callable[[FrameSums | None, float], PatchSpectra],
    lens: Lens,
    wanted: Range,
    moved_in_frame_angstrom: float | None,
) -> str:
    """The reason of a failure: rings at a defocus that was not searched, drift, or none to be seen."""
    wide = replace(wanted, defocus_min=WIDEST_ANGSTROM[0], defocus_max=WIDEST_ANGSTROM[1])
    longer = spectra_of(None, _ring_length(lens, wide.defocus_max, SEARCHED_ANGSTROM))
    other = first_estimate(longer, lens, wide)
    outside = out_of_range(other, wanted)
    if outside is not None:
        return outside
    return reason(start, lens, wanted, moved_in_frame_angstrom)


def fit_spectrum(
    amplitude_spectrum: np.ndarray,
    pixel_size: float,
    voltage: float,
    cs: float,
    amplitude_contrast: float,
    range_min: float,
    range_max: float,
    defocus_min: float,
    defocus_max: float,
    fit_phase: bool = False,
) -> CtfFit:
    """Fit the CTF of a centred 2D amplitude spectrum [N, N] (zero frequency at [N//2, N//2]).

    Pixel size and range in Å, voltage in kV, Cs in mm, defocus in µm. Raises ValueError where the spectrum is not square and of at
    least 64 px, or the limits cannot be.
    """
    spectrum = np.asarray(amplitude_spectrum, dtype=np.float32)
    if spectrum.ndim != 2 or spectrum.shape[0] != spectrum.shape[1] or spectrum.shape[0] < 64:
        raise ValueError(f"CTF fit: the spectrum has shape {spectrum.shape}; it must be square, of at least 64 x 64")
    lens = _lens(voltage, cs, amplitude_contrast)
    what = _range(range_min, range_max, defocus_min, defocus_max, fit_phase, pixel_size)
    size = int(spectrum.shape[0])
    limit = _limit(size, pixel_size, what)
    half = half_plane(np.nan_to_num(spectrum, nan=0.0, posinf=0.0, neginf=0.0), limit)
    field = (size * pixel_size, size * pixel_size)
    spectra = PatchSpectra(jnp.asarray(np.square(half)[None]), np.array([[0.5, 0.5]]), size, pixel_size, field)
    if empty(spectra):
        return empty_fit(spectra, what)
    start = first_estimate(spectra, lens, what)
    fit = fit_spectra(spectra, start, lens, what, (1, 1))
    if fit.failure == NO_RINGS:
        fit = replace(fit, failure=_looked_further(start, lambda frames, length: spectra, lens, what, None))
    return fit


def _lens(voltage_kv: float, cs_mm: float, amplitude_contrast: float) -> Lens:
    if not (voltage_kv > 0 and cs_mm >= 0 and 0 <= amplitude_contrast <= 1):
        raise ValueError(
            f"CTF fit: voltage {voltage_kv} kV, Cs {cs_mm} mm, amplitude contrast {amplitude_contrast}: "
            "voltage must be above 0, Cs at least 0, amplitude contrast within 0 to 1"
        )
    return Lens(electron_wavelength_angstrom(voltage_kv), float(cs_mm), math.asin(amplitude_contrast))


def _range(
    range_min: float, range_max: float, defocus_min: float, defocus_max: float, fit_phase: bool, pixel: float
) -> Range:
    if not (pixel > 0 and range_min > range_max > 0 and range_min > 2 * pixel):
        raise ValueError(
            f"CTF fit: range {range_min} to {range_max} Å at {pixel} Å/px: it must go from coarse to fine and begin above "
            f"{2 * pixel:g} Å"
        )
    if defocus_max <= defocus_min:
        raise ValueError(f"CTF fit: defocus {defocus_min} to {defocus_max} µm: the second must be larger")
    # The corner of the spectrum's last 2 % is left out: filters and interpolation of detectors end there.
    return Range(1 / range_min, min(1 / range_max, 0.49 / pixel), 1e4 * defocus_min, 1e4 * defocus_max, fit_phase)


def _limit(size: int, pixel: float, what: Range) -> int:
    """Half-width in frequency steps that is kept: up to Nyquist, or 1.4 times the finest frequency fitted."""
    return int(min(size // 2 - 1, math.ceil(size * pixel * 1.4 * what.k_max)))


def _ring_length(lens: Lens, defocus: float, resolution: float) -> float:
    """Å of specimen that a patch must hold for rings at a defocus (Å) to be resolved down to a resolution (Å): 2.5 of their delay 2λ·df·k."""
    return 2.5 * 2 * lens.wavelength * abs(defocus) / resolution


def _level_length(lens: Lens, tilt_degrees: float, resolution: float) -> float:
    """Å of specimen over which a tilted field's defocus changes rings at a resolution (Å) by no more than a quarter to either side."""
    slope = math.tan(math.radians(tilt_degrees))
    return resolution**2 / (2 * lens.wavelength * slope) if slope > 1e-6 else math.inf


def _around(wanted: Range, fit: CtfFit, lens: Lens) -> Range:
    """The same range, but only so much defocus as one ring at its end: what a first fit found is not searched again."""
    reach = 1.0 / (lens.wavelength * wanted.k_max**2) + 0.02 * fit.defocus_angstrom
    return replace(
        wanted,
        defocus_min=max(wanted.defocus_min, fit.defocus_angstrom - reach),
        defocus_max=min(wanted.defocus_max, fit.defocus_angstrom + reach),
    )
