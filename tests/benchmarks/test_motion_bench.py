"""Motion benchmark: error of our tracks, of the global part alone and of no correction, and time in Y, step by step.

Y is `scipy.fft.rfft2` of the movie as float32 with 2 workers. Errors in Å are over a 5 x 5 grid of positions, each
position's mean over frames taken off.
RELION's figures (5.0.1, 5 x 5 patches) were measured by others on movies of these parameters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import scipy.fft
import scipy.ndimage

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.kernels.correct._movie import correct_movie
from warpcore.kernels.image._defects import find_defects
from warpcore.kernels.motion._estimate import estimate_motion
from warpcore.kernels.motion._model import MotionModel
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.readers.movies import read_movie
from warpcore.services.session.settings import ImportSettings

pytestmark = pytest.mark.bench

Displacement = Callable[[np.ndarray, np.ndarray], np.ndarray]
_COMMON = {"gain": False, "bad_pixels": 0, "pixel_size_angstrom": 1.1}
_SMALL = {"height": 1024, "width": 1024, "drift_angstrom": 12.0, "local_angstrom": 4.0, **_COMMON}


@dataclass(frozen=True)
class Case:
    name: str
    options: SimulationOptions
    relion: float
    relion_global: float | None = None


CASES = [
    Case("1024² x 24", SimulationOptions(frames=24, dose_per_frame=1.5, particles=30, **_SMALL), 0.35),
    Case(
        "1536 x 2048 x 40",
        SimulationOptions(
            frames=40,
            height=1536,
            width=2048,
            dose_per_frame=1.2,
            drift_angstrom=25.0,
            local_angstrom=6.0,
            particles=100,
            **_COMMON,
        ),
        0.35,
    ),
    Case(
        "sparse, 2.8 µm",
        SimulationOptions(frames=24, dose_per_frame=1.5, particles=4, defocus_um=(2.8, 2.8), **_SMALL),
        1.7,
        0.78,
    ),
    Case(
        "phase plate, 0.6 µm",
        SimulationOptions(
            frames=24, dose_per_frame=1.5, particles=30, defocus_um=(0.6, 0.6), phase_shift_pi=(0.5, 0.5), **_SMALL
        ),
        0.44,
    ),
    Case(
        "0.5 e x 40, 200 kV",
        SimulationOptions(frames=40, dose_per_frame=0.5, particles=30, voltage_kv=200.0, **_SMALL),
        0.75,
    ),
]


def _error(found: Displacement, truth: Displacement) -> float:
    x, y = np.meshgrid(np.linspace(0.1, 0.9, 5), np.linspace(0.1, 0.9, 5))
    difference = found(x, y) - truth(x, y)
    difference = difference - difference.mean(0)
    return float(np.sqrt((difference**2).sum(-1).mean()))


def _simulated_truth(truth: dict[str, list[float]]) -> Displacement:
    track, local = np.array(truth["track_xy_angstrom"]), np.array(truth["local_xy_angstrom"])
    frames = len(track)
    grid_x, grid_y = np.meshgrid(np.linspace(-0.5, 0.5, 5), np.linspace(-0.5, 0.5, 5))

    def terms(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([x, y, x * x, y * y, x * y], axis=-1)

    values = local.reshape(frames, 25, 2).transpose(1, 0, 2).reshape(25, -1)
    coefficients = np.linalg.lstsq(terms(grid_x, grid_y).reshape(25, 5), values, rcond=None)[0].reshape(5, frames, 2)

    def displacement(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return track[:, None, None] + np.einsum("yxb,bfa->fyxa", terms(x - 0.5, y - 0.5), coefficients)

    return displacement


def _thinned_falcon(shared_data: Path, size: int = 2048, frames: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """A movie of a real micrograph's electrons, put into frames at random and rolled by whole pixels; its track, px."""
    with mrcfile.open(shared_data / "falcon_micrograph.mrc") as file:
        micrograph = file.data[900 : 900 + size + 80, 900 : 900 + size + 80]
        left = np.round(micrograph.astype(np.float64) / 307).astype(np.int64)
    random = np.random.default_rng(5)
    t = np.arange(frames) / (frames - 1)
    track = np.round(np.stack([18 * (1 - np.exp(-3 * t)), -9 * t - 4 * np.sin(3 * t)], axis=1)).astype(int)
    movie = np.empty((frames, size, size), np.uint8)
    for f, (x, y) in enumerate(track):
        counts = random.binomial(left, 1 / (frames - f))
        left -= counts
        movie[f] = counts[40 - y : 40 - y + size, 40 - x : 40 - x + size]
    return movie, track


