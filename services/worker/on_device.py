"""Where a movie's frames are while it is worked on: in the host's memory, or sent to the device once."""

from __future__ import annotations

import logging
import math

import numpy as np
import numpy.typing as npt

from warpcore.kernels.image import DeviceFrames, Plan, device_memory_bytes, on_cpu, plan_movie
from warpcore.services.readers.raw import RawMovie
from warpcore.services.worker.failures import is_out_of_memory
from warpcore.services.worker.steps.work import Work

log = logging.getLogger(__name__)

_TERMS = 6
"""Sums of a movie that is weighted by dose, at most."""


def frames_for_kernels(movie: RawMovie, work: Work) -> npt.NDArray[np.generic] | DeviceFrames:
    """The movie's frames as kernels take them. On an accelerator this sends them, beside the movie before."""
    if on_cpu():
        return movie.frames
    plan = _plan(movie, work)
    if not plan.resident:
        log.info("%s: sent to the device in chunks of %d frames: it does not fit", movie.path.name, plan.frames)
    try:
        return DeviceFrames(movie.frames, plan)
    except Exception as error:
        if not plan.resident or not is_out_of_memory(error):
            raise
        log.warning("%s: no room for it on the device now; it is sent in chunks", movie.path.name)
        return DeviceFrames(movie.frames, Plan(False, plan.frames))


def _plan(movie: RawMovie, work: Work) -> Plan:
    memory = device_memory_bytes()
    if memory is None:
        return Plan(True, 8)
    sums = (_TERMS if work.settings.export.dose_weighting else 1) * (2 if work.settings.export.halves else 1)
    pixels = math.prod(movie.frames.shape[1:])
    return plan_movie(pixels, movie.frames.nbytes, sums, int(memory * work.memory_share))
