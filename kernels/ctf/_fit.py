"""CTF estimation from an image or an amplitude spectrum. `docs/ctf.md` describes the method."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from warpcore.kernels.ctf._frames import FrameSums
from warpcore.kernels.ctf._input import Limits, Recording, Search
from warpcore.kernels.ctf._joint import Estimate
from warpcore.kernels.ctf._model import Optics
from warpcore.kernels.ctf._reasons import NO_RINGS, reason
from warpcore.kernels.ctf._report import CONFIDENCE, empty, empty_fit, first_estimate, fit_spectra, out_of_range
from warpcore.kernels.ctf._result import CtfFit
from warpcore.kernels.ctf._spectra import PatchSpectra, half_plane, measure, patch_size

__all__ = ["automatic_grid", "fit_image", "fit_spectrum"]

# Finer pixels than this are taken together: 512 of them then cover 700 Å, enough for rings at 5 µm.
FINEST_PIXEL_ANGSTROM = 1.4
# Rings coarser than this decide the search.
SEARCHED_ANGSTROM = 8.0
# A level field is fitted with patches this many times longer than its rings need: at 5 µm errors shrink to two thirds.
ROOMY = 2.0
# Where a fit finds no rings, it checks defoci from here to there for rings outside the range.
WIDEST_ANGSTROM = (1000.0, 100000.0)


def automatic_grid(shape: tuple[int, int], pixel_size_angstrom: float, dose: float | None) -> tuple[int, int]:
    """Nodes (x, y) of the defocus surface: 5 along 4000 Å at 30 e⁻/Å² and more, fewer below, at least 2 a side."""
    height, width = shape
    share = 1.0 if dose is None else min(1.0, dose / 30)
    short = max(2, round(5 * share * min(shape) * pixel_size_angstrom / 4000))
    long = max(2, round(short * max(shape) / min(shape)))
    return (short, long) if width < height else (long, short)


def fit_image(
    image: np.ndarray | jax.Array,
    recording: Recording,
    optics: Optics,
    search: Search,
    *,
    sums: FrameSums | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> CtfFit:
    """Fit the CTF of a motion-corrected image [H, W] without dose weights, or of the mean spectrum of images [F, H, W].

    With the `sums` of few frames each (`frame_sums`), the fit takes their averaged spectra where these show rings more
    clearly than the image does. `on_progress` is called with fractions.
    Raises ValueError where the image is no 2D or 3D array of at least 64 px, or the limits contradict each other.
    """
    tell = on_progress or (lambda fraction: None)
    source = _source(image, recording, search, sums)
    wanted, dims = source.wanted, search.grid or automatic_grid(source.shape, source.pixel, recording.dose)
    asked = search.window_px * max(source.pixel, min(FINEST_PIXEL_ANGSTROM, 0.35 / wanted.k_max))
    # The search needs a window for rings at the largest defocus, the fit one for the defocus and slope that are there.
    length = max(asked, _ring_length(optics, wanted.defocus_max, SEARCHED_ANGSTROM))
    spectra = source.of_image(length)
    if empty(spectra):
        return empty_fit(spectra, wanted)
    of_sum = start = first_estimate(spectra, optics, wanted)
    tell(0.3)
    if sums is not None and len(sums) > 1:
        of_frames = source.of_frames(sums, length)
        other = first_estimate(of_frames, optics, wanted)
        if other.evidence > start.evidence:
            spectra, start = of_frames, other
    tell(0.6)
    fit = fit_spectra(spectra, start, optics, wanted, dims)
    if fit.failure is None:
        fit = _with_fitting_patches(fit, spectra, source, optics, asked, dims)
    elif fit.failure == NO_RINGS:
        fit = replace(fit, failure=_looked_further(of_sum, source.of_image, optics, wanted, recording))
    if fit.source == "frames" and fit.failure is None and of_sum.evidence < CONFIDENCE:
        fit.warnings.append("the sum of all frames shows no rings, only the frames do: the motion is not corrected")
    tell(1.0)
    return fit


@dataclass(frozen=True, eq=False)
class _Source:
    """Where patch spectra come from: the image (or images) and the sums of few frames."""

    images: list[np.ndarray | jax.Array]
    shape: tuple[int, int]
    recording: Recording
    wanted: Limits
    sums: FrameSums | None

    @property
    def pixel(self) -> float:
        """Å of a pixel of the image."""
        return self.recording.pixel_size_angstrom

    def of_image(self, length: float) -> PatchSpectra:
        """Spectra of the image's patches, which cover `length` Å."""
        size = patch_size(length, self.pixel, self.shape)
        limit = _limit(size, self.pixel, self.wanted)
        return measure(
            self.images,
            self.shape,
            size=size,
            limit=limit,
            pixel_size_angstrom=self.pixel,
            dose=self.recording.dose,
        )

    def of_frames(self, sums: FrameSums, length: float) -> PatchSpectra:
        """Spectra of the patches of all sums of few frames, averaged."""
        size = patch_size(length, sums.pixel_size_angstrom, sums.shape)
        return measure(
            sums,
            sums.shape,
            size=size,
            limit=_limit(size, sums.pixel_size_angstrom, self.wanted),
            pixel_size_angstrom=sums.pixel_size_angstrom,
            # The tapers' flat parts still meet: with many sums more overlap would double the time and add little.
            overlap=0.25,
            dose=sums.dose or None,
            source="frames",
        )