def _fit_both(frames: np.ndarray, pixel: float, dose: float) -> tuple[MotionModel, MotionModel]:
    arguments = {"gain": None, "defects": None, "pixel_size_angstrom": pixel, "dose_per_frame": dose}
    return estimate_motion(frames, **arguments), estimate_motion(frames, **arguments, grid=(1, 1, len(frames)))


def _report(
    name: str, model: MotionModel, rigid: MotionModel, truth: Displacement, relion: float, rival: float
) -> None:
    zero = MotionModel.zero(model.frames)
    ours, whole, none = (_error(one.displacements_angstrom, truth) for one in (model, rigid, zero))
    print(
        f"\n{name:22s} ours {ours:.3f} Å  global only {whole:.3f}  none {none:.2f}  "
        f"RELION {relion:.2f}  ratio {ours / relion:.2f}"
    )
    assert ours <= 0.7 * relion
    assert ours <= 1.02 * whole
    assert ours <= rival


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_tracks_of_simulated_movies(case: Case, seed: int, tmp_path: Path) -> None:
    movie = simulate_movies(tmp_path, 1, options=case.options, seed=seed)[0]
    frames = read_movie(movie.path, ImportSettings()).frames
    truth = _simulated_truth(movie.truth)
    model, rigid = _fit_both(frames, case.options.pixel_size_angstrom, case.options.dose_per_frame)
    _report(case.name, model, rigid, truth, case.relion, case.relion_global or np.inf)


def test_tracks_of_real_pixels(shared_data: Path) -> None:
    movie, track = _thinned_falcon(shared_data)
    model, rigid = _fit_both(movie, 0.6666, 41.2 / 24)

    def truth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.broadcast_to((track * 0.6666)[:, None, None], (len(track), *x.shape, 2))

    _report("Falcon pixels, rolled", model, rigid, truth, 0.34, 0.26)


@pytest.mark.parametrize("shape", [(24, 1024, 1024), (24, 2048, 2048), (40, 1536, 2048)], ids=str)
def test_time_of_a_movie_from_file_to_average(shape: tuple[int, int, int], tmp_path: Path) -> None:
    """Prints; asserts nothing: time on a shared machine is no test."""
    counts = _drifting_texture(shape)
    path = tmp_path / "movie.mrc"
    with mrcfile.new(path) as file:
        file.set_data(counts.astype(np.int8))
    pixel, dose = 1.1, 1.5
    unit = _unit(counts)
    rounds = []
    for _ in range(3):
        seconds = {}
        clock = time.perf_counter()

        def lap(name: str, seconds: dict[str, float] = seconds) -> None:
            nonlocal clock
            now = time.perf_counter()
            seconds[name], clock = now - clock, now

        frames = read_movie(path, ImportSettings()).frames
        lap("read")
        defects = find_defects(frames, None)
        lap("defects")
        model = estimate_motion(frames, gain=None, defects=defects, pixel_size_angstrom=pixel, dose_per_frame=dose)
        lap("align")
        corrected = correct_movie(
            frames,
            model,
            gain=None,
            defects=defects,
            pixel_size_angstrom=pixel,
            binning=0.0,
            dose_per_frame=dose,
            voltage_kv=300.0,
            dose_weighting=True,
        )
        lap("correct")
        write_mrc(tmp_path / "average.mrc", corrected.average, pixel)
        lap("write")
        rounds.append(seconds)
    third = rounds[-1]
    steps = "  ".join(f"{name} {value / unit:.2f}" for name, value in third.items())
    print(f"\n{shape}: Y = {unit:.3f} s; third movie in Y: {steps}  total {sum(third.values()) / unit:.2f}")


def _drifting_texture(shape: tuple[int, int, int]) -> np.ndarray:
    random = np.random.default_rng(0)
    texture = scipy.ndimage.gaussian_filter(random.normal(size=shape[1:]).astype(np.float32), 4, mode="wrap")
    expected = 1.5 * (1 + 0.15 * texture / texture.std())
    frames = [np.roll(expected, (round(12 * (1 - np.exp(-f / 8))), -f // 2), (0, 1)) for f in range(shape[0])]
    return np.stack([random.poisson(np.maximum(frame, 0.05)).astype(np.uint8) for frame in frames])


def _unit(counts: np.ndarray) -> float:
    stack = counts.astype(np.float32)
    best = np.inf
    for _ in range(4):
        begun = time.perf_counter()
        scipy.fft.rfft2(stack, workers=2)
        best = min(best, time.perf_counter() - begun)
    return best
