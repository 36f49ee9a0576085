"""Simulated micrographs to measure pickers on: particles whose places are known, empty ice and carbon film."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial.transform import Rotation

from tests.benchmarks.picking_sets import Micrograph, PickingSet
from warpcore.cli.structures import Structure, load_structure
from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.simulate import contrast_spectrum, ice_spectrum, particle_spectrum
from warpcore.kernels.simulate._specimen import POTENTIAL_V_A2, interaction_constant, scattering_factor

DEFOCI_ANGSTROM = (8000.0, 15000.0, 25000.0)
DOSES = (20.0, 50.0)
"""Electrons per Å²."""
PIXEL_ANGSTROM = 1.7
EMPTY_PIXEL_ANGSTROM = 1.35
EMPTY_DIAMETERS_ANGSTROM = (60.0, 90.0, 130.0, 250.0)
_EMPTY = ((8e3, 40.0), (15e3, 20.0), (25e3, 60.0), (12e3, 30.0))  # defocus in Å and dose of each empty micrograph
_CARBON_ATOMS_PER_A3 = 0.1  # amorphous carbon, 2.0 g/cm³
_CARBON_ANGSTROM = 150.0  # a usual support film's thickness
_CARBON_TRANSMISSION = 0.85  # share of the ice's electrons that pass such a film through the objective aperture


def t20s(shared_data: Path) -> PickingSet:
    """The T20S proteasome (3J9I): three defoci, two doses, six micrographs of 40 particles."""
    structure = load_structure(shared_data / "models" / "3j9i.pdb")
    return PickingSet("T20S proteasome, simulated", shapes_of(structure), 170, 60, 100, "simulated truth")


def shapes_of(structure: Structure, count: int = 40) -> list[Micrograph]:
    """Micrographs of a structure at all defoci and doses."""
    return [simulated(structure, defocus, dose, 5, count) for defocus in DEFOCI_ANGSTROM for dose in DOSES]


def simulated(structure: Structure, defocus: float, dose: float, seed: int, count: int = 40) -> Micrograph:
    """A micrograph 1024² at 1.7 Å of up to `count` particles that do not touch, in 400 Å of ice."""
    size = 1024
    rng = np.random.default_rng([seed, int(defocus), int(dose)])
    places = np.empty((0, 2))
    apart = 1.05 * structure.diameter_angstrom / PIXEL_ANGSTROM
    for _ in range(4000):
        place = rng.uniform(0, size, 2)
        if not len(places) or np.hypot(*(places - place).T).min() > apart:
            places = np.vstack([places, place])
        if len(places) == count:
            break
    phase = particle_spectrum(
        structure.positions_angstrom,
        structure.elements,
        Rotation.random(len(places), rng=rng).as_matrix(),
        places,
        shape=(size, size),
        pixel_size_angstrom=PIXEL_ANGSTROM,
        voltage_kv=300,
    )
    phase = phase + _ice(seed, size, PIXEL_ANGSTROM)
    ctf = CtfParameters(defocus + 150, defocus - 150, 40.0)
    image = _counted(_contrast(phase, ctf, size, PIXEL_ANGSTROM), dose, PIXEL_ANGSTROM, rng)
    return Micrograph(f"{defocus:g}/{dose:g}", image, places[:, ::-1], ctf, PIXEL_ANGSTROM)


def nothing_to_find() -> list[PickingSet]:
    """Empty ice and carbon film, looked at for particles of four diameters."""
    return [
        PickingSet(f"{name}, {diameter:g} Å", data, diameter, diameter / 3, 0, "nothing is there")
        for name, data in (("empty ice", empty_ice()), ("carbon film", carbon_film()))
        for diameter in EMPTY_DIAMETERS_ANGSTROM
    ]


def empty_ice(size: int = 2048) -> list[Micrograph]:
    """Four micrographs of ice alone."""
    return [_empty(number, defocus, dose, size, "none") for number, (defocus, dose) in enumerate(_EMPTY, 31)]


def carbon_film(size: int = 2048) -> list[Micrograph]:
    """Four micrographs of carbon film under ice, two of them with the film's edge across, so that half is ice alone."""
    return [
        _empty(number, defocus, dose, size, "half" if number % 2 else "all")
        for number, (defocus, dose) in enumerate(_EMPTY, 41)
    ]


