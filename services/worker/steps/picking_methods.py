"""The picking step's methods: junk first, then blobs, templates or the network score all candidates on what is left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct import Image
from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.image import side_by_side
from warpcore.kernels.picking import (
    BlobTrial,
    JunkMask,
    Network,
    Picks,
    WeightsError,
    agreed,
    blob_trials,
    junk_mask,
    least_score,
    map_projections,
    pick_blobs,
    pick_network,
    pick_templates,
    read_network,
)
from warpcore.services.readers import picking_files
from warpcore.services.readers.mrc import read_mrc_whole
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import check_file
from warpcore.services.session.settings import PickingSettings
from warpcore.services.steps.picking_learning import BLOB, BOTH, NETWORK, TEMPLATE, best_shape, chosen_method

_LEAST_MAP = 16  # a stack of n images of n × n px is a map, not templates, if n is at least this
_DECIMALS = 6  # as coordinate files hold them: what is read back is what was computed
_SURE = 0.9  # score of picks that templates are made of
_MOST_SURE = 60  # of them from one micrograph


class Found(NamedTuple):
    """What a method has found on an average: all candidates whatever their score, and how sure it is of any at all."""

    method: str
    shape: str | None
    candidates: Picks
    certainty: float
    evidence: dict[str, Any] | None


class OwnTemplates(NamedTuple):
    """Templates [T, n, n] of the session's own, and their pixel size in Å."""

    stack: npt.NDArray[np.float32]
    pixel_size_angstrom: float


def junk_of(average: Image, pixel_size: float, options: PickingSettings) -> JunkMask:
    """The junk mask of an average [h, w] with pixels of `pixel_size` Å."""
    return junk_mask(average, pixel_size_angstrom=pixel_size, diameter_angstrom=options.diameter)


def score(
    given: dict[str, Any],
    options: PickingSettings,
    ctf: CtfParameters | None,
    choice: Mapping[str, Any] | None = None,
    own: OwnTemplates | None = None,
) -> Found:
    """All candidates on what is `given_to_pickers`, and the evidence for a session's choice.

    They do not depend on the threshold. With a choice the session's method and shape are used, or its own templates,
    and there is no evidence; without one the micrograph's own best. Raises InputError naming the setting that lacks or
    cannot be read.
    """
    if choice is None:
        return _searched(options, ctf, given)
    return by_choice(options, ctf, given, choice) if own is None else by_own(options, given, own)


def given_to_pickers(average: Image, pixel_size: float, options: PickingSettings, junk: JunkMask) -> dict[str, Any]:
    """What all kernels are given: an average [h, w] with pixels of `pixel_size` Å, and where to look."""
    height, width = average.shape
    return {
        "image": average,
        "pixel_size_angstrom": pixel_size,
        "minimum_distance_angstrom": options.minimum_distance,
        "contrast": options.contrast,
        "valid": junk.valid((height, width)) if junk.mask.any() else None,
    }


def by_choice(
    options: PickingSettings, ctf: CtfParameters | None, given: dict[str, Any], choice: Mapping[str, Any]
) -> Found:
    """By the method and shape that the session has chosen."""
    method = str(choice["method"])

    def by(one: str) -> Picks:
        if one != BLOB:
            return _by_other(one, options, ctf, given)
        return pick_blobs(**given, **_blob_options(options, ctf), threshold=0.0, combination=choice["shape"])

    found = side_by_side(by, (NETWORK, BLOB) if method == BOTH else (method,))
    picks = _agreed(found[0], found[1], options, given) if method == BOTH else found[0]
    return Found(method, choice["shape"], _rounded(picks), picks.certainty, None)


def by_own(options: PickingSettings, given: dict[str, Any], own: OwnTemplates) -> Found:
    """By templates of the session's own, which carry the CTF of the movies they were made of."""
    picks = _by_templates(options, None, given, own.stack, own.pixel_size_angstrom)
    return Found(TEMPLATE, "the session's own templates", _rounded(picks), picks.certainty, None)


def _searched(options: PickingSettings, ctf: CtfParameters | None, given: dict[str, Any]) -> Found:
    """By the micrograph's own best, with the evidence of all that was tried."""
    tried = _tried(options)

    def by(method: str) -> dict[str, BlobTrial] | Picks:
        if method == BLOB:
            return blob_trials(**given, **_blob_options(options, ctf), threshold=0.0)
        return _by_other(method, options, ctf, given)

    trials: dict[str, BlobTrial] = {}
    found: dict[str, Picks] = {}
    for method, one in zip(tried, side_by_side(by, tried), strict=True):
        if isinstance(one, dict):
            trials = one
        else:
            found[method] = one
    shapes = {name: [round(trial.evidence, 3), gain(trial.picks.scores)] for name, trial in trials.items()}
    evidence: dict[str, Any] = {"shapes": shapes, "gains": {name: gain(one.scores) for name, one in found.items()}}
    shape = best_shape([evidence])
    method = chosen_method(options, [evidence], shape)
    if method == BOTH and shape is not None:
        picks = _agreed(found[NETWORK], trials[shape].picks, options, given)
    elif method == BLOB and shape is not None:
        picks = trials[shape].picks
    else:
        picks, shape = found[method], None
    candidates = _rounded(picks)
    if options.adapt:
        evidence["sure"] = _sure(candidates)
    return Found(method, shape, candidates, picks.certainty, evidence)


