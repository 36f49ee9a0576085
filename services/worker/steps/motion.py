"""Motion: measured on the raw frames; then the frames are corrected and summed, for all steps that build on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from warpcore.kernels.correct import Corrected, correct_movie
from warpcore.kernels.image import sent_back
from warpcore.kernels.motion import MotionModel, estimate_motion, track_picture
from warpcore.services.formats.png import write_png
from warpcore.services.formats.star_files import write_motion_star
from warpcore.services.session.errors import InputError
from warpcore.services.session.paths import inside
from warpcore.services.steps import motion as step
from warpcore.services.steps.motion import MotionResult
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT
from warpcore.services.worker import stored
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.doing import Doing
from warpcore.services.worker.steps.work import (
    AVERAGE,
    BAD_PIXELS,
    COUNTS,
    EXPOSURE,
    FRAMES,
    Average,
    Key,
    Report,
    Work,
)

MODEL: Key[MotionModel] = Key("motion model")
CORRECTED: Key[Corrected] = Key("corrected movie")


class Motion(Doing):
    """Measures motion and makes the average."""

    def read_back(self, work: Work, folder: Path) -> bool:
        """The motion model of `motion/<movie>.json`."""
        model = stored.read_motion(inside(folder, work.path(step.MODEL)))
        if model is not None:
            work.put(MODEL, model)
        return model is not None

    def needs_frames(self, work: Work) -> bool:
        """Always: motion is measured between them."""
        return True

    def run(self, work: Work, report: Report) -> MotionResult:
        """Estimate the motion; none where there is one frame, or where the step is switched off."""
        options, frames, exposure = work.settings.motion, work.take(FRAMES), work.take(EXPOSURE)
        count = len(frames.movie.frames)
        skipped = count < 2 or not options.enabled
        if skipped:
            model = MotionModel.zero(count)
            report("motion", 1.0, "skipped: one frame" if count < 2 else "switched off")
        else:
            model = estimate_motion(
                frames.counts,
                gain=frames.multiplier,
                defects=work.take(BAD_PIXELS),
                pixel_size_angstrom=exposure.pixel_size_angstrom,
                dose_per_frame=exposure.dose_per_frame,
                range_min_angstrom=options.range_min,
                range_max_angstrom=options.range_max,
                b_factor=options.b_factor,
                grid=None if options.grid is None else (options.grid[0], options.grid[1], options.grid[2]),
                group_frames=options.group_frames,
                on_progress=lambda fraction, message: report("motion", fraction, message),
            )
            report("motion", 1.0)
        work.put(MODEL, model)
        return _result(model, skipped, exposure.dose_per_frame)

    def complete(self, work: Work) -> None:
        """The aligned average, where frames were loaded; as it will stand on disk, so that later runs see the same."""
        frames, settings = work.get(FRAMES), work.settings
        if frames is None:
            return
        movie, model, exposure = frames.movie, work.take(MODEL), work.take(EXPOSURE)
        if model.frames != len(movie.frames):
            raise InputError(f"{movie.path}: {len(movie.frames)} frames, but the stored motion has {model.frames}")
        with work.timed("correct"):
            corrected = correct_movie(
                frames.counts,
                model,
                gain=frames.multiplier,
                defects=work.take(BAD_PIXELS),
                pixel_size_angstrom=exposure.pixel_size_angstrom,
                binning=settings.import_.binning,
                dose_per_frame=exposure.dose_per_frame,
                voltage_kv=settings.ctf.voltage,
                dose_weighting=settings.export.dose_weighting,
                pre_exposure=exposure.pre_exposure,
                halves=settings.export.halves,
                stack=settings.export.stack,
            )
            jax.block_until_ready((corrected.average, corrected.unweighted, corrected.even))  # type: ignore[no-untyped-call]
        pixels, float16 = corrected.average, settings.export.float16
        if float16:
            pixels = pixels.astype(np.float16).astype(np.float32)
        # What will be written starts on its way to the host while later steps work on it.
        halves = {name: half for name in ("odd", "even") if (half := getattr(corrected, name)) is not None}
        halves = {name: sent_back(half, float16=float16) for name, half in halves.items()}
        work.put(CORRECTED, replace(corrected, **halves))
        average = Average(pixels, corrected.pixel_size_angstrom, sent_back(pixels, float16=float16))
        work.put(AVERAGE, average)
        work.tell(INPUT, _input_result(work, average))

    def write(self, work: Work, staging: Staging) -> MotionResult:
        """The model as JSON, RELION's motion STAR, and a picture of the tracks; the summary with RELION's residual."""
        model = work.take(MODEL)
        path = staging.place("motion", step.MODEL)
        path.write_text(
            json.dumps({**model.to_dict(), **_tracks(work)}, separators=(",", ":"), allow_nan=False), encoding="utf-8"
        )
        skipped = work.results["motion"]["skipped"]
        movie, exposure = work.take(FRAMES).movie, work.take(EXPOSURE)
        _, height, width = movie.frames.shape
        shifts, coefficients, residual_px = model.relion_polynomial(height, width, exposure.pixel_size_angstrom)
        write_motion_star(
            staging.place("motion", step.STAR),
            _general(work),
            shifts,
            None if skipped else coefficients,
            np.argwhere(work.take(BAD_PIXELS))[:, ::-1],
            movie.first_frame + 1,
        )
        if not skipped:
            _write_picture(work, staging)
        return replace(_result(model, skipped, exposure.dose_per_frame), relion_worst_residual_px=round(residual_px, 4))


MOTION = Motion()


def _result(model: MotionModel, skipped: bool, dose_per_frame: float) -> MotionResult:
    """The summary, Å. A step that was skipped has measured nothing."""
    if skipped:
        return MotionResult.unmeasured(skipped=True)
    total, early, late = model.accumulated(dose_per_frame)
    return MotionResult(
        skipped=False,
        mean_frame_movement_angstrom=round(model.mean_frame_movement_angstrom(), 4),
        accumulated_total_angstrom=round(total, 4),
        accumulated_early_angstrom=round(early, 4),
        accumulated_late_angstrom=round(late, 4),
        largest_frame_movement_angstrom=round(model.largest_frame_movement_angstrom(), 4),
        grid=list(model.grid),
        local_grid=list(model.local_grid),
        failure=model.failure,
    )


def _input_result(work: Work, average: Average) -> InputResult:
    movie, exposure, counts = work.take(FRAMES).movie, work.take(EXPOSURE), work.take(COUNTS).read()
    frames, residual = len(movie.frames), counts.gain_residual
    return InputResult(
        frames=frames,
        height=average.pixels.shape[0],
        width=average.pixels.shape[1],
        raw_height=movie.frames.shape[1],
        raw_width=movie.frames.shape[2],
        # Not rounded: a later run of picking alone writes the same metadata from them.
        pixel_size_angstrom=average.pixel_size_angstrom,
        raw_pixel_size_angstrom=exposure.pixel_size_angstrom,
        dose_per_frame=exposure.dose_per_frame,
        raw_frames_per_frame=movie.raw_frames_per_frame,
        mean_counts=round(counts.per_pixel / frames, 6),
        counted_dose_per_frame=round(counts.gained_per_pixel / frames / exposure.pixel_size_angstrom**2, 6),
        gain_residual=None if residual is None else round(residual, 4),
        notes=list(movie.notes),
    )


def _tracks(work: Work) -> dict[str, Any]:
    """The tracks for people and plots: frame by frame at the centre and on 5 × 5 positions, Å."""
    model, exposure = work.take(MODEL), work.take(EXPOSURE)
    fractions = (np.arange(5) + 0.5) / 5
    x, y = np.meshgrid(fractions, fractions)
    return {
        "pixel_size_angstrom": exposure.pixel_size_angstrom,
        "dose_per_frame": exposure.dose_per_frame,
        "track_angstrom": np.round(model.global_track_angstrom(), 4).tolist(),
        "tracks_5x5_angstrom": np.round(model.displacements_angstrom(x, y), 4).tolist(),
    }


def _general(work: Work) -> dict[str, Any]:
    """RELION's `data_general` of the movie."""
    imported, movie, exposure = work.settings.import_, work.take(FRAMES).movie, work.take(EXPOSURE)
    frames, height, width = movie.frames.shape
    general: dict[str, Any] = {
        "rlnImageSizeX": width,
        "rlnImageSizeY": height,
        "rlnImageSizeZ": frames,
        "rlnMicrographMovieName": str(movie.path),
        "rlnMicrographBinning": float(2**imported.binning),
        "rlnMicrographOriginalPixelSize": exposure.pixel_size_angstrom,
        "rlnMicrographDoseRate": exposure.dose_per_frame,
        "rlnMicrographPreExposure": exposure.pre_exposure,
        "rlnVoltage": work.settings.ctf.voltage,
        "rlnMicrographStartFrame": movie.first_frame + 1,
    }
    if imported.gain_path:
        general["rlnMicrographGainName"] = imported.gain_path
    if imported.defects_path:
        general["rlnMicrographDefectFile"] = imported.defects_path
    if movie.is_eer:
        general |= {"rlnEERUpsampling": imported.eer_upsampling, "rlnEERGrouping": movie.raw_frames_per_frame}
    return general


def _write_picture(work: Work, staging: Staging) -> None:
    """The tracks over the unweighted average, which no setting of the export changes."""
    exposure = work.take(EXPOSURE)
    _, height, width = work.take(FRAMES).movie.frames.shape
    pixel = exposure.pixel_size_angstrom
    picture = track_picture(
        work.take(CORRECTED).unweighted,
        work.take(MODEL),
        field_angstrom=(height * pixel, width * pixel),
        dose_per_frame=exposure.dose_per_frame,
    )
    write_png(staging.place("motion", step.PICTURE), picture)
