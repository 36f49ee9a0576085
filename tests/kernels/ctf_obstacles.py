"""Images with rings and something else in the field: foil, carbon, beads, contamination, uneven light, hot pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.kernels.ctf_images import Truth, simulate_image

OBSTACLES = ("gradient", "foil", "hole", "carbon", "beads", "contamination", "hot")
# Mean counts over their deviation at 40 e⁻ a pixel: what the noise of `simulate_image` is in proportion to the beam.
BEAM = 40**0.5


def obstructed_image(kind: str, truth: Truth, seed: int, shape: tuple[int, int] = (1024, 1024)) -> np.ndarray:
    """A float32 image [H, W] of one of OBSTACLES ("none": without), places and directions by the seed."""
    draw = np.random.default_rng([seed, 7])
    specimen = simulate_image(truth, shape, seed, noise=0.0)
    noise = draw.standard_normal(shape, dtype=np.float32)
    y, x = np.indices(shape) - 0.5 * np.array(shape)[:, None, None]
    turn = draw.uniform(0, 2 * np.pi)
    along = np.cos(turn) * x + np.sin(turn) * y
    if kind == "gradient":
        light = 1 + x / shape[1]
        return np.asarray((specimen + BEAM) * light + noise * np.sqrt(light), np.float32)
    if kind in ("foil", "hole"):
        # Foil over four tenths of the field or round a hole; gold lets a fifth through and has no rings that could be
        # seen.
        outside = along - 0.12 * shape[0] if kind == "foil" else np.hypot(x, y) - 0.42 * shape[0]
        gold = _step(outside, 1.5)
        light = 1 - 0.8 * gold
        return np.asarray((specimen * (1 - gold) + BEAM) * light + noise * np.sqrt(light), np.float32)
    if kind == "carbon":
        film = _step(along - 0.1 * shape[0], 4.0)
        strong = replace(truth, strong=4 * truth.strong, signal_to_noise=4 * truth.signal_to_noise)
        carbon = simulate_image(strong, shape, seed + 50, noise=0.0)
        return np.asarray((specimen + film * carbon + BEAM) * (1 - 0.15 * film) + noise, np.float32)
    image = specimen + BEAM + noise
    if kind == "beads":
        for _ in range(round(30 * shape[0] * shape[1] / 1024**2)):
            image = image * np.exp(-1.5 * _ball(shape, draw.uniform(50, shape[0] - 50, 2), 50 / truth.pixel_size))
    elif kind == "contamination":
        for _ in range(8):
            radius = draw.uniform(40, 150)
            inside = _ball(shape, draw.uniform(0, shape[0], 2), radius) > 0
            image = image - 0.5 * BEAM * draw.random() * inside
    elif kind == "hot":
        where = draw.integers(0, min(shape), (1000, 2))
        image[where[:, 0], where[:, 1]] = 1e4 * draw.random(1000)
    return np.asarray(image, np.float32)


def _step(distance: np.ndarray, width: float) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(np.clip(-distance / width, -50, 50))))


def _ball(shape: tuple[int, int], centre: np.ndarray, radius: float) -> np.ndarray:
    """Thickness of a ball over its diameter."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(np.sqrt(np.maximum(1 - ((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / radius**2, 0)))
