"""Movies with known truth: what `warpcore simulate` writes, and the truth beside them as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import mrcfile
import numpy as np
import tifffile

from warpcore.cli.simulation_draws import (
    Detector,
    canvas_size,
    draw_ctf,
    draw_detector,
    draw_motion,
    draw_orientations,
    draw_places,
    euler_matrices,
)
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.cli.simulation_truth import truth_of
from warpcore.cli.structures import Structure, load_structure
from warpcore.kernels.simulate import (
    Motion,
    contrast_spectrum,
    damage_exponent,
    frame_counts,
    ice_spectrum,
    particle_spectrum,
)
from warpcore.services.session.paths import write_text_whole, written_whole

_HOT_COUNTS = 40.0  # expected counts a frame of a hot pixel


@dataclass(frozen=True)
class SimulatedMovie:
    """One movie on disk: its file, its truth's file, and the truth (coordinates of arrays, row 0 first)."""

    path: Path
    truth_path: Path
    truth: dict[str, Any]


def _numbered(number: int) -> str:
    return f"movie_{number:04d}"


def simulate_movies(
    folder: Path,
    count: int,
    *,
    options: SimulationOptions,
    seed: int = 0,
    on_movie: Callable[[int, Path], None] | None = None,
    name: Callable[[int], str] = _numbered,
    beside: Callable[[int, SimulatedMovie, np.ndarray], None] | None = None,
) -> list[SimulatedMovie]:
    """Write `count` movies `movie_0001.tif`, … with `movie_0001.truth.json` beside each, and `gain.mrc`, into `folder`.

    Each file appears under its name only when it is whole, the truth before its movie. Equal seeds give equal files.
    `name(number)` is a movie's path without extension. `beside(index from 0, movie, counts)` writes other files of a
    movie before itself, `on_movie(index, path)` is called after each. Raises StructureError, ValueError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    structure = load_structure(options.structure)
    detector = draw_detector(options, np.random.default_rng([seed, 1]))
    gain_path = folder / "gain.mrc" if options.gain else None
    if gain_path is not None:
        with written_whole(gain_path) as temporary, mrcfile.new(temporary, overwrite=True) as file:
            file.set_data(detector.gain)
            file.voxel_size = options.pixel_size_angstrom
    movies = []
    for index in range(count):
        number = options.first_number + index
        path = folder / f"{name(number)}.{options.file_format}"
        path.parent.mkdir(parents=True, exist_ok=True)
        counts, truth = _simulate(options, structure, detector, (seed, number))
        truth = {"movie": path.name, "gain": gain_path.name if gain_path else None, **truth}
        truth_path = path.with_suffix(".truth.json")
        write_text_whole(truth_path, json.dumps(truth, indent=1) + "\n")
        movies.append(SimulatedMovie(path, truth_path, truth))
        if beside is not None:
            beside(index, movies[-1], counts)
        _write_movie(path, counts, options)
        if on_movie is not None:
            on_movie(index, path)
    return movies


def _simulate(
    options: SimulationOptions, structure: Structure, detector: Detector, seed: tuple[int, int]
) -> tuple[np.ndarray, dict[str, Any]]:
    rng = np.random.default_rng([*seed, 2])
    key = jax.random.fold_in(jax.random.key(seed[0]), seed[1])
    pixel, shape = options.pixel_size_angstrom, options.shape
    ctf = draw_ctf(options, rng)
    motion = draw_motion(options, rng)
    canvas = canvas_size(options)
    margin = ((canvas[0] - shape[0]) // 2, (canvas[1] - shape[1]) // 2)
    centres = draw_places(options, structure.diameter_angstrom, margin, rng)
    eulers = draw_orientations(len(centres), rng)
    phase = particle_spectrum(
        structure.positions_angstrom,
        structure.elements,
        euler_matrices(eulers),
        centres + np.array(margin),
        shape=canvas,
        pixel_size_angstrom=pixel,
        voltage_kv=options.voltage_kv,
    )
    phase = phase + ice_spectrum(
        jax.random.fold_in(key, 0),
        shape=canvas,
        pixel_size_angstrom=pixel,
        thickness_angstrom=options.ice_thickness_angstrom,
        voltage_kv=options.voltage_kv,
    )
    spectrum = contrast_spectrum(phase, ctf, shape=canvas, pixel_size_angstrom=pixel, b_factor_a2=options.b_factor_a2)
    exponent = damage_exponent(canvas, pixel, options.voltage_kv) * options.radiation_damage
    electrons = options.dose_per_frame * pixel**2
    counts = _frames(options, key, rng, spectrum, exponent, motion, detector, electrons)
    inside = (centres >= 0).all(axis=1) & (centres <= np.array(shape) - 1).all(axis=1)
    truth = truth_of(options, structure, ctf, motion, detector, centres[inside], eulers[inside], seed)
    return counts, truth


def _frames(
    options: SimulationOptions,
    key: jax.Array,
    rng: np.random.Generator,
    spectrum: jax.Array,
    exponent: np.ndarray,
    motion: Motion,
    detector: Detector,
    electrons: float,
) -> np.ndarray:
    bright = electrons * float(detector.sensitivity.max()) > 40
    sensitivity = jnp.asarray(detector.sensitivity)
    counts = np.empty((options.frames, *options.shape), np.uint16 if bright or electrons > 20 else np.uint8)
    limit = np.iinfo(counts.dtype).max
    device_exponent = jnp.asarray(exponent)
    for frame in range(options.frames):
        one = frame_counts(
            jax.random.fold_in(key, frame + 1),
            spectrum,
            device_exponent,
            jnp.float32((frame + 0.5) * options.dose_per_frame),
            motion.track[frame],
            motion.local[frame],
            jnp.float32(electrons),
            sensitivity,
            options.shape,
            bright,
        )
        counts[frame] = np.minimum(np.asarray(one), limit)
        counts[frame][tuple(detector.hot.T)] = rng.poisson(_HOT_COUNTS, len(detector.hot))
    return counts


def _write_movie(path: Path, counts: np.ndarray, options: SimulationOptions) -> None:
    with written_whole(path) as temporary:
        if options.file_format == "mrc":
            dtype = np.int16 if counts.dtype == np.uint8 else counts.dtype  # MRC mode 0 is signed in most readers
            with mrcfile.new(temporary, overwrite=True) as file:
                file.set_data(counts.astype(dtype))
                file.set_image_stack()
                file.voxel_size = options.pixel_size_angstrom
            return
        # Readers of TIFF movies flip them in Y: row 0 of the array is the file's last row.
        per_centimetre = 1e8 / options.pixel_size_angstrom
        tifffile.imwrite(
            temporary,
            np.ascontiguousarray(counts[:, ::-1]),
            compression="lzw",
            photometric="minisblack",
            resolution=(per_centimetre, per_centimetre),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
