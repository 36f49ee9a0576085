"""Pictures from images on disk: crops of averages at any size and contrast, halves of spectra, junk masks.

Images are [h, w] and memory-mapped, so a crop reads no more than it shows. Row 0 is at the top, as in all pictures.
No pixel is NaN or infinite: such ones are never written (`mrc_writer`).
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from warpcore.services.readers.mrc import parse_mrc_header
from warpcore.services.session.opening import open_file

Pixels = npt.NDArray[np.floating[Any]]

JPEG_QUALITY = 90
JUNK_COLOUR = (230, 60, 40, 110)
"""Red, green, blue and opacity of junk."""
_SAMPLES = 1 << 16
_HALF_AT = math.sqrt(math.log(2) / 2) / math.pi
"""Deviation of the Gaussian, in units of the finest detail shown, that halves the amplitude there."""
_FINEST_DEVIATION_PX = 4
"""Pixels are averaged before they are smoothed while the Gaussian's deviation stays above so many."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of an image in its pixels, and the size of the picture that is made of it."""

    x: int
    y: int
    width: int
    height: int
    shown_width: int
    shown_height: int

    @property
    def coarseness(self) -> float:
        """Pixels of the image along a pixel of the picture."""
        return max(1.0, min(self.width / self.shown_width, self.height / self.shown_height))


@dataclass(frozen=True, slots=True)
class Contrast:
    """What becomes black and white: two percentiles of the whole image as it is shown, or two of its values.

    `low_value` and `high_value` win where they are given.
    """

    low_percent: float = 1.0
    high_percent: float = 99.0
    low_value: float | None = None
    high_value: float | None = None


@dataclass(frozen=True, slots=True)
class AverageView:
    """What of an average is shown, and how; `lowpass_px` is the finest detail shown, in its pixels (0: all)."""

    window: Window
    contrast: Contrast = Contrast()
    lowpass_px: float = 0.0


def mapped(path: Path) -> Pixels:
    """The first section [h, w] of an MRC of numbers, memory-mapped. Raises InputError, OSError."""
    header = parse_mrc_header(path)
    shape = (header.height, header.width)
    with open_file(path) as file:
        return np.memmap(file, header.stored, "r", header.data_offset, shape)


def average_jpeg(path: Path, view: AverageView) -> bytes:
    """A crop of an average as a grey JPEG. Raises InputError, OSError."""
    image = mapped(path)
    window = view.window
    part = image[window.y : window.y + window.height, window.x : window.x + window.width]
    shown = _smooth(_resized(part, window), view.lowpass_px / window.coarseness)
    sample = shown if part.shape == image.shape else _sample(image, view)
    return _jpeg(grey(shown, *_black_and_white(sample, view.contrast)))


def thumbnail_jpeg(path: Path, longest_px: int) -> bytes:
    """A stored picture, its longer side `longest_px` or less (never enlarged), as a grey JPEG."""
    with open_file(path) as file, Image.open(file) as picture:
        small = picture.convert("L")
        small.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
        return _jpeg(np.asarray(small))


def spectrum_png(path: Path, *, fit: bool) -> bytes:
    """One half of a CTF diagnostic: the data, which is the left one, or the fitted model.

    The file is scaled so that rings run from 0 to 1; of the data half of that range more is shown to either side, as
    noise reaches beyond.
    """
    diagnostic = np.asarray(mapped(path), np.float32)
    middle = diagnostic.shape[1] // 2
    return _png(grey(diagnostic[:, middle:], 0, 1) if fit else grey(diagnostic[:, :middle], -0.5, 1.5))


def junk_png(path: Path) -> bytes:
    """The junk mask: junk in colour, half transparent; all else wholly transparent."""
    mask = np.asarray(mapped(path)) > 0.5
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = JUNK_COLOUR
    return _png(picture)


