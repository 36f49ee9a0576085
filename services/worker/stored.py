"""Results of earlier runs, read back from what they wrote; what is missing or cannot be read counts as not there."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import numpy.typing as npt

from warpcore.kernels.ctf import CtfFit
from warpcore.kernels.motion_model import MotionModel
from warpcore.kernels.picking import Picks
from warpcore.services.movies.star_text import read_loops

PICK_COLUMNS = ("rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")

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
    except (KeyError, TypeError, ValueError) as error:
        log.warning("%s: not a CTF fit (%s); the CTF is fitted again", path, error)
        return None


def read_picks(path: Path) -> Picks | None:
    """The coordinates of `matching/<root>_<suffix>.star`."""
    try:
        (loop,) = read_loops(path.read_text(encoding="utf-8")).values()
        wanted = [loop.columns.index(name) for name in PICK_COLUMNS]
        rows = [row.split() for row in loop.rows]
        return Picks(*(np.array([row[index] for row in rows], np.float32) for index in wanted))
    except FileNotFoundError:
        return None
    except (IndexError, ValueError, OSError) as error:
        log.warning("%s: not a coordinate file (%s); picking runs again", path, error)
        return None


def read_average(path: Path) -> npt.NDArray[np.float32] | None:
    """The average `[h, w]`."""
    if not path.exists():
        return None
    try:
        with mrcfile.open(path, mode="r") as file:
            return np.asarray(file.data, np.float32)
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be read (%s); it is made again from the movie", path, error)
        return None


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be read (%s); the step runs again", path, error)
        return None
    return raw if isinstance(raw, dict) else None