def _tried(options: PickingSettings) -> tuple[str, ...]:
    """The methods that are measured where the session has not chosen."""
    if options.method != "auto":
        return (BLOB, NETWORK) if options.method == BOTH else (options.method,)
    if options.diameter is None and options.templates_path:
        return (TEMPLATE,)
    if options.diameter_max is not None:
        return (BLOB,)
    return (BLOB, NETWORK, TEMPLATE) if options.templates_path else (BLOB, NETWORK)


def _agreed(network: Picks, blobs: Picks, options: PickingSettings, given: dict[str, Any]) -> Picks:
    """The network's candidates with the scores of both."""
    return agreed(network, blobs, (options.diameter or 0.0) / given["pixel_size_angstrom"])


def gain(scores: npt.NDArray[np.float64]) -> float:
    """The expected number of true picks less that of false ones, of picks with these probabilities, from 0.5 on."""
    kept = scores[scores >= 0.5]
    return round(float((2 * kept - 1).sum()), 3)


def _sure(candidates: Picks) -> list[list[float]]:
    """x and y in px of the surest picks."""
    kept = candidates.scores >= _SURE
    pairs = zip(candidates.x_px[kept][:_MOST_SURE], candidates.y_px[kept][:_MOST_SURE], strict=True)
    return [[round(float(x), 1), round(float(y), 1)] for x, y in pairs]


def _rounded(picks: Picks) -> Picks:
    x, y, scores = (np.round(np.asarray(one, np.float64), _DECIMALS) for one in (picks.x_px, picks.y_px, picks.scores))
    return Picks(x, y, scores, picks.certainty)


def cut(candidates: Picks, options: PickingSettings) -> tuple[Picks, float]:
    """The candidates that are kept under the settings, and the score from which they are."""
    threshold = options.threshold
    if options.expected_false is not None:
        threshold = least_score(candidates.scores, options.expected_false)
    kept = candidates.scores >= threshold
    picks = Picks(candidates.x_px[kept], candidates.y_px[kept], candidates.scores[kept], candidates.certainty)
    return picks, threshold


def _by_other(method: str, options: PickingSettings, ctf: CtfParameters | None, given: dict[str, Any]) -> Picks:
    if method == "template":
        return _by_templates(options, ctf, given, *read_templates(options))
    if options.diameter is None:
        raise InputError("setting picking.diameter: give the particle's diameter in Å")
    return pick_network(**given, threshold=0.0, diameter_angstrom=options.diameter, network=read_weights(options))


def _blob_options(options: PickingSettings, ctf: CtfParameters | None) -> dict[str, Any]:
    if options.diameter is None:
        raise InputError("setting picking.diameter: give the particle's diameter in Å")
    return {
        "diameter_angstrom": options.diameter,
        "diameter_max_angstrom": options.diameter_max,
        "shapes": tuple(options.shapes),
        "aspects": _aspects(options.aspect),
        "ctf": ctf,
    }


def _by_templates(
    options: PickingSettings,
    ctf: CtfParameters | None,
    given: dict[str, Any],
    stack: npt.NDArray[np.float32],
    template_pixel: float,
) -> Picks:
    found = pick_templates(
        **given,
        threshold=0.0,
        templates=stack,
        template_pixel_size_angstrom=template_pixel,
        diameter_angstrom=options.diameter,
        angle_step_degrees=options.rotation_step,
        ctf=ctf,
    )
    return Picks(found.x_px, found.y_px, found.scores, found.certainty)


def _aspects(longest: float) -> tuple[float, ...]:
    """Aspects from round to the longest, in steps of at most a half."""
    steps = math.ceil(math.log(longest) / math.log(1.5) - 1e-9)
    return tuple(round(float(one), 3) for one in np.geomspace(1.0, longest, steps + 1))


def read_weights(options: PickingSettings) -> Network | None:
    """The network of `picking.weights_path`, None for the one that ships. Raises InputError."""
    if not options.weights_path:
        return None
    path = Path(options.weights_path)
    try:
        found = check_file(path)
        return _network(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except (OSError, InputError, WeightsError) as error:
        why = str(error).removeprefix(f"{path}: ")
        raise InputError(f"setting picking.weights_path: {path} cannot be used ({why})") from None


@lru_cache(maxsize=2)
def _network(path: Path, mtime_ns: int, size: int, inode: int) -> Network:
    """Read once; again where the file is another one, which may also be no such file any more."""
    return read_network(picking_files.read_weights(path))


def read_templates(options: PickingSettings) -> tuple[npt.NDArray[np.float32], float]:
    """The stack [T, n, n] of `picking.templates_path`, or projections of a map (a cube), and the pixel size in Å.

    A map is projected every `picking.angular_step` degrees. Raises InputError.
    """
    if not options.templates_path:
        raise InputError("setting picking.templates_path: picking.method = template needs an MRC stack of templates")
    path = Path(options.templates_path)
    try:
        found, pixel = read_mrc_whole(path)
        stack = np.asarray(found if found.ndim > 2 else found[np.newaxis], np.float32)
    except (OSError, ValueError) as error:
        why = str(error).removeprefix(f"{path}: ")
        raise InputError(f"setting picking.templates_path: {path} cannot be read as MRC ({why})") from None
    if pixel <= 0:
        raise InputError(f"setting picking.templates_path: {path} has no pixel size in its header")
    if stack.shape[1] != stack.shape[2]:
        raise InputError(f"setting picking.templates_path: {path} is not a stack of square images: {stack.shape}")
    if len(set(stack.shape)) == 1 and len(stack) >= _LEAST_MAP:
        projections, binning = map_projections(stack, angular_step_degrees=options.angular_step)
        return projections, pixel * binning
    return stack, pixel
