"""What passes from stage to stage: a loaded movie, and what the steps made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.bus.messages import AssignTask
from warpcore.kernels.correct import Corrected
from warpcore.kernels.ctf import CtfFit
from warpcore.kernels.motion import MotionModel
from warpcore.kernels.picking import JunkMask, Picks
from warpcore.services.readers.gain import Gain
from warpcore.services.readers.raw import RawMovie
from warpcore.services.session.paths import OutputPaths
from warpcore.services.session.settings import Settings


@dataclass
class Loaded:
    """A task with what it computes on: raw frames, or the average of an earlier run, and results of steps that do not run.

    `raw_pixel_size` is that of the frames in Å, `dose_per_frame` the e⁻/Å² in each of them, `pre_exposure` what the specimen
    had seen before the first. `candidates` are kept scores that only a threshold is to be laid on; `images_kept` says that the
    export leaves all images as they are on disk and renews particles' boxes alone.
    """

    task: AssignTask
    settings: Settings
    paths: OutputPaths
    run: list[str]
    raw_pixel_size: float
    dose_per_frame: float
    pre_exposure: float = 0.0
    movie: RawMovie | None = None
    gain: Gain | None = None
    defects: npt.NDArray[np.bool_] | None = None
    average: npt.NDArray[np.float32] | None = None
    average_pixel_size: float = 0.0
    model: MotionModel | None = None
    ctf: CtfFit | None = None
    picks: Picks | None = None
    candidates: Picks | None = None
    junk: JunkMask | None = None
    images_kept: bool = False


@dataclass
class Products:
    """Everything that the steps made, in memory; `results` are the summaries, stored ones of steps that did not run too."""

    loaded: Loaded
    ran: list[str]
    results: dict[str, Any]
    model: MotionModel | None = None
    corrected: Corrected | None = None
    average: npt.NDArray[np.float32] | None = None
    average_pixel_size: float = 0.0
    ctf: CtfFit | None = None
    picks: Picks | None = None
    candidates: Picks | None = None
    junk: JunkMask | None = None
    hot_pixels: npt.NDArray[np.bool_] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
