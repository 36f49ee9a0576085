"""Where a movie's frames are while it is worked on: in the host's memory, or sent to the device once."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import numpy as np
import numpy.typing as npt

from warpcore.kernels.correct import weighted_sums
from warpcore.kernels.image import DeviceFrames, Plan, device_memory_bytes, on_cpu, plan_movie
from warpcore.kernels.motion import automatic_group, binning_factor, fit_bytes
from warpcore.services.readers.buffers import Allocator
from warpcore.services.readers.movies import read_movie
from warpcore.services.readers.raw import RawMovie
from warpcore.services.session.settings import Settings
from warpcore.services.steps.fields import known
from warpcore.services.worker.failures import is_out_of_device_memory
from warpcore.services.worker.page_locked import movie_memory
from warpcore.services.worker.steps.work import Exposure

log = logging.getLogger(__name__)

_DEFAULT_PLAN = Plan(True, 8)


def read_for_worker(path: Path, settings: Settings) -> RawMovie:
    """A movie decoded into memory that suits the backend; for an accelerator 4-bit pixels stay packed."""
    if on_cpu():
        return read_movie(path, settings.import_)
    return read_movie(path, settings.import_, allocate=_memory(), keep_packed=True)


def frames_for_kernels(
    movie: RawMovie, settings: Settings, exposure: Exposure, memory_share: float
) -> tuple[RawMovie, npt.NDArray[np.generic] | DeviceFrames]:
    """The movie's frames as kernels take them, and the movie, of whose frames only the shape is used from then on.

    On an accelerator they are sent, beside the work on the movie before. At most `memory_share` of its memory is used.
    """
    if on_cpu():
        return movie, movie.frames
    plan = _plan(movie, settings, exposure, memory_share)
    if not plan.resident:
        log.info("%s: sent to the device in chunks of %d frames, since it does not fit", movie.path.name, plan.frames)
    try:
        counts = DeviceFrames(movie.frames, plan, packed_width=movie.packed_width)
    except Exception as error:
        if not plan.resident or not is_out_of_device_memory(error):
            raise
        log.warning("%s: no room for it on the device now; it is sent in chunks", movie.path.name)
        counts = DeviceFrames(movie.frames, Plan(False, plan.frames), packed_width=movie.packed_width)
    if counts.plan.resident:
        movie.release()
    shape_only = np.broadcast_to(np.zeros((), movie.frames.dtype), counts.shape)
    return replace(movie, frames=shape_only, packed_width=None), counts


def _plan(movie: RawMovie, settings: Settings, exposure: Exposure, memory_share: float) -> Plan:
    memory = device_memory_bytes()
    if memory is None:
        return _DEFAULT_PLAN
    count, pixels = len(movie.frames), movie.height * movie.width
    sums = 2 if settings.export.halves else 1
    if settings.export.dose_weighting:
        voltage_kv = known(settings.ctf, "voltage")
        dose = exposure.dose_per_frame, voltage_kv, exposure.pre_exposure, exposure.pixel_size_angstrom
        sums *= weighted_sums(count, *dose)
    factor = binning_factor(exposure.pixel_size_angstrom, settings.motion.range_max)
    fit = fit_bytes(pixels, count // automatic_group(count, exposure.dose_per_frame), factor)
    return plan_movie(pixels, movie.frames.nbytes, sums, int(memory * memory_share), fit)


@cache
def _memory() -> Allocator:
    return movie_memory(jax.local_devices()[0])
