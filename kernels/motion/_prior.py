"""Gaussian-process priors of a movement; the data choose their strengths by evidence.

A track is a straight drift plus a smooth curve (integrated Brownian motion, in time or in its square root since
specimens settle), plus steps (Brownian) and jitter. A movement without steps or jitter thus gets none, and noise of
single frames is averaged away; one with jumps keeps them. The local field is smooth in space and time and slows down
along the exposure.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.floating]

_SMOOTH = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)  # Å; standard deviation of the curve at the end of the exposure
_STEPS = (0.0, 0.3, 1.0, 3.0, 10.0, 50.0)  # Å; deviation of the sum of all steps of the exposure
_JITTER = (0.0, 0.03, 0.06, 0.12, 0.25, 0.5, 1.5, 6.0)  # Å
_FREE = 300.0  # Å; place and straight drift
_SEARCH_NODES = 300


@dataclass(frozen=True, eq=False)
class TrackPrior:
    """Covariances [n, n] of a track at times in 0..1, Å²: place and drift (`free`), unit `curve` and unit `steps`.

    `free` and `curve` come twice: for a curve in time and for one in its square root.
    """

    free: tuple[Float64Array, Float64Array]
    curve: tuple[Float64Array, Float64Array]
    steps: Float64Array

    @classmethod
    def at(cls, times: Float64Array) -> TrackPrior:
        """The parts at these times."""
        root = np.sqrt(times)
        curves = []
        for t in (times, root):
            low, high = np.minimum(t[:, None], t), np.maximum(t[:, None], t)
            curves.append(np.asarray(low**2 * (3 * high - low) / 2))
        line = _FREE**2 * (1 + times[:, None] * times)
        settling = line + _FREE**2 * root[:, None] * root
        return cls((line, settling), (curves[0], curves[1]), np.minimum(times[:, None], times))

    def covariance(self, smooth: float, steps: float, jitter: float, settling: bool) -> Float64Array:
        """Their sum at these strengths, Å."""
        own = (jitter**2 + 1e-8) * np.eye(len(self.steps))
        return np.asarray(self.free[settling] + smooth**2 * self.curve[settling] + steps**2 * self.steps + own)


def choose_track_prior(times: Float64Array, matrix: Float64Array, right: Float64Array) -> Float64Array:
    """The covariance of highest evidence for a quadratic form ½ xᵀ matrix x - right·x (`right` [n, 2]: both axes).

    With very many nodes there is nothing to gain from smoothing over so few parameters: then a free track.
    """
    prior = TrackPrior.at(times)
    if len(times) > _SEARCH_NODES:
        return prior.covariance(_SMOOTH[-1], _STEPS[-1], _JITTER[-1], False)
    choice: tuple[float, float, float, bool] = (30.0, 3.0, 0.25, False)
    best = -np.inf
    for search in (0, 1, 0, 1):
        before = choice
        if search == 0:
            candidates = [(a, choice[1], choice[2], w) for a, w in product(_SMOOTH, (False, True))]
        else:
            candidates = [(choice[0], s, j, choice[3]) for s, j in product(_STEPS, _JITTER)]
        values = track_evidence(np.stack([prior.covariance(*one) for one in candidates]), matrix, right)
        if values.max() > best + 1e-9:
            best, choice = float(values.max()), candidates[int(np.argmax(values))]
        if search == 1 and choice == before:
            break
    return prior.covariance(*choice)


def track_evidence(covariances: Float64Array, matrix: Float64Array, right: Float64Array) -> Float64Array:
    """Log evidence of each covariance [g, n, n]: ½ bᵀ (H + K⁻¹)⁻¹ b - ½ log |I + K H|, summed over both axes."""
    system = np.eye(matrix.shape[0]) + covariances @ matrix
    mean = np.linalg.solve(system, covariances @ right)
    _, logarithm = np.linalg.slogdet(system)
    return np.asarray(0.5 * np.einsum("na,gna->g", right, mean) - logarithm)


@dataclass(frozen=True, eq=False)
class LocalPrior:
    """Covariance of the local nodes at unit amplitude, as the factor C of C Cᵀ: [nodes, modes]."""

    factor: Float64Array


def local_prior(
    positions_x: Float64Array, positions_y: Float64Array, times: Float64Array, reach: float, settling: float
) -> LocalPrior:
    """Prior over local nodes [lt, ls], smooth in space and in time.

    In space it is a squared exponential of length `reach` in the positions' units; `settling` is the correlation length
    in the square root of time.
    """
    distance2 = (positions_x[:, None] - positions_x) ** 2 + (positions_y[:, None] - positions_y) ** 2
    space = np.exp(-0.5 * distance2 / reach**2)
    root = np.sqrt(times)
    time = np.exp(-0.5 * ((root[:, None] - root) / settling) ** 2)
    # Smooth kernels have few modes that matter: those below a hundredth of the largest (in Å) are left out.
    space_values, space_vectors = np.linalg.eigh(space)
    time_values, time_vectors = np.linalg.eigh(time)
    values = np.outer(time_values, space_values)
    kept_time, kept_space = np.nonzero(values > 1e-4 * values.max())
    factor = np.einsum("tm,sm->tsm", time_vectors[:, kept_time], space_vectors[:, kept_space])
    return LocalPrior(factor.reshape(len(times) * len(positions_x), -1) * np.sqrt(values[kept_time, kept_space]))
