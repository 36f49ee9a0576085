"""Export: averages, their parts and particles; only particles are made anew where nothing else has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from warpcore.kernels.ctf import deconvolve
from warpcore.kernels.image import thumbnail
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.formats.png import write_png
from warpcore.services.session.errors import InputError
from warpcore.services.steps import export as step
from warpcore.services.steps.export import ExportResult
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.ctf import ctf_parameters
from warpcore.services.worker.steps.doing import Doing
from warpcore.services.worker.steps.motion import CORRECTED
from warpcore.services.worker.steps.particles import write_boxes
from warpcore.services.worker.steps.picking import PICKS
from warpcore.services.worker.steps.work import AVERAGE, Work

IMAGES = {
    "average": step.AVERAGE,
    "thumbnail": step.THUMBNAIL,
    "odd": step.ODD,
    "even": step.EVEN,
    "stack": step.STACK,
    "deconvolved": step.DECONVOLVED,
}
"""Files of the export that do not depend on picks, by their field in its result."""


class Export(Doing):
    """Writes what other programs read."""

    def take_up(self, work: Work, folder: Path) -> bool:
        """Leave the images of an earlier run as they are on disk, where all are there."""
        made = work.task.results.get("export") or {}
        return all(_where(work, folder, made[name]).is_file() for name in IMAGES if made.get(name))

    def needs_frames(self, work: Work) -> bool:
        """A job over what is processed starts from the average on disk, but for halves and stacks."""
        options = work.settings.export
        return "export" not in work.cheap and (not work.is_export_job or options.halves or options.stack)

    def write(self, work: Work, staging: Staging) -> ExportResult:
        """The files that the settings ask for. An export job leaves the average and its thumbnail alone."""
        options, picks = work.settings.export, work.get(PICKS)
        if work.is_export_job and options.particles and picks is None:
            raise InputError(f"{work.task.name}: no picks to extract; switch picking on first (picking.diameter)")
        made = _retained(work, staging) if "export" in work.cheap else _write_images(work, staging)
        if options.particles and picks is not None:
            boxes, count, at_edge = write_boxes(work, picks, staging, made.average or work.path(step.AVERAGE))
            made = replace(made, particles=boxes, particle_count=count, particles_at_edge=at_edge)
        return made


EXPORT = Export()


def _where(work: Work, folder: Path, name: str) -> Path:
    """A file of an earlier run: another program's average is named by its whole path."""
    return work.here(name) if name.startswith("/") else folder / name


def _retained(work: Work, staging: Staging) -> ExportResult:
    before = work.task.results["export"]
    made: dict[str, Any] = {name: before[name] for name in IMAGES if before.get(name)}
    for name, path in made.items():
        if path == work.path(IMAGES[name]):  # another program's average is no output of ours
            staging.retain("export", IMAGES[name])
    return ExportResult(**made)


def _write_images(work: Work, staging: Staging) -> ExportResult:
    """What the export makes without picks."""
    options, average, corrected = work.settings.export, work.take(AVERAGE), work.get(CORRECTED)
    made: dict[str, Any] = {}

    def place(name: str) -> Path:
        made[name] = work.final_path(IMAGES[name])
        return staging.place("export", IMAGES[name])

    def write(name: str, pixels: Any) -> None:
        write_mrc(place(name), np.asarray(pixels), average.pixel_size_angstrom, options.float16)

    if not work.is_export_job:
        if options.average:
            write("average", average.to_write)
        elif (work.results.get("motion") or {}).get("metadata"):
            made["average"] = str(Path(work.task.data_directory) / work.task.path)
        write_png(place("thumbnail"), thumbnail(average.pixels))
    if corrected is not None:
        for name in ("odd", "even", "stack"):
            pixels = getattr(corrected, name)
            if pixels is not None:
                write(name, pixels)
    ctf = ctf_parameters(work)
    if options.deconvolution and ctf is not None:
        image = deconvolve(
            average.pixels,
            pixel_size_angstrom=average.pixel_size_angstrom,
            ctf=ctf,
            strength=options.deconvolution_strength,
            falloff=options.deconvolution_falloff,
        )
        write("deconvolved", image)
    return ExportResult(**made)
