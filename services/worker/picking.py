"""The picking step on an average: junk masked, then the method that the settings name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from warpcore.kernels.ctf_parameters import CtfParameters
from warpcore.kernels.picking import Picks, pick_blobs
from warpcore.kernels.picking_junk import JunkMask, junk_mask
from warpcore.kernels.picking_network import pick_network
from warpcore.kernels.picking_projections import map_projections
from warpcore.kernels.picking_templates import pick_templates
from warpcore.services.movies.errors import InputError
from warpcore.services.movies.mrc import read_mrc_movie
from warpcore.services.movies.settings import ImportSettings, PickingSettings

HISTOGRAM_BINS = 20


class Picking(NamedTuple):
    """What the step found: picks, best first, and the junk they kept clear of."""

    picks: Picks
    junk: JunkMask

    @property
    def score_histogram(self) -> list[int]:
        """Picks in 20 even bins of score from 0 to 1."""
        return [int(n) for n in np.histogram(self.picks.scores, bins=HISTOGRAM_BINS, range=(0.0, 1.0))[0]]


class Templates(NamedTuple):
    """Images [T, n, n] and their pixel size in Å."""

    images: np.ndarray
    pixel_size_angstrom: float


def pick(
    average: jax.Array | np.ndarray, pixel_size_angstrom: float, options: PickingSettings, ctf: CtfParameters | None
) -> Picking:
    """Picks of an average [h, w] by `options.method`. Raises InputError that names the setting or file at fault."""
    image = np.asarray(average)
    junk = junk_mask(image, pixel_size_angstrom=pixel_size_angstrom, diameter_angstrom=options.diameter)
    valid = junk.valid((image.shape[0], image.shape[1])) if junk.percent > 0 else None
    try:
        return Picking(_by_method(image, pixel_size_angstrom, options, ctf, valid), junk)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"settings picking: {error}") from None


def _by_method(
    image: np.ndarray,
    pixel_size_angstrom: float,
    options: PickingSettings,
    ctf: CtfParameters | None,
    valid: np.ndarray | None,
) -> Picks:
    if options.method == "template":
        if not options.templates_path:
            raise InputError("setting picking.templates_path: the template method needs an MRC stack or map")
        templates = load_templates(Path(options.templates_path))
        found = pick_templates(
            image,
            templates.images,
            template_pixel_size_angstrom=templates.pixel_size_angstrom,
            pixel_size_angstrom=pixel_size_angstrom,
            diameter_angstrom=options.diameter,
            threshold=options.threshold,
            minimum_distance_angstrom=options.minimum_distance,
            contrast=options.contrast,
            ctf=ctf,
            valid=valid,
        )
        return Picks(found.x_px, found.y_px, found.scores)
    if options.diameter is None:
        raise InputError("setting picking.diameter: give the particle's diameter in Å")
    if str(options.method) == "network":
        learnt = pick_network(
            image,
            pixel_size_angstrom=pixel_size_angstrom,
            diameter_angstrom=options.diameter,
            threshold=options.threshold,
            minimum_distance_angstrom=options.minimum_distance,
            contrast=options.contrast,
            valid=valid,
        )
        return Picks(learnt.x_px, learnt.y_px, learnt.scores)
    return pick_blobs(
        image,
        pixel_size_angstrom=pixel_size_angstrom,
        diameter_angstrom=options.diameter,
        threshold=options.threshold,
        minimum_distance_angstrom=options.minimum_distance,
        contrast=options.contrast,
        ctf=ctf,
        valid=valid,
    )


def load_templates(path: Path) -> Templates:
    """Templates of an MRC stack, or projections every 30° of an MRC map (a cube). Raises InputError; OSError where it cannot be read."""
    stamp = path.stat()
    return _load_templates(path, stamp.st_size, stamp.st_mtime_ns)


@lru_cache(maxsize=4)
def _load_templates(path: Path, size: int, mtime_ns: int) -> Templates:
    # The identity is part of the key: a replaced file is read again.
    stack = read_mrc_movie(path, ImportSettings(), 1)
    if stack.pixel_size_angstrom is None:
        raise InputError(f"{path}: no pixel size in its header; templates need one")
    images = np.asarray(stack.frames, np.float32)
    if images.shape[1] != images.shape[2]:
        raise InputError(f"{path}: {images.shape[2]}×{images.shape[1]} px; templates must be square")
    if len(set(images.shape)) == 1 and len(images) >= 16:
        projections, binning = map_projections(images)
        return Templates(projections, stack.pixel_size_angstrom * binning)
    return Templates(images, stack.pixel_size_angstrom)
