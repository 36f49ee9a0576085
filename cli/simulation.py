"""Movies with known truth: what `warpcore simulate` writes, and the truth beside them as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import mrcfile
import numpy as np
import scipy.fft
import tifffile

from warpcore.cli.structures import Structure, load_structure
from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.simulate import (
    LOCAL_BASIS,
    Motion,
    contrast_spectrum,
    damage_exponent,
    displacement,
    frame_counts,
    ice_spectrum,
    local_basis,
    particle_spectrum,
)
from warpcore.services.session.paths import write_text_whole, written_whole

Range = tuple[float, float]
_GRID = 5  # the truth's local displacement is given on a grid of 5×5 points from edge to edge
_HOT_COUNTS = 40.0  # expected counts a frame of a hot pixel


@dataclass(frozen=True)
class SimulationOptions:
    """What is simulated. Sizes in px and frames, lengths in Å (defocus µm), dose in e⁻/Å²; pairs are ranges drawn from evenly.

    `drift_angstrom` is the length of the track at the frame's centre, `local_angstrom` the largest displacement relative
    to the centre at the last frame. `particles` are those whose centres lie in the frame (fewer where no more fit).
    `structure` is a PDB file; None: the shipped apoferritin.
    """

    frames: int = 24
    height: int = 1024
    width: int = 1024
    pixel_size_angstrom: float = 1.35
    dose_per_frame: float = 1.5
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.07
    defocus_um: Range = (0.9, 2.2)
    astigmatism_um: Range = (0.0, 0.08)
    phase_shift_pi: Range = (0.0, 0.0)
    b_factor_a2: float = 30.0
    drift_angstrom: float = 20.0
    local_angstrom: float = 4.0
    particles: int = 50
    structure: Path | None = None
    ice_thickness_angstrom: float = 300.0
    radiation_damage: bool = True
    gain: bool = True
    bad_pixels: int = 20
    file_format: Literal["tif", "mrc"] = "tif"
    first_number: int = field(default=1)

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated: ValueError names the option and what is allowed."""
        limits: dict[str, tuple[float, float]] = {
            "frames": (1, 10000),
            "height": (64, 16384),
            "width": (64, 16384),
            "pixel_size_angstrom": (0.1, 20),
            "dose_per_frame": (0.001, 1000),
            "voltage_kv": (20, 2000),
            "amplitude_contrast": (0, 0.99),
            "drift_angstrom": (0, 1000),
            "local_angstrom": (0, 100),
            "particles": (0, 100000),
            "ice_thickness_angstrom": (0, 10000),
            "bad_pixels": (0, 100000),
            "b_factor_a2": (0, 10000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} = {value!r}: from {low:g} to {high:g} is allowed")
        for name in ("defocus_um", "astigmatism_um", "phase_shift_pi"):
            low, high = getattr(self, name)
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise ValueError(f"{name} = {(low, high)!r}: a range needs its low end first")
        if self.file_format not in ("tif", "mrc"):
            raise ValueError(f"file_format = {self.file_format!r}: tif and mrc are known")

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.height, self.width


@dataclass(frozen=True)
class SimulatedMovie:
    """One movie on disk: its file, its truth's file, and the truth (FORMATS: array coordinates, row 0 first)."""

    path: Path
    truth_path: Path
    truth: dict[str, Any]


@dataclass(frozen=True)
class _Detector:
    gain: np.ndarray  # multiplies raw counts
    sensitivity: np.ndarray  # 0 at bad pixels
    hot: np.ndarray  # [n, 2] rows, columns
    dead: np.ndarray


def simulate_movies(
    folder: Path,
    count: int,
    *,
    options: SimulationOptions,
    seed: int = 0,
    on_movie: Callable[[int, Path], None] | None = None,
) -> list[SimulatedMovie]:
    """Write `count` movies `movie_0001.tif`, … with `movie_0001.truth.json` beside each, and `gain.mrc`, into `folder`.

    Each file appears under its name only when whole; the truth is there before its movie. Equal seed, equal files.
    `on_movie(index from 0, path)` is called after each. Raises StructureError, ValueError, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    structure = load_structure(options.structure)
    detector = _detector(options, np.random.default_rng([seed, 1]))
    gain_path = folder / "gain.mrc" if options.gain else None
    if gain_path is not None:
        with written_whole(gain_path) as temporary, mrcfile.new(temporary, overwrite=True) as file:
            file.set_data(detector.gain)
            file.voxel_size = options.pixel_size_angstrom
    movies = []
    for index in range(count):
        number = options.first_number + index
        path = folder / f"movie_{number:04d}.{options.file_format}"
        counts, truth = _simulate(options, structure, detector, (seed, number))
        truth = {"movie": path.name, "gain": gain_path.name if gain_path else None, **truth}
        truth_path = path.with_suffix(".truth.json")
        write_text_whole(truth_path, json.dumps(truth, indent=1) + "\n")
        _write_movie(path, counts, options)
        movies.append(SimulatedMovie(path, truth_path, truth))
        if on_movie is not None:
            on_movie(index, path)
    return movies


def _simulate(
    options: SimulationOptions, structure: Structure, detector: _Detector, seed: tuple[int, int]
) -> tuple[np.ndarray, dict[str, Any]]:
    rng = np.random.default_rng([*seed, 2])
    key = jax.random.fold_in(jax.random.key(seed[0]), seed[1])
    pixel, shape = options.pixel_size_angstrom, options.shape
    ctf = _draw_ctf(options, rng)
    motion = _draw_motion(options, rng)
    canvas = _canvas(options)
    margin = ((canvas[0] - shape[0]) // 2, (canvas[1] - shape[1]) // 2)
    centres = _place(options, structure.diameter_angstrom, margin, rng)
    eulers = _draw_orientations(len(centres), rng)
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
    truth = _truth(options, structure, ctf, motion, detector, centres[inside], eulers[inside], seed)
    return counts, truth


def _frames(
    options: SimulationOptions,
    key: jax.Array,
    rng: np.random.Generator,
    spectrum: jax.Array,
    exponent: np.ndarray,
    motion: Motion,
    detector: _Detector,
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


def _draw_ctf(options: SimulationOptions, rng: np.random.Generator) -> CtfParameters:
    mean, delta = rng.uniform(*options.defocus_um) * 1e4, rng.uniform(*options.astigmatism_um) * 1e4
    return CtfParameters(
        defocus_u_angstrom=float(mean + delta / 2),
        defocus_v_angstrom=float(mean - delta / 2),
        angle_degrees=float(rng.uniform(0, 180)),
        voltage_kv=options.voltage_kv,
        cs_mm=options.cs_mm,
        amplitude_contrast=options.amplitude_contrast,
        phase_shift_degrees=float(rng.uniform(*options.phase_shift_pi) * 180),
    )


def _draw_motion(options: SimulationOptions, rng: np.random.Generator) -> Motion:
    """A track that starts fast, settles and bends; a local field that grows with the early motion. Zero at frame 0."""
    pixel, frames = options.pixel_size_angstrom, options.frames
    dose = np.arange(frames) * options.dose_per_frame
    settle = 1 - np.exp(-dose / 6.0)
    heading = rng.uniform(0, 2 * np.pi) + rng.uniform(-1.5, 1.5) * dose / max(float(dose[-1]), 1.0)
    speed = np.diff(settle) + 0.012 * np.diff(dose)
    steps = np.stack([np.sin(heading[1:]), np.cos(heading[1:])], axis=1) * speed[:, None]
    length = max(float(np.linalg.norm(steps, axis=1).sum()), 1e-12)
    track = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]) * (options.drift_angstrom / pixel / length)
    coefficients = rng.normal(size=(len(LOCAL_BASIS), 2)) * np.array([1.0, 1.0, 1.5, 1.5, 1.5])[:, None]
    axis = jnp.linspace(-0.5, 0.5, 21)
    field = np.einsum("bd,byx->yxd", coefficients, np.asarray(local_basis(*jnp.meshgrid(axis, axis, indexing="ij"))))
    coefficients *= options.local_angstrom / pixel / float(np.linalg.norm(field, axis=-1).max())
    growth = settle / max(float(settle[-1]), 1e-12)
    local = growth[:, None, None] * coefficients[None]
    return Motion(jnp.asarray(track, jnp.float32), jnp.asarray(local, jnp.float32))


def _canvas(options: SimulationOptions) -> tuple[int, int]:
    margin = 2 * (options.drift_angstrom + 2 * options.local_angstrom) / options.pixel_size_angstrom + 32
    height, width = (2 * scipy.fft.next_fast_len(math.ceil((n + margin) / 2), real=True) for n in options.shape)
    return height, width


def _place(
    options: SimulationOptions, diameter_angstrom: float, margin: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Centres [P, 2] (y, x) in px of the frame that do not touch, at equal density within and beyond the frame's edges."""
    apart = 1.08 * diameter_angstrom / options.pixel_size_angstrom
    low, high = -np.array(margin), np.array(options.shape) + np.array(margin)
    centres: list[np.ndarray] = []
    found = 0
    for _ in range(200 * options.particles):
        if found == options.particles:
            break
        centre = rng.uniform(low, high)
        if not centres or np.min(np.sum((np.array(centres) - centre) ** 2, axis=1)) > apart**2:
            centres.append(centre)
            found += int((centre >= 0).all() and (centre <= np.array(options.shape) - 1).all())
    return np.array(centres).reshape(-1, 2)


def _draw_orientations(count: int, rng: np.random.Generator) -> np.ndarray:
    tilt = np.degrees(np.arccos(rng.uniform(-1, 1, count)))
    return np.stack([rng.uniform(-180, 180, count), tilt, rng.uniform(-180, 180, count)], axis=1)


def euler_matrices(rot_tilt_psi_degrees: np.ndarray) -> np.ndarray:
    """Rotations [P, 3, 3] of RELION's Euler angles [P, 3]: A = Rz(psi)·Ry(tilt)·Rz(rot), applied to the particle before projection."""
    rot, tilt, psi = np.radians(rot_tilt_psi_degrees).T
    zero, one = np.zeros_like(rot), np.ones_like(rot)

    def about_z(angle: np.ndarray) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        return np.stack([c, s, zero, -s, c, zero, zero, zero, one], axis=1).reshape(-1, 3, 3)

    c, s = np.cos(tilt), np.sin(tilt)
    about_y = np.stack([c, zero, -s, zero, one, zero, s, zero, c], axis=1).reshape(-1, 3, 3)
    return np.asarray(about_z(psi) @ about_y @ about_z(rot))


def _detector(options: SimulationOptions, rng: np.random.Generator) -> _Detector:
    height, width = options.shape
    gain = np.ones(options.shape)
    if options.gain:
        y, x = np.mgrid[0:height, 0:width]
        gain += 0.08 * np.cos(2 * np.pi * (x / width - 0.3)) * np.cos(np.pi * y / height)
        gain += rng.normal(0, 0.02, width)[None, :] + rng.normal(0, 0.02, options.shape)
        gain = np.clip(gain / gain.mean(), 0.5, 2.0)
    places = rng.choice(height * width, size=min(options.bad_pixels, height * width), replace=False)
    bad = np.stack(np.divmod(places, width), axis=1)
    hot, dead = bad[: len(bad) // 2], bad[len(bad) // 2 :]
    gain = gain.astype(np.float32)
    sensitivity = 1 / gain
    sensitivity[tuple(bad.T)] = 0
    return _Detector(gain, sensitivity, hot, dead)


def _truth(
    options: SimulationOptions,
    structure: Structure,
    ctf: CtfParameters,
    motion: Motion,
    detector: _Detector,
    centres_yx: np.ndarray,
    eulers: np.ndarray,
    seed: tuple[int, int],
) -> dict[str, Any]:
    pixel, (height, width) = options.pixel_size_angstrom, options.shape
    grid_y, grid_x = np.linspace(0, height - 1, _GRID), np.linspace(0, width - 1, _GRID)
    points = np.stack(np.meshgrid(grid_y, grid_x, indexing="ij"), axis=-1).reshape(-1, 2)
    at_points = np.asarray(displacement(motion, jnp.asarray(points, jnp.float32), options.shape))
    track = np.asarray(motion.track)
    local = (at_points - track[:, None, :]).reshape(options.frames, _GRID, _GRID, 2)
    described = {k: v for k, v in asdict(options).items() if k not in ("structure", "first_number")}
    return {
        "conventions": "arrays [y, x], row 0 first as read (TIFF flipped in Y); displacement = where the specimen of frame 0 is seen",
        "options": described,
        "seed": list(seed),
        "structure": structure.name,
        "diameter_angstrom": round(structure.diameter_angstrom, 2),
        "defocus_u_angstrom": ctf.defocus_u_angstrom,
        "defocus_v_angstrom": ctf.defocus_v_angstrom,
        "defocus_angle_degrees": ctf.angle_degrees,
        "phase_shift_degrees": ctf.phase_shift_degrees,
        "track_xy_angstrom": np.round(track[:, ::-1] * pixel, 4).tolist(),
        "local_grid_x_px": grid_x.tolist(),
        "local_grid_y_px": grid_y.tolist(),
        "local_xy_angstrom": np.round(local[..., ::-1] * pixel, 4).tolist(),
        "particles_xy_px": np.round(centres_yx[:, ::-1], 3).tolist(),
        "particles_rot_tilt_psi_degrees": np.round(eulers, 3).tolist(),
        "hot_pixels_xy": detector.hot[:, ::-1].tolist(),
        "dead_pixels_xy": detector.dead[:, ::-1].tolist(),
    }


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
