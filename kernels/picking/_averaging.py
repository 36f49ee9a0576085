"""2-D class averages of boxes without a reference: which views the picks of a session show.

Expectation maximisation over classes, turns and shifts (Scheres et al., J. Mol. Biol. 348 (2005) 139) on small boxes
whose noise is whitened. Every box counts in every class and pose by its probability, and frequencies of an average that
are no stronger than its noise are taken out each round: noise is averaged away instead of aligned to itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.special import logsumexp

Array = npt.NDArray[np.float64]

_TURNS = 36
_SHIFTS_DIAMETERS = 0.12  # largest shift: picks lie this near to the particle's centre
_MASK_DIAMETERS = 1.15
_ROUNDS = 16
_LAST_ROUNDS = 3  # with all boxes and the classes that are real
_BOXES_A_CLASS = 25  # least boxes for one more class to be tried
_LEAST_MEMBERS = 12.0
_LEAST_SHARE = 0.04  # of all boxes, in a class that is kept
_PRIOR_BOXES = 2.0  # boxes' worth of prior for a flat average
_ALIKE = 0.95  # correlation from which two averages are one view: they split boxes by nothing but noise
_QUANTUM = 2.0**-12  # averages are rounded to it: the order in which sums are taken does not reach the bytes
_SURE_DEVIATIONS = 4.0  # by which held-out boxes must fit a class better than their negatives do


class ClassAverages(NamedTuple):
    """Averages [K, n, n], particle centred on n//2 and as bright as in the boxes, and the boxes in each [K]."""

    images: npt.NDArray[np.float32]
    members: npt.NDArray[np.int64]


