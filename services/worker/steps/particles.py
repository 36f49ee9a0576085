"""Boxes of particles, cut out of the average, and their rows for RELION and cryoSPARC."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from warpcore.kernels.picking import Picks, extract_particles
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.formats.star_files import OpticsGroup, ParticleCtf, box_centre_px, write_particles
from warpcore.services.session.errors import InputError
from warpcore.services.session.project import Project
from warpcore.services.steps import export as step
from warpcore.services.steps.fields import known
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.ctf import FIT
from warpcore.services.worker.steps.work import AVERAGE, EXPOSURE, Average, Work


def write_boxes(work: Work, picks: Picks, staging: Staging, micrograph: str) -> tuple[str | None, int, int]:
    """Write boxes and their STAR rows; returns the file of the boxes, how many there are, and how many picks have none.

    Boxes are cut around whole pixels, as RELION cuts them, so that refined origins stay right where it cuts them again.
    `micrograph` is the file of the average that they are cut from.

    A pick whose box would reach over the edge has none. Where that is so for all, there is no file.
    """
    options, average = work.settings.export, work.take(AVERAGE)
    diameter = work.settings.picking.diameter
    target = options.particle_pixel_size or average.pixel_size_angstrom
    box = options.box_size or _automatic_box(diameter, target)
    stack, kept = extract_particles(
        average.pixels,
        box_centre_px(picks.x_px),
        box_centre_px(picks.y_px),
        box_px=box,
        pixel_size_angstrom=average.pixel_size_angstrom,
        particle_pixel_size_angstrom=target,
        invert=options.invert,
        normalize=options.normalize,
        diameter_angstrom=diameter,
    )
    if len(stack) == 0:
        return None, 0, len(kept)
    boxes = work.final_path(step.PARTICLES)
    project = Project(work.task.processing_directory, options.project_root)
    write_mrc(staging.place("export", step.PARTICLES), stack, target, options.float16)
    x, y, scores = (np.asarray(column)[kept] for column in (picks.x_px, picks.y_px, picks.scores))
    write_particles(
        staging.place("export", step.PARTICLES_STAR),
        _optics(work, average, target, box, "" if options.mtf_path is None else project.file(options.mtf_path)),
        project.output(micrograph),
        project.output(boxes),
        x,
        y,
        scores,
        _local_ctf(work, average, x, y),
    )
    return boxes, len(stack), int((~kept).sum())


def _automatic_box(diameter: float | None, pixel: float) -> int:
    """Half as much again as the diameter, even, at least 32 px."""
    if diameter is None:
        raise InputError("setting export.box_size: give a box in px, since no picking.diameter says how large")
    return max(32, 2 * round(0.75 * diameter / pixel))


def _optics(work: Work, average: Average, particle_pixel: float, box: int, mtf: str) -> OpticsGroup:
    ctf, motion = work.settings.ctf, work.results.get("motion") or {}
    return OpticsGroup(
        original_pixel_size_angstrom=motion.get("original_pixel_size_angstrom")
        or work.take(EXPOSURE).pixel_size_angstrom,
        pixel_size_angstrom=average.pixel_size_angstrom,
        voltage_kv=known(ctf, "voltage"),
        cs_mm=known(ctf, "cs"),
        amplitude_contrast=ctf.amplitude_contrast,
        image_pixel_size_angstrom=particle_pixel,
        image_size_px=box,
        number=work.task.optics_group,
        mtf=mtf,
        given_name=motion.get("optics_group_name") or "",
    )


def _local_ctf(
    work: Work, average: Average, x_px: npt.NDArray[np.floating], y_px: npt.NDArray[np.floating]
) -> ParticleCtf:
    """The defocus at each particle's own place, from the fit's defocus surface."""
    fit = work.get(FIT)
    if fit is None or fit.failure is not None:
        return ParticleCtf(0.0, 0.0, 0.0)
    height, width = average.pixels.shape
    mean = (fit.defocus_u_angstrom + fit.defocus_v_angstrom) / 2
    delta = 1e4 * fit.grid.um_at(x_px / max(1, width - 1), y_px / max(1, height - 1)) - mean
    return ParticleCtf(
        defocus_u_angstrom=fit.defocus_u_angstrom + delta,
        defocus_v_angstrom=fit.defocus_v_angstrom + delta,
        defocus_angle_degrees=fit.angle_degrees,
        phase_shift_degrees=fit.phase_shift_degrees,
        figure_of_merit=fit.figure_of_merit,
        max_resolution_angstrom=fit.resolution_angstrom,
    )
