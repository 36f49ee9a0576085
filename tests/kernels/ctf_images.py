"""Images with a known CTF for tests and benchmarks: a white specimen with a B-factor under a local CTF, white noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft

from warpcore.kernels.ctf import CtfFit, FrameSums, Optics, Recording, Search, fit_image
from warpcore.kernels.ctf._model import electron_wavelength_angstrom


@dataclass(frozen=True)
class Truth:
    """What an image was made with, in Å, degrees, kV, mm; `gradient` (x, y) is the change of defocus between edges."""

    defocus_u: float = 15000.0
    defocus_v: float = 14500.0
    angle: float = 35.0
    phase_shift: float = 0.0
    pixel_size: float = 1.1
    voltage: float = 300.0
    cs: float = 2.7
    amplitude_contrast: float = 0.07
    gradient: tuple[float, float] = (0.0, 0.0)
    # Power of the specimen over that of the noise:
    # signal_to_noise · exp(-B k² / 2) + strong · (k / 0.04)^-2 (at most 4 · strong).
    # The defaults give ring contrasts like those of the real Falcon image: 0.4 at 25 Å, 0.1 at 10 Å, 0.03 at 5 Å.
    signal_to_noise: float = 0.2
    b_factor: float = 40.0
    strong: float = 1.0
    # Power at low frequency of shells of `shell_diameter` Å over that of the noise. Their structure shows in the
    # spectrum beside the rings.
    shells: float = 0.0
    shell_diameter: float = 120.0

    @property
    def optics(self) -> Optics:
        """What the fit is told of the microscope."""
        return Optics(self.voltage, self.cs, self.amplitude_contrast)

    def power(self, k2: np.ndarray) -> np.ndarray:
        """Power of the specimen over that of the noise at squared frequencies in 1/Å²."""
        steep = np.minimum(0.04**2 / np.maximum(k2, 1e-12), 4.0)
        shells = self.shells * np.sinc(self.shell_diameter * np.sqrt(k2)) ** 2
        return np.asarray(self.signal_to_noise * np.exp(-self.b_factor / 2 * k2) + self.strong * steep + shells)

    def rings(self, k_min: float, k_max: float) -> float:
        """Number of rings between two frequencies in 1/Å."""
        k2 = np.linspace(k_min, k_max, 400) ** 2
        wavelength = electron_wavelength_angstrom(self.voltage)
        defocus = 0.5 * (self.defocus_u + self.defocus_v)
        return float(np.ptp(wavelength * k2 * (defocus - 0.5e7 * self.cs * wavelength**2 * k2)))


def fit_truth(
    image: np.ndarray,
    truth: Truth,
    *,
    dose: float | None = None,
    moved_in_frame_angstrom: float | None = None,
    sums: FrameSums | None = None,
    **search: Any,
) -> CtfFit:
    """Fit an image under `truth`, whose optics and pixel size are given to the fit; `search` are fields of `Search`."""
    recording = Recording(truth.pixel_size, dose, moved_in_frame_angstrom)
    return fit_image(image, recording, truth.optics, Search(**search), sums=sums)


def turned(angle: float) -> float:
    """The same axis, in (-90, 90]."""
    return 90 - (90 - angle) % 180


def ring_phase_error(fit: CtfFit, truth: Truth) -> float:
    """Largest error of χ + phase shift in radians from 30 Å to the fit's resolution; 1.57 is the next ring."""
    k = np.linspace(1 / 30, 1 / (fit.resolution_angstrom or 4.0), 100)
    defocus = fit.defocus_angstrom - 0.5 * (truth.defocus_u + truth.defocus_v)
    phase = np.deg2rad(turned(fit.phase_shift_degrees - truth.phase_shift))
    return float(np.abs(np.pi * electron_wavelength_angstrom(truth.voltage) * k**2 * defocus + phase).max())


def simulate_image(
    truth: Truth, shape: tuple[int, int] = (1024, 1024), seed: int = 0, noise: float = 1.0
) -> np.ndarray:
    """A float32 image [H, W] under `truth`, with white noise of deviation `noise`.

    A defocus gradient is made of images at levels 60 Å apart, blended.
    """
    draw = np.random.default_rng(seed)
    ky = np.fft.fftfreq(shape[0], truth.pixel_size)[:, None].astype(np.float32)
    kx = np.fft.rfftfreq(shape[1], truth.pixel_size)[None, :].astype(np.float32)
    k2 = kx * kx + ky * ky
    specimen = fft.rfft2(draw.standard_normal(shape, dtype=np.float32), workers=2)
    specimen *= np.sqrt(truth.power(k2)).astype(np.float32)
    astigmatism = 0.5 * (truth.defocus_u - truth.defocus_v) * np.cos(2 * (np.arctan2(ky, kx) - np.deg2rad(truth.angle)))
    wavelength = electron_wavelength_angstrom(truth.voltage)
    rest = np.arcsin(truth.amplitude_contrast) + np.deg2rad(truth.phase_shift)

    def at(offset: float) -> np.ndarray:
        defocus = 0.5 * (truth.defocus_u + truth.defocus_v) + astigmatism + offset
        chi = np.pi * wavelength * k2 * (defocus - 0.5e7 * truth.cs * wavelength**2 * k2)
        return np.asarray(fft.irfft2(specimen * -np.sin(chi + rest), s=shape, workers=2))

    image = noise * draw.standard_normal(shape, dtype=np.float32)
    if truth.gradient == (0.0, 0.0):
        return (at(0.0) + image).astype(np.float32)
    y, x = np.meshgrid(np.linspace(-0.5, 0.5, shape[0]), np.linspace(-0.5, 0.5, shape[1]), indexing="ij")
    local = truth.gradient[0] * x + truth.gradient[1] * y
    levels = np.arange(np.floor(local.min() / 60), np.ceil(local.max() / 60) + 1) * 60
    for level in levels:
        share = np.clip(1 - np.abs(local - level) / 60, 0, 1).astype(np.float32)
        image = image + share * at(float(level))
    return np.asarray(image, dtype=np.float32)


def simulate_frames(
    truth: Truth, shape: tuple[int, int], frames: int, step_px: tuple[int, int] = (0, 0), seed: int = 0
) -> np.ndarray:
    """Frames [F, H, W] whose sum is like `simulate_image`; the specimen moves by `step_px` (y, x) a frame."""
    specimen = simulate_image(truth, shape, seed, noise=0.0) / frames
    draw = np.random.default_rng([seed, 1])
    noise = draw.standard_normal((frames, *shape), dtype=np.float32) / np.float32(np.sqrt(frames))
    moved = [np.roll(specimen, (step_px[0] * f, step_px[1] * f), (0, 1)) for f in range(frames)]
    return np.asarray(noise + np.stack(moved), dtype=np.float32)
