"""How a scene is imaged: optics, motion and damage, detector, and what others did to the picture before it came."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.simulate._scene_background import frequency


class Imaging(NamedTuple):
    """Optics and detector of a scene.

    `counts_per_a2`: electrons that count, e⁻/Å²: the dose times what inelastic scattering and the detector leave of
    it. `envelope_a2`: B factor of damage and blur; `smear_angstrom_yx`: movement left within the sum, evenly spread.
    `detector_pixel_angstrom`: the detector's DQE falls by half towards the Nyquist frequency of this pixel. `haze`:
    unevenness that knows no CTF (inelastic scattering, ice thickness, gain), by its power over that of counting noise,
    `haze / (1 + (k · haze_angstrom)²)`; between the particles of EMPIAR-10146 it is about 10 with 100 Å.
    """

    ctf: CtfParameters
    counts_per_a2: float
    envelope_a2: float = 60.0
    smear_angstrom_yx: tuple[float, float] = (0.0, 0.0)
    detector_pixel_angstrom: float = 1.0
    haze: float = 0.0
    haze_angstrom: float = 100.0


def random_imaging(rng: np.random.Generator) -> Imaging:
    """Any defocus from 0.5 to 3.5 µm, a phase plate now and then, 12 to 80 e⁻/Å², some of them lost.

    Around the values with which simulated apoferritin has the signal-to-noise ratio of the real one (EMPIAR-10146):
    20 counted e⁻/Å², amplitude contrast 0.12, haze 5.
    """
    defocus = math.exp(rng.uniform(math.log(5000), math.log(35000)))
    phase = rng.uniform(60, 110) if rng.random() < 0.07 else 0.0
    voltage = float(rng.choice([300.0, 300.0, 200.0]))
    ctf = CtfParameters(
        defocus * 1.01,
        defocus * 0.99,
        rng.uniform(0, 180),
        phase_shift_degrees=phase,
        voltage_kv=voltage,
        amplitude_contrast=rng.uniform(0.05, 0.15),
    )
    dose = math.exp(rng.uniform(math.log(12), math.log(80)))
    smear = rng.normal(0, 4.0, 2) if rng.random() < 0.3 else np.zeros(2)
    return Imaging(
        ctf,
        dose * rng.uniform(0.15, 0.9),
        math.exp(rng.uniform(math.log(20), math.log(1500))),
        (float(smear[0]), float(smear[1])),
        rng.uniform(0.5, 2.2),
        math.exp(rng.uniform(math.log(0.1), math.log(15))),
        rng.uniform(40, 150),
    )


def imaged(
    rng: np.random.Generator,
    phase: np.ndarray,
    imaging: Imaging,
    pixel_size_angstrom: float,
    beam: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Relative counts [n, n] of a specimen's phase in radians [n, n] under a beam of relative strength, with noise."""
    size = phase.shape[0]
    k = frequency(size, pixel_size_angstrom)
    transfer = np.asarray(imaging.ctf.image((size, size), pixel_size_angstrom)) * np.exp(
        -imaging.envelope_a2 / 4 * k**2
    )
    along = (
        np.fft.fftfreq(size)[:, None] * imaging.smear_angstrom_yx[0]
        + np.fft.rfftfreq(size)[None] * imaging.smear_angstrom_yx[1]
    ) / pixel_size_angstrom
    efficiency = 1 - 0.5 * np.minimum(2 * k * imaging.detector_pixel_angstrom, 1) ** 2
    transfer = transfer * np.sinc(along) * np.sqrt(efficiency)
    contrast = np.fft.irfft2(2 * np.fft.rfft2(phase) * transfer, s=phase.shape)
    expected = np.maximum(beam * (1 + contrast), 0.01)
    counting = math.sqrt(1 / imaging.counts_per_a2) / pixel_size_angstrom
    unevenness = np.sqrt(imaging.haze / (1 + (k * imaging.haze_angstrom) ** 2))
    haze = np.fft.irfft2(np.fft.rfft2(rng.normal(size=phase.shape)) * unevenness, s=phase.shape)
    return np.asarray(expected + counting * (rng.normal(size=phase.shape) * np.sqrt(expected) + haze))


def handled(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The image as others may hand it on: as it is mostly, or smoothed, or with low frequencies raised or cut.

    Smoothed pictures have noise of the particles' own size alone, which a picker must know for what it is.
    """
    chance = rng.random()
    if chance < 0.6:
        return image
    size = image.shape[0]
    k = frequency(size, 1.0)
    if chance < 0.8:
        cut = math.exp(rng.uniform(math.log(2.5 / 16), math.log(0.5)))
        band = 1 / (1 + (k / cut) ** rng.choice([4, 8, 16]))
    elif chance < 0.9:
        band = np.sqrt(1 / (0.05 + k**2) / 20) ** rng.uniform(0.3, 1.0)
    else:
        band = 1 - rng.uniform(0.5, 1.0) * np.exp(-((k * 16 * rng.uniform(0.6, 1.5)) ** 2))
        band[0, 0] = 1
    return np.asarray(np.fft.irfft2(np.fft.rfft2(image) * band, s=image.shape))
