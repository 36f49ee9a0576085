"""Templates of a session's own, made once from sure picks of its first movies and used where they help.

Every other of the movies is held back: on these the templates must find more than the method without them. Templates
and verdict are kept beside the picks, `matching/templates_<id>.mrc` and `.json`, by an id of the session's choice and
its settings; two workers that make them at once write the same bytes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from warpcore.kernels.ctf import CtfParameters
from warpcore.kernels.picking import (
    HeldBack,
    Picks,
    expected_gain,
    noise_like,
    session_templates,
    templates_help,
)
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.readers.mrc import read_mrc_whole
from warpcore.services.session.allowed import inside, results_below
from warpcore.services.session.learning import choice_id
from warpcore.services.session.opening import read_bytes, result_path, within
from warpcore.services.session.paths import written_whole
from warpcore.services.session.settings import PickingSettings, Settings
from warpcore.services.steps import ctf as ctf_step
from warpcore.services.steps import export as export_step
from warpcore.services.steps.fields import changed_values
from warpcore.services.worker import stored
from warpcore.services.worker.steps.ctf import parameters_of
from warpcore.services.worker.steps.picking_methods import OwnTemplates, by_choice, by_own, given_to_pickers, junk_of

_CLASSES = 4  # views; more cost time on every movie
_FEWEST = 4  # movies with sure picks: two to make templates of and two held back
_OF_CUTTING = ("threshold", "expected_false", "suffix")  # settings that scoring does not know

_LARGEST_VERDICT = 1 << 20  # bytes

log = logging.getLogger(__name__)


class _Movie(NamedTuple):
    """One of the first movies, as it was written: its average, the pixel size, its CTF, its sure picks [N, 2]."""

    image: npt.NDArray[np.float32]
    pixel_size: float
    ctf: CtfParameters | None
    xy: npt.NDArray[np.float64]


def own_templates(processing: Path, settings: Settings, choice: Mapping[str, Any] | None) -> OwnTemplates | None:
    """The session's own templates where it makes some and they help; they are made where nobody has yet."""
    if choice is None or not choice.get("sure") or settings.picking.diameter is None:
        return None
    with within(results_below(processing)):
        return _own_templates(processing, settings, choice)


def _own_templates(processing: Path, settings: Settings, choice: Mapping[str, Any]) -> OwnTemplates | None:
    name = f"matching/templates_{own_id(settings.picking, choice)}"
    verdict_path, stack_path = result_path(processing, f"{name}.json"), result_path(processing, f"{name}.mrc")
    verdict, own = _kept(verdict_path, stack_path)
    if verdict is None:
        movies = [_read(processing, settings, one) for one in choice["sure"]]
        whole = [movie for movie in movies if movie is not None]
        if len(whole) < len(movies):
            log.warning("no templates of the session's own: averages of its first movies are missing (export.average)")
            return None
        verdict = _made(settings, choice, whole, stack_path)
        with written_whole(verdict_path) as temporary:
            temporary.write_text(json.dumps(verdict, sort_keys=True, indent=1) + "\n", encoding="utf-8")
        log.info("templates of the session's own: %s", verdict["told"])
        _, own = _kept(verdict_path, stack_path)
    return own


def _kept(verdict_path: Path, stack_path: Path) -> tuple[dict[str, Any] | None, OwnTemplates | None]:
    """The verdict, and the templates where they help; None where either was not made yet, or is lost or damaged."""
    try:
        raw = json.loads(read_bytes(verdict_path, _LARGEST_VERDICT))
        if not raw["helps"]:
            return raw, None
        stack = np.asarray(read_mrc_whole(stack_path)[0], np.float32)
        return raw, OwnTemplates(stack.reshape(-1, *stack.shape[-2:]), float(raw["pixel_size_angstrom"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None, None


def own_id(options: PickingSettings, choice: Mapping[str, Any]) -> str:
    """A name for what the verdict depends on: the choice, and the settings that scoring knows."""
    known = {name: value for name, value in changed_values(options).items() if name not in _OF_CUTTING}
    return choice_id({"choice": choice, "settings": known})


def _made(settings: Settings, choice: Mapping[str, Any], movies: Sequence[_Movie], stack_path: Path) -> dict[str, Any]:
    """Make templates of every other movie, try them on the others, keep them where there are any; the verdict."""
    options = settings.picking
    verdict: dict[str, Any] = {"helps": False, "pixel_size_angstrom": 0.0}
    if len(movies) < _FEWEST:
        return {**verdict, "told": f"not made, since only {len(movies)} of the first movies have sure picks"}
    made = session_templates(
        [(movie.image, movie.pixel_size, movie.xy) for movie in movies[::2]],
        options.diameter or 0.0,
        classes=_CLASSES,
        contrast=options.contrast,
    )
    if not len(made.images):
        return {**verdict, "told": "not made, since no view stands out from noise in the sure picks"}
    with written_whole(stack_path) as temporary:
        write_mrc(temporary, made.images, made.pixel_size_angstrom)
    own = OwnTemplates(made.images, made.pixel_size_angstrom)
    tried = [_tried(movie, options, choice, own) for movie in movies[1::2]]
    found = templates_help([base for base, _ in tried], [with_own for _, with_own in tried])
    used = "used" if found.helps else "not used"
    told = (
        f"{len(made.images)} views of {int(made.members.sum())} picks; {found.gain:+.1f} expected true picks a movie "
        f"on {len(tried)} movies held back, more than {found.margin:.1f} are needed: {used}"
    )
    return {"helps": found.helps, "pixel_size_angstrom": made.pixel_size_angstrom, "told": told}


def _read(processing: Path, settings: Settings, one: Mapping[str, Any]) -> _Movie | None:
    found = stored.read_micrograph(inside(processing, export_step.AVERAGE.path(str(one["movie"]))))
    if found is None:
        return None
    image, pixel_size = found
    fit = stored.read_ctf(inside(processing, ctf_step.FIT.path(str(one["movie"]))))
    xy = np.asarray(one["xy"], np.float64).reshape(-1, 2)
    return _Movie(image, pixel_size, None if fit is None or fit.failure else parameters_of(fit, settings), xy)


def _tried(
    movie: _Movie, options: PickingSettings, choice: Mapping[str, Any], own: OwnTemplates
) -> tuple[HeldBack, HeldBack]:
    """What the method without templates and the templates find on a movie held back, and on noise of its spectrum."""
    given = given_to_pickers(movie.image, movie.pixel_size, options, junk_of(movie.image, movie.pixel_size, options))
    noise = {**given, "image": noise_like(movie.image), "valid": None}

    def held(real: Picks, of_noise: Picks) -> HeldBack:
        diameter_px = (options.diameter or 0) / movie.pixel_size
        gain = expected_gain(real.x_px, real.y_px, real.scores, diameter_px)
        return HeldBack(gain, int((of_noise.scores >= 0.5).sum()))

    base = held(*(by_choice(options, movie.ctf, one, choice).candidates for one in (given, noise)))
    return base, held(*(by_own(options, one, own).candidates for one in (given, noise)))