def class_averages(boxes: npt.NDArray[np.floating], diameter_px: float, classes: int = 6) -> ClassAverages:
    """Averages of the views in boxes [N, n, n] (particle near n//2), largest class first, without a reference.

    At most `classes`, fewer where there are under 25 boxes for each; views that are alike become one. Classes are found
    in every other box and kept where the boxes between fit them better than their own negatives do: those have the same
    noise, so that noise keeps no class. Then all boxes are averaged. The same boxes give the same bytes. Raises
    ValueError for boxes that are not square, that hold non-finite values, or that are smaller than 1.4 diameters.
    """
    stack = _flattened(boxes)
    size = boxes.shape[1]
    if not 4 <= diameter_px <= size / 1.4:
        raise ValueError(f"diameter of {diameter_px:g} px: boxes of {size} px hold 4 to {size / 1.4:.3g} px")
    count = min(classes, len(stack) // _BOXES_A_CLASS)
    nothing = ClassAverages(np.zeros((0, size, size), np.float32), np.zeros(0, np.int64))
    if count < 1:
        return nothing
    white = _whitened(stack, size)
    poses = _Poses(size, diameter_px)
    averages = _found(poses, white[::2], count)
    averages = averages[_real(poses, averages, white[1::2])]
    while len(averages):
        for _ in range(_LAST_ROUNDS):
            weights = poses.weights(white, averages)
            members = weights.sum(axis=(0, 2, 3))
            averages = poses.cleaned(poses.averaged(weights, white), members)
        enough = members >= max(_LEAST_MEMBERS, _LEAST_SHARE * len(stack))
        kept = enough & poses.distinct(averages, members)
        if kept.all():
            order = np.argsort(-members, kind="stable")
            images = poses.averaged(weights, stack)[order].reshape(-1, size, size)
            rounded = np.round(images / _QUANTUM) * _QUANTUM + 0.0  # no negative zeros
            return ClassAverages(np.asarray(rounded, np.float32), np.round(members[order]).astype(np.int64))
        averages = averages[kept]
    return nothing


def _found(poses: _Poses, white: Array, count: int) -> Array:
    """Averages [K, n·n] of so many classes in boxes [N, n·n], from a random split of the boxes."""
    which = np.random.default_rng(0).permutation(len(white)) % count
    averages = np.array([white[which == one].mean(axis=0) for one in range(count)])
    for _ in range(_ROUNDS):
        weights = poses.weights(white, averages)
        averages = poses.cleaned(poses.averaged(weights, white), weights.sum(axis=(0, 2, 3)))
    return averages


def _real(poses: _Poses, averages: Array, held_out: Array) -> npt.NDArray[np.bool_]:
    """Which averages [K, n·n] boxes [N, n·n] that had no part in them fit better than the boxes' negatives do."""
    gain = poses.fit(held_out, averages) - poses.fit(-held_out, averages)
    error = gain.std(axis=0) / np.sqrt(max(len(gain), 1)) + 1e-12
    return np.asarray(gain.mean(axis=0) > _SURE_DEVIATIONS * error)


class _Poses:
    """All turns and shifts in which an average is compared with boxes of a size."""

    def __init__(self, size: int, diameter_px: float) -> None:
        offset = np.arange(size) - size // 2
        radius = np.hypot(offset[:, None], offset[None]).ravel()
        self._size = size
        self._mask = 1 / (1 + np.exp((radius - _MASK_DIAMETERS * diameter_px / 2) / 0.7))
        most = _SHIFTS_DIAMETERS * diameter_px
        steps = range(-int(most), int(most) + 1)
        self._shifts = [(y, x) for y in steps for x in steps if np.hypot(y, x) <= most]
        self._turn = _turning(size, _TURNS)
        self._ring = _rings(size)
        self._mask_power = float((self._mask**2).sum())
        inside = np.ones((1, size * size))
        self._covered = np.concatenate([_shifted(inside, size, -y, -x) for y, x in self._shifts])

    def _patterns(self, averages: Array) -> Array:
        """Averages [K, n·n] in all poses [K·T·S, n·n], masked."""
        turned = (self._turn @ averages.T).reshape(_TURNS, -1, len(averages)).transpose(2, 0, 1) * self._mask
        every = [_shifted(turned, self._size, y, x) for y, x in self._shifts]
        return np.asarray(np.stack(every, axis=2).reshape(-1, self._size**2))

    def _log_likelihoods(self, white: Array, averages: Array) -> Array:
        """Of boxes [N, n·n] of white noise of variance 1 by class, turn and shift, against no particle: [N, K·T·S]."""
        patterns = self._patterns(averages)
        return np.asarray(white @ patterns.T - 0.5 * (patterns**2).sum(axis=1))

    def weights(self, white: Array, averages: Array) -> Array:
        """Probabilities of classes, turns and shifts for each box: [N, K, T, S]."""
        log = self._log_likelihoods(white, averages)
        log -= log.max(axis=1, keepdims=True)
        np.exp(log, out=log)
        log /= log.sum(axis=1, keepdims=True)
        return log.reshape(len(white), len(averages), _TURNS, -1)

    def fit(self, white: Array, averages: Array) -> Array:
        """Log likelihood of each box under each class over all poses, against no particle: [N, K]."""
        log = self._log_likelihoods(white, averages).reshape(len(white), len(averages), -1)
        return np.asarray(logsumexp(log, axis=2) - np.log(log.shape[2]))

    def averaged(self, weights: Array, boxes: Array) -> Array:
        """Averages [K, n·n] of boxes [N, n·n] moved and turned back, by the weights [N, K, T, S]."""
        classes = weights.shape[1]
        sums = weights.reshape(len(boxes), -1).T @ boxes
        sums = sums.reshape(classes, _TURNS, len(self._shifts), -1)
        moved = sum(_shifted(sums[:, :, i], self._size, -y, -x) for i, (y, x) in enumerate(self._shifts))
        number = weights.sum(axis=0) @ self._covered
        back = [(self._turn.T @ one.reshape(classes, -1).T).T for one in (np.asarray(moved), number)]
        return np.asarray(back[0] / np.maximum(back[1] + _PRIOR_BOXES, 0.5))

    def cleaned(self, averages: Array, members: npt.NDArray[np.floating]) -> Array:
        """Averages [K, n·n] of so many boxes [K] of white noise: masked, and by frequency as far as above the noise."""
        spectra = np.fft.fft2((averages * self._mask).reshape(-1, self._size, self._size))
        filtered = []
        for spectrum, number in zip(spectra, members, strict=True):
            power = np.bincount(self._ring.ravel(), (np.abs(spectrum) ** 2).ravel()) / np.bincount(self._ring.ravel())
            noise = self._mask_power / max(float(number), 1.0)
            shrink = np.maximum(1 - noise / np.maximum(power, 1e-30), 0)
            filtered.append(np.fft.ifft2(spectrum * shrink[self._ring]).real.ravel())
        return np.asarray(filtered)

    def distinct(self, averages: Array, members: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Which averages [K, n·n] are like no average of more members [K] in any pose."""
        patterns = self._patterns(averages).reshape(len(averages), -1, self._size**2)
        patterns /= np.linalg.norm(patterns, axis=2, keepdims=True) + 1e-30
        masked = averages * self._mask
        masked /= np.linalg.norm(masked, axis=1, keepdims=True) + 1e-30
        alike = np.einsum("kpx,jx->kpj", patterns, masked).max(axis=1) > _ALIKE
        kept = np.zeros(len(averages), bool)
        for one in np.argsort(-members, kind="stable"):
            kept[one] = not (alike[:, one] & kept).any()
        return kept


def _shifted(images: Array, size: int, down: int, right: int) -> Array:
    """Images [..., n·n] moved by whole pixels, 0 where they do not reach."""
    square = images.reshape(*images.shape[:-1], size, size)
    moved = np.zeros_like(square)
    rows, columns = ((slice(max(n, 0), size + min(n, 0)), slice(max(-n, 0), size - max(n, 0))) for n in (down, right))
    moved[..., rows[0], columns[0]] = square[..., rows[1], columns[1]]
    return moved.reshape(images.shape)


def _turning(size: int, turns: int) -> scipy.sparse.csr_array:
    """The matrix [T·n·n, n·n] that turns an image about n//2 in even steps, by cubic convolution (Keys 1981)."""
    offset = np.arange(size) - size // 2
    y, x = (one.ravel() for one in np.meshgrid(offset, offset, indexing="ij"))
    rows, columns, values = [], [], []
    for number, angle in enumerate(2 * np.pi * np.arange(turns) / turns):
        at_x = x * np.cos(angle) + y * np.sin(angle) + size // 2
        at_y = y * np.cos(angle) - x * np.sin(angle) + size // 2
        for row in (np.floor(at_y).astype(int) + n for n in range(-1, 3)):
            for column in (np.floor(at_x).astype(int) + n for n in range(-1, 3)):
                inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
                rows.append(number * size * size + np.flatnonzero(inside))
                columns.append((row * size + column)[inside])
                values.append((_cubic(at_y - row) * _cubic(at_x - column))[inside])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.csr_array(entries, shape=(turns * size * size, size * size))


def _cubic(distance: Array) -> Array:
    d = np.abs(distance)
    near, far = (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _flattened(boxes: npt.NDArray[np.floating]) -> Array:
    """Boxes [N, n·n] without level and slope. Raises ValueError."""
    if boxes.ndim != 3 or boxes.shape[1] != boxes.shape[2]:
        raise ValueError(f"boxes of shape {boxes.shape}: a stack of square images is needed")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes hold non-finite values")
    size = boxes.shape[1]
    offset = (np.arange(size) - (size - 1) / 2) / size
    y, x = np.meshgrid(offset, offset, indexing="ij")
    plane = np.linalg.qr(np.stack([np.ones(size * size), y.ravel(), x.ravel()], axis=1))[0]
    stack = boxes.reshape(len(boxes), size * size).astype(np.float64)
    return np.asarray(stack - (stack @ plane) @ plane.T)


def _whitened(stack: Array, size: int) -> Array:
    """Boxes [N, n·n] whose differences from their mean have the same power, 1 a pixel, at all frequencies."""
    spectra = np.fft.fft2(stack.reshape(-1, size, size))
    ring = _rings(size)
    power = (np.abs(spectra - spectra.mean(axis=0)) ** 2).mean(axis=0)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel()) / size**2
    mean = np.maximum(mean, 1e-3 * mean.max() + 1e-30)
    white = np.fft.ifft2(spectra / np.sqrt(mean)[ring]).real
    return np.asarray(white.reshape(len(stack), -1))


def _rings(size: int) -> npt.NDArray[np.int64]:
    """Whole periods a box at each place of the transform [n, n] of a box."""
    periods = np.fft.fftfreq(size, 1 / size)
    return np.asarray(np.round(np.hypot(periods[:, None], periods[None])), np.int64)
