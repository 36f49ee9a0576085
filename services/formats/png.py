"""PNG pictures."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt


def write_png(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write a grey [H, W] or colour [H, W, 3] picture of uint8, row 0 at the top. Raises ValueError for others."""
    if (
        image.dtype != np.uint8
        or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3))
        or 0 in image.shape
    ):
        raise ValueError(f"a picture is uint8 [H, W] or [H, W, 3], not {image.dtype} {image.shape}")
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image), level=6))
