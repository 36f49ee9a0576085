"""Results of earlier runs, read back from what they wrote; what is missing or cannot be read counts as not there."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.kernels.ctf import CtfFit
from warpcore.kernels.motion import MotionModel
from warpcore.kernels.picking import JunkMask, Picks
from warpcore.services.formats.star_text import read_loops
from warpcore.services.readers.mrc import read_mrc_whole
from warpcore.services.session.opening import read_bytes

CANDIDATE_COLUMNS = ("x_px", "y_px", "scores")
PICK_COLUMNS = ("rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
_MOST_BYTES = 256 << 20
"""Of a text file: a million candidates take a tenth of it."""

log = logging.getLogger(__name__)


def read_motion(path: Path) -> MotionModel | None:
    """The motion model of `motion/<root>.json`."""
    raw = _read_json(path)
    if raw is None:
        return None
    try:
        return MotionModel.from_dict(raw)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("%s: not a motion model (%s); motion runs again", path, error)
        return None


def read_ctf(path: Path) -> CtfFit | None:
    """The CTF fit of `powerspectrum/<root>.json`."""
    raw = _read_json(path)
    if raw is None:
        return None
    try:
        return CtfFit.from_dict(raw)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        log.warning("%s: not a CTF fit (%s); the CTF is fitted again", path, error)
        return None


def read_picks(path: Path) -> Picks | None:
    """The coordinates of `matching/<root>_<suffix>.star`."""
    try:
        (loop,) = read_loops(read_bytes(path, _MOST_BYTES).decode()).values()
        wanted = [loop.columns.index(name) for name in PICK_COLUMNS]
        rows = [row.split() for row in loop.rows]
        x, y, scores = (np.array([row[index] for row in rows], np.float64) for index in wanted)
        return Picks(x, y, scores)
    except FileNotFoundError:
        return None
    except (IndexError, ValueError, OSError) as error:
        log.warning("%s: not a coordinate file (%s); picking runs again", path, error)
        return None


def read_candidates(path: Path) -> Picks | None:
    """All scored candidates of `matching/<root>_<suffix>.json`, best first."""
    raw = _read_json(path)
    if raw is None:
        return None
    try:
        columns = [np.array(raw[name], np.float64) for name in CANDIDATE_COLUMNS]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        log.warning("%s: holds no candidates (%s); picking runs again", path, error)
        return None
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        log.warning("%s: its columns differ in length; picking runs again", path)
        return None
    x, y, scores = columns
    return Picks(x, y, scores)


def read_junk(path: Path, percent: float) -> JunkMask | None:
    """The junk mask of `mask/<root>.mrc`; `percent` is its share as the summary has it."""
    if not path.exists():
        return None
    try:
        mask, pixel_size = read_mrc_whole(path)
        return JunkMask(np.asarray(mask, np.float32) > 0.5, percent, pixel_size)
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be read (%s); picking runs again", path, error)
        return None


def read_average(path: Path) -> npt.NDArray[np.float32] | None:
    """The average `[h, w]`."""
    found = read_micrograph(path)
    return None if found is None else found[0]


def read_micrograph(path: Path) -> tuple[npt.NDArray[np.float32], float] | None:
    """The average `[h, w]`, and the pixel size in Å that its file tells."""
    if not path.exists():
        return None
    try:
        pixels, pixel_size = read_mrc_whole(path)
        return np.asarray(pixels, np.float32), pixel_size
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be read (%s); it is made again from the movie", path, error)
        return None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        raw = json.loads(read_bytes(path, _MOST_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s: cannot be read (%s); the step runs again", path, error)
        return None
    return raw if isinstance(raw, dict) else None
