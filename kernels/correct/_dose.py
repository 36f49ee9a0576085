"""Dose weighting after Grant & Grigorieff, eLife 2015 (equations 3 to 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]

_VOLTAGES_KV = (100.0, 200.0, 300.0)
_VOLTAGE_FACTORS = (0.64, 0.8, 1.0)


def critical_dose(frequency: npt.ArrayLike, voltage_kv: float = 300.0) -> Float64Array:
    """Dose (e⁻/Å²) after which the signal at `frequency` (1/Å) has fallen to 1/e of its power; infinite at 0.

    0.245 k^-1.665 + 2.81 at 300 kV, times 0.8 at 200 kV and 0.64 at 100 kV, linear between these.
    """
    k = np.asarray(frequency, dtype=np.float64)
    factor = float(np.interp(voltage_kv, _VOLTAGES_KV, _VOLTAGE_FACTORS))
    with np.errstate(divide="ignore"):
        return factor * (0.245 * k**-1.665 + 2.81)


def dose_weights(
    frequency: npt.ArrayLike,
    frames: int,
    dose_per_frame: float,
    voltage_kv: float,
    pre_exposure: float = 0.0,
    good: Sequence[bool] | None = None,
) -> Float64Array:
    """Weight of each frame at each frequency (1/Å): [frames, *frequency.shape].

    exp(-dose / (2 critical dose)) with the dose (e⁻/Å²) at the end of the frame, divided by the root of the mean square
    over frames: white noise in the weighted sum then has the power it has in the plain sum, at every frequency.
    Frames that are not `good` weigh nothing; their dose counts.
    """
    k = np.asarray(frequency, dtype=np.float64)
    dose = pre_exposure + dose_per_frame * (1.0 + np.arange(frames, dtype=np.float64))
    # Relative to the first frame: the exponent of a large pre-exposure must not underflow before the normalisation.
    exponent = (dose - dose[0])[(...,) + (None,) * k.ndim] / (2.0 * critical_dose(k, voltage_kv))
    weights = np.exp(-exponent)
    if good is None:
        return np.asarray(weights / np.sqrt(np.mean(weights**2, axis=0)))
    weights[~np.array(good)] = 0
    return np.asarray(weights / np.sqrt(np.sum(weights**2, axis=0) / sum(good)))


def low_rank_weights(
    frequency: Float64Array,
    frames: int,
    dose_per_frame: float,
    voltage_kv: float,
    pre_exposure: float,
    tolerance: float,
    good: Sequence[bool] | None = None,
) -> tuple[Float64Array, Float64Array]:
    """The weights as a short sum of products: (of_frame [rank, frames], of_frequency [rank, n]).

    The first row of `of_frame` is all ones; columns of frames that are not `good` are 0.

    The weights are smooth in dose and frequency, so a few terms (4 to 6) hold them all: the weighted sum of F frames
    then needs `rank` transforms in place of F. The rank is the least whose largest error over all frames and
    frequencies is below `tolerance`.
    """
    weights = dose_weights(frequency, frames, dose_per_frame, voltage_kv, pre_exposure, good)
    if good is not None:
        weights = weights[np.array(good)]
    mean = weights.mean(0)
    u, s, vt = np.linalg.svd(weights - mean, full_matrices=False)
    rank = 0
    while rank < len(s) and np.max(np.abs(weights - mean - (u[:, :rank] * s[:rank]) @ vt[:rank])) > tolerance:
        rank += 1
    # Signs of singular vectors are arbitrary: fixed here, so that equal input gives equal output on any library.
    sign = np.where(u[0, :rank] < 0, -1.0, 1.0)
    of_frame = np.concatenate([np.ones((1, len(weights))), (u[:, :rank] * sign).T])
    if good is not None:
        of_good, of_frame = of_frame, np.zeros((rank + 1, frames))
        of_frame[:, np.array(good)] = of_good
    return of_frame, np.concatenate([mean[None], s[:rank, None] * vt[:rank] * sign[:, None]])
