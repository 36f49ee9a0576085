"""A picture of a micrograph with its picks circled, coloured by score, for people."""

from __future__ import annotations

import jax
import numpy as np
import scipy.ndimage

from warpcore.kernels.image import thumbnail

# From poor to good: magenta, orange, yellow, green; all stand out from grey, also to colour-blind eyes by their
# brightness.
_COLOURS = np.array([[200, 40, 200], [255, 130, 40], [255, 225, 60], [70, 230, 110]], float)


def picks_overlay(
    image: jax.Array | np.ndarray,
    x_px: np.ndarray,
    y_px: np.ndarray,
    scores: np.ndarray,
    *,
    diameter_px: float,
    longest_px: int = 1024,
    junk: np.ndarray | None = None,
    score_range: tuple[float, float] = (0.5, 0.7),
) -> np.ndarray:
    """Picture uint8 [h', w', 3] of a micrograph [h, w] with a circle around each pick, the best drawn on top.

    Colours run from magenta at the low end of `score_range` to green at its high end. `junk` (bool, any size, spanning
    the micrograph) is tinted red.
    """
    grey = _smooth_thumbnail(image, longest_px, diameter_px)
    picture = np.repeat(grey[..., None], 3, axis=2).astype(float)
    height, width = grey.shape
    if junk is not None:
        rows = np.minimum(((np.arange(height) + 0.5) * junk.shape[0] / height).astype(int), junk.shape[0] - 1)
        columns = np.minimum(((np.arange(width) + 0.5) * junk.shape[1] / width).astype(int), junk.shape[1] - 1)
        picture[junk[np.ix_(rows, columns)]] *= (1.0, 0.55, 0.55)
    scale_y, scale_x = height / image.shape[0], width / image.shape[1]
    radius = 0.5 * diameter_px * 0.5 * (scale_y + scale_x)
    colours = score_colours(np.asarray(scores, float), score_range)
    reach = int(np.ceil(radius)) + 2
    for index in np.argsort(scores, kind="stable"):
        cy, cx = (y_px[index] + 0.5) * scale_y - 0.5, (x_px[index] + 0.5) * scale_x - 0.5
        top, bottom = max(0, int(cy) - reach), min(height, int(cy) + reach + 1)
        left, right = max(0, int(cx) - reach), min(width, int(cx) + reach + 1)
        distance = np.hypot(np.arange(top, bottom)[:, None] - cy, np.arange(left, right)[None] - cx)
        ink = np.clip(1.5 - np.abs(distance - radius), 0, 1)[..., None]  # a line of 2 px with smooth edges
        picture[top:bottom, left:right] = picture[top:bottom, left:right] * (1 - ink) + colours[index] * ink
    return np.asarray(np.rint(picture), np.uint8)


def _smooth_thumbnail(image: jax.Array | np.ndarray, longest_px: int, diameter_px: float) -> np.ndarray:
    """A thumbnail without detail below a twelfth of a particle, which is noise to the eye."""
    longest = max(image.shape)
    coarse = thumbnail(image, max(16, min(longest_px, round(longest * 24 / diameter_px))))
    factor = min(longest_px, longest) / max(coarse.shape)
    if factor <= 1:
        return coarse
    size = [max(1, round(n * min(longest_px, longest) / longest)) for n in image.shape]
    zoom = [wanted / given for wanted, given in zip(size, coarse.shape, strict=True)]
    return np.asarray(scipy.ndimage.zoom(coarse, zoom, order=1, grid_mode=True, mode="nearest"))


def score_colours(scores: np.ndarray, score_range: tuple[float, float]) -> np.ndarray:
    """Red, green, blue [N, 3] of scores, even steps between the four colours."""
    low, high = score_range
    place = np.clip((scores - low) / max(high - low, 1e-9), 0, 1) * (len(_COLOURS) - 1)
    stops = np.arange(len(_COLOURS))
    return np.stack([np.interp(place, stops, _COLOURS[:, channel]) for channel in range(3)], axis=-1)