def _empty(seed: int, defocus: float, dose: float, size: int, film: str) -> Micrograph:
    pixel = EMPTY_PIXEL_ANGSTROM
    ctf = CtfParameters(defocus + 150, defocus - 150, 40.0)
    contrast = _contrast(_ice(seed, size, pixel), ctf, size, pixel)
    transmission = np.ones((size, size))
    if film != "none":
        share = np.ones((size, size)) if film == "all" else _hole_edge(size)
        contrast = contrast + share * _contrast(_carbon(seed, size, pixel), ctf, size, pixel)
        transmission = 1 - (1 - _CARBON_TRANSMISSION) * share
    image = _counted(contrast, dose, pixel, np.random.default_rng(seed), transmission)
    return Micrograph(f"{defocus:g}/{dose:g}", image, np.empty((0, 2)), ctf, pixel)


def _hole_edge(size: int) -> np.ndarray:
    """Share of film [size, size]: outside of a hole of 1.2 µm whose edge crosses the middle, 20 px soft."""
    y, x = np.mgrid[0:size, 0:size]
    radius = 6000 / EMPTY_PIXEL_ANGSTROM
    return np.asarray(1 / (1 + np.exp(-(radius - np.hypot(y - 0.4 * size, x - size / 2 - radius)) / -10)))


def _ice(seed: int, size: int, pixel: float) -> jax.Array:
    return ice_spectrum(
        *(jax.random.key(seed),), shape=(size, size), pixel_size_angstrom=pixel, thickness_angstrom=400, voltage_kv=300
    )


def _carbon(seed: int, size: int, pixel: float) -> jax.Array:
    """Phase spectrum of a film whose atoms lie at random: far more contrast at 10 to 50 Å than ice of its thickness."""
    frequency = np.hypot(np.fft.fftfreq(size, pixel)[:, None], np.fft.rfftfreq(size, pixel)[None])
    phase = interaction_constant(300) * POTENTIAL_V_A2 * scattering_factor("C", frequency**2)
    amplitude = np.sqrt(_CARBON_ATOMS_PER_A3 * _CARBON_ANGSTROM) * phase / pixel
    amplitude[0, 0] = 0
    noise = jax.random.normal(jax.random.key(seed + 1000), (size, size))
    return jnp.fft.rfft2(noise) * jnp.asarray(amplitude, jnp.float32)


def _contrast(phase: jax.Array, ctf: CtfParameters, size: int, pixel: float) -> np.ndarray:
    spectrum = contrast_spectrum(phase, ctf, shape=(size, size), pixel_size_angstrom=pixel, b_factor_a2=60)
    return np.asarray(jnp.fft.irfft2(spectrum, s=(size, size)))


def _counted(
    contrast: np.ndarray, dose: float, pixel: float, rng: np.random.Generator, transmission: float | np.ndarray = 1.0
) -> np.ndarray:
    """Electrons counted at a relative contrast, float32."""
    expected = dose * pixel**2 * transmission * (1 + contrast)
    return rng.poisson(np.maximum(expected, 0)).astype(np.float32)


def irregular(diameter: float = 250.0) -> Structure:
    """A lopsided particle of domains within a diameter: pseudo-atoms at protein's density, from a fixed seed."""
    rng = np.random.default_rng(11)
    domains = rng.normal(size=(7, 3)) * np.array([65.0, 40.0, 30.0])
    sizes, number = rng.uniform(25, 42, 7), 1_500_000
    points = rng.uniform(-1, 1, (number, 3)).astype(np.float32) * diameter / 2
    inside = np.zeros(number, bool)
    for place, size in zip(domains, sizes, strict=True):
        inside |= ((points - place) ** 2).sum(axis=1) < size**2
    points = points[inside & ((points**2).sum(axis=1) < (diameter / 2) ** 2)]
    volume = len(points) / number * diameter**3
    atoms = points[: int(volume / 17)]  # a protein's heavy atoms with their hydrogens fill 17 Å³
    assert len(atoms) == int(volume / 17)
    return Structure("irregular", (atoms - atoms.mean(axis=0)).astype(np.float32), np.zeros(len(atoms), int))


def projections(structure: Structure, pixel: float, count: int = 24) -> np.ndarray:
    """Projections [count, n, n] of a structure in directions spread over the sphere, matter bright."""
    size = 2 * int(structure.diameter_angstrom / pixel * 0.7)
    turns = Rotation.random(count, rng=np.random.default_rng(3)).as_matrix()
    spectra = (
        particle_spectrum(
            structure.positions_angstrom,
            structure.elements,
            turn[None],
            np.array([[size // 2, size // 2]]),
            shape=(size, size),
            pixel_size_angstrom=pixel,
            voltage_kv=300,
        )
        for turn in turns
    )
    return np.array([np.fft.irfft2(np.asarray(spectrum), s=(size, size)) for spectrum in spectra])
