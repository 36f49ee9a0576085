"""The CTF diagnostic as a picture for people: half data, half model, the fit resolution as a ring in colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# What `CtfFit.diagnostic` holds at the fit resolution, above anything that a model has.
RING = 1.5
RING_COLOUR = (255, 140, 30)
SMALLEST_PX = 400


def ctf_picture(diagnostic: np.ndarray) -> npt.NDArray[np.uint8]:
    """Picture uint8 [h, w, 3] of a fit's `diagnostic` [n, n]: data at the left, CTF² at the right, a ring at its end.

    Black to white are minima to maxima of the rings. Small ones are enlarged by whole pixels. Raises ValueError for an
    empty diagnostic.
    """
    if diagnostic.ndim != 2 or 0 in diagnostic.shape:
        raise ValueError(f"a CTF diagnostic is [n, n], not {diagnostic.shape}")
    middle = diagnostic.shape[1] // 2
    right = np.zeros(diagnostic.shape, bool)
    right[:, middle:] = diagnostic[:, middle:] == RING
    # The spectrum is symmetric about its middle, so the ring is, too.
    ring = right | right[::-1, ::-1]
    grey = 255 * np.clip(diagnostic, 0, 1)
    # Noise reaches beyond the rings: half of their range more is shown to either side.
    grey[:, :middle] = 255 * np.clip((diagnostic[:, :middle] + 0.5) / 2, 0, 1)
    picture = np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)
    picture[ring] = RING_COLOUR
    factor = -(-SMALLEST_PX // min(diagnostic.shape))
    return np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)
