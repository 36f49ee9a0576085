"""CTF: fitted to the aligned sum, or to the frames where they show rings more clearly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from warpcore.kernels.ctf import (
    CtfFit,
    CtfParameters,
    FrameSums,
    Optics,
    Recording,
    Search,
    ctf_picture,
    fit_image,
    frame_sums,
)
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.formats.png import write_png
from warpcore.services.session.allowed import inside
from warpcore.services.session.settings import Settings
from warpcore.services.steps import ctf as step
from warpcore.services.steps.ctf import CtfResult
from warpcore.services.steps.fields import known
from warpcore.services.worker import stored
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.doing import Doing
from warpcore.services.worker.steps.motion import CORRECTED, MODEL
from warpcore.services.worker.steps.work import AVERAGE, BAD_PIXELS, EXPOSURE, FRAMES, ODD_FRAMES, Key, Report, Work

FIT: Key[CtfFit] = Key("CTF fit")

_DIGITS = 5


class Ctf(Doing):
    """Fits the CTF."""

    def read_back(self, work: Work, folder: Path) -> bool:
        """The fit of `powerspectrum/<movie>.json`."""
        fit = stored.read_ctf(inside(folder, work.path(step.FIT)))
        if fit is not None:
            work.put(FIT, fit)
        return fit is not None

    def needs_frames(self, work: Work) -> bool:
        """Always: the sum that is fitted is not weighted by dose, and stands in no file."""
        return True

    def run(self, work: Work, report: Report) -> CtfResult:
        """Fit; one without rings is a result too, which says why."""
        options, exposure = work.settings.ctf, work.take(EXPOSURE)
        dose = exposure.dose_per_frame * work.take(ODD_FRAMES).good_count
        fit = fit_image(
            work.take(CORRECTED).unweighted,
            Recording(
                work.take(AVERAGE).pixel_size_angstrom, dose=dose, moved_in_frame_angstrom=_largest_movement(work)
            ),
            Optics(known(options, "voltage"), known(options, "cs"), options.amplitude_contrast),
            Search(
                range_min_angstrom=options.range_min,
                range_max_angstrom=options.range_max,
                defocus_min_um=options.defocus_min,
                defocus_max_um=options.defocus_max,
                fit_phase=options.fit_phase,
                window_px=options.window,
                grid=None if options.grid is None else (options.grid[0], options.grid[1]),
            ),
            sums=None if options.use_sum else _frame_sums(work),
            on_progress=lambda fraction: report("ctf", fraction),
        )
        work.put(FIT, fit)
        report("ctf", 1.0, fit.failure or "")
        return ctf_result(fit)

    def write(self, work: Work, staging: Staging) -> None:
        """The whole fit as JSON, and the spectrum beside its model as MRC and as a picture."""
        fit = work.take(FIT)
        path = staging.place("ctf", step.FIT)
        path.write_text(json.dumps(fit.to_dict(), separators=(",", ":"), allow_nan=False), encoding="utf-8")
        pixel_size = work.take(AVERAGE).pixel_size_angstrom
        write_mrc(staging.place("ctf", step.SPECTRUM), fit.diagnostic, pixel_size)
        write_png(staging.place("ctf", step.SPECTRUM_PICTURE), ctf_picture(fit.diagnostic))


CTF = Ctf()


def ctf_result(fit: CtfFit) -> CtfResult:
    """The summary of a fit. One that failed keeps its reason and no numbers."""
    if fit.failure is not None:
        return CtfResult.unmeasured(failure=fit.failure, warnings=list(fit.warnings))
    u, v = fit.defocus_u_angstrom, fit.defocus_v_angstrom
    return CtfResult(
        defocus_um=round(float((u + v) / 2e4), _DIGITS),
        defocus_delta_um=round(float((u - v) / 1e4), _DIGITS),
        defocus_u_angstrom=round(float(u), _DIGITS),
        defocus_v_angstrom=round(float(v), _DIGITS),
        defocus_angle_degrees=_rounded(fit.angle_degrees),
        defocus_range_um=_rounded(fit.grid.range_um),
        tilt_degrees=_rounded(fit.grid.tilt_degrees),
        tilt_axis_degrees=_rounded(fit.grid.tilt_axis_degrees),
        figure_of_merit=_rounded(fit.figure_of_merit),
        resolution_angstrom=_rounded(fit.resolution_angstrom),
        phase_shift_pi=_rounded(fit.phase_shift_degrees / 180),
        ice_ring=_rounded(fit.ice_ring),
        ice_thickness=_rounded(fit.ice_thickness),
        warnings=list(fit.warnings),
    )


def ctf_parameters(work: Work) -> CtfParameters | None:
    """The fitted CTF for kernels that use it; None where there is no fit to trust."""
    fit, settings = work.get(FIT), work.settings
    return None if fit is None or fit.failure is not None else parameters_of(fit, settings)


def parameters_of(fit: CtfFit, settings: Settings) -> CtfParameters:
    """A fit with the microscope's values."""
    return CtfParameters(
        defocus_u_angstrom=fit.defocus_u_angstrom,
        defocus_v_angstrom=fit.defocus_v_angstrom,
        angle_degrees=fit.angle_degrees,
        voltage_kv=known(settings.ctf, "voltage"),
        cs_mm=known(settings.ctf, "cs"),
        amplitude_contrast=settings.ctf.amplitude_contrast,
        phase_shift_degrees=fit.phase_shift_degrees,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), _DIGITS)


def _frame_sums(work: Work) -> FrameSums | None:
    """What is averaged as spectra: sums of few frames, each aligned where motion was measured."""
    frames, exposure, check = work.take(FRAMES), work.take(EXPOSURE), work.take(ODD_FRAMES)
    if check.good_count < 2:
        return None
    return frame_sums(
        frames.counts,
        work.take(MODEL) if work.settings.motion.enabled else None,
        gain=frames.multiplier,
        defects=work.take(BAD_PIXELS),
        pixel_size_angstrom=exposure.pixel_size_angstrom,
        dose_per_frame=exposure.dose_per_frame,
        good=check.good,
    )


def _largest_movement(work: Work) -> float | None:
    """Largest movement from one frame to the next in Å, where motion was measured: about what a frame is blurred by."""
    if work.results["motion"]["skipped"]:
        return None
    movements = np.diff(work.take(MODEL).global_track_angstrom(), axis=0)
    return float(np.hypot(movements[:, 0], movements[:, 1]).max())
