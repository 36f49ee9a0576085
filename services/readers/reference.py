"""Gain references and defect maps as images, in the orientation of the movies as read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.mrc import read_mrc_image
from warpcore.services.readers.raw import MAX_IMAGE_PX, damage_named, flip_y
from warpcore.services.readers.tiff import read_tiff_image
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import open_file
from warpcore.services.session.settings import ImportSettings

MRC_EXTENSIONS = (".mrc", ".mrcs", ".map")
TIFF_EXTENSIONS = (".tif", ".tiff")
EER_GAIN_EXTENSION = ".gain"
DM_EXTENSIONS = (".dm3", ".dm4")
_LARGEST_DM_BYTES = 5 * MAX_IMAGE_PX
"""One float32 image and a thumbnail."""


def read_reference_image(path: Path) -> npt.NDArray[Any]:
    """One image [H, W]. Raises InputError.

    TIFF, DM3 and DM4 are flipped in Y as TIFF movies are; MRC and `.gain` (a TIFF beside EERs) are not.
    """
    extension = path.suffix.lower()
    try:
        if extension in MRC_EXTENSIONS:
            return read_mrc_image(path)
        if extension in TIFF_EXTENSIONS:
            return read_tiff_image(path)
        if extension == EER_GAIN_EXTENSION:
            return read_tiff_image(path, flip=False)
        if extension in DM_EXTENSIONS:
            return _read_dm(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    raise InputError(f"{path}: not a known image format; known are .mrc, .tif, .tiff, .gain, .dm3 and .dm4")


def _read_dm(path: Path) -> npt.NDArray[Any]:
    """The first image of a Digital Micrograph file that is not a thumbnail.

    Raises InputError, also where the library that reads such files is not installed.
    """
    with open_file(path) as file:
        kind = file.read(4)
        size = os.fstat(file.fileno()).st_size
    if kind not in (b"\0\0\0\3", b"\0\0\0\4"):
        raise InputError(f"{path}: not a Digital Micrograph file")
    if size > _LARGEST_DM_BYTES:
        raise InputError(f"{path}: {size} bytes are more than one image of a camera has")
    try:
        from ncempy.io.dm import fileDM
    except ImportError:
        raise InputError(
            f"{path}: reading .dm4 needs the package ncempy, which is not installed: pip install 'warpcore[dm]'; "
            f"or convert the file, with IMOD: dm2mrc {path.name} {path.stem}.mrc"
        ) from None
    with open_file(path) as file, damage_named(path), fileDM(file) as file:
        image = np.asarray(file.getDataset(0)["data"])
    if image.ndim == 3 and len(image) == 1:
        image = image[0]
    if image.ndim != 2 or image.dtype.kind not in "iuf":
        raise InputError(f"{path}: holds {image.dtype} data of shape {image.shape}, not one image")
    image = image.copy()
    flip_y(image)
    return image


def orient(image: npt.NDArray[Any], settings: ImportSettings) -> npt.NDArray[Any]:
    """Apply `gain_flip_x` (reverses columns), `gain_flip_y` (reverses rows), `gain_transpose`, in Warp's order."""
    if settings.gain_flip_x:
        image = image[:, ::-1]
    if settings.gain_flip_y:
        image = image[::-1]
    if settings.gain_transpose:
        image = image.T
    return np.ascontiguousarray(image)
