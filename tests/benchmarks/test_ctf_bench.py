"""The CTF of simulated images beside their truth: defoci, gradients, movies, foreign bodies, images without rings.

`make bench` prints the tables; each ends in the assertion of what was measured when it was written.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.ctf_errors import TITAN, resolution, simulated_errors
from tests.benchmarks.test_motion_bench import CASES, Case
from tests.kernels.ctf_images import Truth, fit_truth, simulate_frames, simulate_image, turned
from tests.kernels.ctf_obstacles import OBSTACLES, obstructed_image
from tests.kernels.ctf_ringless import KINDS, ringless_image
from warpcore.cli.simulation import simulate_movies
from warpcore.kernels.correct import correct_movie
from warpcore.kernels.ctf import Optics, Recording, Search, electron_wavelength_angstrom, fit_image, frame_sums
from warpcore.kernels.motion import estimate_motion
from warpcore.services.readers.movies import read_movie
from warpcore.services.session.settings import ImportSettings

pytestmark = pytest.mark.bench


def noise_limit(truth: Truth, shape: tuple[int, int]) -> tuple[float, float]:
    """Cramér-Rao deviations in Å of mean defocus and of U - V, for the band from 30 to 4 Å and a known phase."""
    k = np.linspace(1 / 30, 1 / 4, 2000)
    specimen = truth.power(k**2)
    amplitude = 0.5 * specimen / (1 + 0.5 * specimen)
    rise = np.pi * electron_wavelength_angstrom(truth.voltage) * k**2
    field = shape[0] * shape[1] * truth.pixel_size**2
    information = field * float(np.sum(2 * (amplitude * rise) ** 2 * np.pi * k) * (k[1] - k[0]))
    return information**-0.5, 2 * (0.5 * information) ** -0.5


SIMULATED = {
    "300 kV 1.5 µm": (Truth(), (2048, 2048)),
    "astigmatism 300": (Truth(defocus_v=14700.0), (2048, 2048)),
    "0.7 µm": (Truth(defocus_u=7000.0, defocus_v=6600.0), (2048, 2048)),
    "3 µm": (Truth(defocus_u=30000.0, defocus_v=29500.0), (2048, 2048)),
    "200 kV 1536x2048": (Truth(voltage=200.0, cs=1.4, amplitude_contrast=0.1), (1536, 2048)),
    "1024²": (Truth(), (1024, 1024)),
    "phase plate 60°": (Truth(defocus_u=9000.0, defocus_v=8600.0, phase_shift=60.0), (2048, 2048)),
    "4096²": (Truth(), (4096, 4096)),
    "gradient 3000": (Truth(defocus_v=15000.0, gradient=(3000.0, 0.0)), (2048, 2048)),
    "gradient, ast. 300": (Truth(defocus_v=14700.0, gradient=(2600.0, 1500.0)), (2048, 2048)),
}


def test_simulated_truth() -> None:
    print("\nSimulated, 4 images each: rms (largest) error; in brackets [rms that noise allows]")
    print(
        "  case                 mean defocus/Å          U-V/Å                  "
        "angle/°     phase/°    gradient/%  resolution/Å"
    )
    for name, (truth, shape) in SIMULATED.items():
        errors, fits = [], []
        for seed in range(4):
            image = simulate_image(truth, shape, seed)
            fit = fit_truth(image, truth, dose=40.0, fit_phase=truth.phase_shift > 0)
            fits.append(fit)
            errors.append(simulated_errors(fit, truth))
        rms, largest = np.sqrt(np.mean(np.square(errors), axis=0)), np.abs(errors).max(axis=0)
        limits = noise_limit(truth, shape)
        angle = f"{rms[2]:5.1f} ({largest[2]:.1f})" if truth.defocus_u - truth.defocus_v >= 300 else "          -"
        print(
            f"  {name:18s} {rms[0]:6.1f} ({largest[0]:5.1f}) [{limits[0]:4.1f}]  "
            f"{rms[1]:6.1f} ({largest[1]:5.1f}) [{limits[1]:4.1f}]  {angle}  {rms[3]:4.1f} ({largest[3]:.1f})  "
            f"{rms[4]:4.1f} ({largest[4]:.1f})  {resolution(fits[0].resolution_angstrom)}"
        )
        assert all(fit.failure is None for fit in fits)
        # With the phase fitted as well, defocus and phase share what the spectrum says of either.
        assert rms[0] <= max(20.0, 0.002 * truth.defocus_u)
        assert rms[1] <= 3.0 * limits[1]
        assert largest[3] <= 2
        assert largest[4] <= 7


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_simulated_movies_of_particles(case: Case, tmp_path: Path) -> None:
    """The movies of the motion benchmark after our motion correction, four each, with astigmatism of 300 Å and more."""
    options = case.options.model_copy(update={"astigmatism_um": (0.03, 0.08)})
    optics = Optics(options.voltage_kv, options.cs_mm, options.amplitude_contrast)
    search = Search(fit_phase=options.phase_shift_pi != (0.0, 0.0))
    recording = Recording(options.pixel_size_angstrom, dose=options.frames * options.dose_per_frame)
    errors = []
    for seed in range(4):
        movie = simulate_movies(tmp_path / str(seed), 1, options=options, seed=200 + seed)[0]
        frames = read_movie(movie.path, ImportSettings()).frames
        measured: dict[str, Any] = {
            "gain": None,
            "defects": None,
            "pixel_size_angstrom": options.pixel_size_angstrom,
            "dose_per_frame": options.dose_per_frame,
        }
        model = estimate_motion(frames, **measured)
        corrected = correct_movie(
            frames, model, binning=0.0, voltage_kv=options.voltage_kv, dose_weighting=True, **measured
        )
        fit = fit_image(corrected.unweighted, recording, optics, search)
        assert fit.failure is None
        truth = Truth(
            defocus_u=movie.truth["defocus_u_angstrom"],
            defocus_v=movie.truth["defocus_v_angstrom"],
            angle=movie.truth["defocus_angle_degrees"],
            phase_shift=movie.truth["phase_shift_degrees"],
        )
        errors.append(simulated_errors(fit, truth)[:4])
    rms, largest = np.sqrt(np.mean(np.square(errors), axis=0)), np.abs(errors).max(axis=0)
    print(
        f"\n{case.name}: rms (largest) error of mean defocus {rms[0]:.1f} ({largest[0]:.1f}) Å, "
        f"U-V {rms[1]:.1f} ({largest[1]:.1f}) Å, "
        f"angle {rms[2]:.1f} ({largest[2]:.1f})°, phase {rms[3]:.1f} ({largest[3]:.1f})°"
    )
    # Four particles in the ice give few rings. In the other cases counting noise alone makes 15 to 20 Å and 1 to 2°
    # (see docs/ctf.md).
    few = "sparse" in case.name
    assert rms[0] <= 30
    assert rms[1] <= (60 if few else 26)
    assert rms[2] <= (6 if few else 2.5)
    assert rms[3] <= 3.5


def test_what_else_is_in_the_field_does_not_move_the_fit() -> None:
    print("\nForeign things in the field, 1536², 3 images each: largest error of U and V, of the angle, least evidence")
    truth = Truth()
    for kind in ("none", *OBSTACLES):
        images = [obstructed_image(kind, truth, seed, (1536, 1536)) for seed in range(3)]
        fits = [fit_truth(image, truth, dose=40.0) for image in images]
        assert all(fit.failure is None for fit in fits)
        errors = [(f.defocus_u_angstrom - truth.defocus_u, f.defocus_v_angstrom - truth.defocus_v) for f in fits]
        angle = max(abs(turned(fit.angle_degrees - truth.angle)) for fit in fits)
        worst, evidence = float(np.abs(errors).max()), min(fit.confidence for fit in fits)
        print(f"  {kind:14s} {worst:5.0f} Å  {angle:4.1f}°  {evidence:5.0f}")
        assert worst <= 100


def test_frames_or_their_sum() -> None:
    print("\n2048², 24 frames of 1.5 e⁻/Å², drift not corrected: the sum alone, and with the spectra of frames")
    truth = Truth()
    for step in ((0, 0), (0, 1), (1, 2)):
        frames = simulate_frames(truth, (2048, 2048), 24, step)
        image = frames.sum(0)
        sums = frame_sums(
            frames, None, gain=None, defects=None, pixel_size_angstrom=truth.pixel_size, dose_per_frame=1.5
        )
        alone = fit_truth(image, truth, dose=36.0)
        both = fit_truth(image, truth, sums=sums, dose=36.0)
        errors = simulated_errors(both, truth)
        print(
            f"  {np.hypot(*step) * truth.pixel_size:.1f} Å a frame: sum evidence {alone.confidence:.0f} "
            f"({alone.failure}); with frames {both.confidence:.0f} ({both.source}), "
            f"defocus error {errors[0]:.0f} Å, to {resolution(both.resolution_angstrom)} Å"
        )
        assert both.failure is None
        # Where drift spoils the sum, each spectrum has a ninth of the electrons (rms error 64 Å over five seeds).
        assert abs(errors[0]) < 250
        assert both.source == ("sum" if step == (0, 0) else "frames")


def test_images_without_rings_are_refused() -> None:
    print("\nImages without rings, 50 of each kind: confident fits, highest evidence (fits are believed from 40 on)")
    confident = 0
    for kind in KINDS:
        fits = [fit_image(ringless_image(kind, seed), Recording(1.1), TITAN, Search()) for seed in range(50)]
        believed = sum(fit.failure is None for fit in fits)
        confident += believed
        reasons = sorted({fit.failure.split(":")[0] for fit in fits if fit.failure})
        print(f"  {kind:7s} {believed:3d}   {max(fit.confidence for fit in fits):6.1f}   {', '.join(reasons)}")
    assert confident == 0


def test_rotation_of_a_simulated_gradient_keeps_its_size() -> None:
    truth = replace(Truth(), defocus_v=15000.0, gradient=(0.0, 3000.0))
    fit = fit_truth(simulate_image(truth, (2048, 2048), 9), truth, dose=40.0)
    expected = np.degrees(np.arctan(3000 / (2048 * truth.pixel_size)))
    print(
        f"\nTilt of a field that falls 3000 Å: {fit.grid.tilt_degrees:.1f}° (true {expected:.1f}°), "
        f"axis {fit.grid.tilt_axis_degrees:.1f}° (true 0 or 180)"
    )
    assert fit.grid.tilt_degrees == pytest.approx(expected, rel=0.07)
    assert abs(turned(fit.grid.tilt_axis_degrees)) < 5
