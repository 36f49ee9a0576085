"""How much each frame's pixels scatter, free of the field's structure and of defects, whatever zero counts have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image._backend import on_host
from warpcore.kernels.image._chunked import Chunked

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

_BLOCK_PX = 16
_MOST_PIXELS = 1 << 20
"""Of a larger frame some rows of blocks are left out, evenly, so that about as many are looked at."""
_TRIMMED = 0.1
"""Share of blocks left out at either end: of those with defects and cosmic hits."""


@dataclass(frozen=True, eq=False)
class FrameNoise:
    """The cumulants of pixels about their block's mean, for each of n frames.

    `variance` [n] in counts², `third` [n] in counts³; `error` [n] is what chance alone makes of `third` where the
    scatter is Gaussian, as a standard deviation.
    """

    variance: Float64Array
    third: Float64Array
    error: Float64Array


def frame_noise(frames: npt.NDArray[np.generic] | Chunked, index: IntArray) -> FrameNoise:
    """The scatter of the frames at a rising `index` [n] of a movie of raw counts [F, H, W]; non-finite pixels count 0.

    Cumulants are Fisher's k-statistics of blocks of 16 x 16 px, their mean over blocks trimmed by 10 % at either end.
    """
    found = [_noise_of_frame(frame) for frame in _on_host(frames, index)]
    variance, third, pixels = np.array(found, np.float64).reshape(-1, 3).T
    return FrameNoise(variance, third, np.sqrt(6 * variance**3 / np.maximum(pixels, 1)))


def _on_host(frames: npt.NDArray[np.generic] | Chunked, index: IntArray) -> list[npt.NDArray[np.generic]]:
    if isinstance(frames, np.ndarray):
        return [frames[number] for number in index]
    wanted, found = set(index.tolist()), {}
    for first, chunk in frames.chunks():
        found.update({n: on_host(chunk[n - first]) for n in sorted(wanted) if first <= n < first + len(chunk)})
    return [found[number] for number in index.tolist()]


def _noise_of_frame(frame: npt.NDArray[np.generic]) -> tuple[float, float, int]:
    """Variance and third cumulant of a frame [H, W], and of how many pixels."""
    height, width = (min(_BLOCK_PX, size) for size in frame.shape)
    rows, columns = frame.shape[0] // height, frame.shape[1] // width
    cut = frame[: rows * height, : columns * width].reshape(rows, height, columns, width)
    blocks = cut[:: -(-frame.size // _MOST_PIXELS)].transpose(0, 2, 1, 3).reshape(-1, height * width)
    values = np.where(np.isfinite(blocks), blocks, 0).astype(np.float64)
    values -= values.mean(1, keepdims=True)
    count = values.shape[1]
    if count < 3:
        return 0.0, 0.0, 0
    squares = values * values
    variance = squares.sum(1) / (count - 1)
    third = (squares * values).sum(1) * count / ((count - 1) * (count - 2))
    return _trimmed_mean(variance), _trimmed_mean(third), values.size


def _trimmed_mean(values: Float64Array) -> float:
    cut = int(_TRIMMED * len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())
