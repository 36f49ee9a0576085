"""Kernels compiled before the first movie is there: on noise with the shape and the settings of the last movie.

What the last movie on this host was like is kept beside the compiled kernels. A session mostly goes on with the camera
of the one before, and while its first file is still being written the device has nothing else to do.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import Purpose
from warpcore.services.readers.raw import RawMovie
from warpcore.services.session.fingerprints import wanted_fingerprints
from warpcore.services.session.paths import write_text_whole
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.on_device import frames_for_kernels
from warpcore.services.worker.pipeline import compute, stage_outputs
from warpcore.services.worker.steps.work import EXPOSURE, FRAMES, Exposure, Frames, Report, Work

log = logging.getLogger(__name__)

_FILE = "last_movie.json"
_NAME = "warm-up"
_DIFFERENT_FRAMES = 4
_COUNTS = 1.0


class LastMovie(msgspec.Struct, frozen=True):
    """What decides which kernels a movie needs: frames [F, H, W] of a type, exposure, settings."""

    frames: int
    height: int
    width: int
    dtype: str
    pixel_size_angstrom: float
    dose_per_frame: float
    settings: dict[str, Any]


def last_movie(work: Work) -> LastMovie | None:
    """What a movie was like; None where no frames were loaded. Files that settings name are left out."""
    frames, exposure = work.get(FRAMES), work.get(EXPOSURE)
    if frames is None or exposure is None:
        return None
    count, height, width = frames.counts.shape
    settings = work.settings.to_dict()
    settings["import"] = {**settings["import"], "gain_path": None, "defects_path": None}
    dtype = str(frames.movie.frames.dtype)
    return LastMovie(count, height, width, dtype, exposure.pixel_size_angstrom, exposure.dose_per_frame, settings)


def remember(movie: LastMovie, cache: Path) -> None:
    """Keep it for the next start. Nobody waits for it: where it cannot be written, the log says so."""
    try:
        write_text_whole(cache / _FILE, msgspec.json.encode(movie).decode())
    except OSError as error:
        log.warning("%s: what the last movie was like cannot be kept (%s)", cache / _FILE, error)


def recalled(cache: Path) -> LastMovie | None:
    """The last movie on this host; None where none is known, or only in words of another version."""
    try:
        movie = msgspec.json.decode((cache / _FILE).read_bytes(), type=LastMovie)
        parse_settings(movie.settings)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.info("%s: not used (%s)", cache / _FILE, error)
        return None
    return movie


def warm_up(movie: LastMovie, report: Report) -> None:
    """Work on noise as on that movie, and keep nothing; `report` may raise to end it."""
    with tempfile.TemporaryDirectory(prefix="warpcore-") as folder:
        work = _work(movie, Path(folder))
        stage_outputs(compute(work, report), report).discard()


def _work(movie: LastMovie, folder: Path) -> Work:
    settings = parse_settings(movie.settings)
    wanted = wanted_fingerprints(settings, 0, 0)
    task = AssignTask(
        lease=0,
        purpose=Purpose.PROCESS,
        name=_NAME,
        path=f"{_NAME}.mrc",
        size=0,
        mtime_ns=0,
        run=[step for step, fingerprint in wanted.items() if fingerprint != "off"],
        wanted=wanted,
        settings=movie.settings,
        results={},
        data_directory=str(folder),
        processing_directory=str(folder),
    )
    work = Work(task, settings, list(task.run), {})
    work.put(EXPOSURE, Exposure(movie.pixel_size_angstrom, movie.dose_per_frame))
    noise = _noise(movie)
    raw = RawMovie(noise, movie.pixel_size_angstrom, folder / task.path, frames_in_file=len(noise))
    raw, counts = frames_for_kernels(raw, settings, work.take(EXPOSURE), work.memory_share)
    work.put(FRAMES, Frames(raw, counts, None, None, False))
    return work


def _noise(movie: LastMovie) -> npt.NDArray[np.generic]:
    """Counts that come again in every fourth frame, a pixel further: something that moves, for the motion to find."""
    random = np.random.default_rng(1)
    some = [random.poisson(_COUNTS, (movie.height, movie.width)).astype(movie.dtype) for _ in range(_DIFFERENT_FRAMES)]
    return np.stack([np.roll(some[f % len(some)], (f, f), (0, 1)) for f in range(movie.frames)])
