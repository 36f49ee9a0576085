"""Picking by 2-D templates: class averages, or projections of a map, at any pixel size, turned in steps."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import numpy as np
import scipy.ndimage

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking._correlation import match, scene
from warpcore.kernels.picking._picks import LEAST_SCORE
from warpcore.kernels.picking._scoring import scored_peaks
from warpcore.kernels.picking._shapes import Contrast, imaged, soft_disc

FINEST = 10.0
"""Finest detail that is compared: diameter / FINEST. Templates know more of a particle than blobs do."""
_MASK_MARGIN = 1.15
_APART = 0.75  # default minimum distance by diameter: nearer ones are a particle's own side lobes, which match views


class TemplatePicks(NamedTuple):
    """Positions in px of the micrograph, scores from 0 to 1, template and turn from +x towards +y, best first."""

    x_px: np.ndarray
    y_px: np.ndarray
    scores: np.ndarray
    template: np.ndarray
    angle_degrees: np.ndarray
    certainty: float
    """Probability that the micrograph shows any particles at all."""


def pick_templates(
    image: jax.Array | np.ndarray,
    templates: np.ndarray,
    *,
    template_pixel_size_angstrom: float,
    pixel_size_angstrom: float,
    diameter_angstrom: float | None = None,
    threshold: float = 0.5,
    minimum_distance_angstrom: float | None = None,
    contrast: Contrast = "dark",
    ctf: CtfParameters | None = None,
    angle_step_degrees: float = 10.0,
    valid: np.ndarray | None = None,
) -> TemplatePicks:
    """Particles like templates [T, n, n] (square, particle centred on n//2) in a micrograph [h, w].

    Templates may show matter bright or dark: their sign is found from themselves. They are resampled to the working
    pixel size, imaged by the CTF where it is given, and turned in steps; the best coefficient and its template and
    angle are kept. The diameter (None: measured from the templates) sets band and mask. Scores are probabilities as in
    `pick_blobs`; the minimum distance defaults to 0.75 diameters. Templates that already carry a CTF (averages of raw
    particles) are matched without a second one: give no CTF. Raises ValueError for templates that are not square, flat,
    or smaller than 4 px.
    """
    stack = _checked(templates)
    diameter = diameter_angstrom or template_diameter_px(stack) * template_pixel_size_angstrom
    if not 4 * pixel_size_angstrom <= diameter <= 0.8 * min(image.shape) * pixel_size_angstrom:
        raise ValueError(f"diameter {diameter:g} Å does not fit: 4 px to 80 % of the shorter side is allowed")
    seen = scene(image, pixel_size_angstrom, diameter, finest=FINEST, valid=valid)
    pixel = seen.work.pixel_size_angstrom
    size = 2 * math.ceil(0.6 * _MASK_MARGIN * diameter / pixel) + 4
    bright = np.array([_matter_bright(t, diameter / template_pixel_size_angstrom) for t in stack])
    angles = np.arange(0, 360, angle_step_degrees) if angle_step_degrees > 0 else np.zeros(1)
    turned = _turned(bright, angles, pixel / template_pixel_size_angstrom, 2 * size)
    border = size - size // 2
    ready = imaged(turned, pixel, contrast, ctf)[:, border : border + size, border : border + size]
    offset = (np.arange(size) - size // 2) * pixel
    radius = np.hypot(offset[:, None], offset[None])
    mask = soft_disc(radius, _MASK_MARGIN * diameter / 2, pixel)
    maps = match(seen, ready, np.broadcast_to(mask, ready.shape), soft_disc(radius, diameter / 2, pixel))
    distance = minimum_distance_angstrom if minimum_distance_angstrom is not None else _APART * diameter
    found = scored_peaks(maps, distance / pixel)
    y, x = seen.work.to_micrograph(found.peaks.y, found.peaks.x)
    inside = (x >= 0) & (y >= 0) & (x <= image.shape[1] - 1) & (y <= image.shape[0] - 1)
    kept = inside & (found.probability >= max(threshold, LEAST_SCORE))
    which = maps.template[found.peaks.row, found.peaks.column][kept]
    return TemplatePicks(
        *(x[kept], y[kept], found.probability[kept], which // len(angles), angles[which % len(angles)]),
        found.mixture.certainty,
    )


def template_diameter_px(templates: np.ndarray) -> float:
    """Diameter in px of the particle in a stack of templates, the largest of the stack.

    It ends where the radial profile crosses its mean outside its strongest ring or centre. Neighbours in an average
    mislead this: give the diameter where it is known.
    """
    size = templates.shape[1]
    offset = np.arange(size) - size // 2
    ring = np.minimum(np.hypot(offset[:, None], offset[None]).astype(int), size // 2)
    count = np.bincount(ring.ravel())[: size // 2]
    largest = 0
    for template in templates:
        profile = np.bincount(ring.ravel(), template.ravel())[: size // 2] / count
        profile = profile - np.average(profile, weights=count)
        # A ring of few pixels at the centre is mostly noise: sqrt weighs it like its surroundings.
        strongest = int(np.argmax(np.abs(profile) * np.sqrt(np.minimum(count, size))))
        crossed = np.nonzero(profile[strongest:] * profile[strongest] <= 0)[0]
        largest = max(largest, strongest + (int(crossed[0]) if len(crossed) else size // 2 - 1 - strongest))
    return float(2 * max(largest, 2))


def _checked(templates: np.ndarray) -> np.ndarray:
    stack = np.asarray(templates, np.float32)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.ndim != 3 or stack.shape[1] != stack.shape[2] or stack.shape[1] < 4 or not len(stack):
        raise ValueError(
            f"templates of shape {np.shape(templates)}: a stack of square images of at least 4 px is needed"
        )
    if not np.isfinite(stack).all() or (stack.std(axis=(1, 2)) == 0).any():
        raise ValueError("templates: one of them is flat or holds non-finite values")
    return stack


def _matter_bright(template: np.ndarray, diameter_px: float) -> np.ndarray:
    """The template with its particle brighter than its surroundings, which are 0."""
    size = template.shape[0]
    offset = np.arange(size) - size // 2
    radius = np.hypot(offset[:, None], offset[None])
    outside = radius > min(0.5 * diameter_px * 1.1, size / 2 - 1)
    level = float(np.median(template[outside]))
    inside = radius <= diameter_px / 2
    centred = (template - level) / template.std()
    return np.asarray(centred if centred[inside].mean() >= 0 else -centred, np.float32)


def _turned(templates: np.ndarray, angles_degrees: np.ndarray, step: float, size: int) -> np.ndarray:
    """Templates × angles [T·A, size, size], sampled every `step` px about their centres, 0 beyond their borders."""
    offset = (np.arange(size) - size // 2) * step
    y, x = np.meshgrid(offset, offset, indexing="ij")
    turned = []
    for template in templates:
        centre = template.shape[0] // 2
        # Coarser sampling needs a smooth template first; the band that is compared lies well below this.
        smooth = scipy.ndimage.gaussian_filter(template, 0.35 * step) if step > 1.5 else template
        coefficients = scipy.ndimage.spline_filter(smooth, order=3, mode="constant")
        for angle in np.radians(angles_degrees):
            at_x, at_y = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            turned.append(
                scipy.ndimage.map_coordinates(
                    coefficients, [at_y + centre, at_x + centre], order=3, mode="constant", prefilter=False
                )
            )
    return np.array(turned, np.float32)
