"""What the picking network's output is worth: probabilities measured on simulated scenes outside the training set."""

from __future__ import annotations

import numpy as np
import scipy.special

from warpcore.cli.picker_data import matched
from warpcore.kernels.picking import Calibration, Candidates, Parameters, candidates, compared
from warpcore.kernels.simulate import Scene, random_scene

_STREAM = 1 << 21  # of the seed: scenes of training and calibration never meet
_MATCH_DIAMETERS = 0.25
_FEWEST = 20  # scenes of either kind from which the second regression is measured
_UNMEASURED = (1.0, 1.0, -1.0)  # what stands for it otherwise
_PULL = 1e-2


def calibrated(parameters: Parameters, seed: int, scenes: int, scene_px: int) -> Calibration:
    """Two logistic regressions on so many scenes.

    Of "is a particle" on their candidates, and of "more of the picks are particles than not" on the scenes themselves.
    """
    rows, labels, micrographs = [], [], []
    for number in range(scenes):
        scene = random_scene(np.random.default_rng([seed, _STREAM, number]), scene_px)
        found = candidates(
            scene.image,
            parameters,
            pixel_size_angstrom=scene.pixel_size_angstrom,
            diameter_angstrom=scene.diameter_angstrom,
        )
        beside = compared(found)
        right, counts = labelled(scene, found)
        log_odds = found.log_odds[counts]
        rows.append(np.stack([log_odds, *(np.full(len(log_odds), value) for value in beside[:2])], axis=1))
        labels.append(right[counts])
        micrographs.append([beside.enrichment, beside.height])
    first = fitted(np.concatenate(rows), np.concatenate(labels), np.array([1.0, 0, 0, 0]))
    first[0] = max(first[0], 0.01)
    picked = [one @ first[:3] + first[3] >= 0 for one in rows]
    holds = np.array([(2.0 * right[own] - 1).sum() > 0 for right, own in zip(labels, picked, strict=True)])
    second: np.ndarray = np.array(_UNMEASURED)
    if min(holds.sum(), (~holds).sum()) >= _FEWEST:
        second = fitted(np.array(micrographs), holds, np.zeros(3))
    return Calibration(*(round(float(one), 6) for one in (*first, *second)))


def labelled(scene: Scene, found: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Which candidates are particles of the scene, and which count: not those at its border or in a clump (bool)."""
    xy = np.stack([found.x_px, found.y_px], axis=1)
    diameter_px = scene.diameter_angstrom / scene.pixel_size_angstrom
    right, _ = matched(xy, scene.centres_yx[:, ::-1], _MATCH_DIAMETERS * diameter_px)
    last = scene.image.shape[0] - 1
    # A particle at the border may have its centre outside.
    inner = ((xy >= diameter_px / 2) & (xy <= last - diameter_px / 2)).all(axis=1)
    column, row = np.clip(np.round(xy).astype(int), 0, last).T
    return right, inner & ~scene.doubtful[row, column]


def fitted(values: np.ndarray, labels: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Coefficients [F + 1] (the last is the offset) of the logistic regression of labels [N] on values [N, F].

    By Newton's method; a weak pull towards `start` keeps them finite for few or separable values.
    """
    basis = np.concatenate([values, np.ones((len(values), 1))], axis=1).astype(np.float64)
    solution = start.astype(np.float64)
    for _ in range(100):
        probability = scipy.special.expit(basis @ solution)
        gradient = basis.T @ (probability - labels) + _PULL * (solution - start)
        curvature = (basis.T * (probability * (1 - probability))) @ basis + _PULL * np.eye(len(start))
        change = np.linalg.solve(curvature, gradient)
        solution = solution - change / max(1.0, float(np.abs(change).max()))  # short steps: it cannot overshoot
        if np.abs(change).max() < 1e-9:
            break
    return np.asarray(solution)
