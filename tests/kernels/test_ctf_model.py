"""The CTF's own conventions: wavelength, sign, angle direction, layouts, gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from warpcore.kernels.ctf._model import (
    Optics,
    ctf_2d,
    ctf_image,
    electron_wavelength_angstrom,
    frequency_grid,
)

TITAN = {"voltage_kv": 300.0, "cs_mm": 2.7, "amplitude_contrast": 0.07}


def round_ctf(k: float | np.ndarray, defocus_angstrom: float) -> np.ndarray:
    """CTF values at frequencies along x, without astigmatism."""
    defoci = {"defocus_u_angstrom": defocus_angstrom, "defocus_v_angstrom": defocus_angstrom}
    return np.asarray(ctf_2d(k, 0.0, **defoci, angle_degrees=0.0, **TITAN))


@pytest.mark.parametrize(
    ("voltage", "wavelength"), [(80, 0.041757), (120, 0.033492), (200, 0.025079), (300, 0.0196875)]
)
def test_wavelength_is_the_relativistic_one(voltage: float, wavelength: float) -> None:
    assert electron_wavelength_angstrom(voltage) == pytest.approx(wavelength, rel=2e-5)


def test_value_at_zero_frequency_is_minus_the_amplitude_contrast() -> None:
    assert float(round_ctf(0.0, 15000.0)) == pytest.approx(-0.07, abs=1e-6)


def test_underfocus_makes_low_frequencies_negative_and_the_first_zero_sits_where_the_formula_says() -> None:
    k = np.linspace(0, 0.08, 2001, dtype=np.float32)
    value = round_ctf(k, 15000.0)
    first_zero = k[10 + np.argmax(value[10:] > 0)]
    # Without Cs (negligible at 0.06 / Å): π λ df k² + asin(0.07) = π.
    expected = np.sqrt((np.pi - np.arcsin(0.07)) / (np.pi * 0.019687 * 15000))
    assert value[k < expected * 0.99].max() < 0
    assert first_zero == pytest.approx(expected, rel=2e-3)


def test_the_angle_runs_from_x_towards_y_and_belongs_to_u() -> None:
    k = 0.08
    for azimuth, defocus in ((30.0, 20000.0), (120.0, 15000.0)):
        along = (k * np.cos(np.deg2rad(azimuth)), k * np.sin(np.deg2rad(azimuth)))
        value = ctf_2d(*along, defocus_u_angstrom=20000.0, defocus_v_angstrom=15000.0, angle_degrees=30.0, **TITAN)
        assert float(value) == pytest.approx(float(round_ctf(k, defocus)), abs=2e-4)


def test_the_fit_and_the_image_have_one_phase() -> None:
    k = np.linspace(0.01, 0.2, 50)
    optics = Optics(**TITAN)
    phase = optics.chi(k**2, 15000.0) + optics.contrast_phase
    np.testing.assert_allclose(round_ctf(k, 15000.0), -np.sin(phase), atol=2e-4)
    step = 1e-6
    slope = (optics.chi(k**2 + step, 15000.0) - optics.chi(k**2 - step, 15000.0)) / (2 * step)
    np.testing.assert_allclose(optics.chi_slope(k**2, 15000.0) * np.pi * optics.wavelength_angstrom, slope, rtol=1e-6)


@pytest.mark.parametrize("wrong", [{"voltage_kv": 0.0}, {"cs_mm": -1.0}, {"amplitude_contrast": 1.5}])
def test_optics_that_no_microscope_has_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="voltage must be above 0"):
        Optics(**{**TITAN, **wrong})


def test_layouts_hold_the_same_values_at_the_same_frequencies() -> None:
    lens = {"defocus_u_angstrom": 12000.0, "defocus_v_angstrom": 11000.0, "angle_degrees": 20.0, **TITAN}
    full = np.asarray(ctf_image((32, 48), 2.0, layout="fft", **lens))
    np.testing.assert_allclose(np.asarray(ctf_image((32, 48), 2.0, layout="centred", **lens)), np.fft.fftshift(full))
    np.testing.assert_allclose(np.asarray(ctf_image((32, 48), 2.0, **lens))[:, :24], full[:, :24])
    kx, ky = frequency_grid((32, 48), 2.0, "centred")
    assert kx[16, 24] == 0
    assert ky[16, 24] == 0
    assert kx[0, 25] == pytest.approx(1 / 96)


def test_gradients_agree_with_finite_differences_and_stay_finite_at_the_origin() -> None:
    kx, ky = frequency_grid((16, 16), 3.0)

    def total(parameters: jax.Array) -> jax.Array:
        u, v, angle, phase = parameters
        value = ctf_2d(
            kx, ky, defocus_u_angstrom=u, defocus_v_angstrom=v, angle_degrees=angle, phase_shift_degrees=phase, **TITAN
        )
        return jnp.sum(value * (1 + kx))

    at = jnp.array([12000.0, 11000.0, 25.0, 10.0])
    gradient = np.asarray(jax.grad(total)(at))
    steps = np.array([20.0, 20.0, 1.0, 0.5])
    for i, step in enumerate(steps):
        difference = (float(total(at.at[i].add(step))) - float(total(at.at[i].add(-step)))) / (2 * step)
        assert gradient[i] == pytest.approx(difference, rel=0.02, abs=1e-4)
