"""Motion: measured on the raw frames; then the frames are corrected and summed, for all steps that build on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from warpcore.kernels.correct import Corrected, Image, correct_movie
from warpcore.kernels.image import sent_back
from warpcore.kernels.motion import MotionModel, estimate_motion, track_picture
from warpcore.services.formats.png import write_png
from warpcore.services.readers.mrc import read_mrc_image
from warpcore.services.session.allowed import inside
from warpcore.services.session.errors import InputError
from warpcore.services.steps import motion as step
from warpcore.services.steps.fields import known
from warpcore.services.steps.motion import MotionResult
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT
from warpcore.services.worker import stored
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.doing import Doing
from warpcore.services.worker.steps.odd_frames import notes, odd_frames, warnings
from warpcore.services.worker.steps.work import (
    AVERAGE,
    BAD_PIXELS,
    COUNTS,
    EXPOSURE,
    FRAMES,
    ODD_FRAMES,
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
        """Estimate the motion; none where there is one good frame, or where the step is switched off."""
        options, frames, exposure = work.settings.motion, work.take(FRAMES), work.take(EXPOSURE)
        count, check = len(frames.movie.frames), work.take(ODD_FRAMES)
        skipped = check.good_count < 2 or not options.enabled
        if skipped:
            model = MotionModel.zero(count)
            report("motion", 1.0, "skipped: one frame" if options.enabled else "switched off")
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
                good=check.good,
                on_progress=lambda fraction, message: report("motion", fraction, message),
            )
            report("motion", 1.0)
        work.put(MODEL, model)
        told = work.task.results.get("motion") or {}
        if count < 2 and told.get("metadata"):
            return MotionResult(**told)
        return _result(work, model, skipped)

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
                voltage_kv=known(settings.ctf, "voltage"),
                dose_weighting=settings.export.dose_weighting,
                pre_exposure=exposure.pre_exposure,
                halves=settings.export.halves,
                stack=settings.export.stack,
                good=work.take(ODD_FRAMES).good,
            )
            jax.block_until_ready((corrected.average, corrected.unweighted, corrected.even))  # type: ignore[no-untyped-call]
        pixels, float16 = corrected.average, settings.export.float16
        if float16:
            pixels = pixels.astype(np.float16).astype(np.float32)
        # What will be written starts on its way to the host while later steps work on it.
        halves = {name: half for name in ("odd", "even") if (half := getattr(corrected, name)) is not None}
        halves = {name: sent_back(half, float16=float16) for name, half in halves.items()}
        if (path := work.results["motion"].get("unweighted")) is not None:
            corrected = replace(corrected, unweighted=_unweighted(work.here(path), pixels.shape))
        work.put(CORRECTED, replace(corrected, **halves))
        average = Average(pixels, corrected.pixel_size_angstrom, sent_back(pixels, float16=float16))
        work.put(AVERAGE, average)
        work.tell(INPUT, _input_result(work, average))

    def write(self, work: Work, staging: Staging) -> MotionResult:
        """The model as JSON and a picture of the tracks; the summary with the residual of RELION's polynomial."""
        model = work.take(MODEL)
        path = staging.place("motion", step.MODEL)
        path.write_text(
            json.dumps({**model.to_dict(), **_tracks(work)}, separators=(",", ":"), allow_nan=False), encoding="utf-8"
        )
        skipped = work.results["motion"]["skipped"]
        movie, exposure = work.take(FRAMES).movie, work.take(EXPOSURE)
        _, _, residual_px = model.relion_polynomial(movie.height, movie.width, exposure.pixel_size_angstrom)
        if not skipped:
            _write_picture(work, staging)
        if work.results["motion"].get("metadata"):
            return MotionResult(**work.results["motion"])
        return replace(_result(work, model, skipped), relion_worst_residual_px=round(residual_px, 4))


MOTION = Motion()


def _result(work: Work, model: MotionModel, skipped: bool) -> MotionResult:
    """The summary, Å. A step that was skipped has measured nothing."""
    if skipped:
        return MotionResult.unmeasured(skipped=True, warnings=warnings(work))
    total, early, late = model.accumulated(work.take(EXPOSURE).dose_per_frame)
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
        warnings=warnings(work),
    )


def _unweighted(path: Path, shape: tuple[int, ...]) -> Image:
    """The sum without dose weighting that another program has made beside its average."""
    image = np.asarray(read_mrc_image(path), np.float32)
    if image.shape != shape:
        raise InputError(f"{path}: {image.shape[::-1]} px, and the average beside it has {shape[::-1]}")
    return image


def _input_result(work: Work, average: Average) -> InputResult:
    movie, exposure, counts = work.take(FRAMES).movie, work.take(EXPOSURE), work.take(COUNTS).read()
    counted, residual, odd = work.take(ODD_FRAMES).good_count, counts.gain_residual, odd_frames(work)
    gain, defects = work.take(FRAMES).references(work.settings.import_.defects_path)
    return InputResult(
        frames=len(movie.frames),
        height=average.pixels.shape[0],
        width=average.pixels.shape[1],
        raw_height=movie.frames.shape[1],
        raw_width=movie.frames.shape[2],
        # Not rounded: a later run of picking alone writes the same metadata from them.
        pixel_size_angstrom=average.pixel_size_angstrom,
        raw_pixel_size_angstrom=exposure.pixel_size_angstrom,
        dose_per_frame=exposure.dose_per_frame,
        voltage_kv=known(work.settings.ctf, "voltage"),
        cs_mm=known(work.settings.ctf, "cs"),
        raw_frames_per_frame=movie.raw_frames_per_frame,
        mean_counts=round(counts.per_pixel / counted, 6),
        counted_dose_per_frame=round(counts.gained_per_pixel / counted / exposure.pixel_size_angstrom**2, 6),
        gain_residual=None if residual is None else round(residual, 4),
        sources=work.task.sources,
        metadata=work.task.metadata,
        frames_in_file=movie.frames_in_file,
        first_frame=movie.first_frame,
        gain_file=None if gain is None else gain.name,
        defects_file=None if defects is None else defects.name,
        odd_frames=sum(map(len, odd.values())),
        odd_frame_numbers=odd,
        notes=[*movie.notes, *notes(work)],
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
