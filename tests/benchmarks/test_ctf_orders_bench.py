"""Whether a fit ever takes a wrong ring order: 300 images over all defoci, voltages, pixel sizes and windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.kernels.ctf_images import Truth, fit_truth, ring_phase_error, simulate_image

pytestmark = pytest.mark.bench


@dataclass(frozen=True)
class Setup:
    """A microscope's settings for ten images: what a session keeps."""

    voltage: float
    pixel_size: float
    cs: float
    window: int
    phase_plate: bool


def drawn_setup(draw: np.random.Generator) -> Setup:
    return Setup(
        voltage=float(draw.choice([80, 100, 120, 200, 300])),
        pixel_size=float(np.round(np.exp(draw.uniform(np.log(0.3), np.log(5))), 3)),
        cs=float(draw.choice([0.01, 1.4, 2.0, 2.7])),
        window=int(draw.choice([256, 512, 512, 1024, 2048])),
        phase_plate=bool(draw.random() < 0.25),
    )


def drawn_truth(draw: np.random.Generator, setup: Setup) -> Truth:
    """A truth with two rings at least in the band: with fewer there is no order that could be wrong."""
    while True:
        mean = float(np.exp(draw.uniform(np.log(2000), np.log(80000))))
        half = 0.5 * mean * draw.uniform(0, 0.08)
        truth = Truth(
            defocus_u=mean + half,
            defocus_v=mean - half,
            angle=float(draw.uniform(-90, 90)),
            phase_shift=float(draw.uniform(20, 150)) if setup.phase_plate else 0.0,
            pixel_size=setup.pixel_size,
            voltage=setup.voltage,
            cs=setup.cs,
            amplitude_contrast=float(draw.choice([0.07, 0.1])),
            signal_to_noise=float(draw.uniform(0.1, 0.4)),
            strong=float(draw.uniform(0.5, 1.5)),
        )
        if truth.rings(1 / 30, min(0.25, 0.49 / setup.pixel_size)) >= 2:
            return truth


@pytest.mark.timeout(3600)
def test_no_ring_order_is_wrong_over_the_whole_range() -> None:
    outcome = {"right": 0, "refused": 0, "wrong": 0}
    for block in range(30):
        draw = np.random.default_rng([4, block])
        setup = drawn_setup(draw)
        side = 4096 if setup.pixel_size < 0.5 else 2048 if setup.pixel_size < 1.2 else 1024
        for number in range(10):
            truth = drawn_truth(draw, setup)
            fit = fit_truth(
                simulate_image(truth, (side, side), 10 * block + number),
                truth,
                window_px=setup.window,
                range_max_angstrom=max(4.0, 2.05 * setup.pixel_size),
                defocus_min_um=0.2,
                defocus_max_um=8.0,
                fit_phase=setup.phase_plate,
                dose=40.0,
            )
            kind = "refused" if fit.failure else "right" if ring_phase_error(fit, truth) < np.pi / 2 else "wrong"
            outcome[kind] += 1
            if kind != "right":
                print(
                    f"\n  {kind}: {setup} {truth.defocus_u:.0f}/{truth.defocus_v:.0f} Å, "
                    f"found {fit.defocus_u_angstrom:.0f}/{fit.defocus_v_angstrom:.0f}, {fit.failure}",
                    end="",
                )
    print(f"\nRing order over 0.2 to 8 µm, 80 to 300 kV, 0.3 to 5 Å/px, windows 256 to 2048, phase plates: {outcome}")
    assert outcome["wrong"] == 0
    # What is refused: rings too narrow for the field, or a single pair of them.
    assert outcome["refused"] <= 15