def _source(image: np.ndarray | jax.Array, recording: Recording, search: Search, sums: FrameSums | None) -> _Source:
    one = image if isinstance(image, jax.Array) else np.asarray(image)
    images = [one] if one.ndim == 2 else list(one)
    shape = (int(one.shape[-2]), int(one.shape[-1])) if one.ndim in (2, 3) else (0, 0)
    if min(shape) < 64 or not images:
        raise ValueError(f"CTF fit: the image has shape {one.shape}; it must be [H, W] of at least 64 x 64 px")
    return _Source(images, shape, recording, search.limits(recording.pixel_size_angstrom), sums)


def _with_fitting_patches(
    fit: CtfFit, spectra: PatchSpectra, source: _Source, optics: Optics, asked: float, dims: tuple[int, int]
) -> CtfFit:
    """The fit, repeated with patches that suit the defocus and tilt that it found, where its own do not."""
    finest = max(1 / source.wanted.k_max, fit.resolution_angstrom or 0.0)
    level = _level_length(optics, fit.grid.tilt_degrees or 0.0, finest)
    least = _ring_length(optics, fit.defocus_angstrom, finest)
    better = max(least, min(max(asked, ROOMY * least), level))
    possible = patch_size(better, source.pixel, source.shape) * source.pixel
    if 0.7 <= possible / (spectra.size * spectra.pixel_size_angstrom) <= 1.6:
        return fit
    near = _around(source.wanted, fit, optics)
    sums = source.sums if fit.source == "frames" else None
    again = source.of_image(better) if sums is None else source.of_frames(sums, better)
    other = fit_spectra(again, first_estimate(again, optics, near), optics, near, dims)
    if other.failure is not None:
        return fit
    # Fewer, longer patches have a noisier mean, which correlates less: the figure of the usual ones stays comparable.
    return replace(other, figure_of_merit=fit.figure_of_merit) if again.size > spectra.size else other


def _looked_further(
    start: Estimate,
    spectra_of: Callable[[float], PatchSpectra],
    optics: Optics,
    wanted: Limits,
    recording: Recording,
) -> str:
    """Why a fit failed: rings at a defocus that was not searched, drift, or no rings at all."""
    wide = replace(wanted, defocus_min=WIDEST_ANGSTROM[0], defocus_max=WIDEST_ANGSTROM[1])
    longer = spectra_of(_ring_length(optics, wide.defocus_max, SEARCHED_ANGSTROM))
    outside = out_of_range(first_estimate(longer, optics, wide), wanted)
    return outside or reason(start, optics, wanted, recording.moved_in_frame_angstrom)


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

    Pixel size and range in Å, voltage in kV, Cs in mm, defocus in µm. Raises ValueError where the spectrum is not
    square and of at least 64 px, or the limits contradict each other.
    """
    spectrum = np.asarray(amplitude_spectrum, dtype=np.float32)
    if spectrum.ndim != 2 or spectrum.shape[0] != spectrum.shape[1] or spectrum.shape[0] < 64:
        raise ValueError(f"CTF fit: the spectrum has shape {spectrum.shape}; it must be square, of at least 64 x 64")
    optics = Optics(voltage, cs, amplitude_contrast)
    wanted = Search(range_min, range_max, defocus_min, defocus_max, fit_phase).limits(pixel_size)
    size = int(spectrum.shape[0])
    limit = _limit(size, pixel_size, wanted)
    half = half_plane(np.nan_to_num(spectrum, nan=0.0, posinf=0.0, neginf=0.0), limit)
    field = (size * pixel_size, size * pixel_size)
    spectra = PatchSpectra(jnp.asarray(np.square(half)[None]), np.array([[0.5, 0.5]]), size, pixel_size, field)
    if empty(spectra):
        return empty_fit(spectra, wanted)
    start = first_estimate(spectra, optics, wanted)
    fit = fit_spectra(spectra, start, optics, wanted, (1, 1))
    if fit.failure == NO_RINGS:
        failure = _looked_further(start, lambda length: spectra, optics, wanted, Recording(pixel_size))
        fit = replace(fit, failure=failure)
    return fit


def _limit(size: int, pixel: float, wanted: Limits) -> int:
    """Half-width of the kept frequencies, in steps: up to Nyquist, or 1.4 times the finest frequency that is fitted."""
    return int(min(size // 2 - 1, math.ceil(size * pixel * 1.4 * wanted.k_max)))


def _ring_length(optics: Optics, defocus: float, resolution: float) -> float:
    """Å of specimen in a patch that resolve the rings of a defocus (Å) down to a resolution (Å).

    These are 2.5 times the rings' delay, 2λ·df·k.
    """
    return 2.5 * 2 * optics.wavelength_angstrom * abs(defocus) / resolution


def _level_length(optics: Optics, tilt_degrees: float, resolution: float) -> float:
    """Å of a tilted field over which the rings at a resolution (Å) move by a quarter of a ring at most, either way."""
    slope = math.tan(math.radians(tilt_degrees))
    return resolution**2 / (2 * optics.wavelength_angstrom * slope) if slope > 1e-6 else math.inf


def _around(wanted: Limits, fit: CtfFit, optics: Optics) -> Limits:
    """The same limits around the defocus of a fit: as far as one ring at the band's end, no other order is searched."""
    reach = 1.0 / (optics.wavelength_angstrom * wanted.k_max**2) + 0.02 * fit.defocus_angstrom
    return replace(
        wanted,
        defocus_min=max(wanted.defocus_min, fit.defocus_angstrom - reach),
        defocus_max=min(wanted.defocus_max, fit.defocus_angstrom + reach),
    )