def grey(image: Pixels, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Grey values of an image whose `low` is black and whose `high` is white; a constant one is grey."""
    if not high > low:
        return np.full(image.shape, 128, np.uint8)
    scaled = (image - low) * (255 / (high - low))
    return np.clip(np.rint(scaled, out=scaled), 0, 255, out=scaled).astype(np.uint8)


def block_means(image: Pixels, size: int) -> Pixels:
    """Means of blocks of `size` × `size` pixels, float32; blocks at the lower and right edge may be smaller."""
    if size == 1:
        return np.asarray(image, np.float32)
    return _column_means(_row_means(image, size), size)


def _row_means(image: Pixels, size: int) -> Pixels:
    height, width = image.shape
    whole = height - height % size
    means = image[:whole].reshape(-1, size, width).mean(axis=1, dtype=np.float32)
    return means if whole == height else np.vstack([means, image[whole:].mean(axis=0, dtype=np.float32)])


def _column_means(image: Pixels, size: int) -> Pixels:
    width = image.shape[1]
    whole = width - width % size
    means = image[:, :whole:size].copy()
    for column in range(1, size):  # a sum over a short last axis takes several times as long
        means += image[:, column:whole:size]
    means /= size
    return means if whole == width else np.hstack([means, image[:, whole:].mean(axis=1, keepdims=True)])


def _resized(part: Pixels, window: Window) -> Pixels:
    """The part at the picture's size: means of whole blocks first, then by a filter to the exact size."""
    size = max(1, int(window.coarseness))
    small = block_means(part, size)
    shape = (window.shown_width, window.shown_height)
    if small.shape == shape[::-1]:
        return small
    box = (0, 0, window.width / size, window.height / size)
    return np.asarray(Image.fromarray(small).resize(shape, Image.Resampling.HAMMING, box))


def _smooth(image: Pixels, lowpass_px: float) -> Pixels:
    """Without detail finer than `lowpass_px`, at which the amplitude is half."""
    if lowpass_px <= 0:
        return image
    from scipy.ndimage import gaussian_filter  # seldom needed, and it would double the time in which the API starts

    deviation = lowpass_px * _HALF_AT
    # A wide Gaussian over all pixels takes minutes, and means of blocks much smaller than it lose nothing.
    size = max(1, min(int(deviation / _FINEST_DEVIATION_PX), *image.shape))
    smooth = np.asarray(gaussian_filter(block_means(image, size), deviation / size, mode="nearest"))
    if size == 1:
        return smooth
    height, width = image.shape
    box = (0, 0, width / size, height / size)
    return np.asarray(Image.fromarray(smooth).resize((width, height), Image.Resampling.BILINEAR, box))


def _black_and_white(sample: Pixels, contrast: Contrast) -> tuple[float, float]:
    """The values that are shown as black and white."""
    stride = max(1, sample.size // _SAMPLES)
    low, high = np.percentile(sample.ravel()[::stride], [contrast.low_percent, contrast.high_percent])
    return (
        float(low) if contrast.low_value is None else contrast.low_value,
        float(high) if contrast.high_value is None else contrast.high_value,
    )


def _sample(image: Pixels, view: AverageView) -> Pixels:
    """Values of the whole average as coarse and smooth as it is shown, so that all crops of one size look alike."""
    size = max(1, int(view.window.coarseness))
    if view.lowpass_px > 0:
        size = max(size, int(view.lowpass_px * _HALF_AT))
        return _smooth(block_means(image, size), view.lowpass_px / size)
    # Some rows of blocks will do, and much less is read for them.
    rows = image[: image.shape[0] // size * size].reshape(-1, size, image.shape[1])
    some = rows[:: max(1, image.size // (size * size * _SAMPLES))]
    return _column_means(some.mean(axis=1, dtype=np.float32), size)


def _jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    return _encoded(picture, "JPEG", quality=JPEG_QUALITY)


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    return _encoded(picture, "PNG")


def _encoded(picture: npt.NDArray[np.uint8], form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, form, **options)
    return out.getvalue()
