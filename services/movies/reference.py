"""Gain references and defect maps as images, in the orientation of the movies as read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.movies.errors import InputError
from warpcore.services.movies.mrc import read_mrc_image
from warpcore.services.movies.settings import ImportSettings
from warpcore.services.movies.tiff import read_tiff_image

MRC_EXTENSIONS = (".mrc", ".mrcs", ".map")
TIFF_EXTENSIONS = (".tif", ".tiff")
EER_GAIN_EXTENSION = ".gain"


def read_reference_image(path: Path) -> npt.NDArray[Any]:
    """One image [H, W]: TIFF flipped in Y as TIFF movies are; `.gain` (a TIFF beside EERs) and MRC as they are. Raises InputError."""
    extension = path.suffix.lower()
    try:
        if extension in MRC_EXTENSIONS:
            return read_mrc_image(path)
        if extension in TIFF_EXTENSIONS:
            return read_tiff_image(path)
        if extension == EER_GAIN_EXTENSION:
            return read_tiff_image(path, flip=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if extension in (".dm3", ".dm4"):
        raise InputError(
            f"{path}: Digital Micrograph files are not read here; convert it, with IMOD: dm2mrc GAIN.dm4 gain.mrc"
        )
    raise InputError(f"{path}: not a known image format; known are .mrc, .tif, .tiff and .gain")


def orient(image: npt.NDArray[Any], settings: ImportSettings) -> npt.NDArray[Any]:
    """Apply `gain_flip_x` (columns reversed), then `gain_flip_y` (rows reversed), then `gain_transpose`: Warp's order."""
    if settings.gain_flip_x:
        image = image[:, ::-1]
    if settings.gain_flip_y:
        image = image[::-1]
    if settings.gain_transpose:
        image = image.T
    return np.ascontiguousarray(image)
