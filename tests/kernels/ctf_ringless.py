"""Images without a CTF to find: pure noise, carbon without rings, drift, gold. None may give a confident fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import fft

from tests.kernels.ctf_images import Truth, simulate_image

KINDS = ("noise", "carbon", "drift", "gold")


def ringless_image(kind: str, seed: int, shape: tuple[int, int] = (1024, 1024), pixel_size: float = 1.1) -> np.ndarray:
    """A float32 image [H, W] of one of KINDS, with its own strengths, sizes and directions for each seed."""
    draw = np.random.default_rng([KINDS.index(kind), seed])
    noise = draw.standard_normal(shape, dtype=np.float32)
    if kind == "noise":
        return draw.poisson(draw.uniform(0.5, 60), shape).astype(np.float32)
    if kind == "carbon":
        return noise + _smooth_power(draw, shape, pixel_size)
    if kind == "drift":
        return noise + _drifted(draw, seed, shape, pixel_size)
    return 3 * noise + _gold(draw, shape, pixel_size)


def _frequencies(shape: tuple[int, int], pixel_size: float) -> tuple[np.ndarray, np.ndarray]:
    ky = np.fft.fftfreq(shape[0], pixel_size)[:, None].astype(np.float32)
    return np.fft.rfftfreq(shape[1], pixel_size)[None, :].astype(np.float32), ky


def _smooth_power(draw: np.random.Generator, shape: tuple[int, int], pixel_size: float) -> np.ndarray:
    """Amorphous matter so near to focus, or so thick, that its power only falls; half of them have a film's edge."""
    kx, ky = _frequencies(shape, pixel_size)
    k2 = kx * kx + ky * ky
    power = draw.uniform(0.3, 3) * (0.04**2 / (k2 + draw.uniform(0.005, 0.03) ** 2)) ** draw.uniform(0.5, 1.5)
    power *= np.exp(-draw.uniform(10, 120) * k2)
    film = fft.irfft2(fft.rfft2(draw.standard_normal(shape, dtype=np.float32)) * np.sqrt(power), s=shape)
    if draw.random() < 0.5:
        y, x = np.indices(shape) / max(shape) - 0.5
        turn = draw.uniform(0, 2 * np.pi)
        side = 1 / (1 + np.exp(-(np.cos(turn) * x + np.sin(turn) * y) * draw.uniform(30, 300)))
        film = film * side + draw.uniform(1, 6) * side
    return np.asarray(film, np.float32)


def _drifted(draw: np.random.Generator, seed: int, shape: tuple[int, int], pixel_size: float) -> np.ndarray:
    """A specimen under a CTF whose straight drift of 15 to 120 Å has wiped out the rings but for a narrow wedge."""
    defocus = draw.uniform(8000, 30000)
    truth = replace(Truth(), defocus_u=defocus, defocus_v=defocus - 200, pixel_size=pixel_size)
    specimen = simulate_image(truth, shape, seed, noise=0.0)
    kx, ky = _frequencies(shape, pixel_size)
    turn, length = draw.uniform(0, np.pi), draw.uniform(15, 120)
    blur = np.sinc(length * (kx * np.cos(turn) + ky * np.sin(turn)))
    return np.asarray(fft.irfft2(fft.rfft2(specimen) * blur, s=shape), np.float32)


def _gold(draw: np.random.Generator, shape: tuple[int, int], pixel_size: float) -> np.ndarray:
    """Dark beads of nearly one size, tens to hundreds of them, 50 to 200 Å wide, some with lattice fringes."""
    image = np.zeros(shape, np.float32)
    diameter, spread = draw.uniform(50, 200), draw.choice([0.02, 0.1])
    for _ in range(int(draw.integers(20, 300))):
        radius = 0.5 * diameter * (1 + spread * draw.standard_normal()) / pixel_size
        reach = int(radius) + 2
        cy, cx = draw.uniform(reach, shape[0] - reach), draw.uniform(reach, shape[1] - reach)
        top, left = int(cy) - reach, int(cx) - reach
        patch = image[max(top, 0) : top + 2 * reach + 1, max(left, 0) : left + 2 * reach + 1]
        y, x = np.indices(patch.shape)
        r2 = (y + max(top, 0) - cy) ** 2 + (x + max(left, 0) - cx) ** 2
        thickness = 2 * np.sqrt(np.maximum(radius**2 - r2, 0)) * pixel_size / diameter
        patch -= (8 * thickness).astype(np.float32)
    return image
