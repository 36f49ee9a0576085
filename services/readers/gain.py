"""Gain references: a factor per pixel, and the pixels that have none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.reference import EER_GAIN_EXTENSION, orient, read_reference_image
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import check_file
from warpcore.services.session.settings import ImportSettings


@dataclass(frozen=True, eq=False)
class Gain:
    """Counts are multiplied by `multiplier` (float32 [H, W]).

    `defects` (bool [H, W]) is true where the file's gain is zero, negative or not finite; the multiplier is 1 there.
    """

    multiplier: npt.NDArray[np.float32]
    defects: npt.NDArray[np.bool_]
    path: Path


def read_gain(settings: ImportSettings, shape: tuple[int, int] | None, movie_is_eer: bool = False) -> Gain | None:
    """The gain of `import.gain_path` in the orientation of movies as read; None where none is set.

    `shape` is the movie's (H, W); with None only the file itself is checked. A gain multiplies. For EER movies only a
    `.gain` file multiplies, others divide (normalised to a mean of 1); and a gain that is 2 or 4 times finer or coarser
    than the movie is resampled. It is kept in memory until file or settings change. Raises InputError; where the sizes
    do not fit it names both.
    """
    if settings.gain_path is None:
        return None
    path = Path(settings.gain_path)
    try:
        status = check_file(path)
    except OSError as error:
        raise InputError(f"import.gain_path = {path}: cannot be read ({error.strerror})") from None
    orientation = (settings.gain_flip_x, settings.gain_flip_y, settings.gain_transpose)
    return _read(path, status.st_mtime_ns, status.st_size, orientation, shape, movie_is_eer)


@lru_cache(maxsize=4)
def named(gain: Gain, path: Path) -> Gain:
    """The same gain under another path, as the scheduler's host names it. The same object each time."""
    return replace(gain, path=path)


@lru_cache(maxsize=4)
def _read(
    path: Path, mtime_ns: int, size: int, orientation: tuple[bool, bool, bool], shape: tuple[int, int] | None, eer: bool
) -> Gain:
    flip_x, flip_y, transpose = orientation
    image = read_reference_image(path).astype(np.float32)
    image = orient(image, ImportSettings(gain_flip_x=flip_x, gain_flip_y=flip_y, gain_transpose=transpose))
    defects = ~(np.isfinite(image) & (image > 0))
    if defects.all():
        raise InputError(f"import.gain_path = {path}: holds no positive value, so it is no gain reference")
    image[defects] = 1
    if eer and path.suffix.lower() != EER_GAIN_EXTENSION:
        image = image[~defects].mean(dtype=np.float64).astype(np.float32) / image
        image[defects] = 1
    if shape is not None:
        image, defects = _fit(path, image, defects, shape, resample=eer)
    image.flags.writeable = False
    defects.flags.writeable = False
    return Gain(image, defects, path)


def _fit(
    path: Path, image: npt.NDArray[Any], defects: npt.NDArray[np.bool_], shape: tuple[int, int], *, resample: bool
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Bring a gain to `shape`: unchanged where it has that shape, by a factor of 2 or 4 where `resample` allows it."""
    height, width = image.shape
    if (height, width) == shape:
        return image, defects
    if resample:
        for factor in (2, 4):
            if (height * factor, width * factor) == shape:
                return _repeated(image, factor), _repeated(defects, factor)
            if (height, width) == (shape[0] * factor, shape[1] * factor):
                blocks = (shape[0], factor, shape[1], factor)
                fine = defects.reshape(blocks)
                return (
                    image.reshape(blocks).mean(axis=(1, 3), dtype=np.float64).astype(np.float32),
                    np.asarray(fine.any(axis=(1, 3))),
                )
    turned = " (it would fit with import.gain_transpose turned)" if (width, height) == shape else ""
    raise InputError(
        f"import.gain_path = {path}: the gain is {width} × {height} px, the movie {shape[1]} × {shape[0]} px{turned}; "
        "give the gain of this camera mode"
    )


def _repeated(image: npt.NDArray[Any], factor: int) -> npt.NDArray[Any]:
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
