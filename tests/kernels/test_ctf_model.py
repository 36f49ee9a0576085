"""The CTF's own conventions: wavelength, sign, angle direction, layouts, gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from warpcore.kernels.ctf._model import (
    ctf_1d,
    ctf_2d,
    ctf_image,
    defocus_at_azimuth,
    electron_wavelength_angstrom,
    frequency_grid,
)

TITAN = {"voltage_kv": 300.0, "cs_mm": 2.7, "amplitude_contrast": 0.07}


@pytest.mark.parametrize(
    ("voltage", "wavelength"), [(80, 0.041757), (120, 0.033492), (200, 0.025079), (300, 0.0196875)]
)
def test_wavelength_is_the_relativistic_one(voltage: float, wavelength: float) -> None:
    assert electron_wavelength_angstrom(voltage) == pytest.approx(wavelength, rel=2e-5)


def test_value_at_zero_frequency_is_minus_the_amplitude_contrast() -> None:
    assert float(ctf_1d(0.0, defocus_angstrom=15000.0, **TITAN)) == pytest.approx(-0.07, abs=1e-6)


def test_underfocus_makes_low_frequencies_negative_and_the_first_zero_sits_where_the_formula_says() -> None:
    k = np.linspace(0, 0.08, 2001, dtype=np.float32)
    value = np.asarray(ctf_1d(k, defocus_angstrom=15000.0, **TITAN))
    first_zero = k[10 + np.argmax(value[10:] > 0)]
    # Without Cs (negligible at 0.06 / Å): π λ df k² + asin(0.07) = π.
    expected = np.sqrt((np.pi - np.arcsin(0.07)) / (np.pi * 0.019687 * 15000))
    assert value[k < expected * 0.99].max() < 0
    assert first_zero == pytest.approx(expected, rel=2e-3)


def test_the_angle_runs_from_x_towards_y_and_belongs_to_u() -> None:
    assert float(defocus_at_azimuth(20000.0, 15000.0, 30.0, np.deg2rad(30.0))) == pytest.approx(20000.0)
    assert float(defocus_at_azimuth(20000.0, 15000.0, 30.0, np.deg2rad(120.0))) == pytest.approx(15000.0)
    k = 0.08
    along = (k * np.cos(np.deg2rad(30.0)), k * np.sin(np.deg2rad(30.0)))
    value = ctf_2d(*along, defocus_u_angstrom=20000.0, defocus_v_angstrom=15000.0, angle_degrees=30.0, **TITAN)
    assert float(value) == pytest.approx(float(ctf_1d(k, defocus_angstrom=20000.0, **TITAN)), abs=2e-4)


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
