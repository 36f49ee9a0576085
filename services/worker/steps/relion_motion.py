"""A movie's motion as RELION's Bayesian polishing takes it: frames, gain and defects of the file, and the track."""

from __future__ import annotations

import os.path
from typing import Any

import numpy as np

from warpcore.services.formats.star_files import write_motion_star
from warpcore.services.session.project import Project
from warpcore.services.steps.fields import known
from warpcore.services.steps.motion import STAR
from warpcore.services.steps.step import INPUT
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.motion import MODEL
from warpcore.services.worker.steps.work import BAD_PIXELS, EXPOSURE, FRAMES, Work


def write_relion_motion(work: Work, staging: Staging) -> None:
    """Write `motion/<movie>.star`: with the export, since settings of later steps stand in it too."""
    frames, exposure = work.take(FRAMES), work.take(EXPOSURE)
    movie = frames.movie
    shifts, coefficients, _ = work.take(MODEL).relion_polynomial(
        movie.height, movie.width, exposure.pixel_size_angstrom
    )
    # RELION takes the others from the gain's zeros and from the map of defects.
    hot = work.take(BAD_PIXELS)
    if frames.known_defects is not None:
        hot = hot & ~frames.known_defects
    write_motion_star(
        staging.place("motion", STAR),
        _general(work),
        shifts,
        None if work.results["motion"]["skipped"] else coefficients,
        np.argwhere(hot)[:, ::-1],
        movie.first_frame + 1,
    )


def _general(work: Work) -> dict[str, Any]:
    """RELION's `data_general` of the movie."""
    imported, movie, exposure = work.settings.import_, work.take(FRAMES).movie, work.take(EXPOSURE)
    project = Project(work.task.processing_directory, work.settings.export.project_root)
    general: dict[str, Any] = {
        "rlnImageSizeX": movie.width,
        "rlnImageSizeY": movie.height,
        # RELION numbers the frames of the file, and takes this as how many there are (micrograph_model.cpp, read).
        "rlnImageSizeZ": movie.frames_in_file,
        "rlnMicrographMovieName": project.file(os.path.join(work.task.data_directory, work.task.path)),
        "rlnMicrographBinning": float(2**imported.binning),
        "rlnMicrographOriginalPixelSize": exposure.pixel_size_angstrom,
        "rlnMicrographDoseRate": exposure.dose_per_frame,
        # Before frame 1 of the file: to this RELION adds the dose of each frame by its number in the file.
        "rlnMicrographPreExposure": 0.0,
        "rlnVoltage": known(work.settings.ctf, "voltage"),
        "rlnMicrographStartFrame": movie.first_frame + 1,
    }
    for label, field in (("rlnMicrographGainName", "gain_file"), ("rlnMicrographDefectFile", "defects_file")):
        if work.results[INPUT].get(field):
            general[label] = project.output(work.results[INPUT][field])
    if movie.is_eer:
        general |= {"rlnEERUpsampling": imported.eer_upsampling, "rlnEERGrouping": movie.raw_frames_per_frame}
    return general
