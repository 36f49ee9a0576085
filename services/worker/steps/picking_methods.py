"""The picking step: junk first, then blobs, templates or the network score all candidates on what is left.

A threshold chooses.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import numpy.typing as npt

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking import (
    JunkMask,
    Network,
    Picks,
    WeightsError,
    junk_mask,
    map_projections,
    pick_blobs,
    pick_network,
    pick_templates,
    read_network,
)
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import PickingSettings

_LEAST_MAP = 16  # a stack of n images of n × n px is a map, not templates, if n is at least this
_DECIMALS = 6  # as coordinate files hold them: what is read back is what was computed


def score(
    average: npt.NDArray[np.float32], pixel_size: float, options: PickingSettings, ctf: CtfParameters | None
) -> tuple[Picks, JunkMask]:
    """All candidates of an average [h, w] with pixels of `pixel_size` Å, whatever their score, and the junk mask.

    They do not depend on the threshold. Raises InputError naming the setting that lacks or cannot be read.
    """
    junk = junk_mask(average, pixel_size_angstrom=pixel_size, diameter_angstrom=options.diameter)
    height, width = average.shape
    given: dict[str, Any] = {
        "pixel_size_angstrom": pixel_size,
        "threshold": 0.0,
        "minimum_distance_angstrom": options.minimum_distance,
        "contrast": options.contrast,
        "valid": junk.valid((height, width)) if junk.mask.any() else None,
    }
    found = _picker(options, ctf)(average, **given)
    columns = (np.round(np.asarray(column, np.float64), _DECIMALS) for column in (found.x_px, found.y_px, found.scores))
    return Picks(*columns), junk


def cut(candidates: Picks, threshold: float) -> Picks:
    """The candidates whose score is at least the threshold."""
    kept = candidates.scores >= threshold
    return Picks(candidates.x_px[kept], candidates.y_px[kept], candidates.scores[kept])


def _picker(options: PickingSettings, ctf: CtfParameters | None) -> Any:
    """The kernel of the chosen method with what only it needs."""
    if options.method == "template":
        templates, template_pixel = read_templates(options)
        return partial(
            pick_templates,
            templates=templates,
            template_pixel_size_angstrom=template_pixel,
            diameter_angstrom=options.diameter,
            angle_step_degrees=options.rotation_step,
            ctf=ctf,
        )
    if options.diameter is None:
        raise InputError("setting picking.diameter: give the particle's diameter in Å")
    if options.method == "network":
        return partial(pick_network, diameter_angstrom=options.diameter, network=read_weights(options))
    return partial(
        pick_blobs,
        diameter_angstrom=options.diameter,
        diameter_max_angstrom=options.diameter_max,
        shapes=tuple(options.shapes),
        aspects=_aspects(options.aspect),
        ctf=ctf,
    )


def _aspects(longest: float) -> tuple[float, ...]:
    """Aspects from round to the longest, in steps of at most a third."""
    steps = math.ceil(math.log(longest) / math.log(1.34) - 1e-9)
    return tuple(float(one) for one in np.geomspace(1.0, longest, steps + 1))


def read_weights(options: PickingSettings) -> Network | None:
    """The network of `picking.weights_path`, None for the one that ships. Raises InputError."""
    if not options.weights_path:
        return None
    path = Path(options.weights_path)
    try:
        found = path.stat()
        return _network(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except (OSError, WeightsError) as error:
        raise InputError(f"setting picking.weights_path: {path} cannot be used ({error})") from None


@lru_cache(maxsize=2)
def _network(path: Path, mtime_ns: int, size: int, inode: int) -> Network:
    """Read once; again where the file is another one."""
    return read_network(path.read_bytes())


def read_templates(options: PickingSettings) -> tuple[npt.NDArray[np.float32], float]:
    """The stack [T, n, n] of `picking.templates_path`, or projections of a map (a cube), and the pixel size in Å.

    A map is projected every `picking.angular_step` degrees. Raises InputError.
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
        projections, binning = map_projections(stack, angular_step_degrees=options.angular_step)
        return projections, pixel * binning
    return stack, pixel
