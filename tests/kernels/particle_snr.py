"""Signal-to-noise ratio by frequency of round particles in a micrograph, the same way for real and simulated ones."""

from __future__ import annotations

import numpy as np

_BOX = 80
_SHIFT = 8  # px: people's picks are off by a few


def particle_snr(image: np.ndarray, centres_xy: np.ndarray, radius_px: float, finest_px: float) -> np.ndarray:
    """Power that all particles share by the power in which they differ, [40], at multiples of 1/80 a pixel.

    Boxes [80, 80] under a soft disc are shifted onto their rotational mean, using detail coarser than `finest_px`.
    """
    rows, columns = np.mgrid[-_BOX // 2 : _BOX // 2, -_BOX // 2 : _BOX // 2]
    mask = 1 / (1 + np.exp((np.hypot(rows, columns) - radius_px) / 2))
    boxes = []
    for x, y in np.round(centres_xy).astype(int):
        box = image[y - _BOX // 2 : y + _BOX // 2, x - _BOX // 2 : x + _BOX // 2] if min(x, y) >= _BOX // 2 else None
        if box is not None and box.shape == mask.shape:
            boxes.append(np.fft.ifftshift((box - np.average(box, weights=mask)) * mask))
    spectra = np.fft.fft2(np.array(boxes))
    frequency = np.fft.fftfreq(_BOX)
    ring = np.round(np.hypot(frequency[:, None], frequency[None]) * _BOX).astype(int)
    coarse = ring <= _BOX / finest_px
    for _ in range(3):
        mean = spectra.mean(axis=0).real
        reference = (np.bincount(ring.ravel(), mean.ravel()) / np.bincount(ring.ravel()))[ring] * coarse
        match = np.fft.ifft2(spectra * reference).real
        near = np.r_[-_SHIFT : _SHIFT + 1]
        window = match[:, near[:, None], near[None]].reshape(len(spectra), -1)
        dy, dx = near[window.argmax(axis=1) // len(near)], near[window.argmax(axis=1) % len(near)]
        turn = frequency[None, :, None] * dy[:, None, None] + frequency[None, None] * dx[:, None, None]
        spectra = spectra * np.exp(2j * np.pi * turn)
    number, each = len(spectra), (np.abs(spectra) ** 2).sum(axis=0)
    shared = (np.abs(spectra.sum(axis=0)) ** 2 - each) / (number * (number - 1))
    signal, total = (np.bincount(ring.ravel(), a.ravel())[: _BOX // 2] for a in (shared, each / number))
    return np.asarray(signal / (total - signal))
