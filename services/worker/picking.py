"""The picking step: junk first, then blobs, templates or the network on what is left."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import numpy.typing as npt

from warpcore.kernels.ctf_parameters import CtfParameters
from warpcore.kernels.picking import Picks, pick_blobs
from warpcore.kernels.picking_junk import JunkMask, junk_mask
from warpcore.kernels.picking_network import pick_network
from warpcore.kernels.picking_projections import map_projections
from warpcore.kernels.picking_templates import pick_templates
from warpcore.services.movies.errors import InputError
from warpcore.services.movies.settings import PickingSettings

_LEAST_MAP = 16  # as many square images of as many px are a map from this size on


def pick(
    average: npt.NDArray[np.float32], pixel_size: float, options: PickingSettings, ctf: CtfParameters | None
) -> tuple[Picks, JunkMask]:
    """Picks of an average [h, w] with pixels of `pixel_size` Å, and the junk that was left out.

    Raises InputError naming the setting that lacks or cannot be read.
    """
    junk = junk_mask(average, pixel_size_angstrom=pixel_size, diameter_angstrom=options.diameter)
    height, width = average.shape
    valid = junk.valid((height, width)) if junk.mask.any() else None
    if options.method == "template":
        templates, template_pixel = read_templates(options)
        found = pick_templates(
            average,
            templates,
            template_pixel_size_angstrom=template_pixel,
            pixel_size_angstrom=pixel_size,
            diameter_angstrom=options.diameter,
            threshold=options.threshold,
            minimum_distance_angstrom=options.minimum_distance,
            contrast=options.contrast,
            ctf=ctf,
            valid=valid,
        )
        return Picks(found.x_px, found.y_px, found.scores), junk
    if options.diameter is None:
        raise InputError("setting picking.diameter: give the particle's diameter in Å")
    if options.method == "network":
        learnt = pick_network(
            average,
            pixel_size_angstrom=pixel_size,
            diameter_angstrom=options.diameter,
            threshold=options.threshold,
            minimum_distance_angstrom=options.minimum_distance,
            contrast=options.contrast,
            valid=valid,
        )
        return Picks(learnt.x_px, learnt.y_px, learnt.scores), junk
    picks = pick_blobs(
        average,
        pixel_size_angstrom=pixel_size,
        diameter_angstrom=options.diameter,
        threshold=options.threshold,
        minimum_distance_angstrom=options.minimum_distance,
        contrast=options.contrast,
        ctf=ctf,
        valid=valid,
    )
    return picks, junk


def read_templates(options: PickingSettings) -> tuple[npt.NDArray[np.float32], float]:
    """The stack [T, n, n] of `picking.templates_path`, or projections every 30° of a map (a cube), and the pixel size in Å.

    Raises InputError.
    """
    if not options.templates_path:
        raise InputError("setting picking.templates_path: picking.method = template needs an MRC stack of templates")
    path = Path(options.templates_path)
    try:
        with mrcfile.open(path, mode="r") as file:
            stack = np.atleast_3d(np.asarray(file.data, np.float32))
            pixel = float(file.voxel_size.x)
            stack = stack.transpose(2, 0, 1) if np.ndim(file.data) == 2 else stack
    except (OSError, ValueError) as error:
        raise InputError(f"setting picking.templates_path: {path} cannot be read as MRC ({error})") from None
    if pixel <= 0:
        raise InputError(f"setting picking.templates_path: {path} has no pixel size in its header")
    if stack.shape[1] != stack.shape[2]:
        raise InputError(f"setting picking.templates_path: {path} is not a stack of square images: {stack.shape}")
    if len(set(stack.shape)) == 1 and len(stack) >= _LEAST_MAP:
        projections, binning = map_projections(stack)
        return projections, pixel * binning
    return stack, pixel
