"""What the picking network's output is worth: probabilities measured on simulated scenes outside the training set."""

from __future__ import annotations

import numpy as np
import scipy.special

from warpcore.cli.picker_data import matched
from warpcore.kernels.picking import Calibration, Parameters, candidates
from warpcore.kernels.simulate import random_scene

_STREAM = 1 << 21  # of the seed: scenes of training and calibration never meet
_MATCH_DIAMETERS = 0.25


def calibrated(parameters: Parameters, seed: int, scenes: int, scene_px: int) -> Calibration:
    """Logistic regression of "is a particle" on the log odds of all candidates of so many scenes (Platt 1999)."""
    values: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for number in range(scenes):
        scene = random_scene(np.random.default_rng([seed, _STREAM, number]), scene_px)
        found = candidates(
            scene.image,
            parameters,
            pixel_size_angstrom=scene.pixel_size_angstrom,
            diameter_angstrom=scene.diameter_angstrom,
        )
        xy = np.stack([found.x_px, found.y_px], axis=1)
        diameter_px = scene.diameter_angstrom / scene.pixel_size_angstrom
        right, _ = matched(xy, scene.centres_yx[:, ::-1], _MATCH_DIAMETERS * diameter_px)
        # A particle at the border may have its centre outside: such candidates do not count.
        inner = ((xy >= diameter_px / 2) & (xy <= scene_px - 1 - diameter_px / 2)).all(axis=1)
        values.append(found.log_odds[inner])
        labels.append(right[inner])
    return fitted(np.concatenate(values), np.concatenate(labels))


def fitted(log_odds: np.ndarray, is_particle: np.ndarray) -> Calibration:
    """The calibration of candidates [N] that are known to be particles or not (bool), by Newton's method.

    The slope stays above 0.01.
    """
    share = float(np.clip(is_particle.mean(), 0.01, 0.99)) if len(is_particle) else 0.5
    basis = np.stack([log_odds, np.ones(len(log_odds))], axis=1).astype(np.float64)
    solution = np.array([1.0, 0.0])
    for _ in range(50):
        probability = scipy.special.expit(basis @ solution)
        # A weak pull towards slope 1 and offset 0 keeps the solution finite for few or separable candidates.
        pull = 1e-2 * (solution - np.array([1.0, 0.0]))
        gradient = basis.T @ (probability - is_particle) + pull
        curvature = (basis.T * (probability * (1 - probability))) @ basis + 1e-2 * np.eye(2)
        change = np.linalg.solve(curvature, gradient)
        solution = solution - change / max(1.0, float(np.abs(change).max()))  # short steps: it cannot overshoot
        if np.abs(change).max() < 1e-9:
            break
    return Calibration(round(max(float(solution[0]), 0.01), 6), round(float(solution[1]), 6), round(share, 6))
