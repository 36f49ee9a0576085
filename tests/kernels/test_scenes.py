"""Scenes that pickers learn from: alike from a seed, marked right, and as hard as real micrographs are."""

from __future__ import annotations

import csv
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from tests.kernels.particle_snr import particle_snr
from warpcore.cli.picker_data import agreement
from warpcore.cli.structures import load_structure
from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking import coarser, pick_network
from warpcore.kernels.simulate import SAMPLES_PER_DIAMETER, random_scene
from warpcore.kernels.simulate._scene_background import ice_phase
from warpcore.kernels.simulate._scene_imaging import Imaging, imaged
from warpcore.kernels.simulate._scene_particles import (
    drawn,
    globule,
    of_atoms,
    random_cloud,
    scatter,
    spread_points,
)
from warpcore.kernels.simulate._specimen import interaction_constant

_PIXEL = 3.0
_AT_ANGSTROM = (240, 120, 80, 60, 48, 40, 34, 30, 27)


def test_a_seed_makes_the_same_scene_and_marks_lie_in_it() -> None:
    for number in range(12):
        one, again = (random_scene(np.random.default_rng([77, number]), 128) for _ in range(2))
        assert np.array_equal(one.image, again.image)
        assert np.isfinite(one.image).all()
        assert one.image.std() > 0
        assert one.diameter_angstrom == pytest.approx(SAMPLES_PER_DIAMETER * one.pixel_size_angstrom)
        at = np.round(one.centres_yx).astype(int)
        assert ((at >= 0) & (at < 128)).all()
        assert not (one.junk | one.doubtful)[tuple(at.T)].any(), "no particle is marked where nobody could tell"


def test_particles_are_of_the_size_and_mass_asked_for() -> None:
    for number in range(40):
        cloud, _ = random_cloud(np.random.default_rng([78, number]), 200.0)
        assert 0.8 * 200 < cloud.extent < 1.1 * 200
        ball = np.pi / 6 * cloud.extent**3
        assert 0.005 * ball < cloud.volumes.sum() < 1.3 * ball
    assert globule(np.random.default_rng(1), 16.0).volumes.sum() == pytest.approx(16e3 * 1.21)


def test_matter_is_neither_lost_nor_made_by_drawing() -> None:
    rng = np.random.default_rng(3)
    cloud = globule(rng, 100.0)
    thickness = drawn(rng, cloud, np.array([[40.0, 52.5], [70.2, 64.0]]), 128, 5.0)
    assert thickness.sum() * 5.0**2 == pytest.approx(2 * cloud.volumes.sum(), rel=1e-3)
    outside = spread_points(np.array([[-5.0, 3.0], [3.0, 500.0]]), np.ones(2), 64)
    assert outside.sum() == 0


def test_a_scene_of_apoferritin_has_the_signal_to_noise_of_the_real_one(shared_data: Path) -> None:
    """Measured over all ten micrographs: the ratio of simulated to real is 0.76 to 1.39 from 240 to 27 Å."""
    folder = shared_data / "apoferritin"
    ratios = []
    for number, row in enumerate(list(csv.DictReader((folder / "ctffind5.csv").read_text().splitlines()))[::3]):
        raw = imagecodecs.imread((folder / f"{row['micrograph']}.png").read_bytes()).astype(np.float32)
        people = csv.DictReader((folder / f"{row['micrograph']}.csv").read_text().splitlines())
        xy = np.array([[float(one["x_px"]), float(one["y_px_from_top_of_png"])] for one in people]) / 2 - 0.25
        real = np.asarray(coarser(raw, 1.5, _PIXEL).pixels)
        ctf = CtfParameters(
            *(float(row[name]) for name in ("defocus_u_A", "defocus_v_A", "angle_deg")), amplitude_contrast=0.12
        )
        rng = np.random.default_rng(number)
        cloud = of_atoms(rng, load_structure().positions_angstrom)
        matter = drawn(rng, cloud, xy[:, ::-1] + rng.normal(0, 1, xy.shape), 620, _PIXEL)
        phase = 3.7 * interaction_constant(300) * matter + ice_phase(
            rng, 620, _PIXEL, thickness_angstrom=400, excess=3, excess_angstrom=25, excess_slope=2
        )
        simulated = imaged(rng, phase, Imaging(ctf, 20, 600, haze=5), _PIXEL)[: real.shape[0], : real.shape[1]]
        place = np.array([80 * _PIXEL / a for a in _AT_ANGSTROM])
        both = [np.interp(place, np.arange(40), particle_snr(one, xy, 33, 12)) for one in (simulated, real)]
        ratios.append(both[0] / both[1])
    ratio = np.median(ratios, axis=0)
    assert ratio.min() > 0.6, dict(zip(_AT_ANGSTROM, ratio.round(2), strict=True))
    assert ratio.max() < 1.6, dict(zip(_AT_ANGSTROM, ratio.round(2), strict=True))


def _chains(seed: int, kilodalton: float) -> tuple[np.ndarray, np.ndarray]:
    """A micrograph of 600² at 1.5 Å with single chains 60 Å apart in 300 Å of ice.

    Its background by that of counting noise is as between the particles of EMPIAR-10146: 3.9 at 60 Å, 4.0 at 40 Å
    (real: 4.8 and 4.1).
    """
    rng = np.random.default_rng(seed)
    centres = scatter(rng, 60, 600, 40.0, 0.0)
    matter = drawn(rng, globule(rng, kilodalton), centres, 600, 1.5)
    defocus = rng.uniform(8000, 20000)
    phase = 3.7 * interaction_constant(300) * matter + ice_phase(
        rng, 600, 1.5, thickness_angstrom=300, excess=6, excess_angstrom=25, excess_slope=2
    )
    ctf = CtfParameters(defocus, defocus, 0, amplitude_contrast=0.12)
    return imaged(rng, phase, Imaging(ctf, 20, 600, haze=8), 1.5).astype(np.float32), centres[:, ::-1]


def test_a_chain_of_16_kda_is_not_found_and_one_of_80_is() -> None:
    """Measured over six micrographs each: recall 0.06 and certainty 0.29 for 16 kDa, 0.81 and 0.95 for 80 kDa."""
    told = {}
    for kilodalton, diameter in ((16.0, 40.0), (80.0, 68.0)):
        missed = found = 0
        certainty = []
        for seed in range(6):
            image, xy = _chains(seed, kilodalton)
            picks = pick_network(image, pixel_size_angstrom=1.5, diameter_angstrom=diameter)
            picked = np.stack([picks.x_px, picks.y_px], axis=1)
            counts = agreement(picked, xy, image.shape, 0.3 * diameter / 1.5, diameter / 3)
            missed, found = missed + counts.missed, found + counts.true
            certainty.append(picks.certainty)
        told[kilodalton] = found / (found + missed), float(np.median(certainty))
    assert told[16.0][0] < 0.12
    assert told[16.0][1] < 0.5
    assert told[80.0][0] > 0.6
    assert told[80.0][1] > 0.5
