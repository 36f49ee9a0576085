"""Deconvolution against its formula and against an object that is known."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.kernels.ctf._deconvolution import assumed_snr, deconvolve
from warpcore.kernels.ctf._model import Optics
from warpcore.kernels.ctf._parameters import CtfParameters

CTF = CtfParameters(18000.0, 17000.0, 30.0)


def test_the_snr_falls_by_the_published_law() -> None:
    frequency = np.array([0.0, 0.05, 0.1])
    snr = assumed_snr(frequency, 1.5, strength=1.0, falloff=1.0)
    assert snr[0] == 0
    assert snr[1] / snr[2] == pytest.approx(np.exp(200 * 0.05))
    assert snr[1] == pytest.approx(2 * 1000 * np.exp(-200 * 0.05))
    assert assumed_snr(frequency, 1.5, 2.0, 1.0)[2] == pytest.approx(1000 * snr[2])


def test_a_wave_is_scaled_by_the_wiener_filter() -> None:
    n, pixel, cycles = 256, 2.0, 10
    wave = np.cos(2 * np.pi * cycles * (np.arange(n) + 0.5) / n)  # even about its edges, so mirroring continues it
    image = np.broadcast_to(wave, (n, n)).astype(np.float32)
    round_ctf = CtfParameters(20000.0, 20000.0)
    frequency = np.array([cycles / (n * pixel)])
    optics = Optics(300.0, 2.7, 0.07)
    value = -np.sin(float(optics.chi(frequency**2, 20000.0)[0]) + optics.contrast_phase)
    snr = assumed_snr(frequency, pixel, 1.0, 1.0)[0]
    expected = -value / (value**2 + 1 / snr) * image
    result = np.asarray(deconvolve(image, pixel_size_angstrom=pixel, ctf=round_ctf))
    np.testing.assert_allclose(result, expected, atol=1e-3 * np.abs(expected).max())


def test_the_object_is_seen_more_truly_and_stays_dark() -> None:
    rng, n, pixel = np.random.default_rng(2), 256, 2.5
    y, x = np.mgrid[0:n, 0:n] - n // 2
    particle = np.exp(-((np.hypot(x, y) - 20) ** 2) / 18)
    spectrum = np.fft.rfft2(np.fft.ifftshift(particle)) * np.asarray(CTF.image((n, n), pixel))
    image = np.fft.fftshift(np.fft.irfft2(spectrum)) + rng.normal(0, 0.1, (n, n))
    restored = np.asarray(deconvolve(image, pixel_size_angstrom=pixel, ctf=CTF))
    similarity = [np.corrcoef(-i.ravel(), particle.ravel())[0, 1] for i in (image, restored)]
    assert similarity[0] < 0.35  # measured 0.27
    assert similarity[1] > 0.8  # measured 0.88


def test_non_finite_pixels_do_not_spread() -> None:
    image = np.random.default_rng(0).normal(size=(64, 96)).astype(np.float32)
    image[3, 4] = np.nan
    assert np.isfinite(np.asarray(deconvolve(image, pixel_size_angstrom=2.0, ctf=CTF))).all()
