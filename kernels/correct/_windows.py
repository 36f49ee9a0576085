"""Raw frames as interpolation reads them: windows of any place, defects replaced, mirrored beyond the frame's edges."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import all_defects, multiplicative_gain, plan_repair

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]
Frame = npt.NDArray[np.generic]


class Windows:
    """Windows of a movie's frames [F, H, W] and of its gain; neither is copied as a whole."""

    def __init__(self, frames: Frame, gain: npt.NDArray[np.floating] | None, defects: BoolArray | None) -> None:
        _, height, width = frames.shape
        factors = multiplicative_gain(gain, height, width)
        repair = plan_repair(all_defects(gain, defects), height, width)
        self._frames = frames
        self._of_thread = threading.local()
        self._targets = repair.targets
        self._counts = repair.values(frames)
        self.gain = None if gain is None else repair.fill_gain(factors)
        self._cleaned = _without_non_finite(frames, self._targets, self._counts)

    def group(self, frames: IntArray, corners: IntArray, shape: tuple[int, int, int]) -> Frame:
        """Windows of `frames` [n] from `corners` (x, y) [n, 2] on, in the calling thread's buffer of `shape`.

        The buffer has at least n rows; rows after n keep values from an earlier call.
        """
        buffer: Frame | None = getattr(self._of_thread, "buffer", None)
        if buffer is None or buffer.shape != shape:
            buffer = self._of_thread.buffer = _aligned_zeros(shape, self._frames.dtype)
        for out, index, (x, y) in zip(buffer, frames, corners, strict=False):
            self.frame(int(index), int(y), int(x), out)
        return buffer

    def frame(self, index: int, y: int, x: int, out: Frame) -> None:
        """Fills `out` [h, w] with the frame's pixels from (y, x) on."""
        height = len(out)
        rows = mirrored(y, height, self._frames.shape[1])
        first, end = int(rows.min()), int(rows.max()) + 1
        cleaned = self._cleaned.get(index)
        slab = (self._frames[index] if cleaned is None else cleaned)[first:end]
        if cleaned is None:
            begin, stop = np.searchsorted(self._targets[:, 0], (first, end))
            if stop > begin:
                slab = slab.copy()
                slab[self._targets[begin:stop, 0] - first, self._targets[begin:stop, 1]] = self._counts[
                    index, begin:stop
                ]
        _mirror_into(out, slab, rows - first, x)

    def gain_window(self, y: int, x: int, height: int, width: int) -> FloatArray:
        """The gain [height, width] from (y, x) on."""
        assert self.gain is not None
        out = np.empty((height, width), np.float32)
        rows = mirrored(y, height, self.gain.shape[0])
        first = int(rows.min())
        _mirror_into(out, self.gain[first : int(rows.max()) + 1], rows - first, x)
        return out


def _aligned_zeros(shape: tuple[int, int, int], dtype: np.dtype[np.generic]) -> Frame:
    """Fresh memory at a multiple of 64 bytes: JAX reads it where it lies."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def mirrored(start: int, length: int, size: int) -> IntArray:
    """Indices start … start + length - 1 folded into 0 … size - 1 by mirrors at the edges, edge pixels repeated."""
    place = np.arange(start, start + length) % (2 * size)
    return np.minimum(place, 2 * size - 1 - place)


def _mirror_into(out: Frame, slab: Frame, rows: IntArray, x: int) -> None:
    width = slab.shape[1]
    begin, end = min(max(0, -x), out.shape[1]), max(0, min(out.shape[1], width - x))
    source = slab if len(rows) == len(slab) and rows[0] < rows[-1] else slab[rows]
    if end > begin:
        out[:, begin:end] = source[:, x + begin : x + end]
    else:
        begin = end = out.shape[1]
    out[:, :begin] = source[:, mirrored(x, begin, width)]
    out[:, end:] = source[:, mirrored(x + end, out.shape[1] - end, width)]


def _without_non_finite(frames: Frame, targets: IntArray, counts: Frame) -> dict[int, Frame]:
    """Repaired copies of the frames with pixels that are not finite, those replaced by the mean of the rest."""
    cleaned: dict[int, Frame] = {}
    if not np.issubdtype(frames.dtype, np.floating):
        return cleaned
    for index, frame in enumerate(frames):
        bad = ~np.isfinite(frame)
        if bad.any() or not np.isfinite(counts[index]).all():
            copy = frame.copy()
            copy[targets[:, 0], targets[:, 1]] = counts[index]
            bad = ~np.isfinite(copy)
            copy[bad] = copy[~bad].mean(dtype=np.float64) if not bad.all() else 0
            cleaned[index] = copy
    return cleaned
