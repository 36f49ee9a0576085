"""The forward model against what it is built from: Fourier shifts, single atoms, counting statistics."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from warpcore.kernels.correct._dose import dose_weights
from warpcore.kernels.ctf._parameters import CtfParameters
from warpcore.kernels.simulate._frames import (
    Motion,
    contrast_spectrum,
    damage_exponent,
    displaced_contrast,
    displacement,
    frame_counts,
    poisson_counts,
)
from warpcore.kernels.simulate._specimen import (
    ELEMENTS,
    contrast_factor,
    ice_spectrum,
    interaction_constant,
    particle_spectrum,
    scattering_factor,
)

CANVAS, FRAME = (160, 192), (128, 144)
MARGIN = ((CANVAS[0] - FRAME[0]) // 2, (CANVAS[1] - FRAME[1]) // 2)


def band_limited(rng: np.random.Generator, highest: float = 0.35) -> np.ndarray:
    """A random periodic canvas without content beyond `highest` cycles/px."""
    spectrum = np.fft.rfft2(rng.normal(size=CANVAS))
    frequency = np.hypot(np.fft.fftfreq(CANVAS[0])[:, None], np.fft.rfftfreq(CANVAS[1])[None])
    return np.fft.irfft2(spectrum * (frequency < highest), s=CANVAS)


def shifted(image: np.ndarray, dy: float, dx: float) -> np.ndarray:
    """The periodic image moved by (dy, dx) px by its Fourier phases."""
    ky, kx = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    return np.fft.irfft2(np.fft.rfft2(image) * np.exp(-2j * np.pi * (ky * dy + kx * dx)), s=image.shape)


def test_a_global_displacement_is_the_fourier_shift() -> None:
    image = band_limited(np.random.default_rng(0))
    spectrum = jnp.asarray(np.fft.rfft2(image), jnp.complex64)
    frame = displaced_contrast(spectrum, jnp.array([2.37, -4.81]), jnp.zeros((5, 2)), FRAME)
    truth = shifted(image, 2.37, -4.81)[MARGIN[0] : -MARGIN[0], MARGIN[1] : -MARGIN[1]]
    # Measured 0.006 of the standard deviation at up to 0.35 cycles/px.
    assert np.sqrt(np.mean((np.asarray(frame) - truth) ** 2)) < 0.012 * truth.std()


def test_a_local_displacement_moves_a_point_where_the_model_says() -> None:
    motion = Motion(
        jnp.array([[1.5, -2.0]]), jnp.array([[[3.0, 1.0], [-2.0, 4.0], [2.0, -3.0], [1.0, 2.0], [-3.0, 2.0]]])
    )
    points = np.array([[20.0, 25.0], [20.3, 110.6], [100.4, 30.2], [64.0, 72.0], [105.0, 118.5]])
    y, x = np.mgrid[0 : CANVAS[0], 0 : CANVAS[1]]
    image = sum(np.exp(-((y - py - MARGIN[0]) ** 2 + (x - px - MARGIN[1]) ** 2) / (2 * 2.0**2)) for py, px in points)
    frame = np.asarray(
        displaced_contrast(jnp.asarray(np.fft.rfft2(image), jnp.complex64), motion.track[0], motion.local[0], FRAME)
    )
    expected = points + np.asarray(displacement(motion, jnp.asarray(points), FRAME))[0]
    for py, px in expected:
        top, left = round(py) - 8, round(px) - 8
        box = frame[top : top + 17, left : left + 17]
        centre = [
            (box * np.arange(17)[:, None]).sum() / box.sum() + top,
            (box * np.arange(17)).sum() / box.sum() + left,
        ]
        np.testing.assert_allclose(centre, (py, px), atol=0.03)  # measured 0.012: the field changes within the spot


def test_counts_are_poisson_at_every_expectation() -> None:
    expected = jnp.repeat(jnp.array([0.0, 0.3, 2.7, 20.0]), 40000).reshape(4, 200, 200)
    counts = np.asarray(poisson_counts(jax.random.key(1), expected))
    for mean, drawn in zip((0.0, 0.3, 2.7, 20.0), counts.reshape(4, -1), strict=True):
        # Five standard errors of the mean and of the variance of 40 000 draws.
        assert drawn.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / 40000))
        assert drawn.var() == pytest.approx(mean, abs=5 * np.sqrt((mean + 2 * mean**2) / 40000))


@pytest.mark.parametrize("bright", [False, True])
def test_a_frame_counts_its_dose_under_the_sensitivity(bright: bool) -> None:
    sensitivity = jnp.ones(FRAME).at[:, :72].set(0.5).at[3, 4].set(0.0)
    flat = jnp.zeros((CANVAS[0], CANVAS[1] // 2 + 1), jnp.complex64)
    counts = np.asarray(
        frame_counts(
            jax.random.key(2),
            flat,
            jnp.zeros(flat.shape),
            jnp.float32(0),
            jnp.zeros(2),
            jnp.zeros((5, 2)),
            jnp.float32(6.0),
            sensitivity,
            FRAME,
            bright,
        )
    )
    assert counts[3, 4] == 0
    assert counts[:, 72:].mean() == pytest.approx(6.0, abs=5 * np.sqrt(6 / 9216))
    assert counts[:, :72].mean() == pytest.approx(3.0, abs=5 * np.sqrt(3 / 9216))


def test_an_atom_is_projected_where_it_lies_with_its_whole_phase() -> None:
    turn = np.array([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])  # x to y
    spectrum = particle_spectrum(
        np.array([[6.0, 0.0, 33.0]]),
        np.array([ELEMENTS.index("S")]),
        turn,
        np.array([[50.0, 70.25]]),
        shape=CANVAS,
        pixel_size_angstrom=1.5,
        voltage_kv=300.0,
        b_factor_a2=100.0,
    )
    image = np.fft.irfft2(np.asarray(spectrum), s=CANVAS)
    forward = contrast_factor("S", np.zeros(1))[0]
    assert image.sum() == pytest.approx(interaction_constant(300) * 47.878 * forward / 1.5**2, rel=1e-4)
    truth = np.zeros(CANVAS)
    truth[50, 70] = 1
    k2 = (np.fft.fftfreq(CANVAS[0])[:, None] ** 2 + np.fft.rfftfreq(CANVAS[1])[None] ** 2) / 1.5**2
    weight = contrast_factor("S", k2) * np.exp(-25 * k2) * image.sum() / forward
    truth = shifted(np.fft.irfft2(np.fft.rfft2(truth) * weight, s=CANVAS), 4.0, 0.25)
    np.testing.assert_allclose(image, truth, atol=0.03 * truth.max())  # measured 0.020: aliasing of the spread


def test_constants_of_scattering_agree_with_the_literature() -> None:
    assert interaction_constant(300) == pytest.approx(6.526e-4, rel=1e-3)  # Kirkland, table 5.1: 0.6526 mrad/(V·Å)
    assert interaction_constant(200) == pytest.approx(7.288e-4, rel=1e-3)
    assert scattering_factor("C", np.zeros(1))[0] == pytest.approx(2.509, abs=1e-3)  # Peng et al. 1996, f(0)
    assert scattering_factor("O", np.zeros(1))[0] == pytest.approx(1.983, abs=1e-3)


def test_particles_are_dark_at_underfocus() -> None:
    atoms = np.random.default_rng(3).normal(size=(3000, 3)) * 15
    spectrum = particle_spectrum(
        atoms,
        np.zeros(3000, int),
        np.eye(3)[None],
        np.array([[80.0, 96.0]]),
        shape=CANVAS,
        pixel_size_angstrom=2.0,
        voltage_kv=300.0,
    )
    ctf = CtfParameters(15000.0, 15000.0)
    contrast = contrast_spectrum(spectrum, ctf, shape=CANVAS, pixel_size_angstrom=2.0, b_factor_a2=0)
    image = np.fft.irfft2(np.asarray(contrast), s=CANVAS)
    assert image[75:86, 91:102].mean() < -0.02


def test_ice_has_no_mean_and_the_ring_of_water() -> None:
    spectrum = np.asarray(
        ice_spectrum(
            jax.random.key(0), shape=(256, 256), pixel_size_angstrom=1.0, thickness_angstrom=300, voltage_kv=300
        )
    )
    frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None])
    power = np.abs(spectrum) ** 2
    ring, inside, outside = (power[np.abs(frequency - f) < 0.01].mean() for f in (0.26, 0.15, 0.45))
    assert spectrum[0, 0] == 0
    assert ring > 1.5 * inside  # measured 3.7
    assert ring > 2 * outside  # measured 2.7


@pytest.mark.parametrize(("voltage_kv", "critical"), [(100.0, 9.048), (200.0, 11.310), (300.0, 14.138)])
def test_simulated_damage_is_what_the_correction_weighs_against(voltage_kv: float, critical: float) -> None:
    exponent = damage_exponent((100, 100), 1.0, voltage_kv)
    assert exponent[0, 0] == 0
    # At 10 Å a dose of twice the critical dose leaves 1/e of the amplitude.
    assert 0.5 / exponent[0, 10] == pytest.approx(critical, rel=1e-3)
    # Without its normalisation, the correction's weight of a frame is what damage leaves of the amplitude.
    weights = dose_weights(np.array([0.0, 0.1]), 8, 1.5, voltage_kv)
    loss = (weights[7, 1] / weights[0, 1]) / (weights[7, 0] / weights[0, 0])
    assert np.exp(-exponent[0, 10] * 7 * 1.5) == pytest.approx(loss, rel=1e-5)
